/* SPDX-License-Identifier: Apache-2.0 */
/* One blob to a registry: is it there, can it be mounted from elsewhere, else upload it. Any thread. */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

#include "registry/client.h"

/* Is the blob in the repository? *size: its bytes. -1 only when the registry can't be asked. */
int blob_exists(struct client *c, const char *digest, int cancel_fd, bool *there, uint64_t *size,
		struct error *err);
/* Mount it from another repository of the same registry; *done: it worked. Never an error: then it is uploaded. */
void blob_mount(struct client *c, const char *digest, const char *from, int cancel_fd, bool *done);
/* A small blob in one piece. */
int blob_put(struct client *c, const void *p, size_t n, const char *digest, int cancel_fd,
	     struct error *err);
/* A stream of unknown length. read: see transport.h; finish: after its end, gives the digest, or fails. */
struct blob_stream {
	ssize_t (*read)(void *ctx, void *buf, size_t n);
	int (*finish)(void *ctx, char digest[DIGEST_TEXT], struct error *err);
	void *ctx;
};
int blob_stream(struct client *c, const struct blob_stream *s, int cancel_fd, struct error *err);

#endif
