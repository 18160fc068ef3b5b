/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount points of a container: host directories are made, anonymous and named volumes come from the volume room, images from the image room, --volumes-from takes those of
 * other containers; what was resolved at create is kept, so that a start mounts the same again.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/copy_up.h"
#include "container/image_use.h"
#include "volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_volume(const struct mount_point *m)
{
	return m->name && streq(m->type, "volume");
}

static struct mount_point *point_at(const struct container *c, const char *destination)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (streq(c->mounts[i].destination, destination))
			return &c->mounts[i];
	return NULL;
}

static void point_free(struct mount_point *m)
{
	free(m->type);
	free(m->source);
	free(m->destination);
	free(m->name);
	free(m->driver);
	free(m->mode);
	free(m->propagation);
	free(m->subpath);
	free(m->image_id);
	free(m->mount_id);
	free(m->mounted_at);
	*m = (struct mount_point){0};
}

/* A place for what is mounted at destination; what was there before gives way. */
static struct mount_point *point_new(struct container *c, const char *destination)
{
	struct mount_point *p = point_at(c, destination);

	if (p) {
		char *name = is_volume(p) ? p->name : NULL;

		if (name)
			p->name = NULL;
		point_free(p);
		if (name)
			mounts_release_volume(c, name, false);
		free(name);
		return p;
	}
	c->mounts = xreallocarray(c->mounts, c->n_mounts + 1, sizeof(*c->mounts));
	p = &c->mounts[c->n_mounts++];
	*p = (struct mount_point){0};
	return p;
}

void mounts_free(struct container *c)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		point_free(&c->mounts[i]);
	free(c->mounts);
	c->mounts = NULL;
	c->n_mounts = 0;
}

bool mounts_has_image(const struct container *c, const char *image_id)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].image_id && streq(c->mounts[i].image_id, image_id))
			return true;
	return false;
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
		return dir_make_all(AT_FDCWD, m->source, 0755, err) < 0 ||
			       idmap_give(AT_FDCWD, m->source) < 0
			   ? -1
			   : 0;
	return error_set(
	    err, ERR_INVALID,
	    "invalid mount config for type \"bind\": bind source path does not exist: %s",
	    m->source);
}

static int resolve_volume(struct container *c, const struct spec_mount *m, struct mount_point *p,
			  struct error *err)
{
	auto_json *labels = m->labels ? json_parse(m->labels, strlen(m->labels), err) : NULL,
		  *options = m->options ? json_parse(m->options, strlen(m->options), err) : NULL;
	struct volume_wish wish = {.name = m->name,
				   .driver = m->driver,
				   .labels = labels,
				   .options = options,
				   .anonymous = !m->name};
	char id[ID_LEN + 1];

	if (!m->name)
		id_random(id);
	p->name = xstrdup(m->name ? m->name : id);
	wish.name = p->name;
	p->anonymous = !m->name;
	p->fill = !m->no_copy && !m->subpath;
	if (volume_use(&wish, c->id, &p->source, &p->driver, err) < 0)
		return -1;
	if (streq(p->driver, "local") && !m->from_image && !*p->mode) {
		free(p->mode);
		p->mode = xstrdup("z"); /* as moby */
	}
	return 0;
}

/* Mounted once now: inspect shows where, and what can't be mounted is refused here. */
static int resolve_image(struct container *c, const struct spec_mount *m, struct mount_point *p,
			 struct error *err)
{
	p->driver = xstrdup("");
	p->name = xstrdup(m->name);
	return image_use_mount_find(c->id, m->name, &p->image_id, &p->source, err);
}

static int resolve_one(struct container *c, const struct spec_mount *m, struct mount_point *p,
		       struct error *err)
{
	static const char *const types[] = {"bind", "volume", "tmpfs", "image"};

