/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount points of a container: host directories are made, anonymous and named volumes come from the volume room; what was resolved at
 * create is kept, so that a start mounts the same again.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "container/container_int.h"
#include "volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

void mounts_free(struct container *c)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct mount_point *m = &c->mounts[i];

		free(m->type);
		free(m->source);
		free(m->destination);
		free(m->name);
		free(m->driver);
		free(m->mode);
		free(m->propagation);
	}
	free(c->mounts);
	c->mounts = NULL;
	c->n_mounts = 0;
}

/* Binds (-v) make a missing host directory; Mounts do not, unless asked to. */
static int check_bind_source(const struct spec_mount *m, struct error *err)
{
	struct stat st;

	if (stat(m->source, &st) == 0)
		return 0;
	if (errno != ENOENT)
		return error_sys(err, errno, "bind source %s", m->source);
	if (m->create_source || !m->from_mounts)
		return dir_make_all(AT_FDCWD, m->source, 0755, err);
	return error_set(
	    err, ERR_INVALID,
	    "invalid mount config for type \"bind\": bind source path does not exist: %s",
	    m->source);
}

static int resolve_volume(struct container *c, const struct spec_mount *m, struct mount_point *p,
			  struct error *err)
{
	char id[ID_LEN + 1];

	if (!str_empty(m->driver) && !streq(m->driver, "local"))
		return error_set(err, ERR_NOT_FOUND,
				 "error looking up volume plugin %s: plugin \"%s\" not found",
				 m->driver, m->driver);
	if (!m->name)
		id_random(id);
	p->name = xstrdup(m->name ? m->name : id);
	p->driver = xstrdup("local");
	p->anonymous = !m->name;
	return volume_use(p->name, !m->name, c->id, &p->source, err);
}

static int resolve_one(struct container *c, const struct spec_mount *m, struct mount_point *p,
		       struct error *err)
{
	static const char *const types[] = {"bind", "volume", "tmpfs"};

	p->type = xstrdup(types[m->type]);
	p->destination = xstrdup(m->destination);
	p->mode = xstrdup(m->mode ? m->mode : "");
	p->propagation = xstrdup(m->propagation ? m->propagation : "");
	p->rw = !m->read_only;
	if (m->type == SPEC_MOUNT_VOLUME)
		return resolve_volume(c, m, p, err);
	p->driver = xstrdup("");
	p->source = xstrdup(m->source ? m->source : "");
	return m->type == SPEC_MOUNT_BIND ? check_bind_source(m, err) : 0;
}

int mounts_create(struct container *c, const json *config, const json *host, struct error *err)
{
	struct spec_mounts parsed = {0};
	int r = 0;

	if (spec_parse_mounts(config, host, &parsed, err) < 0)
		return -1;
	c->mounts = xcalloc(parsed.n, sizeof(*c->mounts));
	for (size_t i = 0; i < parsed.n && r == 0; i++) {
		if (parsed.v[i].type == SPEC_MOUNT_TMPFS && !parsed.v[i].from_mounts)
			continue; /* HostConfig.Tmpfs is no mount point in moby's list */
		r = resolve_one(c, &parsed.v[i], &c->mounts[c->n_mounts++], err);
	}
	spec_mounts_free(&parsed);
	return r;
}

static const struct mount_point *point_at(const struct container *c, const char *destination)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (streq(c->mounts[i].destination, destination))
			return &c->mounts[i];
	return NULL;
}

int mounts_resolve(struct container *c, const json *config, const json *host,
		   struct spec_mounts *out, struct error *err)
{
	if (spec_parse_mounts(config, host, out, err) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		struct spec_mount *m = &out->v[i];
		const struct mount_point *p = point_at(c, m->destination);

		if (m->type == SPEC_MOUNT_BIND && check_bind_source(m, err) < 0)
			return -1;
		if (m->type != SPEC_MOUNT_VOLUME)
			continue;
		if (!p)
			return error_set(
			    err, ERR_SYSTEM,
			    "mount point %s was not there when the container was created",
			    m->destination);
		free(m->source);
		m->source = NULL;
		if (volume_use(p->name, p->anonymous, c->id, &m->source, err) < 0)
			return -1;
	}
	return 0;
}
