/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See links.h. Who links to whom is asked of all containers, but only if there is any link at all (`links_count`). A link leads to a container
 * that was there before: there are no rings.
 */
#include "container/links_int.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>

#define CHAIN_MAX 16 /* containers that use one another's network */

#define FILE_NAME "links.json"

static atomic_uint links_count;

void links_clear(struct links *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].child);
		free(l->v[i].alias);
	}
	free(l->v);
	*l = (struct links){0};
}

struct links links_copy(struct container *c)
{
	struct links l = {0};
	LOCK_SCOPE(&c->lock);

	l.v = xcalloc(c->n_links, sizeof(*l.v));
	for (; l.n < c->n_links; l.n++)
		l.v[l.n] = (struct container_link){xstrdup(c->links[l.n].child),
						   xstrdup(c->links[l.n].alias)};
	return l;
}

void links_free(struct container *c)
{
	struct links l = {c->links, c->n_links};

	atomic_fetch_sub(&links_count, (unsigned int)c->n_links);
	links_clear(&l);
	c->links = NULL;
	c->n_links = 0;
}

void links_owner(struct container *c, struct str *out)
{
	LOCK_SCOPE(&c->lock);

	str_reset(out);
	str_puts(out, c->name);
}

/* ---- Making and ending ---------------------------------------------------------------------------------------------------------------- */

/* A name that is taken is no error, as in moby: the link is not made. */
static void add(struct container *c, const char *child, const char *alias)
{
	auto_free char *name = xasprintf("%s/%s", c->name, alias);
	struct error err = ERROR_INIT;

	if (!*alias || container_claim_name(child, name, &err) < 0) {
		log_warn("link is ignored", "container", c->id, "link", name, "error", err.text);
		return;
	}
	LOCK_SCOPE(&c->lock);
	c->links = xreallocarray(c->links, c->n_links + 1, sizeof(*c->links));
	c->links[c->n_links++] = (struct container_link){xstrdup(child), xstrdup(alias)};
	atomic_fetch_add(&links_count, 1);
}

/* "name", "name:alias", or as inspect has it "/name:/parent/alias". */
static int parse(const char *text, char **name, char **alias, struct error *err)
{
	const char *colon = strchr(text, ':'), *slash;

	if (!*text)
		return error_set(err, ERR_SYSTEM, "empty string specified for links");
	if (colon && strchr(colon + 1, ':'))
		return error_set(err, ERR_SYSTEM, "bad format for links: %s", text);
	*name = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
	if (colon && *text == '/') {
		memmove(*name, *name + 1, strlen(*name));
		slash = strrchr(colon, '/');
		*alias = xstrdup(slash ? slash + 1 : colon + 1);
	} else {
		*alias = xstrdup(colon ? colon + 1 : *name);
	}
	return 0;
}

static struct container *find_child(const char *name, struct error *err)
{
	struct container *child = NULL;

	if (!*name)
		error_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
	else
		child = container_find(name, err);
	if (!child) {
		if (err->kind == ERR_NOT_FOUND)
			err->kind = ERR_INVALID;
		error_wrap(err, "could not get container for %s", name);
	}
	return child;
}

/* The one whose network it uses. */
static struct container *owner_of_network(struct container *child, struct error *err)
{
	const char *of;
	int n = 0;

	while (child && (of = str_after(child->network_mode, "container:"))) {
		struct container *next = NULL;

		/* a mode may name a container that comes later, so there may be rings; none of them starts */
		if (++n > CHAIN_MAX)
			error_set(err, ERR_INVALID,
				  "container %s uses the network of containers that use one "
				  "another's",
				  child->name);
		else
			next = find_child(of, err);
		container_unref(child);
		child = next;
	}
	if (child && streq(child->network_mode, "host")) {
		container_unref(child);
		error_set(err, ERR_INVALID,
			  "conflicting options: host type networking can't be used with links. "
			  "This would result in undefined behavior");
		return NULL;
	}
	return child;
}

static int make(struct container *c, const char *text, struct error *err)
{
	auto_free char *name = NULL, *alias = NULL;
	auto_container *child = NULL;

	if (parse(text, &name, &alias, err) < 0)
		return -1;
	child = find_child(name, err);
	if (child)
		child = owner_of_network(child, err);
	if (!child)
		return -1;
	add(c, child->id, alias);
	return 0;
}

static bool legacy(const char *mode)
{
	return streq(network_mode_name(mode), NETWORK_DEFAULT) || streq(mode, "none");
}

int links_create(struct container *c, const json *host, struct error *err)
{
	if (!legacy(c->network_mode)) /* in users' networks they are the endpoint's */
		return 0;
	for (json *l = json_first(json_get(host, "Links")); l; l = json_next(l))
		if (make(c, json_str(l, ""), err) < 0) {
			links_removed(c);
			return -1;
		}
	return 0;
}

int links_save(struct container *c, struct error *err)
{
	auto_free char *dir = container_dir(c->id);
	auto_close fd = -1;
	auto_links l = links_copy(c);
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	jw_obj(&w);
	for (size_t i = 0; i < l.n; i++)
		jw_kstr(&w, l.v[i].alias, l.v[i].child);
	jw_end(&w);
	fd = dir_open_at(AT_FDCWD, dir, err);
	if (fd < 0 || file_write_atomic(fd, FILE_NAME, text.p, text.len, 0600, true, err) < 0)
		return error_wrap(err, "save links of container %s", c->id);
	return 0;
}

