/* SPDX-License-Identifier: Apache-2.0 */
/* The spec's process object, of the first process or of an exec session. */
#include "native.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int resource;
} limit_names[] = {{"RLIMIT_AS", RLIMIT_AS},
		   {"RLIMIT_CORE", RLIMIT_CORE},
		   {"RLIMIT_CPU", RLIMIT_CPU},
		   {"RLIMIT_DATA", RLIMIT_DATA},
		   {"RLIMIT_FSIZE", RLIMIT_FSIZE},
		   {"RLIMIT_LOCKS", RLIMIT_LOCKS},
		   {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
		   {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
		   {"RLIMIT_NICE", RLIMIT_NICE},
		   {"RLIMIT_NOFILE", RLIMIT_NOFILE},
		   {"RLIMIT_NPROC", RLIMIT_NPROC},
		   {"RLIMIT_RSS", RLIMIT_RSS},
		   {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
		   {"RLIMIT_RTTIME", RLIMIT_RTTIME},
		   {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
		   {"RLIMIT_STACK", RLIMIT_STACK}};

static int parse_limits(struct process *p, const json *list, struct error *err)
{
	for (json *l = json_first(list); l; l = json_next(l)) {
		const char *type = json_get_str(l, "type", "");
		int resource = -1;

		for (size_t i = 0; i < sizeof(limit_names) / sizeof(*limit_names); i++)
			if (streq(type, limit_names[i].name))
				resource = limit_names[i].resource;
		if (resource < 0 || p->n_limits == RLIM_NLIMITS)
			return error_set(err, ERR_INVALID, "wrong rlimit value: %s", type);
		p->limits[p->n_limits++] = (struct limit){
		    resource, {json_u64(json_get(l, "soft"), 0), json_u64(json_get(l, "hard"), 0)}};
	}
	return 0;
}

static int parse_user(struct process *p, const json *user, struct error *err)
{
	p->uid = (uid_t)json_get_i64(user, "uid", 0);
	p->gid = (gid_t)json_get_i64(user, "gid", 0);
	p->umask = (int)json_get_i64(user, "umask", -1);
	for (json *g = json_first(json_get(user, "additionalGids")); g; g = json_next(g)) {
		if (p->n_groups == MAX_GROUPS)
			return error_set(err, ERR_INVALID, "more than %d additional groups",
					 MAX_GROUPS);
		p->groups[p->n_groups++] = (gid_t)json_i64(g, 0);
	}
	return 0;
}

int process_parse(struct process *p, const json *j, struct error *err)
{
	static const char *const sets[CAPS_SETS] = {"bounding", "effective", "inheritable",
						    "permitted", "ambient"};
	const json *caps = json_get(j, "capabilities"), *console = json_get(j, "consoleSize");

	if (json_strlist(json_get(j, "args"), &p->argv) < 0 ||
	    json_strlist(json_get(j, "env"), &p->env) < 0 || !p->argv.n)
		return error_set(
		    err, ERR_INVALID,
		    "process without arguments, or an argument or variable that is no string");
	if (!p->env.n) { /* execve wants a vector */
		strlist_add(&p->env, "");
		p->env.n = 0;
		free(p->env.v[0]);
		p->env.v[0] = NULL;
	}
	p->cwd = json_get_str(j, "cwd", "/");
	p->terminal = json_get_bool(j, "terminal", false);
	p->rows = (uint16_t)json_get_i64(console, "height", 0);
	p->columns = (uint16_t)json_get_i64(console, "width", 0);
	p->no_new_privs = json_get_bool(j, "noNewPrivileges", false);
	p->oom_score_adj = (int)json_get_i64(j, "oomScoreAdj", 0);
	p->apparmor = json_get_str(j, "apparmorProfile", "");
	p->selinux = json_get_str(j, "selinuxLabel", "");
	for (int i = 0; i < CAPS_SETS; i++)
		p->caps[i] = caps_parse(json_get(caps, sets[i]));
	if (parse_user(p, json_get(j, "user"), err) < 0)
		return -1;
	return parse_limits(p, json_get(j, "rlimits"), err);
}

void process_free(struct process *p)
{
	strlist_free(&p->argv);
	strlist_free(&p->env);
}
