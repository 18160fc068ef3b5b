/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See apparmor.h. The rules say what moby's profile of that name says (docs: Docker's page on AppArmor): everything but mounts, and but writes to what
 * /proc and /sys have of the whole host. apparmor.d(5) has the language. A container that may ptrace its own may not trace us.
 */
#include "container/apparmor.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOADED "/sys/kernel/security/apparmor/profiles"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one parser at a time */

bool apparmor_enabled(void)
{
	struct error ignored = ERROR_INIT;
	auto_str text = STR_INIT;

	return file_exists_at(AT_FDCWD, "/sys/kernel/security/apparmor") &&
	       file_read_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text,
			    &ignored) == 0 &&
	       *str_cstr(&text) == 'Y';
}

static bool is_loaded(void)
{
	auto_file FILE *f = fopen(LOADED, "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f))
		if (str_after(line, APPARMOR_DEFAULT " ("))
			return true;
	return false;
}

/* Our own profile, without its mode; containers take signals from it. */
static void own_profile(char out[256])
{
	auto_str text = STR_INIT;
	struct error ignored = ERROR_INIT;

	snprintf(out, 256, "unconfined");
	if (file_read_at(AT_FDCWD, "/proc/self/attr/current", 256, &text, &ignored) == 0 &&
	    text.len && strcspn(str_cstr(&text), " \n\"") < 200)
		snprintf(out, 256, "%.*s", (int)strcspn(str_cstr(&text), " \n\""), str_cstr(&text));
}

static bool has_file(const char *name)
{
	auto_free char *path = xasprintf("/etc/apparmor.d/%s", name);

	return file_exists_at(AT_FDCWD, path);
}

static void print_profile(struct str *out)
{
	char own[256];

	own_profile(own);
	if (has_file("tunables/global"))
		str_puts(out, "#include <tunables/global>\n");
	else
		str_puts(out, "@{PROC}=/proc/\n");
	str_puts(out,
		 "profile " APPARMOR_DEFAULT " flags=(attach_disconnected,mediate_deleted) {\n");
	if (has_file("abstractions/base"))
		str_puts(out, "#include <abstractions/base>\n");
	str_puts(out, "network,\ncapability,\nfile,\numount,\n");
	/* who may send signals: the host, who runs us, runtime programs, the container itself */
	str_puts(out, "signal (receive) peer=unconfined,\nsignal (receive) peer=runc,\n"
		      "signal (receive) peer=crun,\n");
	if (!streq(own, "unconfined"))
		str_printf(out, "signal (receive) peer=\"%s\",\n", own);
	str_puts(out, "signal (send,receive) peer=" APPARMOR_DEFAULT ",\n"
		      "ptrace (trace,read,tracedby,readby) peer=" APPARMOR_DEFAULT ",\n"
		      "deny mount,\n");
	/* of /proc: nothing outside of the processes' own directories, and of sys/kernel what is a namespace's (shm*) */
	str_puts(out, "deny @{PROC}/* w,\n"
		      "deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],"
		      "[^1-9][^0-9][^0-9][^0-9/]*}/** w,\n"
		      "deny @{PROC}/sys/[^k]** w,\n"
		      "deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,\n"
		      "deny @{PROC}/{sysrq-trigger,kcore} rwklx,\n");
	/* of /sys: nothing but control groups */
	str_puts(out, "deny /sys/[^f]*/** wklx,\ndeny /sys/f[^s]*/** wklx,\n"
		      "deny /sys/fs/[^c]*/** wklx,\ndeny /sys/fs/c[^g]*/** wklx,\n"
		      "deny /sys/fs/cg[^r]*/** wklx,\n"
		      "deny /sys/firmware/** rwklx,\n"
		      "deny /sys/devices/virtual/powercap/** rwklx,\n"
		      "deny /sys/kernel/security/** rwklx,\n}\n");
}

static const char *find_parser(void)
{
	static const char *const places[] = {"/sbin/apparmor_parser", "/usr/sbin/apparmor_parser",
					     "/usr/bin/apparmor_parser"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int run_parser(int profile, struct error *err)
{
	const char *path = find_parser();
	const char *argv[] = {"apparmor_parser", "-Kr", NULL};
	auto_close said = memfd_create("apparmor", MFD_CLOEXEC);
	int fds[3] = {profile, said, said}, status;
	char text[512] = "";
	pid_t pid;

	if (!path)
		return error_set(err, ERR_SYSTEM,
				 "apparmor_parser is not installed (package apparmor)");
	pid =
	    spawn_program(&(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 3}, err);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "wait for apparmor_parser");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (pread(said, text, sizeof(text) - 1, 0) < 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return error_set(err, ERR_SYSTEM, "apparmor_parser failed: %s", text);
}

int apparmor_load_default(struct error *err)
{
	auto_str text = STR_INIT;
	auto_close profile = -1;
	LOCK_SCOPE(&lock);

	if (is_loaded())
		return 0;
	print_profile(&text);
	profile = memfd_from("profile", text.p, text.len, err);
	if (profile < 0)
		return -1;
	if (lseek(profile, 0, SEEK_SET) < 0 || run_parser(profile, err) < 0)
		return error_wrap(err, "AppArmor enabled on system but the " APPARMOR_DEFAULT
				       " profile could not be loaded");
	return 0;
}
