/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by mounts.c (Binds, Tmpfs, Volumes) and mounts_api.c (Mounts). */
#ifndef SPEC_MOUNTS_INT_H
#define SPEC_MOUNTS_INT_H

#include "spec/spec.h"

/* New zeroed entry at the end. */
struct spec_mount *mounts_add(struct spec_mounts *m);
/* Clean absolute destination, malloc'ed; NULL and err (ERR_INVALID) if relative or the root. */
char *mount_destination(const char *path, struct error *err);
bool mount_propagation_ok(const char *name);
/* HostConfig.Mounts appended to out. */
int mounts_parse_api(const json *host_config, struct spec_mounts *out, struct error *err);

#endif
