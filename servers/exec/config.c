/* SPDX-License-Identifier: Apache-2.0 */
/* The container's configuration: <run dir>/config as the daemon wrote it, and the seccomp text from the shared cache. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_MAX (16 * 1024 * 1024)

static int load_seccomp(struct run *r, struct error *err)
{
	const char *digest = msg_get_str(&r->config, TAG_SECCOMP_DIGEST),
		   *text = msg_get_str(&r->config, TAG_SECCOMP);
	const char *cache = r->container.cache;
	auto_free char *path = NULL;

	r->container.seccomp = text;
	r->container.seccomp_digest = digest;
	if (text || !digest)
		return 0;
	path = xasprintf("%s/%s.json", cache ? cache : "", digest);
	/* Without its profile a container must not start, nor get a further process. */
	if (file_read_at(AT_FDCWD, path, CONFIG_MAX, &r->seccomp, err) < 0)
		return error_wrap(err, "seccomp profile of the container");
	r->container.seccomp = str_cstr(&r->seccomp);
	return 0;
}

int run_load(struct run *r, bool with_seccomp, struct error *err)
{
	auto_str raw = STR_INIT;
	struct dockerd_container *c = &r->container;

	if (file_read_at(r->dir, SHIM_CONFIG, CONFIG_MAX, &raw, err) < 0 ||
	    msg_parse(&r->config, raw.p, raw.len, err) < 0)
		return error_wrap(err, "configuration of the container");
	*c = (struct dockerd_container){.size = sizeof(*c), .rootfs_fd = -1, .netns_fd = -1};
	c->id = msg_get_str(&r->config, TAG_ID);
	c->spec = msg_get_str(&r->config, TAG_SPEC);
	c->cache = msg_get_str(&r->config, TAG_CACHE);
	c->init_path = msg_get_str(&r->config, TAG_INIT_PATH);
	c->rootfs_path = msg_get_str(&r->config, TAG_ROOTFS_PATH);
	if (!c->id || !c->spec || !c->rootfs_path)
		return error_set(err, ERR_INVALID, "configuration of the container is incomplete");
	c->spec_length = strlen(c->spec);
	if (mkdirat(r->dir, SHIM_DRIVER_DIR, 0700) < 0 && errno != EEXIST)
		return error_sys(err, errno, "mkdir " SHIM_DRIVER_DIR);
	c->state_fd = dir_open_at(r->dir, SHIM_DRIVER_DIR, err);
	if (c->state_fd < 0)
		return -1;
	return with_seccomp ? load_seccomp(r, err) : 0;
}
