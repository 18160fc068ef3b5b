/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI process object: of a container's first process, and of exec sessions. */
#include "spec/spec_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void env_overlay(struct strlist *env, const char *assignment)
{
	size_t n = strcspn(assignment, "="), i;

	for (i = 0; i < env->n; i++)
		if (strncmp(env->v[i], assignment, n) == 0 &&
		    (env->v[i][n] == '=' || env->v[i][n] == '\0'))
			break;
	if (!assignment[n]) {
		if (i < env->n)
			strlist_remove(env, i);
	} else if (i < env->n) {
		free(env->v[i]);
		env->v[i] = xstrdup(assignment);
	} else {
		strlist_add(env, assignment);
	}
}

void env_build(const struct spec_input *in, bool tty, struct strlist *out)
{
	strlist_add(out, DEFAULT_PATH);
	strlist_printf(out, "HOSTNAME=%s", json_get_str(in->config, "Hostname", ""));
	if (tty)
		strlist_add(out, "TERM=xterm");
	for (size_t i = 0; in->extra_env && i < in->extra_env->n; i++)
		strlist_add(out, in->extra_env->v[i]);
	for (json *c = json_first(json_get(in->config, "Env")); c; c = json_next(c))
		env_overlay(out, json_str(c, ""));
}

/* Programs expect HOME; it is the user's of the container, not the daemon's. */
static void env_home(struct strlist *env, const char *home)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_after(env->v[i], "HOME="))
			return;
	strlist_printf(env, "HOME=%s", home);
}

bool process_wants_init(const struct spec_input *in)
{
	const char *pid = json_get_str(in->host_config, "PidMode", "");

	if (str_empty(in->init_path) || streq(pid, "host") || mode_container(pid))
		return false;
	return json_get_bool(in->host_config, "Init", in->host->init);
}

static void print_user(struct jw *w, const struct spec_user *u)
{
	jw_kobj(w, "user");
	jw_ku64(w, "uid", u->uid);
	jw_ku64(w, "gid", u->gid);
	if (u->extra_count) {
		jw_karr(w, "additionalGids");
		for (size_t i = 0; i < u->extra_count; i++)
			jw_u64(w, u->extra[i]);
		jw_end(w);
	}
	jw_end(w);
}

static void print_args(struct jw *w, const struct spec_input *in, const struct spec_exec *e)
{
	jw_karr(w, "args");
	if (e) {
		for (size_t i = 0; i < e->cmd->n; i++)
			jw_str(w, e->cmd->v[i]);
	} else {
		if (process_wants_init(in)) {
			jw_str(w, "/sbin/docker-init");
			jw_str(w, "--");
		}
		jw_str(w, in->path);
		for (size_t i = 0; in->args && i < in->args->n; i++)
			jw_str(w, in->args->v[i]);
	}
	jw_end(w);
}

static void print_capabilities(struct jw *w, const struct strlist *caps)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};

	jw_kobj(w, "capabilities");
	for (size_t i = 0; caps->n && i < ARRAY_LEN(sets); i++)
		jw_kstrlist(w, sets[i], caps, false);
	jw_end(w);
}

static void print_rlimit(struct jw *w, const char *name, int64_t hard, int64_t soft)
{
	auto_str type = STR_INIT;

	str_puts(&type, "RLIMIT_");
	for (; *name; name++)
		str_putc(&type, (char)toupper((unsigned char)*name));
	jw_obj(w);
	jw_kstr(w, "type", str_cstr(&type));
	jw_ku64(w, "hard", (uint64_t)hard); /* -1: RLIM_INFINITY */
	jw_ku64(w, "soft", (uint64_t)soft);
	jw_end(w);
}

static bool has_ulimit(const json *ulimits, const char *name)
{
	for (json *c = json_first(ulimits); c; c = json_next(c))
		if (streq(json_get_str(c, "Name", ""), name))
			return true;
	return false;
}

