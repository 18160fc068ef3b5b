/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of small documents (image configurations, chain ids, profiles): keeps libcrypto out of the resting daemon. Layers are hashed by dockerd-unpack
 * with libcrypto.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

#define DIGEST_TEXT 72 /* "sha256:" + 64 digits + NUL */

/* "sha256:<hex>". Source: FIPS 180-4. */
void sha256_digest(const void *p, size_t n, char out[DIGEST_TEXT]);

#endif
