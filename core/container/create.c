/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /containers/create. The order is: check everything that can be checked, claim the name, make what is on disk, save, publish. Until
 * config.v2.json is there the directory is no container, and the next start of the daemon removes it.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/platform.h"
#include "container/container_int.h"
#include "container/image_use.h"
#include "container/join.h"
#include "container/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The texts a container is made of, before it is one. */
struct draft {
	json *config, *host; /* normalised and merged trees */
	struct str config_text, host_text;
	struct strlist warnings;
	char *image_id;
	json *mac; /* of the container; it is not kept in the configuration */
};

static void draft_free(struct draft *d)
{
	json_free(d->config);
	json_free(d->host);
	json_free(d->mac);
	str_free(&d->config_text);
	str_free(&d->host_text);
	strlist_free(&d->warnings);
	free(d->image_id);
}

/* moby's wrapper has no Config at all unless one of its members was sent. */
static bool has_config(const json *body)
{
	for (json *m = json_first(body); m; m = json_next(m))
		if (strcasecmp(json_name(m), "HostConfig") &&
		    strcasecmp(json_name(m), "NetworkingConfig"))
			return true;
	return false;
}

static json *reparse(const struct str *text, struct error *err)
{
	return json_parse(str_cstr(text), text->len, err);
}

static int check_platform(const char *image, const json *config, const char *wanted,
			  struct error *err)
{
	struct platform want, has = {.os = ""};
	char want_text[100], has_text[100];

	if (!*wanted)
		return 0;
	if (platform_parse(wanted, &want, err) < 0)
		return -1;
	snprintf(has.os, sizeof(has.os), "%s", json_get_str(config, "os", "linux"));
	snprintf(has.arch, sizeof(has.arch), "%s", json_get_str(config, "architecture", ""));
	snprintf(has.variant, sizeof(has.variant), "%s", json_get_str(config, "variant", ""));
	if (platform_score(&want, &has))
		return 0;
	return error_set(err, ERR_NOT_FOUND,
			 "image with reference %s was found but its platform (%s) does not match "
			 "the specified platform (%s)",
			 image, platform_text(&has, has_text), platform_text(&want, want_text));
}

/* With the image's configuration under it. */
static int merge_image(struct draft *d, const char *image, const char *platform, struct error *err)
{
	auto_json *image_config = NULL;
	auto_str merged = STR_INIT;

	if (*image) {
		image_config = image_use_config(image, &d->image_id, err);
		if (!image_config || check_platform(image, image_config, platform, err) < 0)
			return -1;
	} else {
		d->image_id = xstrdup("");
	}
	if (spec_merge_image(d->config, json_get(image_config, "config"), &merged, err) < 0)
		return -1;
	json_free(d->config);
	d->config = reparse(&merged, err);
	return d->config ? 0 : -1;
}

static int check_log_driver(const json *host, struct error *err)
{
	const json *log = json_get(host, "LogConfig");
	const char *type = json_get_str(log, "Type", "");
	auto_pairs given = PAIRS_INIT;
	uint64_t max_buffer;
	bool non_blocking;

	json_pairs(json_get(log, "Config"), &given);
	if (log_options_split(type, &given, &non_blocking, &max_buffer, NULL, err) == 0)
		return 0;
	/* moby's words and status; the CLI takes a 404 for a missing image */
	return err->kind == ERR_NOT_FOUND
		   ? error_set(err, ERR_INVALID,
			       "error looking up logging plugin %s: plugin \"%s\" not found", type,
			       type)
		   : -1;
}

int containers_check_log(const struct config *c, struct error *err)
{
	const char *driver = config_str(c, "log-driver");
	uint64_t max_buffer;
	bool non_blocking;

	return log_options_split(driver, config_map(c, "log-opts"), &non_blocking, &max_buffer,
				 NULL, err);
}

static void clean_working_dir(json *config)
{
	const char *dir = json_get_str(config, "WorkingDir", "");
	auto_free char *clean = *dir ? path_clean(dir) : NULL;

	if (clean)
		json_set_str(config, "WorkingDir", clean);
}

static int draft_make(struct draft *d, const json *body, const char *platform, int api_version,
		      struct error *err)
{
	const struct spec_host *h = spec_host();
	auto_str host_raw = STR_INIT;
	const char *image;

	if (!has_config(body))
		return error_set(err, ERR_INVALID,
				 "config cannot be empty in order to create a container");
	if (spec_normalise_config(body, &d->config_text, err) < 0 ||
	    spec_normalise_host_config(json_get(body, "HostConfig"), &host_raw, err) < 0)
		return -1;
	d->config = reparse(&d->config_text, err);
	d->host = reparse(&host_raw, err);
	if (!d->config || !d->host || spec_validate(d->config, d->host, h, &d->warnings, err) < 0)
		return -1;
	d->mac = json_take(d->config, "MacAddress");
	if (api_version >= 44 && *json_str(d->mac, ""))
		strlist_add(&d->warnings,
			    "The container-wide MacAddress field is now deprecated. It "
			    "should be specified in EndpointsConfig instead.");
	image = json_get_str(d->config, "Image", "");
	if (merge_image(d, image, platform, err) < 0)
		return -1;
	clean_working_dir(d->config);
	if (spec_refuse_missing(d->host, err) < 0 || join_resolve(d->host, err) < 0)
		return -1;
	if (spec_adapt_host_config(d->host, h, &d->host_text, err) < 0)
		return -1;
	json_free(d->host);
	d->host = reparse(&d->host_text, err);
	return d->host ? check_log_driver(d->host, err) : -1;
}