/* The container's, then those of the daemon's defaults ("soft:hard") that it doesn't set. */
static void print_rlimits(struct jw *w, const struct spec_input *in)
{
	const json *own = json_get(in->host_config, "Ulimits");
	const struct pairs *defaults = in->host->ulimits;

	if (json_count(own) == 0 && (!defaults || defaults->n == 0))
		return;
	jw_karr(w, "rlimits");
	for (json *c = json_first(own); c; c = json_next(c))
		print_rlimit(w, json_get_str(c, "Name", ""), json_get_i64(c, "Hard", 0),
			     json_get_i64(c, "Soft", 0));
	for (size_t i = 0; defaults && i < defaults->n; i++) {
		const char *value = defaults->v[i].value, *hard = strchr(value, ':');

		if (!has_ulimit(own, defaults->v[i].key))
			print_rlimit(w, defaults->v[i].key,
				     strtoll(hard ? hard + 1 : value, NULL, 10),
				     strtoll(value, NULL, 10));
	}
	jw_end(w);
}

static void print_terminal(struct jw *w, const struct spec_input *in, const struct spec_exec *e)
{
	const json *height = json_first(json_get(in->host_config, "ConsoleSize"));
	const json *width = height ? json_next(height) : NULL;

	if (!(e ? e->tty : json_get_bool(in->config, "Tty", false)))
		return;
	jw_kbool(w, "terminal", true);
	if (e || json_u64(height, 0) == 0 || json_u64(width, 0) == 0)
		return;
	jw_kobj(w, "consoleSize");
	jw_ku64(w, "height", json_u64(height, 0));
	jw_ku64(w, "width", json_u64(width, 0));
	jw_end(w);
}

static void print_cwd(struct jw *w, const struct spec_input *in, const struct spec_exec *e)
{
	const char *dir = json_get_str(in->config, "WorkingDir", "");
	auto_free char *clean = NULL;

	if (e && IS_SET(e->working_dir))
		dir = e->working_dir;
	clean = *dir ? path_clean(dir) : xstrdup("/");
	jw_kstr(w, "cwd", clean);
}

static void print_apparmor(struct jw *w, const struct spec_input *in)
{
	const char *profile = spec_apparmor(in->host_config, in->host);

	if (*profile)
		jw_kstr(w, "apparmorProfile", profile);
}

int process_print(const struct spec_input *in, const struct spec_exec *e, struct str *out,
		  struct error *err)
{
	bool own = json_get_bool(in->host_config, "Privileged", false),
	     privileged = own || (e && e->privileged);
	auto_strlist env = STRLIST_INIT, caps = STRLIST_INIT;
	struct security_opts opts;
	struct spec_user user;
	struct jw w = jw_to(out);

	if (caps_resolve(in->host_config, privileged, &caps, err) < 0 ||
	    security_parse(in->host_config, &opts, err) < 0 ||
	    spec_user_find(in->rootfs_fd,
			   e && IS_SET(e->user) ? e->user : json_get_str(in->config, "User", ""),
			   json_get(in->host_config, "GroupAdd"), &user, err) < 0)
		return -1;
	env_build(in, e ? e->tty : json_get_bool(in->config, "Tty", false), &env);
	for (size_t i = 0; e && e->env && i < e->env->n; i++)
		env_overlay(&env, e->env->v[i]);
	env_home(&env, user.home);
	jw_obj(&w);
	print_terminal(&w, in, e);
	print_user(&w, &user);
	print_args(&w, in, e);
	jw_kstrlist(&w, "env", &env, false);
	print_cwd(&w, in, e);
	print_capabilities(&w, &caps);
	print_rlimits(&w, in);
	if (opts.no_new_privileges_set ? opts.no_new_privileges : in->host->no_new_privileges)
		jw_kbool(&w, "noNewPrivileges", true);
	print_apparmor(&w, in);
	jw_ki64(&w, "oomScoreAdj", json_get_i64(in->host_config, "OomScoreAdj", 0));
	jw_end(&w);
	spec_user_free(&user);
	return 0;
}

int spec_build_exec(const struct spec_input *in, const struct spec_exec *e, struct str *process,
		    struct error *err)
{
	return process_print(in, e, process, err);
}
