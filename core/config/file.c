/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.json: which members are known, which clash with flags, and their values. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/value.h"

#define FILE_MAX (4 << 20)

/* "open /x: no such file or directory": Go writes errno texts in lower case. */
static int go_errno(struct error *err, const char *call, const char *path, int errnum)
{
	auto_free char *text = xstrdup(strerror(errnum));

	*text = (char)tolower((unsigned char)*text);
	return error_set(err, ERR_INVALID, "%s %s: %s", call, path, text);
}

static int read_file(const char *path, bool must_exist, struct str *text, struct error *err)
{
	auto_close fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct error why = ERROR_INIT;

	if (fd < 0 && errno == ENOENT && !must_exist)
		return 1;
	if (fd < 0)
		return go_errno(err, "open", path, errno);
	if (file_read_fd(fd, FILE_MAX, text, &why) < 0) {
		if (why.sys)
			return go_errno(err, "read", path, why.sys);
		return error_set(err, ERR_INVALID, "%s: %s", path, why.text);
	}
	return 0;
}

/* Row of a member; members of an object whose name begins rows ("proxies") are looked up with it. */
static int find_row(const char *group, const char *name)
{
	auto_free char *key = group ? xasprintf("%s.%s", group, name) : xstrdup(name);
	int i = option_by_key(key);

	return i >= 0 && !(option_table[i].flags & OPTF_ACTION) ? i : -1;
}

static bool is_group(const json *j)
{
	return streq(json_name(j), "proxies") && json_type(j) == JSON_OBJECT;
}

static void note_unknown(const json *tree, const char *group, struct str *out)
{
	for (json *j = json_first(tree); j; j = json_next(j)) {
		if (!group && is_group(j))
			note_unknown(j, json_name(j), out);
		else if (find_row(group, json_name(j)) < 0)
			str_printf(out, "%s%s", out->len ? ", " : "", json_name(j));
	}
}

static void format_member(const struct option *o, const json *j, struct str *out)
{
	struct value v = {0};
	struct error ignored = ERROR_INIT;

	if (value_from_json(o, &v, j, &ignored) == 0)
		value_format(o, &v, out);
	else
		json_print(j, out);
	value_free(&v);
}

/* By flag name, as Go's flag set is walked. */
static void note_clashes(const struct config *c, const json *tree, struct str *out)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];
		const char *member = str_after(option_key(o), "proxies.");
		const json *j = NULL;

		if (c->values[i].source != FROM_FLAG || o->flags & (OPTF_MERGE | OPTF_ACTION))
			continue;
		for (json *m = json_first(member ? json_get(tree, "proxies") : tree); m;
		     m = json_next(m))
			if (find_row(member ? "proxies" : NULL, json_name(m)) == (int)i)
				j = m;
		if (!j)
			continue;
		str_printf(out, "%s%s: (from flag: ", out->len ? ", " : "",
			   member ? member : option_key(o));
		value_format(o, &c->values[i], out);
		str_puts(out, ", from file: ");
		format_member(o, j, out);
		str_putc(out, ')');
	}
}

static int take_members(struct config *c, const json *tree, const char *group, struct error *err)
{
	for (json *j = json_first(tree); j; j = json_next(j)) {
		int i;

		if (!group && is_group(j)) {
			if (take_members(c, j, "proxies", err) < 0)
				return -1;
			continue;
		}
		i = find_row(group, json_name(j));
		if (i < 0 || json_type(j) == JSON_NULL || streq(json_name(j), "config-file"))
			continue;
		/* an earlier member of the same name is replaced, as Go does */
		if (c->values[i].source == FROM_FILE) {
			value_free(&c->values[i]);
			value_default(&option_table[i], &c->values[i]);
		}
		if (value_from_json(&option_table[i], &c->values[i], j, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_text(struct config *c, const char *text, size_t len, struct error *err)
{
	auto_json *tree = NULL;
	auto_str unknown = STR_INIT, clashes = STR_INIT;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	if (!len)
		return 0;
	if (syntax_check(text, len, err) < 0)
		return error_wrap(err, "invalid JSON");
	tree = json_parse(text, len, err);
	if (!tree)
		return error_wrap(err, "invalid JSON");
	if (json_type(tree) == JSON_NULL)
		return 0;
	if (json_type(tree) != JSON_OBJECT)
		return error_set(err, ERR_INVALID,
				 "invalid JSON: json: cannot unmarshal %s into Go value of type "
				 "map[string]interface {}",
				 json_type(tree) == JSON_ARRAY    ? "array"
				 : json_type(tree) == JSON_STRING ? "string"
				 : json_type(tree) == JSON_BOOL   ? "bool"
								  : "number");
	note_unknown(tree, NULL, &unknown);
	if (unknown.len)
		return error_set(
		    err, ERR_INVALID,
		    "the following directives don't match any configuration option: %s", unknown.p);
	note_clashes(c, tree, &clashes);
	if (clashes.len)
		return error_set(err, ERR_INVALID,
				 "the following directives are specified both as a flag and in the "
				 "configuration file: %s",
				 clashes.p);
	return take_members(c, tree, NULL, err);
}

int file_parse(struct config *c, struct error *err)
{
	const struct value *v = &c->values[option_by_flag("config-file", 11)];
	auto_str text = STR_INIT;
	int r;

	if (!*v->text)
		return 0;
	r = read_file(v->text, v->source == FROM_FLAG, &text, err);
	if (r > 0)
		return 0;
	if (r == 0) {
		c->file = xstrdup(v->text);
		r = parse_text(c, str_cstr(&text), text.len, err);
	}
	return r < 0
		   ? error_wrap(err, "unable to configure the Docker daemon with file %s", v->text)
		   : 0;
}
