/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What talks to registries: pull, push, login, search, distribution inspect. Each is a job in a thread of its own; until it says its first word
 * the worker waits for it (an error has its own status then), afterwards the stream loop carries its progress. Whoever hangs up cancels it.
 */
#include "api/api.h"
#include "api/images.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"
#include "registry/registry.h"

#include <stdlib.h>
#include <time.h>

#define RETRY_SECONDS 5
#define CERTS_DIR "/etc/docker/certs.d"

/* Jobs whose thread runs; at the end of the daemon they are cancelled and waited for. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct job *first;
	bool stopping;
} running = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

struct job {
	struct job *next;     /* of those that run; guarded by running.lock */
	pthread_mutex_t lock; /* guards stream and refs */
	unsigned refs;        /* the thread, and the handler or its stream */
	struct http_stream *stream;
	struct progress *p;
	int (*run)(struct job *j, struct error *err);
	struct registry_settings settings;
	struct registry_auth auth;
	char *name, *tag, *platform, *message, *src;
	struct strlist changes;
	struct registry_search search;
	struct str reply; /* of jobs that show no progress */
};

/* ---- life of a job ---------------------------------------------------------------------------------------------------------------- */

static void wake(void *ctx)
{
	struct job *j = ctx;
	LOCK_SCOPE(&j->lock);

	if (j->stream)
		http_stream_wake(j->stream);
}

static struct job *job_new(struct http_exchange *x, int (*run)(struct job *j, struct error *err))
{
	const struct config *c = api.config();
	struct job *j = xnew(struct job);

	pthread_mutex_init(&j->lock, NULL);
	j->refs = 1;
	j->run = run;
	j->p = progress_new(wake, j);
	j->settings = (struct registry_settings){
	    .insecure = config_list(c, "insecure-registries"),
	    .mirrors = config_list(c, "registry-mirrors"),
	    .foreign = config_list(c, "allow-nondistributable-artifacts"),
	    .http_proxy = config_str(c, "proxies.http-proxy"),
	    .https_proxy = config_str(c, "proxies.https-proxy"),
	    .no_proxy = config_str(c, "proxies.no-proxy"),
	    .certs_dir = CERTS_DIR,
	    .max_downloads = (int)config_int(c, "max-concurrent-downloads"),
	    .max_uploads = (int)config_int(c, "max-concurrent-uploads"),
	    .attempts = (int)config_int(c, "max-download-attempts"),
	    .retry_s = RETRY_SECONDS,
	};
	registry_auth_decode(http_header(x, "X-Registry-Auth"), &j->auth);
	return j;
}