	p->type = xstrdup(types[m->type]);
	p->destination = xstrdup(m->destination);
	p->mode = xstrdup(m->mode ? m->mode : "");
	p->propagation = xstrdup(m->propagation ? m->propagation : "");
	p->rw = !m->read_only;
	p->subpath = xstrdup_null(m->subpath);
	if (m->type == SPEC_MOUNT_IMAGE)
		return resolve_image(c, m, p, err);
	if (m->type == SPEC_MOUNT_VOLUME)
		return resolve_volume(c, m, p, err);
	p->driver = xstrdup("");
	p->source = xstrdup(m->source ? m->source : "");
	return m->type == SPEC_MOUNT_BIND ? check_bind_source(m, err) : 0;
}

/* ---- --volumes-from ---------------------------------------------------------------------------------------------------------------- */

static char *dup_or_empty(const char *s)
{
	return xstrdup(s ? s : "");
}

/* A copy of another container's points, made under its lock. */
static struct mount_point *points_of(struct container *other, size_t *n)
{
	struct mount_point *copy;
	LOCK_SCOPE(&other->lock);

	*n = other->n_mounts;
	copy = xcalloc(*n + 1, sizeof(*copy));
	for (size_t i = 0; i < *n; i++) {
		const struct mount_point *m = &other->mounts[i];

		copy[i] = (struct mount_point){.type = xstrdup(m->type),
					       .source = dup_or_empty(m->source),
					       .destination = xstrdup(m->destination),
					       .name = m->name ? xstrdup(m->name) : NULL,
					       .driver = dup_or_empty(m->driver),
					       .mode = xstrdup(""),
					       .propagation = dup_or_empty(m->propagation),
					       .subpath = xstrdup_null(m->subpath),
					       .image_id = xstrdup_null(m->image_id),
					       .rw = m->rw,
					       .anonymous = m->anonymous};
	}
	return copy;
}

static int take_point(struct container *c, const struct mount_point *p, struct error *err)
{
	if (p->image_id)
		return image_use_mount_hold(c->id, p->image_id, err);
	return is_volume(p) ? volume_use_again(p->name, p->driver, c->id, err) : 0;
}

static int take_from(struct container *c, const char *spec, struct error *err)
{
	const char *colon = strchr(spec, ':');
	auto_free char *name = colon ? xstrndup(spec, (size_t)(colon - spec)) : xstrdup(spec);
	auto_container *other = container_find(name, err);
	struct mount_point *points;
	size_t n;
	int r = 0;

	if (!other) {
		if (err->kind == ERR_NOT_FOUND)
			err->kind = ERR_INVALID; /* moby's status: 404 would be the image's */
		return -1;
	}
	points = points_of(other, &n);
	for (size_t i = 0; i < n; i++) {
		struct mount_point *p;

		if (r < 0 || take_point(c, &points[i], err) < 0) {
			point_free(&points[i]);
			r = -1;
			continue;
		}
		p = point_new(c, points[i].destination);
		*p = points[i];
		p->rw = p->rw && !(colon && streq(colon, ":ro"));
	}
	free(points);
	return r;
}

/* ---- Create ------------------------------------------------------------------------------------------------------------------------ */

int mounts_create(struct container *c, const json *config, const json *host, struct error *err)
{
	struct spec_mounts parsed = {0};
	int r = 0;

	if (spec_parse_mounts(config, host, &parsed, err) < 0)
		return -1;
	for (json *f = json_first(json_get(host, "VolumesFrom")); f && r == 0; f = json_next(f))
		r = take_from(c, json_str(f, ""), err);
	for (size_t i = 0; i < parsed.n && r == 0; i++) {
		const struct spec_mount *m = &parsed.v[i];

		if (m->type == SPEC_MOUNT_TMPFS && !m->from_mounts)
			continue; /* HostConfig.Tmpfs is no mount point in moby's list */
		if (m->from_image && point_at(c, m->destination))
			continue;
		r = resolve_one(c, m, point_new(c, m->destination), err);
	}
	spec_mounts_free(&parsed);
	return r < 0 ? -1 : copy_up(c, err);
}

/* ---- Start ------------------------------------------------------------------------------------------------------------------------- */

/*
 * The directory or file below the volume or image that is mounted, resolved inside the volume. It is named by the descriptor that was found, so that nobody
 * who writes to the volume can have another one mounted in its place.
 */
