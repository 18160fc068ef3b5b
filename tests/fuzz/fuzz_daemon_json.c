/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.json from its bytes to a merged configuration; what is accepted must print as JSON again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "dockerd", flag[64];
	char *argv[] = {name, flag, NULL};
	static int fd = -1;
	struct error err = ERROR_INIT;
	struct config *c = NULL;

	if (fd < 0) {
		fd = memfd_create("daemon.json", 0);
		snprintf(flag, sizeof(flag), "--config-file=/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (config_parse(2, argv, &c, &err) == 0) {
		struct str text = STR_INIT;
		json *again;

		config_dump(c, &text);
		again = json_parse(text.p, text.len, &err);
		if (!again)
			abort();
		json_free(again);
		str_free(&text);
		config_free(c);
	} else if (!err.text[0]) {
		abort(); /* an error says what is wrong */
	}
	return 0;
}
