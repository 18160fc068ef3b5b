/* SPDX-License-Identifier: Apache-2.0 */
/* See runtimes.h. A container that runs keeps what it was started with: it stands in its run directory. */
#include "container/runtimes.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "container/container_int.h"
#include "plugin/plugin.h"

#include <stdlib.h>

#define DEFAULT_RUNTIME "runc"
#define SHIM_OF_RUNC "io.containerd.runc.v2" /* moby's other name for it */
#define PROGRAM_DRIVER "oci"

void runtime_free(struct runtime *r)
{
	free(r->driver);
	free(r->options);
	*r = (struct runtime)RUNTIME_INIT;
}

void runtime_names(const struct config *c, struct strlist *out)
{
	strlist_add(out, DEFAULT_RUNTIME);
	strlist_add(out, SHIM_OF_RUNC);
	for (json *r = json_first(config_json(c, "runtimes")); r; r = json_next(r))
		strlist_add(out, json_name(r));
}

/* Names are case-sensitive, as keys of a map are. */
static const json *find(const struct config *c, const char *name)
{
	const json *found = NULL;

	for (json *r = json_first(config_json(c, "runtimes")); r; r = json_next(r))
		if (streq(json_name(r), name))
			found = r;
	return found;
}

static char *options_text(const struct pairs *options)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	jw_pairs(&w, options, false);
	return options->n ? str_steal(&text) : NULL;
}

void runtime_exec_options(const struct config *c, struct pairs *out)
{
	const struct strlist *given = config_list(c, "exec-opts");

	for (size_t i = 0; i < given->n; i++) {
		const char *eq = strchrnul(given->v[i], '=');
		auto_free char *key = xstrndup(given->v[i], (size_t)(eq - given->v[i]));

		/* moby's one option has a default that every driver has, whatever it is called */
		if (*eq && eq[1] && !streq(given->v[i], "native.cgroupdriver=cgroupfs"))
			pairs_set(out, key, eq + 1);
	}
}

static int own_driver(struct runtime *out)
{
	auto_pairs options = PAIRS_INIT;

	runtime_exec_options(containers.config, &options);
	out->driver = xstrdup(containers.exec_driver);
	out->options = options_text(&options);
	return 0;
}

/* As the driver takes them: blanks separate, a backslash keeps what follows. */
static char *join_args(const json *list)
{
	auto_str text = STR_INIT;

	for (json *a = json_first(list); a; a = json_next(a)) {
		if (text.len)
			str_putc(&text, ' ');
		for (const char *p = json_str(a, ""); *p; p++) {
			if (*p == ' ' || *p == '\\')
				str_putc(&text, '\\');
			str_putc(&text, *p);
		}
	}
	return str_steal(&text);
}

static int program(const char *path, const json *args, struct runtime *out, struct error *err)
{
	auto_pairs options = PAIRS_INIT;
	auto_free char *words = join_args(args);

	out->driver = plugin_find(DOCKERD_KIND_EXEC, PROGRAM_DRIVER, err);
	if (!out->driver) {
		err->kind = ERR_SYSTEM;
		return error_wrap(err, "runtime programs need the exec driver " PROGRAM_DRIVER);
	}
	pairs_set(&options, "oci.runtime", path);
	if (*words)
		pairs_set(&options, "oci.args", words);
	out->options = options_text(&options);
	out->program = true;
	return 0;
}

static int no_shims(const char *type, struct error *err)
{
	return error_set(err, ERR_SYSTEM,
			 "failed to start shim: failed to resolve runtime path: runtime \"%s\": "
			 "there is no containerd in this engine to run its shims: register the "
			 "OCI program itself, by its path",
			 type);
}

/* runtimeType of runc's shim, which may name another program. */
static int shim_type(const json *r, struct runtime *out, struct error *err)
{
	const char *type = json_get_str(r, "runtimeType", "");
	const json *options = json_get(r, "options");

	if (!streq(type, SHIM_OF_RUNC))
		return no_shims(type, err);
	for (json *o = json_first(options); o; o = json_next(o))
		if (!streq(json_name(o), "BinaryName") && !streq(json_name(o), "TypeUrl"))
			return error_set(err, ERR_SYSTEM,
					 "failed to start shim: runtime option %s is not supported",
					 json_name(o));
	if (*json_get_str(options, "BinaryName", ""))
		return program(json_get_str(options, "BinaryName", ""), NULL, out, err);
	return own_driver(out);
}

int runtime_choose(const char *name, struct runtime *out, struct error *err)
{
	const json *r;

	if (!*name || streq(name, DEFAULT_RUNTIME) || streq(name, SHIM_OF_RUNC))
		return own_driver(out);
	r = find(containers_config(), name);
	if (!r)
		return spec_runtime_is_shim(name)
			   ? no_shims(name, err)
			   : error_set(err, ERR_INVALID, "unknown or invalid runtime name: %s",
				       name);
	if (*json_get_str(r, "path", ""))
		return program(json_get_str(r, "path", ""), json_get(r, "runtimeArgs"), out, err);
	return shim_type(r, out, err);
}

int containers_check_exec(const struct config *c, const char *driver, struct error *err)
{
	const struct plugin *p = plugin_describe(DOCKERD_KIND_EXEC, driver, err);
	struct dockerd_options *parsed = NULL;
	auto_pairs given = PAIRS_INIT;
	int r;

	if (!p)
		return -1;
	runtime_exec_options(c, &given);
	r = plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, &given, &parsed, err);
	plugin_options_free(parsed);
	return r < 0 ? error_wrap(err, "exec driver %s", driver) : 0;
}

/* As it was configured. */
static void print_runtime(struct jw *w, const json *r)
{
	static const char *const members[] = {"path", "runtimeType", "runtimeArgs", "options"};

	jw_kobj(w, json_name(r));
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (json_type(json_get(r, members[i])) == JSON_STRING
			? *json_get_str(r, members[i], "")
			: json_count(json_get(r, members[i])) > 0)
			jw_kjson(w, members[i], json_get(r, members[i]));
	jw_end(w);
}

void containers_print_runtimes(struct jw *w)
{
	const struct config *c = containers_config();
	const char *chosen = config_str(c, "default-runtime");

	jw_kobj(w, "Runtimes");
	jw_kobj(w, "io.containerd.runc.v2");
	jw_kstr(w, "path", "runc");
	jw_end(w);
	jw_kobj(w, "runc");
	jw_kstr(w, "path", "runc");
	jw_end(w);
	for (json *r = json_first(config_json(c, "runtimes")); r; r = json_next(r))
		print_runtime(w, r);
	jw_end(w);
	jw_kstr(w, "DefaultRuntime", *chosen ? chosen : "runc");
}
