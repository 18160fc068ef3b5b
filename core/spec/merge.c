/* SPDX-License-Identifier: Apache-2.0 */
/* Laying a container's Config over its image's, by the rules of moby's daemon (commit.go: merge). OnBuild and Shell stay the container's own. */
#include "spec/spec.h"

#include "spec/schema.h"

#include "base/cleanup.h"

static bool none(const json *c, const char *name)
{
	const json *v = json_get(c, name);

	if (json_type(v) == JSON_STRING)
		return !*json_str(v, "");
	return json_count(v) == 0;
}

static void take(struct pairs *replace, const char *name, const json *from)
{
	auto_str text = STR_INIT;
	const json *v = json_get(from, name);

	if (!v)
		return;
	json_print(v, &text);
	pairs_set(replace, name, str_cstr(&text));
}

/* Union of two objects; the container's members win. */
static void merge_objects(struct pairs *replace, const char *name, const json *mine,
			  const json *image)
{
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);

	if (none(image, name))
		return;
	jw_obj(&w);
	for (json *c = json_first(json_get(mine, name)); c; c = json_next(c))
		jw_kjson(&w, json_name(c), c);
	for (json *c = json_first(json_get(image, name)); c; c = json_next(c))
		if (!json_get(json_get(mine, name), json_name(c)))
			jw_kjson(&w, json_name(c), c);
	jw_end(&w);
	pairs_set(replace, name, str_cstr(&text));
}

static bool same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strcspn(b, "=") == n && memcmp(a, b, n) == 0;
}

/* The container's variables first, then those that only the image has. */
static void merge_env(struct pairs *replace, const json *mine, const json *image)
{
	auto_strlist env = STRLIST_INIT, theirs = STRLIST_INIT;
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	size_t own;

	if (none(image, "Env"))
		return;
	json_strlist(json_get(mine, "Env"), &env);
	json_strlist(json_get(image, "Env"), &theirs);
	own = env.n;
	for (size_t i = 0; i < theirs.n; i++) {
		bool found = false;

		for (size_t k = 0; k < own && !found; k++)
			found = same_variable(env.v[k], theirs.v[i]);
		if (!found)
			strlist_add(&env, theirs.v[i]);
	}
	jw_strlist(&w, &env, false);
	pairs_set(replace, "Env", str_cstr(&text));
}

static int merge_healthcheck(struct pairs *replace, const json *mine, const json *image,
			     struct error *err)
{
	const json *own = json_get(mine, "Healthcheck"), *theirs = json_get(image, "Healthcheck");
	static const char *const numbers[] = {"Interval", "Timeout", "StartPeriod", "StartInterval",
					      "Retries"};
	auto_pairs over = PAIRS_INIT;
	auto_str text = STR_INIT;

	if (json_type(theirs) != JSON_OBJECT)
		return 0;
	if (json_type(own) != JSON_OBJECT) {
		take(replace, "Healthcheck", image);
		return 0;
	}
	if (none(own, "Test"))
		take(&over, "Test", theirs);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (json_get_i64(own, numbers[i], 0) == 0)
			take(&over, numbers[i], theirs);
	if (schema_print(&go_healthcheck, own, &over, ".Healthcheck", &text, err) < 0)
		return -1;
	pairs_set(replace, "Healthcheck", str_cstr(&text));
	return 0;
}

static void merge_command(struct pairs *replace, const json *mine, const json *image)
{
	const json *entrypoint = json_get(mine, "Entrypoint");

	if (json_count(entrypoint) > 0)
		return; /* resets the image's Cmd */
	if (none(mine, "Cmd")) {
		take(replace, "Cmd", image);
		take(replace, "ArgsEscaped", image);
	}
	if (json_type(entrypoint) != JSON_ARRAY) /* an empty list asks for no entrypoint */
		take(replace, "Entrypoint", image);
}

/* [""] is how clients ask for no entrypoint at all. */
static int check_command(const struct pairs *replace, const json *mine, struct pairs *fix,
			 struct error *err)
{
	auto_json *ours = NULL;
	auto_json *cmd = NULL;
	const char *entrypoint = pairs_get(replace, "Entrypoint"),
		   *command = pairs_get(replace, "Cmd");
	const json *e = json_get(mine, "Entrypoint"), *c = json_get(mine, "Cmd");

	if (entrypoint)
		e = ours = json_parse(entrypoint, strlen(entrypoint), err);
	if (command)
		c = cmd = json_parse(command, strlen(command), err);
	if (json_count(e) == 1 && !*json_str(json_first(e), "x")) {
		pairs_set(fix, "Entrypoint", "null");
		e = NULL;
	}
	if (json_count(e) == 0 && json_count(c) == 0)
		return error_set(err, ERR_INVALID, "no command specified");
	return 0;
}

int spec_merge_image(const json *config, const json *image_config, struct str *out,
		     struct error *err)
{
	static const char *const strings[] = {"User", "WorkingDir", "StopSignal"};
	static const char *const objects[] = {"ExposedPorts", "Volumes", "Labels"};
	auto_pairs replace = PAIRS_INIT;
	auto_str merged = STR_INIT;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (none(config, strings[i]))
			take(&replace, strings[i], image_config);
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		merge_objects(&replace, objects[i], config, image_config);
	if (!pairs_get(&replace, "Labels") && json_type(json_get(config, "Labels")) != JSON_OBJECT)
		pairs_set(&replace, "Labels", "{}");
	merge_env(&replace, config, image_config);
	merge_command(&replace, config, image_config);
	if (merge_healthcheck(&replace, config, image_config, err) < 0 ||
	    check_command(&replace, config, &replace, err) < 0)
		return -1;
	/* twice: what came from the image is raw and needs its types checked and its order settled, too */
	if (schema_print(&go_config, config, &replace, "", &merged, err) < 0)
		return -1;
	auto_json *again = json_parse(str_cstr(&merged), merged.len, err);

	if (!again)
		return -1;
	return schema_print(&go_config, again, NULL, "", out, err);
}
