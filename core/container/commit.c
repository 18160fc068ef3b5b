/* SPDX-License-Identifier: Apache-2.0 */
/* POST /commit: an image of what a container has changed. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "container/container_int.h"
#include "image/image.h"

#include <stdlib.h>

/* Config of the new image: the container's, or what the client sends over it; the instructions last. */
static int new_config(const struct container_commit *how, const json *own, struct str *out,
		      struct error *err)
{
	auto_str wanted = STR_INIT, merged = STR_INIT;
	auto_json *config = NULL, *over = NULL;

	if (!json_count(how->config))
		return changes_apply(own, how->changes, out, err);
	if (spec_normalise_config(how->config, &wanted, err) < 0)
		return -1;
	config = json_parse(wanted.p, wanted.len, err);
	if (!config || spec_merge_image(config, own, &merged, err) < 0)
		return -1;
	over = json_parse(merged.p, merged.len, err);
	return over ? changes_apply(over, how->changes, out, err) : -1;
}

static int commit(struct container *c, const struct container_commit *how, const char *config,
		  const json *own, char **id, struct error *err)
{
	auto_strlist command = STRLIST_INIT;
	auto_free char *created_by = NULL;
	auto_str as_made = STR_INIT;
	struct image_commit ic = {.container_id = c->id,
				  .parent = c->image_id,
				  .repo = how->repo,
				  .tag = how->tag,
				  .author = how->author,
				  .comment = how->comment,
				  .config = config};

	json_print(own, &as_made);
	ic.container_config = str_cstr(&as_made);
	json_strlist(json_get(own, "Cmd"), &command);
	ic.created_by = created_by = strlist_join(&command, " ");
	return image_commit(containers.images, &ic, id, err);
}

static bool pause_for(const struct container_commit *how, struct container *c)
{
	bool running;

	pthread_mutex_lock(&c->lock);
	running = c->state.running && !c->state.paused && !c->state.restarting;
	pthread_mutex_unlock(&c->lock);
	return how->pause && running;
}

static void tell(struct container *c, const struct container_commit *how, const char *id)
{
	auto_pairs attrs = PAIRS_INIT;
	auto_free char *ref = NULL;

	if (*how->repo)
		ref = xasprintf("%s:%s", how->repo, *how->tag ? how->tag : "latest");
	pairs_set(&attrs, "comment", how->comment);
	pairs_set(&attrs, "imageID", id);
	pairs_set(&attrs, "imageRef", ref ? ref : "");
	container_event(c, "commit", &attrs);
}

int container_commit_image(const struct container_commit *how, struct str *reply, struct error *err)
{
	auto_container *c = container_find(how->container, err);
	struct error ignored = ERROR_INIT;
	auto_str config = STR_INIT;
	auto_free char *id = NULL;
	auto_json *own = NULL;
	struct jw w = jw_to(reply);
	int64_t began = clock_mono_ns();
	bool paused;
	int r;

	if (!c)
		return -1;
	if (c->state.dead || c->state.removing)
		return error_set(err, ERR_CONFLICT,
				 c->state.dead
				     ? "You cannot commit container %s which is Dead"
				     : "You cannot commit container %s which is being removed",
				 c->id);
	own = container_config(c, err);
	if (!own || new_config(how, own, &config, err) < 0)
		return -1;
	paused = pause_for(how, c);
	if (paused && container_pause(c->id, err) < 0)
		return -1;
	FAULT("container.commit.paused");
	r = commit(c, how, str_cstr(&config), own, &id, err);
	FAULT("container.commit.made");
	if (r == 0)
		tell(c, how, id);
	if (paused && container_unpause(c->id, &ignored) < 0)
		log_error("container stays paused after its commit", "container", c->id, "error",
			  ignored.text);
	if (r < 0)
		return -1;
	metrics_took(METRICS_COMMIT, began);
	jw_obj(&w);
	jw_kstr(&w, "Id", id);
	jw_end(&w);
	return 0;
}
