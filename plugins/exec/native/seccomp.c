/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of a container: from the cache if it was compiled before, else compiled (filter_compile.c) and cached. Compiling takes
 * longer than all the rest of a start; what it depends on is in the file's name, and a file is only ever there whole.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CACHE_MAGIC UINT32_C(0x66706273) /* "sbpf"; change it when the compiler's output changes */

struct cached {
	uint32_t magic, flags, n, reserved;
};

static char *cache_path(const char *cache, const char *digest)
{
	const struct scmp_version *v = seccomp_version();
	struct utsname u;

	if (str_empty(cache) || str_empty(digest) || !path_is_component(digest) || uname(&u) < 0)
		return NULL;
	return xasprintf("%s/%s-%s-%u.%u.%u-%s.bpf", cache, digest, u.machine, v->major, v->minor,
			 v->micro, u.release);
}

static bool read_cached(struct filter *f, const char *path)
{
	auto_close fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct cached head;
	size_t size;

	if (fd < 0 || fd_read_full(fd, &head, sizeof(head)) != sizeof(head) ||
	    head.magic != CACHE_MAGIC || !head.n || head.n > BPF_MAXINSNS)
		return false;
	size = head.n * sizeof(*f->code);
	f->code = xmalloc(size);
	if (fd_read_full(fd, f->code, size) != (ssize_t)size) {
		filter_free(f);
		return false;
	}
	f->n = (unsigned short)head.n;
	f->flags = head.flags;
	return true;
}

int filter_prepare(struct filter *f, const char *text, const char *digest, const char *cache,
		   struct error *err)
{
	auto_free char *path = cache_path(cache, digest);
	auto_str file = STR_INIT;
	struct error ignored;
	struct cached head = {.magic = CACHE_MAGIC};

	if (path && read_cached(f, path))
		return 0;
	if (filter_compile(f, text, err) < 0)
		return error_wrap(err, "seccomp profile");
	if (!path)
		return 0;
	head.flags = f->flags;
	head.n = f->n;
	str_add(&file, &head, sizeof(head));
	str_add(&file, f->code, f->n * sizeof(*f->code));
	FAULT("native.seccomp.compiled");
	file_write_atomic(AT_FDCWD, path, file.p, file.len, 0600, false,
			  &ignored); /* without it the next start is slow again */
	return 0;
}

void filter_free(struct filter *f)
{
	free(f->code);
	*f = (struct filter){0};
}

int filter_load(const struct filter *f, struct error *err)
{
	struct sock_fprog prog = {.len = f->n, .filter = f->code};

	if (!f->code)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &prog) < 0)
		return error_sys(err, errno, "load the seccomp filter");
	return 0;
}
