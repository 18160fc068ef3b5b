/* SPDX-License-Identifier: Apache-2.0 */
/* Mount points from HostConfig.Binds and Tmpfs and from Config.Volumes; duplicates; tmpfs options. */
#include "spec/mounts_int.h"
#include "spec/spec_int.h"

#include <stdlib.h>
#include <unistd.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

static void mount_free(struct spec_mount *p)
{
	if (p->source_fd > 0)
		close(p->source_fd);
	free(p->source);
	free(p->destination);
	free(p->name);
	free(p->driver);
	free(p->mode);
	free(p->propagation);
	free(p->tmpfs_options);
	free(p->subpath);
	free(p->labels);
	free(p->options);
}

void spec_mounts_free(struct spec_mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		mount_free(&m->v[i]);
	free(m->v);
	*m = (struct spec_mounts){0};
}

void spec_mounts_remove(struct spec_mounts *m, size_t i)
{
	mount_free(&m->v[i]);
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(*m->v));
	m->n--;
}

struct spec_mount *mounts_add(struct spec_mounts *m)
{
	m->v = xreallocarray(m->v, m->n + 1, sizeof(*m->v));
	m->v[m->n] = (struct spec_mount){0};
	return &m->v[m->n++];
}

char *mount_destination(const char *path, struct error *err)
{
	char *clean;

	if (*path != '/') {
		error_set(err, ERR_INVALID, "invalid mount path: '%s' mount path must be absolute",
			  path);
		return NULL;
	}
	clean = path_clean(path);
	if (streq(clean, "/")) {
		free(clean);
		error_set(err, ERR_INVALID, "invalid specification: destination can't be '/'");
		return NULL;
	}
	return clean;
}

static bool one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (streq(s, *list))
			return true;
	return false;
}

bool mount_propagation_ok(const char *name)
{
	static const char *const modes[] = {"private", "rprivate", "shared", "rshared",
					    "slave",   "rslave",   NULL};

	return one_of(name, modes);
}

/* ---- Binds --------------------------------------------------------------------------------------------------------------------------- */

struct bind_mode {
	bool read_only, no_copy;
	const char *propagation; /* points into the list */
};

/* Each group at most once; an empty mode is fine. */
static bool parse_mode(const struct strlist *words, struct bind_mode *out)
{
	static const char *const access[] = {"ro", "rw", NULL}, *const label[] = {"z", "Z", NULL},
				 *const copy[] = {"nocopy", NULL};
	static const char *const consistency[] = {"consistent", "cached", "delegated", "default",
						  NULL};
	int n_access = 0, n_label = 0, n_copy = 0, n_consistency = 0, n_propagation = 0;

	*out = (struct bind_mode){0};
	for (size_t i = 0; i < words->n; i++) {
		const char *s = words->v[i];

		if (one_of(s, access)) {
			n_access++;
			out->read_only = streq(s, "ro");
		} else if (one_of(s, label)) {
			n_label++;
		} else if (one_of(s, copy)) {
			n_copy++;
			out->no_copy = true;
		} else if (one_of(s, consistency)) {
			n_consistency++;
		} else if (mount_propagation_ok(s)) {
			n_propagation++;
			out->propagation = s;
		} else {
			return false;
		}
	}
	return n_access <= 1 && n_label <= 1 && n_copy <= 1 && n_consistency <= 1 &&
	       n_propagation <= 1;
}

static int bad_spec(struct error *err, const char *raw, const char *why)
{
	return why ? error_set(err, ERR_SYSTEM, "invalid volume specification: '%s': %s", raw, why)
		   : error_set(err, ERR_SYSTEM, "invalid volume specification: '%s'", raw);
}

static int bad_config(struct error *err, const char *raw, bool bind, const char *why)
{
	auto_free char *copy = xstrdup(why);

	return error_set(
	    err, ERR_SYSTEM,
	    "invalid volume specification: '%s': invalid mount config for type \"%s\": %s", raw,
	    bind ? "bind" : "volume", copy);
}

