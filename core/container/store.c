/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of containers: by id and by name, with look-up by prefix. `table_lock` guards both; it is the innermost lock of the containers. */
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/health.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct container_room containers;

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map by_id = MAP_INIT; /* published containers, one reference each */
static struct map by_name =
    MAP_INIT; /* name -> malloc'ed id; also names claimed by a create under way */

struct container *container_new(const char *id)
{
	struct container *c = xnew(struct container);
	pthread_condattr_t attr;

	c->refs = 1;
	pthread_mutex_init(&c->op, NULL);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	memcpy(c->id, id, ID_LEN);
	c->state.started = c->state.finished = INT64_MIN;
	return c;
}

struct container *container_ref(struct container *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void container_unref(struct container *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	mounts_free(c);
	execs_free(c);
	networks_free(c);
	links_free(c);
	strlist_free(&c->args);
	pairs_free(&c->labels);
	pairs_free(&c->log_opts);
	free(c->name);
	free(c->path);
	free(c->config);
	free(c->host_config);
	health_free(c);
	free(c->image_id);
	free(c->extra);
	free(c->state.error);
	free(c->image_name);
	free(c->network_mode);
	free(c->ipc_mode);
	free(c->log_driver);
	free(c->command);
	free(c->restart_policy);
	free(c->graph_driver);
	spec_ports_free(&c->ports);
	pthread_mutex_destroy(&c->op);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	free(c);
}

static bool is_hex(const char *s)
{
	for (; *s; s++)
		if (!isxdigit((unsigned char)*s))
			return false;
	return true;
}

/* With the lock held. NULL and err->kind set if there is none or more than one. */
static struct container *find_prefix(const char *prefix, struct error *err)
{
	struct container *found = NULL;
	struct map_entry *e;
	size_t i = 0;

	while (is_hex(prefix) && (e = map_next(&by_id, &i)))
		if (str_after(e->key, prefix)) {
			if (found) {
				error_set(err, ERR_INVALID,
					  "multiple IDs found with provided prefix: %s", prefix);
				return NULL;
			}
			found = e->value;
		}
	if (!found)
		error_set(err, ERR_NOT_FOUND, "No such container: %s", prefix);
	return found;
}

struct container *container_find(const char *name, struct error *err)
{
	const char *bare = *name == '/' ? name + 1 : name;
	struct container *c;
	const char *id;
	LOCK_SCOPE(&table_lock);

	if (!*name) {
		error_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
		return NULL;
	}
	c = map_get(&by_id, name);
	if (!c) {
		id = map_get(&by_name, bare);
		c = id ? map_get(&by_id, id) : NULL;
	}
	if (!c)
		c = find_prefix(name, err);
	return c ? container_ref(c) : NULL;
}

char *container_dup_name(struct container *c)
{
	LOCK_SCOPE(&c->lock);

	return xstrdup_null(c->name);
}

struct container *container_by_id(const char *id)
{
	struct container *c;
	LOCK_SCOPE(&table_lock);

	c = map_get(&by_id, id);
	return c ? container_ref(c) : NULL;
}

int container_claim_name(const char *id, const char *name, struct error *err)
{
	const char *owner;
	LOCK_SCOPE(&table_lock);

	owner = map_get(&by_name, name);
	if (owner)
		return error_set(err, ERR_CONFLICT,
				 "Conflict. The container name \"/%s\" is already in use by "
				 "container \"%s\". You have to remove (or "
				 "rename) that container to be able to reuse that name.",
				 name, owner);
	map_set(&by_name, name, xstrdup(id));
	return 0;
}

void container_release_name(const char *name)
{
	LOCK_SCOPE(&table_lock);

	free(map_del(&by_name, name));
}

void container_publish(struct container *c)
{
	LOCK_SCOPE(&table_lock);

	map_set(&by_id, c->id, container_ref(c));
}

void container_unpublish(struct container *c)
{
	struct container *had;

	pthread_mutex_lock(&table_lock);
	had = map_del(&by_id, c->id);
	free(map_del(&by_name, c->name));
	pthread_mutex_unlock(&table_lock);
	if (had)
		container_unref(had);
}

static int newest_first(const void *a, const void *b)
{
	const struct container *x = *(struct container *const *)a,
			       *y = *(struct container *const *)b;

	return x->created < y->created ? 1 : x->created > y->created ? -1 : strcmp(x->id, y->id);
}

struct container **containers_all(size_t *n)
{
	struct container **all;
	struct map_entry *e;
	size_t i = 0;

	pthread_mutex_lock(&table_lock);
	all = xcalloc(by_id.n, sizeof(struct container *));
	*n = 0;
	while ((e = map_next(&by_id, &i)))
		all[(*n)++] = container_ref(e->value);
	pthread_mutex_unlock(&table_lock);
	qsort(all, *n, sizeof(struct container *), newest_first);
	return all;
}

const char *container_name_of(const char *id, char buf[256])
{
	struct container *c;
	LOCK_SCOPE(&table_lock);

	c = map_get(&by_id, id);
	if (!c)
		return NULL;
	snprintf(buf, 256, "%s", c->name);
	return buf;
}

struct container_counts containers_count(void)
{
	struct container_counts counts = {0};
	size_t n;
	struct container **all = containers_all(&n);

	for (size_t i = 0; i < n; i++) {
		pthread_mutex_lock(&all[i]->lock);
		counts.total++;
		if (all[i]->state.paused)
			counts.paused++;
		else if (all[i]->state.running)
			counts.running++;
		else
			counts.stopped++;
		pthread_mutex_unlock(&all[i]->lock);
		container_unref(all[i]);
	}
	free(all);
	return counts;
}

char *container_using_image(const char *image_id, bool running_only)
{
	char *found = NULL;
	size_t n;
	struct container **all = containers_all(&n);

	for (size_t i = 0; i < n; i++) {
		pthread_mutex_lock(&all[i]->lock);
		if (!found && streq(all[i]->image_id, image_id) &&
		    (all[i]->state.running || !running_only))
			found = xstrdup(all[i]->id);
		pthread_mutex_unlock(&all[i]->lock);
		container_unref(all[i]);
	}
	free(all);
	return found;
}

static const char *const first_words[] = {
    "amber",  "brisk",  "calm",   "clever", "cosmic", "crisp", "dapper", "eager",  "fluent",
    "gentle", "golden", "happy",  "humble", "jolly",  "keen",  "lively", "lucid",  "mellow",
    "nimble", "noble",  "plucky", "polite", "proud",  "quiet", "rapid",  "rustic", "sharp",
    "silent", "snappy", "solid",  "spry",   "steady", "sunny", "swift",  "tidy",   "tender",
    "upbeat", "vivid",  "warm",   "witty",  "wry",    "zesty"};
static const char *const second_words[] = {
    "badger",  "beacon", "birch",   "bison",   "canyon",  "cedar",  "comet",  "condor",  "coral",
    "crane",   "delta",  "dune",    "falcon",  "fern",    "fjord",  "gecko",  "glacier", "harbor",
    "heron",   "iris",   "juniper", "kestrel", "lagoon",  "lark",   "lichen", "lynx",    "maple",
    "marten",  "meadow", "meteor",  "otter",   "pebble",  "puffin", "quartz", "raven",   "reef",
    "sparrow", "spruce", "summit",  "tern",    "thistle", "walrus", "willow", "wren"};

char *container_random_name(const char *id)
{
	struct error err = ERROR_INIT;

	for (int tries = 0;; tries++) {
		uint32_t r[2];
		char *name;

		if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
			abort();
		name = xasprintf("%s_%s", first_words[r[0] % ARRAY_LEN(first_words)],
				 second_words[r[1] % ARRAY_LEN(second_words)]);
		if (tries > 3) { /* most are taken: add a digit or more */
			char *longer =
			    xasprintf("%s%u", name, r[0] % (10u << (tries < 24 ? tries : 24)));

			free(name);
			name = longer;
		}
		if (container_claim_name(id, name, &err) == 0)
			return name;
		free(name);
	}
}