/* Of a container that another engine made there are only the names. */
static void load_names(struct container *c)
{
	struct error err = ERROR_INIT;
	auto_json *host = container_host_config(c, &err);

	if (!legacy(c->network_mode))
		return;
	for (json *l = json_first(json_get(host, "Links")); l; l = json_next(l))
		if (make(c, json_str(l, ""), &err) < 0)
			log_warn("link of a container", "container", c->id, "link", json_str(l, ""),
				 "error", err.text);
}

void links_load(struct container *c)
{
	auto_free char *dir = container_dir(c->id), *path = path_join(dir, FILE_NAME);
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;
	auto_json *j = NULL;

	if (!strstr(c->host_config, "\"Links\":["))
		return;
	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, &err) == 0)
		j = json_parse(str_cstr(&text), text.len, &err);
	if (!j) {
		load_names(c);
		return;
	}
	for (json *l = json_first(j); l; l = json_next(l)) {
		auto_container *child = container_by_id(json_str(l, ""));

		if (child)
			add(c, child->id, json_name(l));
	}
}

static void drop_at(struct container *c, size_t i)
{
	free(c->links[i].child);
	free(c->links[i].alias);
	memmove(&c->links[i], &c->links[i + 1], (c->n_links - i - 1) * sizeof(*c->links));
	c->n_links--;
	atomic_fetch_sub(&links_count, 1);
}

/* Take one container's links to a child away, or only the one of this alias. True: there was one. */
static bool drop(struct container *c, const char *child, const char *alias)
{
	bool any = false;
	LOCK_SCOPE(&c->lock);

	for (size_t i = c->n_links; i-- > 0;) {
		auto_free char *name = NULL;

		if ((child && !streq(c->links[i].child, child)) ||
		    (alias && !streq(c->links[i].alias, alias)))
			continue;
		name = xasprintf("%s/%s", c->name, c->links[i].alias);
		container_release_name(name);
		drop_at(c, i);
		any = true;
	}
	return any;
}

void links_each_other(struct container *c,
		      void (*f)(struct container *other, struct container *c, void *arg), void *arg)
{
	struct container **all;
	size_t n;

	if (!atomic_load(&links_count))
		return;
	all = containers_all(&n);
	for (size_t i = 0; i < n; i++) {
		if (all[i] != c)
			f(all[i], c, arg);
		container_unref(all[i]);
	}
	free(all);
}

static void forget_child(struct container *parent, struct container *child, void *arg)
{
	(void)arg;
	struct error err = ERROR_INIT;

	if (drop(parent, child->id, NULL) && links_save(parent, &err) < 0)
		log_warn("links of a container", "container", parent->id, "error", err.text);
}

void links_removed(struct container *c)
{
	drop(c, NULL, NULL);
	links_each_other(c, forget_child, NULL);
}

void links_renamed(struct container *c, const char *old_name)
{
	auto_links l = links_copy(c);
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < l.n; i++) {
		auto_free char *was = xasprintf("%s/%s", old_name, l.v[i].alias),
			       *is = xasprintf("%s/%s", c->name, l.v[i].alias);

		container_release_name(was);
		container_claim_name(l.v[i].child, is, &err);
	}
}

int link_remove(const char *name, struct error *err)
{
	const char *bare = *name == '/' ? name + 1 : name, *slash = strrchr(bare, '/');
	auto_container *child = container_find(bare, err), *parent = NULL;
	auto_free char *parent_name = slash ? xstrndup(bare, (size_t)(slash - bare)) : NULL;

	if (!child)
		return -1;
	if (!slash)
		return error_set(err, ERR_SYSTEM, /* as moby: 500 */
				 "Conflict, cannot remove the default link name of the container");
	parent = container_find(parent_name, err);
	if (!parent)
		return error_set(err, ERR_SYSTEM, "Cannot get parent %s for link name %s",
				 parent_name, bare);
	LOCK_SCOPE(&parent->op);
	if (!drop(parent, NULL, slash + 1))
		return error_set(err, ERR_NOT_FOUND, "No such container: %s", name);
	if (links_save(parent, err) < 0)
		return -1;
	return parent->state.running ? container_write_hosts(parent, err) : 0;
}

/* ---- What is shown --------------------------------------------------------------------------------------------------------------------- */

void links_print(struct container *c, struct jw *w)
{
	auto_links l = links_copy(c);
	auto_strlist texts = STRLIST_INIT;
	auto_str parent = STR_INIT;

	links_owner(c, &parent);
	for (size_t i = 0; i < l.n; i++) {
		auto_child k = {0};

		if (link_look(l.v[i].child, &k))
			strlist_printf(&texts, "/%s:/%s/%s", k.name, str_cstr(&parent),
				       l.v[i].alias);
	}
	jw_strlist(w, &texts, true);
}

void links_names(const struct container *c, struct strlist *out)
{
	struct container **all;
	size_t n;

	if (!atomic_load(&links_count))
		return;
	all = containers_all(&n);
	for (size_t i = 0; i < n; i++) {
		if (all[i] != c) {
			LOCK_SCOPE(&all[i]->lock);
			for (size_t k = 0; k < all[i]->n_links; k++)
				if (streq(all[i]->links[k].child, c->id))
					strlist_printf(out, "/%s/%s", all[i]->name,
						       all[i]->links[k].alias);
		}
		container_unref(all[i]);
	}
	free(all);
	strlist_sort(out);
}
