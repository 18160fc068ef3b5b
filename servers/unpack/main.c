/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-unpack: packs and unpacks layers and archives for the daemon, see proto/unpack.h. Gets descriptors over socket 3, gives up its
 * rights before it reads the first byte of an archive, and ends when the daemon closes its end.
 */
#include "ahead.h"
#include "assemble.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/str.h"
#include "extract.h"
#include "pack.h"
#include "proto/msg.h"
#include "proto/unpack.h"
#include "sandbox.h"
#include "stream.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY UINT64_MAX

/* Root of a container's files (docker cp), or -1: then requests bring their directories. */
static int view = -1;
static bool view_read_only;

static const char *path_in_view(const struct msg *m)
{
	const char *path = msg_get_str(m, TAG_UNPACK_PATH);

	return path ? path : "/";
}

static void view_stat_free(struct view_stat *s)
{
	str_free(&s->link);
}
#define auto_view_stat __attribute__((cleanup(view_stat_free))) struct view_stat

static int send_mark(void *ctx, int target, const char *name, const void *value, size_t len,
		     struct error *err)
{
	auto_msg m = {0};

	(void)ctx;
	msg_init(&m, UNPACK_MARK);
	msg_put_str(&m, TAG_UNPACK_XATTR, name);
	msg_put(&m, TAG_UNPACK_VALUE, value, len);
	if (msg_put_fd(&m, TAG_UNPACK_TARGET, target) < 0)
		return error_set(err, ERR_SYSTEM, "pass descriptor for attribute %s", name);
	return msg_send(UNPACK_SOCKET_FD, &m, err);
}

static void put_extracted(struct msg *reply, const char *digest, uint64_t tar_size,
			  const struct extract_result *done)
{
	if (digest)
		msg_put_str(reply, TAG_UNPACK_DIGEST, digest);
	msg_put_u64(reply, TAG_UNPACK_TAR_SIZE, tar_size);
	msg_put_u64(reply, TAG_UNPACK_SIZE, done->bytes);
	msg_put_u64(reply, TAG_UNPACK_ENTRIES, done->entries);
}

/* NULL: none. Copied, for a message's bytes lie as they come. */
static const struct idmap *ids_of(const struct msg *m, struct idmap *out)
{
	const void *p;
	size_t len;

	if (!msg_get(m, TAG_UNPACK_IDMAP, &p, &len) || len != sizeof(*out))
		return NULL;
	memcpy(out, p, len);
	return out;
}

static int do_extract(struct msg *m, struct msg *reply, struct error *err)
{
	auto_close in = msg_take_fd(m, TAG_UNPACK_STREAM), dir = msg_take_fd(m, TAG_UNPACK_DIR),
		   split = msg_take_fd(m, TAG_UNPACK_SPLIT);
	uint64_t owner = msg_get_u64(m, TAG_UNPACK_OWNER, NOBODY);
	struct idmap map;
	struct extract_options o = {.root = dir,
				    .ids = ids_of(m, &map),
				    .owner = owner == NOBODY ? NULL : &owner,
				    .split = split,
				    .whiteouts = msg_get_u32(m, TAG_UNPACK_WHITEOUTS, 2),
				    .flags = msg_get_u32(m, TAG_UNPACK_FLAGS, 0),
				    .max_entries = msg_get_u64(m, TAG_UNPACK_MAX_ENTRIES, 0),
				    .mark = send_mark};
	struct extract_result done = {0, 0};
	struct stream s = {.fd = -1};
	char digest[72], where[PATH_MAX];
	bool digested, ahead;
	int r = -1;

	if (view >= 0) {
		/* a link in the archive may lead anywhere in the container, as in moby */
		dir = view_destination(view, path_in_view(m), where, err);
		if (dir < 0)
			return -1;
		o.root = view;
		o.below = where + 1;
	}
	if (in < 0 || dir < 0)
		return error_set(err, ERR_INVALID, "extract: stream or directory is missing");
	/* nobody asks for the digest of what is copied or spooled */
	digested = view < 0 && !(o.flags & UNPACK_FLAG_FILES_ONLY);
	if (stream_open(&s, in, digested, msg_get_u64(m, TAG_UNPACK_MAX_BYTES, 0), err) < 0)
		goto out;
	ahead = digested && !s.inflater && !s.zstd && ahead_has(in);
	if (ahead)
		stream_undigested(&s);
	if (extract_archive(&s, &o, &done, err) < 0)
		goto out;
	FAULT("unpack.extract.before-sync");
	if ((o.flags & UNPACK_FLAG_SYNC) && syncfs(dir) < 0) {
		error_sys(err, errno, "sync");
		goto out;
	}
	if (ahead && ahead_digest(in, digest, err) < 0)
		goto out;
	if (digested && !ahead)
		stream_digest(&s, digest);
	put_extracted(reply, digested ? digest : NULL, s.total, &done);
	r = 0;
out:
	if (r < 0 && view >= 0 && err->kind == ERR_INVALID)
		err->kind = ERR_SYSTEM; /* moby's status for an archive that is wrong */
	stream_close(&s);
	return r;
}

