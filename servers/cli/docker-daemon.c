/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker-daemon: a plugin of the docker CLI, so that the classic "docker daemon OPTION..." starts dockerd. The CLI asks for the metadata, and else
 * runs "docker-daemon daemon OPTION...", its own global options before the word. No state, no locks; ends by exec.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char metadata[] =
    "{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"dockerd-in-C\",\"Version\":\"" PACKAGE_VERSION
    "\",\"ShortDescription\":\"Run the daemon (the classic spelling of dockerd)\"}\n";

int main(int argc, char **argv)
{
	static char name[] = "dockerd";
	int i = 1;

	if (argc > 1 && strcmp(argv[1], "docker-cli-plugin-metadata") == 0) {
		fputs(metadata, stdout);
		return fflush(stdout) ? 1 : 0;
	}
	while (i < argc && strcmp(argv[i], "daemon") != 0)
		i++;
	if (i >= argc) {
		fprintf(stderr, "usage: docker daemon OPTION...\n");
		return 1;
	}
	argv[i] = name;
	execv(DOCKERD, argv + i);
	if (errno == ENOENT) /* a package may have put it elsewhere */
		execvp(name, argv + i);
	perror(DOCKERD);
	return 127;
}
