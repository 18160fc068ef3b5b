/* SPDX-License-Identifier: Apache-2.0 */
/* The option "tag" of log drivers: a template of what is known of the container. Pure. */
#include "tag.h"

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