static int put_packed(struct msg *reply, const struct sink *s, char digest[72])
{
	if (*digest)
		msg_put_str(reply, TAG_UNPACK_DIGEST, digest);
	msg_put_u64(reply, TAG_UNPACK_TAR_SIZE, s->total);
	return 0;
}

static int do_assemble(struct msg *m, struct msg *reply, struct error *err)
{
	auto_close out = msg_take_fd(m, TAG_UNPACK_OUT), dir = msg_take_fd(m, TAG_UNPACK_DIR),
		   split = msg_take_fd(m, TAG_UNPACK_SPLIT),
		   counter = msg_take_fd(m, TAG_UNPACK_COUNTER);
	struct sink s;
	char digest[72];
	int r;

	if (split >= 0 && dir < 0 && out < 0) {
		uint64_t size;

		if (assemble_measure(split, &size, err) < 0)
			return -1;
		msg_put_u64(reply, TAG_UNPACK_TAR_SIZE, size);
		return 0;
	}
	if (out < 0 || dir < 0 || split < 0)
		return error_set(err, ERR_INVALID, "assemble: a descriptor is missing");
	if (sink_open(&s, out, true, err) < 0)
		return -1;
	s.counter = counter;
	if (msg_get_u32(m, TAG_UNPACK_FLAGS, 0) & UNPACK_FLAG_GZIP)
		sink_compress(&s);
	r = assemble_archive(dir, split, &s, err);
	if (r == 0)
		r = sink_finish(&s, digest, err);
	if (r == 0)
		put_packed(reply, &s, digest);
	sink_close(&s);
	return r;
}

static int do_pack(struct msg *m, struct msg *reply, struct error *err)
{
	auto_close out = msg_take_fd(m, TAG_UNPACK_OUT), dir = msg_take_fd(m, TAG_UNPACK_DIR),
		   parent = msg_take_fd(m, TAG_UNPACK_PARENT);
	struct idmap map;
	struct pack_options o = {.dir = dir,
				 .ids = ids_of(m, &map),
				 .parent = parent,
				 .whiteouts = msg_get_u32(m, TAG_UNPACK_WHITEOUTS, 2),
				 .flags = msg_get_u32(m, TAG_UNPACK_FLAGS, 0),
				 .path = msg_get_str(m, TAG_UNPACK_PATH),
				 .name = msg_get_str(m, TAG_UNPACK_NAME)};
	struct sink s;
	char digest[72];
	int r;

	if (view >= 0) {
		auto_view_stat what = {0};

		if (view_stat(view, path_in_view(m), &what, err) < 0)
			return -1;
		dir = view_source(view, path_in_view(m), &what.st, &o.path, err);
		if (dir < 0)
			return -1;
		o.dir = dir;
	}
	if (out < 0 || dir < 0)
		return error_set(err, ERR_INVALID, "pack: a descriptor is missing");
	if (sink_open(&s, out, view < 0, err) < 0)
		return -1;
	r = pack_tree(&o, &s, err);
	if (r == 0)
		r = sink_finish(&s, digest, err);
	if (r == 0)
		put_packed(reply, &s, digest);
	sink_close(&s);
	return r;
}

