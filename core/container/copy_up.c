/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See copy_up.h. The image's directory is opened inside the container's root (openat2) and handed to a dockerd-unpack that packs it; another one
 * extracts into the directory that the volume room gives (volume_fill). No path of the image is followed by its name.
 */
#include "container/copy_up.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/image_use.h"
#include "proto/unpack.h"
#include "unpack/client.h"
#include "volume/volume.h"

#include <dirent.h>
#include <dockerd/storage.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct packing {
	struct unpacker u;
	int from, to; /* to: the pipe, ours to close */
	int result;
	struct error err;
};

static void *pack_thread(void *arg)
{
	struct packing *p = arg;
	struct unpacked ignored;

	p->result = unpacker_pack(&p->u, p->from, -1, p->to, DOCKERD_WHITEOUT_AUFS, NULL, NULL,
				  &ignored, &p->err);
	fd_close(&p->to);
	return NULL;
}

static int pipe_through(int from, int to, struct error *err)
{
	auto_unpacker out = UNPACKER_INIT;
	struct packing p = {
	    .u = UNPACKER_INIT, .from = from, .to = -1, .result = -1, .err = ERROR_INIT};
	struct unpacked ignored;
	auto_close stream = -1;
	pthread_t thread;
	int ends[2], r = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	stream = ends[0];
	p.to = ends[1];
	if (unpacker_start(&out, false, err) == 0 && unpacker_start(&p.u, true, err) == 0 &&
	    (out.host_ids = p.u.host_ids = true) &&
	    thread_start_joinable("copy-up", pack_thread, &p, &thread, err) == 0) {
		r = unpacker_extract(&out, stream, to, -1, DOCKERD_WHITEOUT_AUFS,
				     UNPACK_FLAG_SHARED, &ignored, err);
		fd_close(&stream); /* a failed extraction ends the packing */
		pthread_join(thread, NULL);
	}
	fd_close(&p.to);
	unpacker_stop(&p.u);
	if (p.result < 0 && r == 0)
		*err = p.err;
	return r < 0 || p.result < 0 ? -1 : 0;
}

static bool is_empty(int dir)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			return false;
	return d != NULL;
}

/* What the directory itself carries. */
static int copy_self(int from, int to, struct error *err)
{
	char names[4096], value[65536];
	struct timespec times[2];
	struct stat st;
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return error_sys(err, errno, "set the owner of a volume");
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t len = fgetxattr(from, names + i, value, sizeof(value));

		if (len >= 0 && !str_after(names + i, "trusted."))
			(void)!fsetxattr(to, names + i, value, (size_t)len, 0);
	}
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return futimens(to, times) < 0 ? error_sys(err, errno, "set the times of a volume") : 0;
}

static int copy(void *ctx, int dir, struct error *err)
{
	int from = *(int *)ctx;

	if (!is_empty(from) && pipe_through(from, dir, err) < 0)
		return error_wrap(err, "copy the image's files into a volume");
	return copy_self(from, dir, err);
}

static int fill_one(struct mount_point *m, int root, const char *root_path, struct error *err)
{
	auto_close from = open_in_root(root, m->destination, O_RDONLY | O_DIRECTORY, 0);
	auto_free char *path = NULL;
	char id[ID_LEN + 1];
	int r;

	if (from < 0 && errno == ENOTDIR)
		return error_set(err, ERR_SYSTEM, "source %s%s is not directory", root_path,
				 m->destination);
	if (from < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "open %s", m->destination);
	id_random(id);
	if (volume_mount(m->name, id, &path, err) < 0)
		return -1;
	r = volume_fill(m->name, path, copy, &from, err);
	volume_unmount(m->name, id);
	return r;
}

int copy_up(struct container *c, struct error *err)
{
	auto_free char *path = NULL;
	struct error ignored = ERROR_INIT;
	auto_close root = -1;
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < c->n_mounts; i++)
		any = any || c->mounts[i].fill;
	if (!any)
		return 0;
	if (image_use_layer_mount(c->id, &root, &path, err) < 0)
		return -1;
	for (size_t i = 0; i < c->n_mounts && r == 0; i++)
		if (c->mounts[i].fill)
			r = fill_one(&c->mounts[i], root, path, err);
	fd_close(&root);
	if (image_use_layer_unmount(c->id, &ignored) < 0)
		log_warn("container not unmounted after its creation", "container", c->id, "error",
			 ignored.text);
	return r;
}
