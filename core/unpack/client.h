/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of proto/unpack.h: a dockerd-unpack of our own for the time of one operation: starting, asking, ending it. One thread uses one of them. */
#ifndef UNPACK_CLIENT_H
#define UNPACK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/sha256.h"

struct unpacker {
	int sock;
	pid_t pid;
	uint32_t whiteouts; /* of the extraction under way: what marks are allowed */
	bool
	    host_ids; /* archives have the ids of the host, whatever containers see: set it behind the start */
};

struct unpacked {
	char digest[DIGEST_TEXT]; /* of the uncompressed archive */
	uint64_t tar_size, size, entries;
};

/* pack: for assemble and pack; else for extract. */
int unpacker_start(struct unpacker *u, bool pack, struct error *err);
void unpacker_stop(struct unpacker *u);
#define auto_unpacker __attribute__((cleanup(unpacker_stop))) struct unpacker
#define UNPACKER_INIT                 \
	{                             \
		.sock = -1, .pid = -1 \
	}

/*
 * A view of a container's files instead (docker cp). root: a mounted directory; each volume is shown at its path of the container. What is packed
 * from is mounted read-only. The paths that follow are the container's, absolute; a missing one is ERR_NOT_FOUND.
 */
struct unpack_volume {
	const char *source, *path;
	bool read_only;
};
struct unpack_stat {
	uint32_t mode;       /* st_mode */
	int64_t size, mtime; /* bytes, ns */
	char *link;          /* malloc'ed: where a symlink leads in the end, or "" */
};
int unpacker_view(struct unpacker *u, bool pack, int root, bool read_only,
		  const struct unpack_volume *volumes, size_t n, struct error *err);
int unpacker_view_stat(struct unpacker *u, const char *path, struct unpack_stat *out,
		       struct error *err);
int unpacker_view_pack(struct unpacker *u, const char *path, const char *name, int to,
		       struct error *err);
/* owner: uid << 32 | gid, or NULL for the archive's. */
int unpacker_view_extract(struct unpacker *u, const char *path, int stream, uint32_t flags,
			  const uint64_t *owner, struct error *err);

/* Descriptors are borrowed; split -1: no tar-split. whiteouts: DOCKERD_WHITEOUT_*; flags: UNPACK_FLAG_*. */
int unpacker_extract(struct unpacker *u, int stream, int dir, int split, uint32_t whiteouts,
		     uint32_t flags, struct unpacked *out, struct error *err);
int unpacker_assemble(struct unpacker *u, int dir, int split, int to, struct unpacked *out,
		      struct error *err);
/* The same, compressed; counter: see TAG_UNPACK_COUNTER, -1: none. */
int unpacker_assemble_as(struct unpacker *u, int dir, int split, int to, bool gzip, int counter,
			 struct unpacked *out, struct error *err);
/* parent -1: no comparison; path, name: see proto/unpack.h. */
int unpacker_pack(struct unpacker *u, int dir, int parent, int to, uint32_t whiteouts,
		  const char *path, const char *name, struct unpacked *out, struct error *err);

#endif
