/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of one image in order, for those who carry images in and out (core/registry): references are held as long as the stack lives, so that
 * nothing of it is removed meanwhile. One thread uses a stack.
 */
#ifndef IMAGE_STACK_H
#define IMAGE_STACK_H

#include "image/image.h"
#include "image/reference.h"

#include "base/sha256.h"

struct image_stack;

struct image_stack *image_stack_new(struct image_store *s);
/* The layers of an image that exists; NULL with err. */
struct image_stack *image_stack_of(struct image_store *s, const char *name, struct error *err);
void image_stack_free(struct image_stack *k);
#define auto_stack __attribute__((cleanup(image_stack_freep))) struct image_stack
static inline void image_stack_freep(struct image_stack **k)
{
	image_stack_free(*k);
}

/* Would the store have the layer `diff` on top of chain `below` ("" : nothing)? chain: what both give. */
bool image_chain_exists(struct image_store *s, const char *below, const char *diff,
			char chain[DIGEST_TEXT]);
/* Put an existing layer on top; false: there is none. */
bool image_stack_take(struct image_stack *k, const char *diff);

/* Where a new layer's archive comes from. */
struct layer_source {
	int fd;                /* archive, read once to its end */
	const char *want_diff; /* digest of the uncompressed archive, or NULL: any */
	const char
	    *foreign; /* descriptor of a layer that is not ours to distribute (JSON), or NULL */
	/* After the last byte, before anything is kept: was it what was meant? May be NULL. */
	int (*verify)(void *ctx, struct error *err);
	void *ctx;
	struct unpacker
	    *unpacker; /* who does it, for several layers in turn; NULL: one of its own */
};
/* diff: what its digest is. */
int image_stack_add(struct image_stack *k, const struct layer_source *from, char diff[DIGEST_TEXT],
		    struct error *err);
/* Make an image of the stack and its configuration document, which must name these layers. The stack is empty afterwards. */
int image_stack_finish(struct image_stack *k, const char *config, size_t len, char id[DIGEST_TEXT],
		       struct error *err);

size_t image_stack_depth(const struct image_stack *k);
/* From the lowest, 0. Borrowed as long as the stack is not changed. */
const char *image_stack_diff(const struct image_stack *k, size_t i);
const char *image_stack_chain(const struct image_stack *k, size_t i);
uint64_t image_stack_size(const struct image_stack *k, size_t i);
/* Descriptor that a foreign layer was pulled by (JSON); 0: it is none. */
bool image_stack_foreign(struct image_stack *k, size_t i, struct str *descriptor);
/* The layer's archive to fd, identical to what it came from; gzip: compressed. counter: -1, or a file whose first eight bytes are kept at the
 * number of uncompressed bytes written so far. */
int image_stack_write(struct image_stack *k, size_t i, int fd, bool gzip, int counter,
		      struct error *err);

/* Point a reference (tag or digest) to an image. *old: malloc'ed id that it pointed to before, or NULL. */
int image_reference_set(struct image_store *s, const struct reference *ref, const char *id,
			char **old, struct error *err);
/* References with a tag of that repository (full name), sorted. */
void image_repository_tags(struct image_store *s, const char *name, struct strlist *tags);
/* Id that a reference points to exactly; malloc'ed or NULL. */
char *image_reference_get(struct image_store *s, const struct reference *ref);
/* "pull" or "push" of a familiar reference, for the events stream. */
void image_tell(struct image_store *s, const char *action, const struct reference *ref);
/* An unlinked file in data-root/tmp, open for reading and writing. */
int image_spool(struct image_store *s, struct error *err);

/* ---- distribution.c: which compressed blobs a layer is known as, and where; moby's image/DRIVER/distribution ---- */

struct blob_origin {
	char digest[DIGEST_TEXT];
	char *repository; /* "localhost:5000/a/b", "docker.io/library/busybox" */
};
struct blob_origins {
	struct blob_origin *v;
	size_t n;
};
void blob_origins_free(struct blob_origins *o);
/* Newest first. Never fails: what is not known is only work done again. */
void image_blob_origins(struct image_store *s, const char *diff, struct blob_origins *out);
void image_blob_note(struct image_store *s, const char *diff, const char *digest,
		     const char *repository);

#endif
