/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --list-plugins and --dump-plugin: the stable output for packagers, documented in dockerd-driver(3). A driver is loaded by a process that does
 * nothing else and ends right after, so one that crashes spoils its own line only.
 */
#include "plugin/plugin_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static const char *concurrency_name(uint32_t c)
{
	return c == DOCKERD_SERIAL ? "serial" : c == DOCKERD_PARALLEL ? "parallel" : "per-object";
}

int plugin_dump_list(struct str *out, struct error *err)
{
	(void)err;
	for (uint32_t kind = 1; plugin_kind_name(kind); kind++) {
		auto_strlist names = STRLIST_INIT;

		plugin_list(kind, &names);
		for (size_t i = 0; i < names.n; i++) {
			struct error why = ERROR_INIT;
			const struct plugin *p = plugin_describe(kind, names.v[i], &why);

			if (p)
				str_printf(out, "%s/%s version=%s abi=%d.%u path=%s\n",
					   plugin_kind_name(kind), p->name, p->version,
					   DOCKERD_ABI_MAJOR, p->abi_minor, p->path);
			else
				str_printf(out, "%s/%s error=%s\n", plugin_kind_name(kind),
					   names.v[i], why.text);
		}
	}
	return 0;
}

static void scope_names(uint32_t scope, struct strlist *out)
{
	static const char *const names[] = {"daemon", "container", "network", "endpoint"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (scope & (1U << i))
			strlist_add(out, names[i]);
}

static void dump_lines(const struct plugin *p, struct str *out)
{
	str_printf(out,
		   "kind=%s\nname=%s\nversion=%s\ndescription=%s\npath=%s\nabi=%d.%u\nconcurrency=%"
		   "s\ncapabilities=%#" PRIx64 "\n",
		   plugin_kind_name(p->kind), p->name, p->version, p->description, p->path,
		   DOCKERD_ABI_MAJOR, p->abi_minor, concurrency_name(p->concurrency),
		   p->capabilities);
	for (uint32_t i = 0; i < p->option_count; i++) {
		const struct dockerd_option *o = &p->options[i];

		auto_strlist scopes = STRLIST_INIT;
		auto_free char *scope = NULL;

		scope_names(o->scope, &scopes);
		scope = strlist_join(&scopes, ",");
		str_printf(out, "option=%s type=%s scope=%s default=%s%s%s help=%s\n", o->key,
			   plugin_option_type_name(o->type), scope,
			   o->default_value ? o->default_value : "", o->alias ? " alias=" : "",
			   o->alias ? o->alias : "", o->help);
	}
}

static void dump_json(const struct plugin *p, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "kind", plugin_kind_name(p->kind));
	jw_kstr(&w, "name", p->name);
	jw_kstr(&w, "version", p->version);
	jw_kstr(&w, "description", p->description);
	jw_kstr(&w, "path", p->path);
	jw_ki64(&w, "abi_major", DOCKERD_ABI_MAJOR);
	jw_ki64(&w, "abi_minor", p->abi_minor);
	jw_kstr(&w, "concurrency", concurrency_name(p->concurrency));
	jw_ku64(&w, "capabilities", p->capabilities);
	jw_karr(&w, "options");
	for (uint32_t i = 0; i < p->option_count; i++) {
		const struct dockerd_option *o = &p->options[i];

		auto_strlist scopes = STRLIST_INIT;

		jw_obj(&w);
		jw_kstr(&w, "key", o->key);
		jw_kstr(&w, "type", plugin_option_type_name(o->type));
		scope_names(o->scope, &scopes);
		jw_kstrlist(&w, "scope", &scopes, false);
		jw_kstr(&w, "default", o->default_value);
		jw_kstr(&w, "alias", o->alias);
		jw_kstr(&w, "choices", o->choices);
		jw_ki64(&w, "min", o->min);
		jw_ki64(&w, "max", o->max);
		jw_kbool(&w, "deprecated", o->flags & DOCKERD_OPTF_DEPRECATED);
		jw_kstr(&w, "help", o->help);
		jw_kbool(&w, "repeat", o->flags & DOCKERD_OPTF_REPEAT);
		jw_end(&w);
	}
	jw_end(&w);
	jw_kbool(&w, "checks_options", p->checks_options);
	jw_end(&w);
	str_putc(out, '\n');
}

/* check:KIND/NAME: container-scope options on stdin, each key NUL value NUL. */
static int check_options(const struct plugin *p, struct error *err)
{
	struct dockerd_error derr = plugin_error_init();
	struct dockerd_options *o = NULL;
	auto_pairs given = PAIRS_INIT;
	auto_str text = STR_INIT;
	int r = 0;

	if (file_read_fd(STDIN_FILENO, 1 << 20, &text, err) < 0)
		return -1;
	for (size_t at = 0; at < text.len;) {
		const char *key = text.p + at, *value = key + strlen(key) + 1;

		if (value >= text.p + text.len)
			return error_set(err, ERR_INVALID, "options are not key NUL value NUL");
		pairs_add(&given, key, value);
		at = (size_t)(value - text.p) + strlen(value) + 1;
	}
	if (plugin_options_parse(p, DOCKERD_SCOPE_CONTAINER, &given, &o, err) < 0)
		return -1;
	if (p->checks_options && p->ops.log.validate(o, &derr) != 0)
		r = derr.text[0]
			? error_set(err, ERR_INVALID, "%.*s", (int)sizeof(derr.text) - 1, derr.text)
			: plugin_error(p, "validate", &derr, err);
	plugin_options_free(o);
	return r;
}

int plugin_dump(const char *kind_slash_name, bool as_json, struct str *out, struct error *err)
{
	const char *json_of = str_after(kind_slash_name, "json:"),
		   *check_of = str_after(kind_slash_name, "check:"),
		   *name = json_of    ? json_of
			   : check_of ? check_of
				      : kind_slash_name;
	const char *slash = strchr(name, '/');
	char kind_name[16] = {0};
	const struct plugin *p;
	uint32_t kind;

	if (!slash || (size_t)(slash - name) >= sizeof(kind_name) || !slash[1])
		return error_set(
		    err, ERR_INVALID,
		    "'%s' is not KIND/NAME, e.g. storage/overlay2 or log//path/to/mine.so", name);
	memcpy(kind_name, name, (size_t)(slash - name));
	kind = plugin_kind_parse(kind_name);
	if (!kind)
		return error_set(
		    err, ERR_INVALID,
		    "'%s' is no kind of driver: storage, exec, log, authz or network stand before "
		    "a name or a path, as in log//opt/mine.so",
		    kind_name);
	p = plugin_load(kind, slash + 1, err);
	if (!p)
		return -1;
	if (check_of)
		return check_options(p, err);
	if (as_json || json_of)
		dump_json(p, out);
	else
		dump_lines(p, out);
	return 0;
}
