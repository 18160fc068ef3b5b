/* SPDX-License-Identifier: Apache-2.0 */
/* See client.h. */
#include "unpack/client.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/spawn.h"
#include "base/str.h"
#include "proto/msg.h"
#include "proto/unpack.h"

#include <dockerd/storage.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int start(struct unpacker *u, const char *how, struct error *err)
{
	auto_free char *path = program_path("dockerd-unpack");
	const char *argv[] = {"dockerd-unpack", how, NULL};
	int pair[2], fds[4] = {-1, -1, STDERR_FILENO, -1};
	struct spawn sp = {.path = path, .argv = argv, .fds = fds, .n_fds = 4};
	uint32_t version;

	*u = (struct unpacker)UNPACKER_INIT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, errno, "make a socket pair");
	fds[3] = pair[1];
	u->pid = spawn_program(&sp, err);
	close(pair[1]);
	u->sock = pair[0];
	if (u->pid < 0 || msg_hello_client(u->sock, PACKAGE_STRING, UNPACK_PROTO_MIN,
					   UNPACK_PROTO_MAX, &version, err) < 0) {
		unpacker_stop(u);
		return error_wrap(err, "dockerd-unpack");
	}
	return 0;
}

int unpacker_start(struct unpacker *u, bool pack, struct error *err)
{
	return start(u, pack ? "pack" : "unpack", err);
}

void unpacker_stop(struct unpacker *u)
{
	fd_close(&u->sock); /* it ends at end of file */
	if (u->pid > 0)
		while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
			;
	u->pid = -1;
}

/*
 * An attribute that only we may set. Allowed is what an image may carry: security.* and trusted.*, but of the storage driver's own ones just
 * the opaque mark, and only where the driver's directories use it.
 */
static int apply_mark(const struct unpacker *u, struct msg *m, struct error *err)
{
	const char *name = msg_get_str(m, TAG_UNPACK_XATTR);
	auto_close target = msg_take_fd(m, TAG_UNPACK_TARGET);
	const void *value = NULL;
	char path[64];
	size_t len = 0;
	bool opaque;

	if (!name || target < 0 || !msg_get(m, TAG_UNPACK_VALUE, &value, &len))
		return error_set(err, ERR_SYSTEM, "dockerd-unpack sent a malformed mark");
	opaque = streq(name, "trusted.overlay.opaque");
	if (opaque ? u->whiteouts != DOCKERD_WHITEOUT_OVERLAY || len != 1
		   : (!str_after(name, "trusted.") && !str_after(name, "security.")) ||
			 str_after(name, "trusted.overlay."))
		return error_set(err, ERR_DENIED, "attribute %s may not be set by an archive",
				 name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	if (setxattr(path, name, value, len, 0) == 0)
		return 0;
	if (!opaque && (errno == ENOTSUP || errno == EPERM))
		return 0; /* as moby: not every file system and host can hold every attribute */
	return error_sys(err, errno, "set attribute %s", name);
}

/* Send, then serve marks until the answer, which is the caller's to free. */
static int ask_for(struct unpacker *u, struct msg *request, struct msg *answer, struct error *err)
{
	if (msg_send(u->sock, request, err) < 0)
		return error_wrap(err, "dockerd-unpack");
	for (;;) {
		int r;

		msg_free(answer);
		msg_init(answer, 0);
		r = msg_recv(u->sock, answer, -1, err);
		if (r < 0)
			return error_wrap(err, "dockerd-unpack");
		if (r == 0)
			return error_set(
			    err, ERR_SYSTEM,
			    "dockerd-unpack ended unexpectedly: it crashed or was killed");
		if (answer->type == UNPACK_MARK) {
			if (apply_mark(u, answer, err) < 0)
				return -1;
			continue;
		}
		return answer->type == MSG_ERROR ? msg_to_error(answer, err) : 0;
	}
}

static int ask(struct unpacker *u, struct msg *request, struct unpacked *out, struct error *err)
{
	auto_msg answer = {0};
	const char *digest;

	if (ask_for(u, request, &answer, err) < 0)
		return -1;
	digest = msg_get_str(&answer, TAG_UNPACK_DIGEST);
	snprintf(out->digest, sizeof(out->digest), "%s", digest ? digest : "");
	out->tar_size = msg_get_u64(&answer, TAG_UNPACK_TAR_SIZE, 0);
	out->size = msg_get_u64(&answer, TAG_UNPACK_SIZE, 0);
	out->entries = msg_get_u64(&answer, TAG_UNPACK_ENTRIES, 0);
	return 0;
}

static int put_fds(struct msg *m, const uint16_t *tags, const int *fds, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0 && msg_put_fd(m, tags[i], fds[i]) < 0)
			return error_sys(err, errno, "pass a descriptor to dockerd-unpack");
	return 0;
}