static int do_stat(struct msg *m, struct msg *reply, struct error *err)
{
	auto_view_stat what = {0};

	if (view_stat(view, path_in_view(m), &what, err) < 0)
		return -1;
	msg_put_u32(reply, TAG_UNPACK_MODE, what.st.st_mode);
	msg_put_u64(reply, TAG_UNPACK_SIZE, (uint64_t)what.st.st_size);
	msg_put_u64(reply, TAG_UNPACK_MTIME,
		    (uint64_t)(what.st.st_mtim.tv_sec * 1000000000LL + what.st.st_mtim.tv_nsec));
	msg_put_str(reply, TAG_UNPACK_LINK, str_cstr(&what.link));
	return 0;
}

/* Until ENTER nothing of the container's is read. */
static int do_view(struct msg *m, bool pack, bool *entered, struct error *err)
{
	auto_close tree = msg_take_fd(m, TAG_UNPACK_TREE);
	bool read_only = msg_get_u32(m, TAG_UNPACK_READ_ONLY, 1);

	if (*entered)
		return error_set(err, ERR_INVALID, "view: it has been entered");
	if (m->type == UNPACK_ENTER) {
		*entered = true;
		return view < 0 || view_enter(view, view_read_only, err) < 0
			   ? -1
			   : sandbox_enter(pack, err);
	}
	if (tree < 0)
		return error_set(err, ERR_INVALID, "view: the tree is missing");
	if (view >= 0)
		return view_mount(view, tree, path_in_view(m), read_only, err);
	if (view_root(tree, err) < 0)
		return -1;
	view = steal_fd(&tree);
	view_read_only = read_only;
	return 0;
}

static int dispatch(struct msg *m, struct msg *reply, bool pack, bool *ready, struct error *err)
{
	if (m->type == UNPACK_VIEW || m->type == UNPACK_ENTER)
		return do_view(m, pack, ready, err);
	if (!*ready)
		return error_set(err, ERR_INVALID, "request %u before the view is entered",
				 m->type);
	if (m->type == UNPACK_STAT && view >= 0)
		return do_stat(m, reply, err);
	if (m->type == UNPACK_EXTRACT && !pack)
		return do_extract(m, reply, err);
	if (m->type == UNPACK_ASSEMBLE && pack)
		return do_assemble(m, reply, err);
	if (m->type == UNPACK_PACK && pack)
		return do_pack(m, reply, err);
	return error_set(err, ERR_INVALID, "unexpected request %u", m->type);
}

static int serve(bool pack, bool ready, struct error *err)
{
	uint32_t version;

	for (;;) {
		auto_msg m = {0}, reply = {0};
		struct error failed = ERROR_INIT;
		int r;

		msg_init(&m, 0);
		msg_init(&reply, MSG_OK);
		r = msg_recv(UNPACK_SOCKET_FD, &m, -1, err);
		if (r <= 0)
			return r;
		if (m.type == MSG_HELLO) {
			if (msg_hello_server(UNPACK_SOCKET_FD, &m, PACKAGE_STRING, UNPACK_PROTO_MIN,
					     UNPACK_PROTO_MAX, &version, err) < 0)
				return -1;
			continue;
		}
		if (dispatch(&m, &reply, pack, &ready, &failed) < 0) {
			if (msg_reply_error(UNPACK_SOCKET_FD, m.seq, &failed, err) < 0)
				return -1;
			continue;
		}
		reply.seq = m.seq;
		if (msg_send(UNPACK_SOCKET_FD, &reply, err) < 0)
			return -1;
	}
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct rlimit files;
	const char *how = argc == 2 ? argv[1] : "", *in_view = str_after(how, "view-");
	bool pack;

	how = in_view ? in_view : how;
	if (!streq(how, "pack") && !streq(how, "unpack")) {
		fprintf(stderr, "dockerd-unpack is started by dockerd\n");
		return 2;
	}
	pack = streq(how, "pack");
	umask(0);
	/* Deep trees hold a descriptor per level. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if ((in_view ? view_begin(&err) : sandbox_enter(pack, &err)) < 0 ||
	    serve(pack, !in_view, &err) < 0) {
		if (err.kind == ERR_CANCELLED)
			return 0;
		fprintf(stderr, "dockerd-unpack: %s\n", err.text);
		return 1;
	}
	return 0;
}
