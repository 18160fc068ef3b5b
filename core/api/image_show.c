/* SPDX-License-Identifier: Apache-2.0 */
/* How images look in replies, member by member as moby 28 prints them for each version of the API. */
#include "api/api.h"
#include "api/images.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

/* Before 1.43 an image without names had one that says so, and an empty list beside a full one was null. */
static void print_names(struct jw *w, const char *key, const struct strlist *names,
			const struct strlist *others, const char *none, int version)
{
	if (version >= 43 || names->n) {
		jw_kstrlist(w, key, names, false);
		return;
	}
	if (others->n) {
		jw_knull(w, key);
		return;
	}
	jw_karr(w, key);
	jw_str(w, none);
	jw_end(w);
}

void api_image_print_summary(struct jw *w, const struct image_summary *i, int version)
{
	jw_obj(w);
	jw_ki64(w, "Containers", i->containers);
	jw_ki64(w, "Created", i->created);
	jw_kstr(w, "Id", i->id);
	jw_kpairs(w, "Labels", &i->labels, true);
	jw_kstr(w, "ParentId", i->parent);
	print_names(w, "RepoDigests", &i->digests, &i->tags, "<none>@<none>", version);
	print_names(w, "RepoTags", &i->tags, &i->digests, "<none>:<none>", version);
	jw_ki64(w, "SharedSize", i->shared_size);
	jw_ku64(w, "Size", i->size);
	if (version < 44)
		jw_ku64(w, "VirtualSize", i->size);
	jw_end(w);
}

/* ---- inspect ---------------------------------------------------------------------------------------------------------------------- */

enum shape {
	OR_NULL,   /* always there, null if empty */
	OR_EMPTY,  /* a string that is always there */
	IF_SET,    /* left out if empty */
	OLD_FALSE, /* of a container's configuration: constant, and only before 1.50 */
	OLD_EMPTY,
};

/* In the order of Go's maps. */
static const struct {
	const char *name;
	enum shape shape;
} config_members[] = {{"ArgsEscaped", IF_SET},    {"AttachStderr", OLD_FALSE},
		      {"AttachStdin", OLD_FALSE}, {"AttachStdout", OLD_FALSE},
		      {"Cmd", OR_NULL},           {"Domainname", OLD_EMPTY},
		      {"Entrypoint", OR_NULL},    {"Env", OR_NULL},
		      {"ExposedPorts", IF_SET},   {"Healthcheck", IF_SET},
		      {"Hostname", OLD_EMPTY},    {"Image", OLD_EMPTY},
		      {"Labels", OR_NULL},        {"OnBuild", OR_NULL},
		      {"OpenStdin", OLD_FALSE},   {"Shell", IF_SET},
		      {"StdinOnce", OLD_FALSE},   {"StopSignal", IF_SET},
		      {"Tty", OLD_FALSE},         {"User", OR_EMPTY},
		      {"Volumes", OR_NULL},       {"WorkingDir", OR_EMPTY}};

static bool is_empty(const json *j)
{
	switch (json_type(j)) {
	case JSON_STRING:
		return !*json_str(j, "");
	case JSON_BOOL:
		return !json_bool(j, false);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return json_count(j) == 0;
	default:
		return json_type(j) != JSON_NUMBER;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An object's members sorted, as Go prints a map. */
static void print_map(struct jw *w, const json *j)
{
	size_t n = 0;
	const char **names = xcalloc(json_count(j) + 1, sizeof(*names));

	for (json *m = json_first(j); m; m = json_next(m))
		names[n++] = json_name(m);
	qsort(names, n, sizeof(*names), by_text);
	jw_obj(w);
	for (size_t i = 0; i < n; i++)
		jw_kjson(w, names[i], json_get(j, names[i]));
	jw_end(w);
	free(names);
}

static void print_value(struct jw *w, const char *name, const json *j)
{
	bool map = streq(name, "ExposedPorts") || streq(name, "Labels") || streq(name, "Volumes");

	jw_key(w, name);
	if (map && json_type(j) == JSON_OBJECT)
		print_map(w, j);
	else
		jw_json(w, j);
}

static void print_config(struct jw *w, const json *config, int version)
{
	jw_kobj(w, "Config");
	for (size_t i = 0; i < ARRAY_LEN(config_members); i++) {
		const char *name = config_members[i].name;
		enum shape shape = config_members[i].shape;
		const json *j = json_get(config, name);
		bool old = shape == OLD_FALSE || shape == OLD_EMPTY;

		if (old && version >= 50)
			continue;
		if (!old && !is_empty(j))
			print_value(w, name, j);
		else if (shape == OLD_FALSE)
			jw_kbool(w, name, false);
		else if (shape == OLD_EMPTY || shape == OR_EMPTY)
			jw_kstr(w, name, "");
		else if (shape == OR_NULL)
			jw_knull(w, name);
	}
	jw_end(w);
}

/* What the image was committed from; 1.45 has dropped it. */
static void print_container_config(struct jw *w, const json *config)
{
	static const char empty[] =
	    "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,"
	    "\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,\"OpenStdin\":false,"
	    "\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,"
	    "\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}";

	jw_key(w, "ContainerConfig");
	if (json_type(config) == JSON_OBJECT)
		jw_json(w, config);
	else
		jw_raw(w, empty, sizeof(empty) - 1);
}

static void print_storage(struct jw *w, const struct image *i)
{
	jw_kobj(w, "GraphDriver");
	jw_kpairs(w, "Data", &i->driver_data, true);
	jw_kstr(w, "Name", image_store_driver(api.images));
	jw_end(w);
	jw_kobj(w, "RootFS");
	jw_kstr(w, "Type", "layers");
	if (i->n_layers) {
		jw_karr(w, "Layers");
		for (size_t k = 0; k < i->n_layers; k++)
			jw_str(w, i->layers[k].diff_id);
		jw_end(w);
	}
	jw_end(w);
}

void api_image_print(struct jw *w, const struct image *i, int version)
{
	const json *c = i->config;

	jw_obj(w);
	jw_kstr(w, "Id", i->id);
	jw_kstrlist(w, "RepoTags", &i->tags, false);
	jw_kstrlist(w, "RepoDigests", &i->digests, false);
	jw_kstr(w, "Parent", i->parent);
	jw_kstr(w, "Comment", json_get_str(c, "comment", ""));
	if (i->created != CLOCK_ZERO)
		jw_ktime(w, "Created", i->created);
	if (version < 45)
		jw_kstr(w, "Container", json_get_str(c, "container", ""));
	if (version < 45)
		print_container_config(w, json_get(c, "container_config"));
	jw_kstr(w, "DockerVersion", json_get_str(c, "docker_version", ""));
	jw_kstr(w, "Author", json_get_str(c, "author", ""));
	jw_kstr(w, "Architecture", json_get_str(c, "architecture", ""));
	if (*json_get_str(c, "variant", ""))
		jw_kstr(w, "Variant", json_get_str(c, "variant", ""));
	jw_kstr(w, "Os", json_get_str(c, "os", "linux"));
	if (*json_get_str(c, "os.version", ""))
		jw_kstr(w, "OsVersion", json_get_str(c, "os.version", ""));
	jw_ku64(w, "Size", i->size);
	if (version < 44)
		jw_ku64(w, "VirtualSize", i->size);
	print_storage(w, i);
	jw_kobj(w, "Metadata");
	jw_ktime(w, "LastTagTime", i->last_tag);
	jw_end(w);
	print_config(w, json_get(c, "config"), version);
	jw_end(w);
}