static void set_hostname(struct draft *d, const char *id)
{
	char name[65] = {0};

	if (*json_get_str(d->config, "Hostname", ""))
		return;
	if (!streq(json_get_str(d->host, "NetworkMode", ""), "host") ||
	    gethostname(name, sizeof(name) - 1) < 0)
		snprintf(name, sizeof(name), "%.12s", id);
	json_set_str(d->config, "Hostname", name);
}

/* Entrypoint and Cmd -> the program and its arguments. */
static void set_command(struct container *c, const json *config)
{
	auto_strlist all = STRLIST_INIT;

	json_strlist(json_get(config, "Entrypoint"), &all);
	json_strlist(json_get(config, "Cmd"), &all);
	c->path = xstrdup(all.n ? all.v[0] : "");
	for (size_t i = 1; i < all.n; i++)
		strlist_add(&c->args, all.v[i]);
}

static int make_directory(const struct container *c, struct error *err)
{
	auto_free char *parent = path_join(containers.data_root, "containers"),
		       *dir = container_dir(c->id), *sub = NULL;

	if (dir_make_all(AT_FDCWD, parent, 0710, err) < 0)
		return -1;
	if (mkdir(dir, 0710) < 0)
		return error_sys(err, errno, "create container directory %s", dir);
	if (idmap_current() && (lchown(dir, (uid_t)-1, idmap_root_gid()) < 0 ||
				lchown(parent, (uid_t)-1, idmap_root_gid()) < 0))
		return error_sys(err, errno, "group of %s", dir);
	sub = path_join(dir, "checkpoints");
	if (mkdir(sub, 0700) < 0)
		return error_sys(err, errno, "create %s", sub);
	return 0;
}

static void undo(struct container *c, bool layer)
{
	struct error err = ERROR_INIT;
	auto_free char *dir = container_dir(c->id);

	mounts_release(c, true);
	if (layer && image_use_layer_remove(c->id, &err) < 0)
		log_error("read-write layer of a failed create is left for the next sweep",
			  "container", c->id, "error", err.text);
	if (dir_remove_all(AT_FDCWD, dir, &err) < 0)
		log_error("directory of a failed create is left for the next sweep", "container",
			  c->id, "error", err.text);
}

static int make_on_disk(struct container *c, struct draft *d, struct error *err)
{
	bool layer = false;

	if (make_directory(c, err) < 0)
		return -1;
	FAULT("container.create.after-directory");
	if (image_use_layer_create(c->id, c->image_id, d->host, err) < 0)
		goto fail;
	layer = true;
	FAULT("container.create.after-layer");
	if (mounts_create(c, d->config, d->host, err) < 0 ||
	    (c->n_links && links_save(c, err) < 0) || container_save(c, true, err) < 0)
		goto fail;
	FAULT("container.create.after-save");
	return 0;
fail:
	undo(c, layer);
	return -1;
}

static void print_reply(const struct container *c, const struct draft *d, struct str *reply)
{
	struct jw w = jw_to(reply);

	jw_obj(&w);
	jw_kstr(&w, "Id", c->id);
	jw_kstrlist(&w, "Warnings", &d->warnings, false);
	jw_end(&w);
}

static struct container *from_draft(struct draft *d, const char *id, struct error *err)
{
	struct container *c = container_new(id);
	auto_str text = STR_INIT;

	c->created = clock_wall_ns();
	set_hostname(d, id);
	json_print(d->config, &text);
	c->config = str_steal(&text);
	c->host_config = xstrdup(str_cstr(&d->host_text));
	c->image_id = xstrdup(d->image_id);
	set_command(c, d->config);
	if (container_cache_fields(c, err) < 0) {
		container_unref(c);
		return NULL;
	}
	return c;
}

int container_create(const char *name, const char *platform, json *body, int api_version,
		     struct str *reply, struct error *err)
{
	struct draft d = {0};
	auto_container *c = NULL;
	char id[ID_LEN + 1];
	static const char *const types[] = {"", "null", "bool", "number", "string", "array"};
	int64_t began = clock_mono_ns();
	int r = -1;

	if (*name == '/')
		name++;
	if (json_type(body) != JSON_OBJECT && json_type(body) != JSON_NULL)
		return error_set(err, ERR_INVALID,
				 "invalid JSON: json: cannot unmarshal %s into Go value of type "
				 "container.CreateRequest",
				 types[json_type(body)]);
	if (spec_from_version(body, api_version, streq(spec_host()->cgroup_version, "2"), err) <
		0 ||
	    draft_make(&d, body, platform, api_version, err) < 0)
		goto out;
	if (*name && !spec_name_ok(name)) {
		error_set(err, ERR_INVALID,
			  "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			  name);
		goto out;
	}
	id_random(id);
	c = from_draft(&d, id, err);
	if (!c || networks_from_request(c, body, json_str(d.mac, ""), err) < 0)
		goto out;
	if (*name) {
		if (container_claim_name(id, name, err) < 0)
			goto out;
		c->name = xstrdup(name);
	} else {
		c->name = container_random_name(id);
	}
	if (links_create(c, d.host, err) < 0 || make_on_disk(c, &d, err) < 0) {
		links_removed(c);
		container_release_name(c->name);
		goto out;
	}
	container_publish(c);
	metrics_took(METRICS_CREATE, began);
	container_event(c, "create", NULL);
	print_reply(c, &d, reply);
	r = 0;
out:
	draft_free(&d);
	return r;
}
