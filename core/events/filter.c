/* SPDX-License-Identifier: Apache-2.0 */
/* Event filters as moby's daemon/events/filter.go documents them. Pure. */
#include "base/mem.h"
#include "base/str.h"
#include "events/bus.h"

/* Each value of a filter, in either of its two shapes, is tried with `match`. True if the filter is absent or any value matches. */
static bool any_value(const json *filters, const char *name,
		      bool (*match)(const struct event *, const char *value), const struct event *e)
{
	const json *f = json_get(filters, name);
	bool object = json_type(f) == JSON_OBJECT;

	if (!f || !json_count(f))
		return true;
	for (json *v = json_first(f); v; v = json_next(v))
		if (match(e, object ? json_name(v) : json_str(v, "")))
			return true;
	return false;
}

static bool fuzzy(const char *text, const char *value)
{
	return text && str_after(text, value) != NULL;
}

static bool match_type(const struct event *e, const char *value)
{
	return streq(e->type, value);
}

static bool match_action(const struct event *e, const char *value)
{
	const char *rest = str_after(e->action, value);

	/* "exec_create: sh" is found by "exec_create" */
	return rest && (!*rest || *rest == ':');
}

static bool match_scope(const struct event *e, const char *value)
{
	(void)e;
	return streq(value, "local");
}

static bool match_label(const struct event *e, const char *value)
{
	const char *eq = strchrnul(value, '=');
	for (size_t i = 0; i < e->attributes.n; i++) {
		const struct pair *a = &e->attributes.v[i];

		if (strncmp(a->key, value, (size_t)(eq - value)) == 0 && !a->key[eq - value] &&
		    (!*eq || streq(a->value, eq + 1)))
			return true;
	}
	return false;
}

static bool match_actor(const struct event *e, const char *type, const char *value)
{
	return streq(e->type, type) &&
	       (fuzzy(e->actor_id, value) || fuzzy(pairs_get(&e->attributes, "name"), value));
}

static bool match_container(const struct event *e, const char *value)
{
	return match_actor(e, "container", value);
}

static bool match_volume(const struct event *e, const char *value)
{
	return match_actor(e, "volume", value);
}

static bool match_network(const struct event *e, const char *value)
{
	return match_actor(e, "network", value);
}

static bool match_daemon(const struct event *e, const char *value)
{
	return match_actor(e, "daemon", value);
}

static bool match_plugin(const struct event *e, const char *value)
{
	return match_actor(e, "plugin", value);
}

/* "busybox" finds "busybox:latest"; container events match by the image they were made from. */
static bool image_name_is(const char *name, const char *value)
{
	const char *rest = name ? str_after(name, value) : NULL;

	return rest && (!*rest || *rest == ':' || *rest == '@');
}

static bool match_image(const struct event *e, const char *value)
{
	if (streq(e->type, "image"))
		return streq(e->actor_id, value) || image_name_is(e->actor_id, value) ||
		       image_name_is(pairs_get(&e->attributes, "name"), value);
	return image_name_is(pairs_get(&e->attributes, "image"), value);
}

static const struct {
	const char *name;
	bool (*match)(const struct event *, const char *);
} table[] = {
    {"type", match_type},
    {"event", match_action},
    {"scope", match_scope},
    {"label", match_label},
    {"container", match_container},
    {"image", match_image},
    {"volume", match_volume},
    {"network", match_network},
    {"daemon", match_daemon},
    {"plugin", match_plugin},
    {"node", NULL},
    {"secret", NULL},
    {"config", NULL},
    {"service", NULL},
};

bool event_matches(const struct event *e, const json *filters)
{
	for (size_t i = 0; filters && i < ARRAY_LEN(table); i++)
		if (table[i].match ? !any_value(filters, table[i].name, table[i].match, e)
				   : json_get(filters, table[i].name) != NULL)
			return false;
	return true;
}