static int volume_source(const char *volume, struct spec_mount *m, struct error *err)
{
	auto_close root = -1;
	auto_free char *clean = NULL;
	int fd;

	free(m->source);
	m->source = NULL;
	if (str_empty(m->subpath)) {
		m->source = xstrdup(volume);
		return 0;
	}
	clean = path_clean(m->subpath);
	root = dir_open_at(AT_FDCWD, volume, err);
	if (root < 0)
		return -1;
	fd = open_in_root(root, clean, O_PATH, 0);
	if (fd < 0) {
		int why = errno;

		return error_set(err, why == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM,
				 "cannot access path %s/%s: lstat %s/%s: %s", volume, clean, volume,
				 clean,
				 why == ENOENT ? "no such file or directory" : strerror(why));
	}
	m->source_fd = fd;
	m->source = xasprintf("/proc/%d/fd/%d", (int)getpid(), fd);
	return 0;
}

static struct spec_mount *spec_at(struct spec_mounts *m, const char *destination)
{
	for (size_t i = 0; i < m->n; i++)
		if (streq(m->v[i].destination, destination))
			return &m->v[i];
	return NULL;
}

/* Where a volume is mounted for this use. */
static const char *place_of(const struct container *c, const struct mount_point *p,
			    const struct mounted *m)
{
	const char *at = m ? m->at[p - c->mounts] : p->mounted_at;

	return at ? at : p->source;
}

/* What the settings do not name is kept as it was made: volumes of the image, those of other containers. */
static int add_kept(const struct container *c, const struct mounted *mounted,
		    struct spec_mounts *out, struct error *err)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct mount_point *p = &c->mounts[i];
		struct spec_mount *m = spec_at(out, p->destination);

		if (m)
			continue;
		out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
		m = &out->v[out->n++];
		*m = (struct spec_mount){.type = streq(p->type, "bind")    ? SPEC_MOUNT_BIND
						 : streq(p->type, "tmpfs") ? SPEC_MOUNT_TMPFS
						 : p->image_id             ? SPEC_MOUNT_IMAGE
									   : SPEC_MOUNT_VOLUME,
					 .subpath = xstrdup_null(p->subpath),
					 .source = xstrdup(place_of(c, p, mounted)),
					 .destination = xstrdup(p->destination),
					 .propagation = dup_or_empty(p->propagation),
					 .read_only = !p->rw};
		if (p->subpath && volume_source(place_of(c, p, mounted), m, err) < 0)
			return -1;
	}
	return 0;
}

static void drop_image_volumes(struct spec_mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].from_image)
			spec_mounts_remove(m, i--);
}

int mounts_resolve(struct container *c, const json *config, const json *host,
		   const struct mounted *mounted, struct spec_mounts *out, struct error *err)
{
	if (spec_parse_mounts(config, host, out, err) < 0)
		return -1;
	drop_image_volumes(out);
	for (size_t i = 0; i < out->n; i++) {
		struct spec_mount *m = &out->v[i];
		const struct mount_point *p = point_at(c, m->destination);

		if (m->type == SPEC_MOUNT_BIND && check_bind_source(m, err) < 0)
			return -1;
		if (m->type != SPEC_MOUNT_VOLUME && m->type != SPEC_MOUNT_IMAGE)
			continue;
		if (!p)
			return error_set(
			    err, ERR_SYSTEM,
			    "mount point %s was not there when the container was created",
			    m->destination);
		if (volume_source(place_of(c, p, mounted), m, err) < 0)
			return -1;
	}
	return add_kept(c, mounted, out, err);
}

/* ---- Volumes: in use, mounted ------------------------------------------------------------------------------------------------------- */

void mounts_release_volume(struct container *c, const char *name, bool remove)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (is_volume(&c->mounts[i]) && streq(c->mounts[i].name, name))
			return; /* it is at another place as well */
	volume_release(name, c->id, remove);
}

void mounts_release(struct container *c, bool remove_anonymous)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (is_volume(&c->mounts[i]))
			volume_release(c->mounts[i].name, c->id,
				       remove_anonymous && c->mounts[i].anonymous);
	image_use_mount_release(c->id);
}

