/* SPDX-License-Identifier: Apache-2.0 */
/* "attrs": which labels and environment variables are noted on each line, and the tag (../common/tag.h). Built once per stream. */
#include "json-file.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

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
