/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization by a file of rules: the first that matches decides. This file: the driver's face. The rules in force are guarded by `lock`:
 * requests hold it for reading, a reload for the moment of the exchange.
 */
#include "rules.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct instance {
	const struct dockerd_host *host;
	char *path;
	pthread_rwlock_t lock;
	struct rule_set *rules;
};

static int32_t pass_on(struct dockerd_error *to, const struct error *from)
{
	dockerd_fail(to,
		     from->kind == ERR_INVALID     ? DOCKERD_ERR_INVALID
		     : from->kind == ERR_NOT_FOUND ? DOCKERD_ERR_NOT_FOUND
		     : from->kind == ERR_DENIED    ? DOCKERD_ERR_DENIED
						   : DOCKERD_ERR_SYSTEM,
		     "%s", from->text);
	to->sys_errno = from->sys;
	return -1;
}

static int32_t rules_open(const struct dockerd_open *args, void **self, struct dockerd_error *derr)
{
	struct instance *s = xcalloc(1, sizeof(*s));
	struct error err = ERROR_INIT;

	s->host = args->host;
	s->path = xstrdup(dockerd_option_get(args->options, "rules.file")->text);
	s->rules = rules_read(s->path, &err);
	if (!s->rules) {
		free(s->path);
		free(s);
		return pass_on(derr, &err);
	}
	pthread_rwlock_init(&s->lock, NULL);
	*self = s;
	return 0;
}

static void rules_close(void *self)
{
	struct instance *s = self;

	rules_free(s->rules);
	pthread_rwlock_destroy(&s->lock);
	free(s->path);
	free(s);
}

static int32_t decide(struct instance *s, const struct dockerd_authz_request *r, enum phase phase,
		      struct dockerd_authz_verdict *v)
{
	const struct rule *rule;

	pthread_rwlock_rdlock(&s->lock);
	rule = phase == PHASE_RESPONSE && !s->rules->has_response ? NULL
								  : rules_match(s->rules, r, phase);
	if (rule)
		v->verdict = rule->allow ? DOCKERD_AUTHZ_ALLOW : DOCKERD_AUTHZ_DENY;
	else /* a request that was allowed gets its reply, unless a rule says no */
		v->verdict = phase == PHASE_RESPONSE || s->rules->default_allow
				 ? DOCKERD_AUTHZ_ALLOW
				 : DOCKERD_AUTHZ_DENY;
	if (v->verdict == DOCKERD_AUTHZ_DENY) {
		if (!rule)
			snprintf(v->message, sizeof(v->message), "no rule allows %s",
				 r->route && *r->route ? r->route : "this request");
		else if (rule->message)
			snprintf(v->message, sizeof(v->message), "%s", rule->message);
		else
			snprintf(v->message, sizeof(v->message), "by rule '%s'", rule->name);
	}
	pthread_rwlock_unlock(&s->lock);
	return 0;
}

static int32_t rules_request(void *self, const struct dockerd_authz_request *r,
			     struct dockerd_authz_verdict *v, struct dockerd_error *err)
{
	(void)err;
	return decide(self, r, PHASE_REQUEST, v);
}

static int32_t rules_response(void *self, const struct dockerd_authz_request *r,
			      struct dockerd_authz_verdict *v, struct dockerd_error *err)
{
	(void)err;
	return decide(self, r, PHASE_RESPONSE, v);
}

static int32_t rules_reload(void *self, struct dockerd_error *derr)
{
	struct instance *s = self;
	struct error err = ERROR_INIT;
	struct rule_set *fresh = rules_read(s->path, &err), *old;

	if (!fresh)
		return pass_on(derr, &err);
	pthread_rwlock_wrlock(&s->lock);
	old = s->rules;
	s->rules = fresh;
	pthread_rwlock_unlock(&s->lock);
	rules_free(old);
	return 0;
}

static const struct dockerd_option options[] = {
    {.key = "rules.file",
     .default_value = "/etc/docker/authz-rules.json",
     .help = "file of rules; read at start and at SIGHUP",
     .type = DOCKERD_OPT_PATH,
     .scope = DOCKERD_SCOPE_DAEMON},
};

static const struct dockerd_authz_ops ops = {
    .common = {.size = sizeof(ops), .open = rules_open, .close = rules_close},
    .request = rules_request,
    .response = rules_response,
    .reload = rules_reload,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_AUTHZ, .name = "rules", .version = "1.0",
	       .description = "allows and denies by a file of rules",
	       .concurrency = DOCKERD_PARALLEL, DOCKERD_OPTIONS(options), .ops = &ops.common);