/*
 * Each use of a volume has an id of its own. at: where it is mounted, if that is not its source, else NULL. A copy: mount points are read while
 * others use them.
 */
static int mount_one(struct container *c, struct mount_point *m, const char *id, char **at,
		     struct error *err)
{
	char *path;

	*at = NULL;
	if (is_volume(m)) {
		if (volume_mount(m->name, id, &path, err) < 0)
			return -1;
		if (streq(path, m->source))
			free(path);
		else
			*at = path;
		return 0;
	}
	if (!m->image_id)
		return 0;
	return image_use_mount(c->id, m->image_id, at, err);
}

/* Where an image is mounted, for inspect and for later; by a start or the adoption alone, with `op` held. */
static void set_source(struct container *c, struct mount_point *m, char *at)
{
	LOCK_SCOPE(&c->lock);

	free(m->source);
	m->source = at;
}

static void unmount_one(struct container *c, const struct mount_point *m, const char *id)
{
	if (is_volume(m))
		volume_unmount(m->name, id);
	else if (m->image_id)
		image_use_unmount(c->id, m->image_id);
}

static void mounted_free(struct mounted *m)
{
	for (size_t i = 0; i < m->ids.n; i++)
		free(m->at[i]);
	free(m->at);
	strlist_free(&m->ids);
	*m = (struct mounted){0};
}

int mounts_mount(struct container *c, struct mounted *out, struct error *err)
{
	*out =
	    (struct mounted){.ids = STRLIST_INIT, .at = xcalloc(c->n_mounts + 1, sizeof(char *))};
	for (size_t i = 0; i < c->n_mounts; i++) {
		char id[ID_LEN + 1];

		id_random(id);
		if (mount_one(c, &c->mounts[i], id, &out->at[i], err) < 0) {
			mounts_unmount(c, out);
			return -1;
		}
		strlist_add(&out->ids, id);
	}
	return 0;
}

void mounts_unmount(struct container *c, struct mounted *m)
{
	for (size_t i = m->ids.n; i-- > 0;)
		unmount_one(c, &c->mounts[i], m->ids.v[i]);
	mounted_free(m);
}

int mounts_start(struct container *c, struct error *err)
{
	struct mounted m;

	if (mounts_mount(c, &m, err) < 0)
		return -1;
	c->volumes_mounted = true;
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct mount_point *p = &c->mounts[i];

		p->held = true;
		if (p->image_id && m.at[i])
			set_source(c, p, steal_ptr(&m.at[i]));
		if (!is_volume(p))
			continue;
		pthread_mutex_lock(&c->lock);
		free(p->mount_id);
		p->mount_id = xstrdup(m.ids.v[i]);
		free(p->mounted_at);
		p->mounted_at = steal_ptr(&m.at[i]);
		pthread_mutex_unlock(&c->lock);
		volume_event_mount(p->name, c->id, p->destination,
				   p->propagation ? p->propagation : "", p->rw);
	}
	mounted_free(&m);
	return 0;
}

void mounts_stop(struct container *c)
{
	if (!c->volumes_mounted)
		return;
	c->volumes_mounted = false;
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct mount_point *p = &c->mounts[i];

		if (p->held)
			unmount_one(c, p, p->mount_id);
		p->held = false;
		if (!is_volume(p))
			continue;
		pthread_mutex_lock(&c->lock);
		free(steal_ptr(&p->mount_id));
		free(steal_ptr(&p->mounted_at));
		pthread_mutex_unlock(&c->lock);
		volume_event_mount(p->name, c->id, NULL, NULL, false);
	}
}

void mounts_adopt(struct container *c)
{
	struct error err = ERROR_INIT;
	char *path;

	c->volumes_mounted = true;
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct mount_point *p = &c->mounts[i];
		int r = is_volume(p)  ? volume_adopt(p->name, p->mount_id, &err)
			: p->image_id ? mount_one(c, p, "", &path, &err) == 0 ? 1 : -1
				      : 0;

		p->held = r > 0;
		if (r > 0 && p->image_id)
			set_source(c, p, path);
		if (r < 0)
			log_error("volume of a live container", "container", c->id, "destination",
				  p->destination, "error", err.text);
	}
}