static void put_idmap(const struct unpacker *u, struct msg *m)
{
	const struct idmap *map = idmap_current();

	if (map && !u->host_ids)
		msg_put(m, TAG_UNPACK_IDMAP, map, sizeof(*map));
}

int unpacker_extract(struct unpacker *u, int stream, int dir, int split, uint32_t whiteouts,
		     uint32_t flags, struct unpacked *out, struct error *err)
{
	const uint16_t tags[] = {TAG_UNPACK_STREAM, TAG_UNPACK_DIR, TAG_UNPACK_SPLIT};
	const int fds[] = {stream, dir, split};
	auto_msg m = {0};

	msg_init(&m, UNPACK_EXTRACT);
	put_idmap(u, &m);
	u->whiteouts = whiteouts;
	msg_put_u32(&m, TAG_UNPACK_WHITEOUTS, whiteouts);
	msg_put_u32(&m, TAG_UNPACK_FLAGS, flags);
	return put_fds(&m, tags, fds, 3, err) < 0 ? -1 : ask(u, &m, out, err);
}

int unpacker_assemble(struct unpacker *u, int dir, int split, int to, struct unpacked *out,
		      struct error *err)
{
	return unpacker_assemble_as(u, dir, split, to, false, -1, out, err);
}

int unpacker_assemble_as(struct unpacker *u, int dir, int split, int to, bool gzip, int counter,
			 struct unpacked *out, struct error *err)
{
	const uint16_t tags[] = {TAG_UNPACK_DIR, TAG_UNPACK_SPLIT, TAG_UNPACK_OUT,
				 TAG_UNPACK_COUNTER};
	const int fds[] = {dir, split, to, counter};
	auto_msg m = {0};

	msg_init(&m, UNPACK_ASSEMBLE);
	msg_put_u32(&m, TAG_UNPACK_FLAGS, gzip ? UNPACK_FLAG_GZIP : 0);
	return put_fds(&m, tags, fds, 4, err) < 0 ? -1 : ask(u, &m, out, err);
}

/*
 * The tree to be packed by a mount of its own through which no device can be opened: a running container may put one in the place of a file. -1
 * before Linux 5.12, which can't make it.
 */
static int harmless(int dir)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV |
					      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
	auto_close tree =
	    (int)syscall(SYS_open_tree, dir, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned int)AT_EMPTY_PATH);

	if (tree < 0 ||
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -1;
	return steal_fd(&tree);
}

int unpacker_pack(struct unpacker *u, int dir, int parent, int to, uint32_t whiteouts,
		  const char *path, const char *name, struct unpacked *out, struct error *err)
{
	const uint16_t tags[] = {TAG_UNPACK_DIR, TAG_UNPACK_PARENT, TAG_UNPACK_OUT};
	auto_close safe = harmless(dir);
	const int fds[] = {safe >= 0 ? safe : dir, parent, to};
	auto_msg m = {0};

	msg_init(&m, UNPACK_PACK);
	put_idmap(u, &m);
	msg_put_u32(&m, TAG_UNPACK_WHITEOUTS, whiteouts);
	msg_put_str(&m, TAG_UNPACK_PATH, path);
	msg_put_str(&m, TAG_UNPACK_NAME, name);
	return put_fds(&m, tags, fds, 3, err) < 0 ? -1 : ask(u, &m, out, err);
}

/* ---- a container's files ------------------------------------------------------------------------------------------------------------ */

/* A detached copy of the mounts at path (dir: relative to it). */
static int clone_tree(int dir, const char *path, struct error *err)
{
	int tree = (int)syscall(SYS_open_tree, dir, path,
				OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
				    (*path ? 0u : (unsigned int)AT_EMPTY_PATH));

	return tree < 0 ? error_sys(err, errno, "open %s", *path ? path : "the container's root")
			: tree;
}

static int send_tree(struct unpacker *u, int tree, const char *path, bool read_only,
		     struct error *err)
{
	auto_close owned = tree;
	auto_msg m, answer = {0};

	(void)owned; /* for its end */
	msg_init(&m, UNPACK_VIEW);
	msg_put_str(&m, TAG_UNPACK_PATH, path);
	msg_put_u32(&m, TAG_UNPACK_READ_ONLY, read_only);
	if (tree < 0 || msg_put_fd(&m, TAG_UNPACK_TREE, tree) < 0)
		return tree < 0 ? -1 : error_sys(err, errno, "pass a mount to dockerd-unpack");
	return ask_for(u, &m, &answer, err);
}

