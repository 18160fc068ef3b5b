/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar-split.json.gz, the format of vbatts/tar-split that moby keeps beside each layer: one JSON object per line, in archive order.
 *	{"type":2,"payload":"<base64 of raw bytes>","position":0}
 *	{"type":1,"name":"bin/sh","size":12,"payload":"<base64 of the CRC-64/ISO of the content, big endian>","position":1}
 * A name that is no UTF-8 stands as base64 in name_raw.
 */
#ifndef UNPACK_SPLIT_H
#define UNPACK_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct deflater;

struct split_writer {
	struct deflater *out; /* NULL: writes nothing */
	struct str raw;       /* bytes not yet written as a segment */
	struct str line;
	uint64_t position;
};

/* fd is borrowed; -1: a writer that does nothing. */
void split_writer_init(struct split_writer *w, int fd);
void split_writer_free(struct split_writer *w);
/* For tar_reader.raw. */
int split_raw(void *w, const void *p, size_t n, struct error *err);
int split_file(struct split_writer *w, const struct str *name, uint64_t size, uint64_t crc,
	       struct error *err);
/* What was collected becomes a segment of its own: moby has one for the trailer and one for the padding behind it. */
int split_flush(struct split_writer *w, struct error *err);
int split_finish(struct split_writer *w, struct error *err);

/* CRC-64/ISO, start with 0. */
uint64_t crc64_iso(uint64_t crc, const void *p, size_t n);

enum split_type { SPLIT_FILE = 1, SPLIT_SEGMENT = 2 };

/* One line, parsed. */
struct split_line {
	enum split_type type;
	struct str name;
	uint64_t size;
	unsigned char *payload; /* malloc'ed */
	size_t payload_len;
};

void split_line_free(struct split_line *l);
int split_line_parse(struct split_line *l, const char *text, size_t n, struct error *err);

#endif
