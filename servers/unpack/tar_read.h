/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar reader: v7, ustar, pax, GNU (long names, sparse, base-256), star's xattrs. Hands out entries, and all bytes that are not file content
 * ("raw": headers, padding, trailer) to a sink, so that the archive can be put together again byte by byte (tar-split).
 * It touches no file system; names come out as written (escapes are the extractor's business). No length is believed: fuzzed.
 */
#ifndef UNPACK_TAR_READ_H
#define UNPACK_TAR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "stream.h"

#define TAR_BLOCK 512
#define TAR_SPECIAL_MAX (1024 * 1024) /* bytes of one pax header or long name, as Go's reader */
#define TAR_SPARSE_MAX (64 * 1024)    /* pieces of a sparse file */

enum tar_type {
	TAR_FILE,
	TAR_HARDLINK,
	TAR_SYMLINK,
	TAR_CHAR,
	TAR_BLOCKDEV,
	TAR_DIR,
	TAR_FIFO,
	TAR_GLOBAL, /* pax global header: nothing to extract */
	TAR_OTHER,
};

struct tar_xattr {
	char *name;
	void *value;
	size_t len;
};

struct tar_piece {
	uint64_t offset, len;
};

struct tar_entry {
	enum tar_type type;
	char flag; /* as in the header */
	struct str name, linkname;
	uint32_t mode, uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t major, minor;
	uint64_t size;      /* bytes of the file */
	uint64_t data_left; /* bytes of content still in the archive */
	bool sparse;
	struct tar_piece *pieces;
	size_t n_pieces;
	struct tar_xattr *xattrs;
	size_t n_xattrs;
};

struct tar_reader {
	struct stream *in;
	int (*raw)(void *ctx, const void *p, size_t n, struct error *err); /* may be NULL */
	void *raw_ctx;
	struct tar_entry e;
	size_t padding; /* behind the content of e */
	bool ended;
};

void tar_reader_init(struct tar_reader *t, struct stream *in);
void tar_reader_free(struct tar_reader *t);
/* 1: t->e is the next entry (valid until the next call); 0: end; -1 err. Unread content of the last entry is skipped, given to nobody. */
int tar_next(struct tar_reader *t, struct error *err);
/* Content of t->e as stored (a sparse file's holes left out): bytes at *p, 0 at its end, -1 err. */
int64_t tar_data(struct tar_reader *t, const unsigned char **p, struct error *err);
/* The same, straight into a file at *off, if the archive can be passed on; 0: ask tar_data. */
int64_t tar_pass(struct tar_reader *t, int file, uint64_t *off, struct error *err);
/* After tar_next gave 0: feed all that follows the trailer to raw. */
int tar_finish(struct tar_reader *t, struct error *err);

#endif
