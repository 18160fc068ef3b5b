/* SPDX-License-Identifier: Apache-2.0 */
/* POST /containers/{}/update: limits and restart policy of a container that may be running. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <stdlib.h>

/* Limits in the kernel; the container's record follows only when they hold. */
static int limit(struct container *c, const json *update, struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	auto_str resources = STR_INIT;

	if (!c->state.running || c->state.restarting)
		return 0;
	return spec_build_resources(update, spec_host(), &resources, err) < 0
		   ? -1
		   : shim_update(dir, str_cstr(&resources), err);
}

/* The new text takes the place of the old; *text gets that. With c->lock not held. */
static void swap_host_config(struct container *c, char **text)
{
	auto_json *host = json_parse(*text, strlen(*text), NULL);
	const json *policy = json_get(host, "RestartPolicy");
	char *old;

	pthread_mutex_lock(&c->lock);
	old = c->host_config;
	c->host_config = *text;
	*text = old;
	free(c->restart_policy);
	c->restart_policy = xstrdup(json_get_str(policy, "Name", "no"));
	c->restart_max = (int)json_get_i64(policy, "MaximumRetryCount", 0);
	pthread_mutex_unlock(&c->lock);
}

static int update_locked(struct container *c, const json *given, struct error *err)
{
	auto_json *host = json_parse(c->host_config, strlen(c->host_config), err);
	auto_str wanted = STR_INIT, text = STR_INIT;
	auto_json *update = NULL, *limits = NULL;
	auto_free char *kept = NULL;
	struct error ignored = ERROR_INIT;

	json_print(given, &wanted);
	update = json_parse(wanted.p, wanted.len, err);
	limits = json_parse(wanted.p, wanted.len, err);
	if (!host || !update || !limits || spec_apply_update(host, update, err) < 0 ||
	    limit(c, limits, err) < 0)
		return -1;
	FAULT("container.update.limited");
	json_print(host, &text);
	kept = xstrdup(str_cstr(&text));
	swap_host_config(c, &kept);
	if (container_save(c, true, err) == 0)
		return 0;
	swap_host_config(c, &kept);
	if (container_save(c, true, &ignored) < 0)
		log_error("update of a container not undone", "container", c->id, "error",
			  ignored.text);
	return -1;
}

int container_update(const char *name, const json *body, struct str *reply, struct error *err)
{
	auto_strlist warnings = STRLIST_INIT;
	auto_str text = STR_INIT;
	auto_json *update = NULL;
	auto_container *c = NULL;
	struct jw w = jw_to(reply);

	if (spec_normalise_update(body, &text, err) < 0)
		return -1;
	update = json_parse(text.p, text.len, err);
	if (!update || spec_validate(NULL, update, spec_host(), &warnings, err) < 0)
		return -1;
	c = container_find(name, err);
	if (!c)
		return -1;
	{
		LOCK_SCOPE(&c->op);
		if (c->gone || c->state.removing || c->state.dead)
			return error_set(err, ERR_CONFLICT,
					 "Cannot update container %s: Container is marked for "
					 "removal and cannot be \"update\".",
					 c->id);
		if (update_locked(c, update, err) < 0)
			return error_wrap(err, "Cannot update container %s", c->id);
	}
	FAULT("container.update.saved");
	container_event(c, "update", NULL);
	jw_obj(&w);
	jw_kstrlist(&w, "Warnings", &warnings, true);
	jw_end(&w);
	return 0;
}
