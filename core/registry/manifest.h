/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: docker schema 1 (read), schema 2, manifest lists, OCI image manifests and indexes; which of a list fits a platform. Pure; the input
 * is hostile, and its digest has been checked by who got it.
 */
#ifndef REGISTRY_MANIFEST_H
#define REGISTRY_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/platform.h"
#include "base/str.h"

#define TYPE_SCHEMA2 "application/vnd.docker.distribution.manifest.v2+json"
#define TYPE_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define TYPE_OCI "application/vnd.oci.image.manifest.v1+json"
#define TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define TYPE_SIGNED1 "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define TYPE_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define TYPE_CONFIG "application/vnd.docker.container.image.v1+json"
#define TYPE_LAYER "application/vnd.docker.image.rootfs.diff.tar.gzip"

struct descriptor {
	char *type;
	char digest[DIGEST_TEXT];
	uint64_t size; /* 0: not said (schema 1) */
	struct platform platform;
	bool has_platform;
	struct strlist urls; /* of a foreign layer: where it is, if the registry has it not */
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_LIST, MANIFEST_SCHEMA1 };

struct manifest {
	enum manifest_kind kind;
	char *type;
	struct descriptor config; /* image */
	struct descriptor *v;     /* layers from the lowest up, or the list's manifests */
	size_t n;
	char *config1; /* schema 1: a configuration without rootfs, to be completed with diff ids */
};

void manifest_free(struct manifest *m);
#define auto_manifest __attribute__((cleanup(manifest_free))) struct manifest
/* content_type: the reply's, may be NULL. */
int manifest_parse(const char *text, size_t len, const char *content_type, struct manifest *out,
		   struct error *err);
/* "Name: value" lines of Accept for all that manifest_parse reads. */
void manifest_accept(struct strlist *headers);

/* The list's best entry, or NULL. */
const struct descriptor *manifest_select(const struct manifest *list, const struct platform *want);

/* ---- schema1.c ---- */
/* Layers and config1 of a schema 1 document. */
int schema1_read(const json *j, struct manifest *m, struct error *err);
/* Configuration of a schema 1 image with its layers. */
int schema1_complete(const char *config1, const struct strlist *diffs, struct str *out,
		     struct error *err);
/* What the digest of a signed schema 1 manifest is of: the document without its signatures. */
int schema1_payload(const char *text, size_t len, struct str *out, struct error *err);

#endif