/* "/x", "name:/x", "/host:/x", each with ":mode". */
static int split_bind(const char *raw, struct strlist *parts, struct strlist *mode,
		      struct error *err)
{
	struct bind_mode ignored;

	strlist_split(parts, raw, ':');
	if (parts->n == 0 || parts->n > 3 || !*parts->v[0])
		return bad_spec(err, raw, NULL);
	if (parts->n == 3)
		strlist_split(mode, parts->v[2], ',');
	if (parts->n == 2) {
		auto_strlist second = STRLIST_INIT;

		strlist_split(&second, parts->v[1], ',');
		if (parse_mode(&second,
			       &ignored)) /* a path and a mode, but nothing to mount there */
			return bad_spec(err, raw, NULL);
	}
	return 0;
}

static int parse_bind(const char *raw, const char *volume_driver, struct spec_mounts *out,
		      struct error *err)
{
	auto_strlist parts = STRLIST_INIT, words = STRLIST_INIT;
	struct bind_mode mode;
	struct spec_mount *m;
	char *destination;
	bool bind;

	if (split_bind(raw, &parts, &words, err) < 0)
		return -1;
	if (!parse_mode(&words, &mode))
		return error_set(err, ERR_SYSTEM, "invalid mode: %s", parts.v[2]);
	bind = parts.n > 1 && parts.v[0][0] == '/';
	destination = mount_destination(parts.v[parts.n > 1], err);
	if (!destination)
		return bad_config(err, raw, bind, err->text);
	m = mounts_add(out);
	m->destination = destination;
	if (bind && mode.no_copy)
		return bad_config(err, raw, true, "field VolumeOptions must not be specified");
	if (!bind && mode.propagation)
		return bad_config(err, raw, false, "field BindOptions must not be specified");
	m->type = bind ? SPEC_MOUNT_BIND : SPEC_MOUNT_VOLUME;
	m->mode = xstrdup(parts.n == 3 ? parts.v[2] : "");
	m->read_only = mode.read_only;
	m->no_copy = mode.no_copy;
	m->create_source = bind;
	m->propagation = xstrdup(mode.propagation ? mode.propagation : bind ? "rprivate" : "");
	m->driver = xstrdup(bind ? "" : volume_driver);
	if (bind)
		m->source = path_clean(parts.v[0]);
	else if (parts.n > 1)
		m->name = xstrdup(parts.v[0]);
	return 0;
}

/* ---- Tmpfs --------------------------------------------------------------------------------------------------------------------------- */

/* Flags that contradict each other are in one group. tmpfs(5), mount(8) */
static const struct {
	const char *name;
	int group;
} tmpfs_flags[] = {
    {"ro", 1},          {"rw", 1},           {"suid", 2},         {"nosuid", 2},
    {"dev", 3},         {"nodev", 3},        {"exec", 4},         {"noexec", 4},
    {"sync", 5},        {"async", 5},        {"dirsync", 6},      {"remount", 7},
    {"mand", 8},        {"nomand", 8},       {"atime", 9},        {"noatime", 9},
    {"diratime", 10},   {"nodiratime", 10},  {"bind", 11},        {"rbind", 11},
    {"unbindable", 12}, {"runbindable", 12}, {"private", 12},     {"rprivate", 12},
    {"shared", 12},     {"rshared", 12},     {"slave", 12},       {"rslave", 12},
    {"relatime", 13},   {"norelatime", 13},  {"strictatime", 14}, {"nostrictatime", 14},
    {"defaults", 15},
};
static const char *const tmpfs_keys[] = {"size",      "mode",      "uid", "gid",
					 "nr_inodes", "nr_blocks", "mpol"};

/* Group of a flag, or of a key behind them; -1: unknown */
static int tmpfs_group(const char *option)
{
	size_t n = strcspn(option, "=");

	for (size_t i = 0; i < ARRAY_LEN(tmpfs_flags); i++)
		if (streq(tmpfs_flags[i].name, option))
			return tmpfs_flags[i].group;
	for (size_t i = 0; option[n] && i < ARRAY_LEN(tmpfs_keys); i++)
		if (strlen(tmpfs_keys[i]) == n && memcmp(tmpfs_keys[i], option, n) == 0)
			return 16 + (int)i;
	return -1;
}

