/* SPDX-License-Identifier: Apache-2.0 */
/* Records are lines: where they begin and end in a file. See log_file.h, struct log_format. */
#include "json-file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (64 * 1024)

size_t line_frame(const char *p, size_t have, size_t looked, const char **rec, size_t *n)
{
	const char *nl = have > looked ? memchr(p + looked, '\n', have - looked) : NULL;

	if (!nl)
		return 0;
	*rec = p;
	*n = (size_t)(nl - p);
	return *n + 1;
}

off_t line_last_end(int fd, off_t end)
{
	char block[4096];

	while (end > 0) {
		size_t n = end < (off_t)sizeof(block) ? (size_t)end : sizeof(block);
		const char *nl;

		if (pread(fd, block, n, end - (off_t)n) != (ssize_t)n)
			break;
		nl = memrchr(block, '\n', n);
		if (nl) {
			end = end - (off_t)n + (nl - block) + 1;
			break;
		}
		end -= (off_t)n;
	}
	return end;
}

static int count_in(struct log_part *f, int64_t *want, char *block)
{
	struct stat st;
	off_t end;
	bool last = true;

	if (fstat(f->fd, &st) < 0)
		return -1;
	for (end = st.st_size; end > 0;) {
		size_t n = end < BLOCK ? (size_t)end : BLOCK;
		char *p;

		if (pread(f->fd, block, n, end - (off_t)n) != (ssize_t)n)
			return -1;
		for (size_t left = n; (p = memrchr(block, '\n', left));
		     left = (size_t)(p - block)) {
			off_t after = end - (off_t)n + (p - block) + 1;

			/* the newline at the very end closes the last record, others begin the next */
			if (!last || after != st.st_size)
				(*want)--;
			last = false;
			if (*want == 0) {
				f->start = after;
				return 0;
			}
		}
		last = false;
		end -= (off_t)n;
	}
	if (st.st_size)
		(*want)--;
	return 0;
}

int line_count_back(struct log_part *f, int64_t *want)
{
	char *block = malloc(BLOCK);
	int r = block ? count_in(f, want, block) : -1;

	free(block);
	return r;
}