/* What is below another source of the same container, that container can have renamed and replaced: it is looked for below that one. */
static int clone_source(const struct unpack_volume *volumes, size_t n,
			const struct unpack_volume *v, struct error *err)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	auto_free char *source = path_clean(v->source), *outer = NULL;
	auto_close top = -1, fd = -1;

	for (size_t i = 0; i < n; i++) {
		auto_free char *other = path_clean(volumes[i].source);
		const char *rest = str_after(source, other);

		if (rest && *rest == '/' && (!outer || strlen(other) < strlen(outer))) {
			free(outer);
			outer = steal_ptr(&other);
		}
	}
	if (!outer)
		return clone_tree(AT_FDCWD, v->source, err);
	top = open(outer, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top >= 0)
		fd = (int)syscall(SYS_openat2, top, source + strlen(outer) + 1, &how, sizeof(how));
	if (fd < 0 && top >= 0 && errno == EXDEV)
		return error_set(err, ERR_SYSTEM,
				 "source %s of a mount leads out of %s, which the container can "
				 "write to: not followed",
				 source, outer);
	return fd < 0 ? error_sys(err, errno, "open %s", source) : clone_tree(fd, "", err);
}

int unpacker_view(struct unpacker *u, bool pack, int root, bool read_only,
		  const struct unpack_volume *volumes, size_t n, struct error *err)
{
	auto_msg enter = {0}, answer = {0};

	if (start(u, pack ? "view-pack" : "view-unpack", err) < 0 ||
	    send_tree(u, clone_tree(root, "", err), "", pack || read_only, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct unpack_volume *v = &volumes[i];

		if (send_tree(u, clone_source(volumes, n, v, err), v->path, pack || v->read_only,
			      err) < 0)
			return -1;
	}
	msg_init(&enter, UNPACK_ENTER);
	return ask_for(u, &enter, &answer, err);
}

int unpacker_view_stat(struct unpacker *u, const char *path, struct unpack_stat *out,
		       struct error *err)
{
	auto_msg m, answer = {0};
	const char *link;

	msg_init(&m, UNPACK_STAT);
	msg_put_str(&m, TAG_UNPACK_PATH, path);
	if (ask_for(u, &m, &answer, err) < 0)
		return -1;
	link = msg_get_str(&answer, TAG_UNPACK_LINK);
	*out = (struct unpack_stat){.mode = msg_get_u32(&answer, TAG_UNPACK_MODE, 0),
				    .size = (int64_t)msg_get_u64(&answer, TAG_UNPACK_SIZE, 0),
				    .mtime = (int64_t)msg_get_u64(&answer, TAG_UNPACK_MTIME, 0),
				    .link = xstrdup(link ? link : "")};
	return 0;
}

int unpacker_view_pack(struct unpacker *u, const char *path, const char *name, int to,
		       struct error *err)
{
	struct unpacked ignored;
	auto_msg m = {0};

	msg_init(&m, UNPACK_PACK);
	put_idmap(u, &m);
	msg_put_u32(&m, TAG_UNPACK_WHITEOUTS, DOCKERD_WHITEOUT_AUFS);
	msg_put_str(&m, TAG_UNPACK_PATH, path);
	msg_put_str(&m, TAG_UNPACK_NAME, name);
	return put_fds(&m, (const uint16_t[]){TAG_UNPACK_OUT}, &to, 1, err) < 0
		   ? -1
		   : ask(u, &m, &ignored, err);
}

int unpacker_view_extract(struct unpacker *u, const char *path, int stream, uint32_t flags,
			  const uint64_t *owner, struct error *err)
{
	struct unpacked ignored;
	auto_msg m = {0};

	msg_init(&m, UNPACK_EXTRACT);
	put_idmap(u, &m);
	u->whiteouts = DOCKERD_WHITEOUT_AUFS;
	msg_put_u32(&m, TAG_UNPACK_WHITEOUTS, DOCKERD_WHITEOUT_AUFS);
	msg_put_u32(&m, TAG_UNPACK_FLAGS, flags | UNPACK_FLAG_IN_USE);
	msg_put_str(&m, TAG_UNPACK_PATH, path);
	if (owner)
		msg_put_u64(&m, TAG_UNPACK_OWNER, *owner);
	return put_fds(&m, (const uint16_t[]){TAG_UNPACK_STREAM}, &stream, 1, err) < 0
		   ? -1
		   : ask(u, &m, &ignored, err);
}
