/* SPDX-License-Identifier: Apache-2.0 */
/* "attrs": which labels and environment variables are noted on each line, and the tag. Built once per stream. */
#include "json-file.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

void text_add(struct text *t, const void *p, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		size_t cap = (t->len + n + 1) * 2;
		char *bigger = realloc(t->p, cap);

		if (!bigger) {
			t->failed = true;
			return;
		}
		t->p = bigger;
		t->cap = cap;
	}
	memcpy(t->p + t->len, p, n);
	t->len += n;
	t->p[t->len] = '\0';
}

void text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

/* moby cuts ids to 12 digits behind "sha256:". */
static void add_short_id(struct text *out, const char *id)
{
	const char *colon = strchr(id, ':');
	size_t n;

	if (colon)
		id = colon + 1;
	n = strlen(id);
	text_add(out, id, n < 12 ? n : 12);
}

static int expand_field(const char *name, size_t n, const struct dockerd_log_info *i,
			struct text *out)
{
	const struct {
		const char *name, *value;
		bool cut;
	} fields[] = {
	    {".ID", i->container_id, true},         {".FullID", i->container_id, false},
	    {".Name", i->container_name, false},    {".ImageID", i->image_id, true},
	    {".ImageFullID", i->image_id, false},   {".ImageName", i->image_name, false},
	    {".DaemonName", i->daemon_name, false}, {".Command", i->command, false},
	};

	for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
		const char *value = fields[k].value ? fields[k].value : "";

		if (strlen(fields[k].name) != n || strncmp(fields[k].name, name, n))
			continue;
		if (fields[k].cut)
			add_short_id(out, value);
		else
			text_puts(out, value);
		return 0;
	}
	return -1;
}

int tag_expand(const char *t, const struct dockerd_log_info *info, struct text *out,
	       struct dockerd_error *err)
{
	while (*t) {
		const char *open = strstr(t, "{{"), *close = open ? strstr(open, "}}") : NULL,
			   *name;
		size_t n;

		if (!open) {
			text_puts(out, t);
			break;
		}
		if (!close)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "log opt tag: unclosed \"{{\" in \"%s\"", t);
		text_add(out, t, (size_t)(open - t));
		name = open + 2 + strspn(open + 2, " \t");
		n = strcspn(name, " \t}");
		if (name + n + strspn(name + n, " \t") != close ||
		    expand_field(name, n, info, out) < 0)
			return dockerd_fail(err, DOCKERD_ERR_INVALID,
					    "log opt tag: template \"%.*s\" is not supported: give "
					    "{{.ID}}, {{.FullID}}, {{.Name}}, "
					    "{{.ImageID}}, {{.ImageFullID}}, {{.ImageName}}, "
					    "{{.DaemonName}} or {{.Command}}",
					    (int)(close + 2 - open), open);
		t = close + 2;
	}
	return out->failed ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for the tag") : 0;
}

struct chosen {
	struct dockerd_key_value v[MAX_ATTRS];
	uint32_t n;
};

/* Maps in Go: a later one of the same name replaces. What is beyond MAX_ATTRS is left out. */
static void choose(struct chosen *c, const char *key, const char *value)
{
	for (uint32_t i = 0; i < c->n; i++) {
		if (strcmp(c->v[i].key, key) == 0) {
			c->v[i].value = value;
			return;
		}
	}
	if (c->n < MAX_ATTRS)
		c->v[c->n++] = (struct dockerd_key_value){key, value};
}

static bool in_list(const char *list, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, ",");

		if (len == n && !strncmp(p, key, n))
			return true;
		p += len + (p[len] == ',');
	}
	return false;
}

static int choose_from(struct chosen *c, const struct dockerd_key_value *from, uint32_t n,
		       const struct dockerd_options *o, const char *list_opt, const char *regex_opt,
		       struct dockerd_error *err)
{
	const struct dockerd_value *list = dockerd_option_get(o, list_opt),
				   *pattern = dockerd_option_get(o, regex_opt);
	regex_t regex;

	if (list && list->text)
		for (uint32_t i = 0; i < n; i++)
			if (in_list(list->text, from[i].key))
				choose(c, from[i].key, from[i].value);
	if (!pattern || !pattern->text || !*pattern->text)
		return 0;
	if (regcomp(&regex, pattern->text, REG_EXTENDED | REG_NOSUB) != 0)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "log opt %s: error parsing regexp: \"%s\"", regex_opt,
				    pattern->text);
	for (uint32_t i = 0; i < n; i++)
		if (regexec(&regex, from[i].key, 0, NULL, 0) == 0)
			choose(c, from[i].key, from[i].value);
	regfree(&regex);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct dockerd_key_value *)a)->key,
		      ((const struct dockerd_key_value *)b)->key);
}

static void add_string(struct text *out, const char *s)
{
	size_t n = strlen(s);
	char *escaped = malloc(6 * n + 1);

	if (!escaped) {
		out->failed = true;
		return;
	}
	text_puts(out, "\"");
	text_add(out, escaped, escape_json(escaped, s, n));
	text_puts(out, "\"");
	free(escaped);
}

int attrs_make(const struct dockerd_log_info *info, const struct settings *s, struct text *out,
	       struct dockerd_error *err)
{
	struct chosen c = {.n = 0};
	struct text tag = {0};

	if (choose_from(&c, info->labels, info->label_count, info->options, "labels",
			"labels-regex", err) < 0 ||
	    choose_from(&c, info->env, info->env_count, info->options, "env", "env-regex", err) < 0)
		return -1;
	if (s->tag && *s->tag) {
		if (tag_expand(s->tag, info, &tag, err) < 0) {
			free(tag.p);
			return -1;
		}
		if (tag.len)
			choose(&c, "tag", tag.p);
	}
	qsort(c.v, c.n, sizeof(c.v[0]), by_key);
	for (uint32_t i = 0; i < c.n; i++) {
		text_puts(out, i ? "," : "{");
		add_string(out, c.v[i].key);
		text_puts(out, ":");
		add_string(out, c.v[i].value ? c.v[i].value : "");
	}
	if (c.n)
		text_puts(out, "}");
	free(tag.p);
	return out->failed ? dockerd_fail(err, DOCKERD_ERR_SYSTEM, "no memory for log attributes")
			   : 0;
}