int tmpfs_merge(const char *data, struct strlist *out, struct error *err)
{
	auto_strlist all = STRLIST_INIT, kept = STRLIST_INIT;
	uint64_t seen = 0;

	strlist_split(&all, "noexec,nosuid,nodev,rprivate", ',');
	strlist_split(&all, str_empty(data) ? "" : data, ',');
	for (size_t i = all.n; i-- > 0;) { /* from behind: the last word on a matter holds */
		int group = tmpfs_group(all.v[i]);

		if (group < 0)
			return error_set(err, ERR_INVALID, "invalid tmpfs option \"%s\"", all.v[i]);
		if (seen & (UINT64_C(1) << group))
			continue;
		seen |= UINT64_C(1) << group;
		strlist_add(&kept, all.v[i]);
	}
	for (size_t i = kept.n; i-- > 0;)
		strlist_add(out, kept.v[i]);
	return 0;
}

static int parse_tmpfs(const json *host_config, struct spec_mounts *out, struct error *err)
{
	for (json *c = json_first(json_get(host_config, "Tmpfs")); c; c = json_next(c)) {
		char *destination = mount_destination(json_name(c), err);
		struct spec_mount *m;

		if (!destination)
			return -1;
		m = mounts_add(out);
		m->type = SPEC_MOUNT_TMPFS;
		m->destination = destination;
		m->tmpfs_options = xstrdup(json_str(c, ""));
	}
	return 0;
}

/* ---- All of them -------------------------------------------------------------------------------------------------------------------- */

static const struct spec_mount *at(const struct spec_mounts *m, size_t n, const char *destination)
{
	for (size_t i = 0; i < n; i++)
		if (streq(m->v[i].destination, destination))
			return &m->v[i];
	return NULL;
}

/* The image's and the container's Volumes, where nothing else is mounted. */
static int add_volumes(const json *config, const char *volume_driver, struct spec_mounts *out,
		       struct error *err)
{
	for (json *c = json_first(json_get(config, "Volumes")); c; c = json_next(c)) {
		/* relative ones are from the root, as moby has always taken them */
		auto_free char *path = xasprintf("/%s", json_name(c));
		char *destination = mount_destination(path, err);
		struct spec_mount *m;

		if (!destination)
			return -1;
		if (at(out, out->n, destination)) {
			free(destination);
			continue;
		}
		m = mounts_add(out);
		m->type = SPEC_MOUNT_VOLUME;
		m->destination = destination;
		m->driver = xstrdup(volume_driver);
		m->mode = xstrdup("");
		m->propagation = xstrdup("");
		m->from_image = true;
	}
	return 0;
}

static int parse_all(const json *config, const json *host_config, struct spec_mounts *out,
		     struct error *err)
{
	const char *driver = json_get_str(host_config, "VolumeDriver", "");

	for (json *c = json_first(json_get(host_config, "Binds")); c; c = json_next(c))
		if (parse_bind(json_str(c, ""), driver, out, err) < 0)
			return -1;
	if (mounts_parse_api(host_config, out, err) < 0 || parse_tmpfs(host_config, out, err) < 0)
		return -1;
	for (size_t i = 1; i < out->n; i++)
		if (at(out, i, out->v[i].destination))
			return error_set(err, ERR_INVALID, "Duplicate mount point: %s",
					 out->v[i].destination);
	return add_volumes(config, driver, out, err);
}

int spec_parse_mounts(const json *config, const json *host_config, struct spec_mounts *out,
		      struct error *err)
{
	*out = (struct spec_mounts){0};
	if (parse_all(config, host_config, out, err) < 0) {
		spec_mounts_free(out);
		return -1;
	}
	return 0;
}