static void job_unref(struct job *j)
{
	bool last;

	pthread_mutex_lock(&j->lock);
	last = --j->refs == 0;
	pthread_mutex_unlock(&j->lock);
	if (!last)
		return;
	progress_unref(j->p);
	registry_auth_free(&j->auth);
	free(j->name);
	free(j->tag);
	free(j->platform);
	free(j->message);
	free(j->src);
	strlist_free(&j->changes);
	free((char *)j->search.term);
	str_free(&j->reply);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

static bool job_enter(struct job *j)
{
	LOCK_SCOPE(&running.lock);
	if (running.stopping)
		return false;
	j->next = running.first;
	running.first = j;
	return true;
}

static void job_leave(struct job *j)
{
	LOCK_SCOPE(&running.lock);
	for (struct job **at = &running.first; *at; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			break;
		}
	pthread_cond_broadcast(&running.ended);
}

bool api_registry_stop(int seconds)
{
	struct timespec until;
	LOCK_SCOPE(&running.lock);

	running.stopping = true;
	for (struct job *j = running.first; j; j = j->next)
		progress_cancel(j->p);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	while (running.first)
		if (pthread_cond_timedwait(&running.ended, &running.lock, &until) != 0)
			return false;
	return true;
}

static void *job_thread(void *arg)
{
	struct job *j = arg;
	struct error err = ERROR_INIT;

	if (!job_enter(j))
		error_set(&err, ERR_UNAVAILABLE, "the daemon is shutting down");
	else if (j->run(j, &err) == 0)
		error_clear(&err);
	else if (err.kind == ERR_NONE)
		error_set(&err, ERR_SYSTEM, "unknown error");
	progress_end(j->p, &err);
	job_leave(j);
	job_unref(j);
	return NULL;
}

static int fill(void *ctx, struct str *out)
{
	struct job *j = ctx;

	return progress_take(j->p, out) ? HTTP_END : HTTP_LATER;
}

static void started(void *ctx, struct http_stream *s)
{
	struct job *j = ctx;
	LOCK_SCOPE(&j->lock);

	j->stream = s;
}

static void over(void *ctx)
{
	struct job *j = ctx;

	pthread_mutex_lock(&j->lock);
	j->stream = NULL;
	pthread_mutex_unlock(&j->lock);
	progress_cancel(j->p); /* nobody listens any more; nothing if it has ended */
	job_unref(j);
}

/* Takes j. */
static void job_serve(struct http_exchange *x, struct job *j)
{
	struct http_source source = {.fill = fill, .done = over, .started = started, .wait_fd = -1};
	struct error err = ERROR_INIT;

	j->refs = 2;
	if (thread_start("registry", job_thread, j, &err) < 0) {
		j->refs = 1;
		http_reply_error(x, &err);
	} else if (!http_wait(x, progress_ready_fd(j->p))) {
		progress_cancel(j->p);
		error_set(&err, ERR_CANCELLED, "context canceled");
		http_reply_error(x, &err);
	} else if (!progress_silent(j->p, &err)) {
		http_reply_stream(x, 200, "application/json", &source, j);
		return;
	} else if (err.kind != ERR_NONE) {
		http_reply_error(x, &err);
	} else {
		http_reply_json(x, 200, &j->reply);
	}
	job_unref(j);
}

/* ---- pull ------------------------------------------------------------------------------------------------------------------------- */

static int run_pull(struct job *j, struct error *err)
{
	return registry_pull(api.images, &j->settings, j->name, j->tag, j->platform, &j->auth, j->p,
			     err);
}

void api_image_pull(struct http_exchange *x)
{
	struct job *j = job_new(x, run_pull);

	j->name = xstrdup(http_query(x, "fromImage", ""));
	j->tag = xstrdup(http_query(x, "tag", ""));
	j->platform = xstrdup(x->api_version >= 32 ? http_query(x, "platform", "") : "");
	job_serve(x, j);
}

/* ---- import of a URL -------------------------------------------------------------------------------------------------------------- */

static int run_import(struct job *j, struct error *err)
{
	const struct image_import o = {.repo = j->name,
				       .tag = j->tag,
				       .message = j->message,
				       .platform = j->platform,
				       .changes = &j->changes};

	return registry_import(api.images, &j->settings, j->src, &o, j->p, err);
}

void api_image_import_url(struct http_exchange *x, const char *url, const struct image_import *o)
{
	struct job *j = job_new(x, run_import);

	j->src = xstrdup(url);
	j->name = xstrdup(o->repo);
	j->tag = xstrdup(o->tag);
	j->message = xstrdup(o->message);
	j->platform = xstrdup(o->platform);
	strlist_copy(&j->changes, o->changes);
	job_serve(x, j);
}

/* ---- push ------------------------------------------------------------------------------------------------------------------------- */

static int run_push(struct job *j, struct error *err)
{
	return registry_push(api.images, &j->settings, j->name, j->tag, &j->auth, j->p, err);
}

static void push(struct http_exchange *x, void *ctx)
{
	struct job *j = job_new(x, run_push);

	(void)ctx;
	j->name = xstrdup(http_param(x, "name"));
	j->tag = xstrdup(http_query(x, "tag", ""));
	job_serve(x, j);
}

/* ---- login ------------------------------------------------------------------------------------------------------------------------ */

static int run_login(struct job *j, struct error *err)
{
	auto_free char *token = NULL;
	struct jw w = jw_to(&j->reply);

	if (registry_login(&j->settings, &j->auth, progress_cancel_fd(j->p), &token, err) < 0)
		return -1;
	jw_obj(&w);
	jw_kstr(&w, "IdentityToken", token);
	jw_kstr(&w, "Status", "Login Succeeded");
	jw_end(&w);
	return 0;
}

static void login(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_json *body = http_body_json(x, true, &err);
	struct job *j;

	(void)ctx;
	if (!body) {
		http_reply_error(x, &err);
		return;
	}
	j = job_new(x, run_login);
	registry_auth_free(&j->auth);
	registry_auth_json(body, &j->auth);
	job_serve(x, j);
}

/* ---- search ----------------------------------------------------------------------------------------------------------------------- */

static int run_search(struct job *j, struct error *err)
{
	return registry_search(&j->settings, &j->search, &j->auth, progress_cancel_fd(j->p),
			       &j->reply, err);
}

/* -1: not asked for; a boolean filter. */
static int bool_filter(const json *filters, const char *name, int *out, struct error *err)
{
	json *f = json_get(filters, name), *v = json_first(f);
	const char *text = v ? (json_type(f) == JSON_OBJECT ? json_name(v) : json_str(v, "")) : "";

	*out = -1;
	if (!v)
		return 0;
	if (streq(text, "true") || streq(text, "1"))
		*out = 1;
	else if (streq(text, "false") || streq(text, "0"))
		*out = 0;
	else
		return error_set(err, ERR_INVALID, "invalid filter '%s=[%s]'", name, text);
	return 0;
}

static int stars_filter(const json *filters, int *out, struct error *err)
{
	json *f = json_get(filters, "stars");

	*out = -1;
	for (json *v = json_first(f); v; v = json_next(v)) {
		const char *text = json_type(f) == JSON_OBJECT ? json_name(v) : json_str(v, "");
		char *end;
		long n = strtol(text, &end, 10);

		if (*end || end == text || n < 0 || n > 1000000000)
			return error_set(err, ERR_INVALID, "invalid filter 'stars=[%s]'", text);
		if (n > *out)
			*out = (int)n;
	}
	return 0;
}

static int parse_search(struct http_exchange *x, struct registry_search *q, struct error *err)
{
	auto_json *filters = NULL;
	long limit = 0;

	if (api_filters(x, &filters, err) < 0)
		return -1;
	for (json *m = json_first(filters); m; m = json_next(m))
		if (!streq(json_name(m), "is-automated") && !streq(json_name(m), "is-official") &&
		    !streq(json_name(m), "stars"))
			return error_set(err, ERR_INVALID, "invalid filter '%s'", json_name(m));
	if (bool_filter(filters, "is-automated", &q->automated, err) < 0 ||
	    bool_filter(filters, "is-official", &q->official, err) < 0 ||
	    stars_filter(filters, &q->stars, err) < 0 ||
	    api_query_int(x, "limit", 0, &limit, err) < 0)
		return -1;
	if (http_has_query(x, "limit") && limit != 0 && (limit < 1 || limit > 100))
		return error_set(err, ERR_INVALID, "limit %ld is outside the range of [1, 100]",
				 limit);
	q->limit = (int)limit;
	return 0;
}

static void search(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	struct registry_search q = {.term = NULL};
	struct job *j;

	(void)ctx;
	if (parse_search(x, &q, &err) < 0) {
		http_reply_error(x, &err);
		return;
	}
	j = job_new(x, run_search);
	j->search = q;
	j->search.term = xstrdup(http_query(x, "term", ""));
	job_serve(x, j);
}

/* ---- distribution inspect --------------------------------------------------------------------------------------------------------- */

static int run_inspect(struct job *j, struct error *err)
{
	return registry_inspect(&j->settings, j->name, &j->auth, progress_cancel_fd(j->p),
				&j->reply, err);
}

static void distribution(struct http_exchange *x, void *ctx)
{
	struct job *j = job_new(x, run_inspect);

	(void)ctx;
	j->name = xstrdup(http_param(x, "name"));
	job_serve(x, j);
}

const struct http_route api_registry_routes[] = {
    {"POST", "/auth", login, 0},
    {"GET", "/images/search", search, 0},
    {"POST", "/images/{name:*}/push", push, 0},
    {"GET", "/distribution/{name:*}/json", distribution, 0},
};
const size_t api_registry_routes_count = ARRAY_LEN(api_registry_routes);
