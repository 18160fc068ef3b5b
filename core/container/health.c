/* SPDX-License-Identifier: Apache-2.0 */
/* See health.h. */
#include "container/health.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RESULTS 5
#define OUTPUT_MAX 4096
#define SECOND INT64_C(1000000000)
#define LONGEST (INT64_C(10) * 365 * 24 * 3600 * SECOND) /* what may be added to a time */

struct result {
	int64_t start, end;
	int exit_code; /* -1: it could not be run, or not in time */
	char *output;
};

struct health {
	const char *status; /* one of the words below */
	int streak;         /* failures in a row */
	struct result results[RESULTS];
	size_t n;
	/* while it runs */
	bool watched, probing;
	uint64_t run; /* a probe of an earlier run says nothing about this one */
	int64_t due;  /* monotonic ns */
	int64_t interval, timeout, start_period, start_interval;
	int retries;
	struct strlist command;
};

static const char starting[] = "starting", healthy[] = "healthy", unhealthy[] = "unhealthy";

/* ---- What is kept ------------------------------------------------------------------------------------------------------------------- */

static void add_result(struct health *h, const struct result *r)
{
	if (h->n == RESULTS) {
		free(h->results[0].output);
		memmove(h->results, h->results + 1, (RESULTS - 1) * sizeof(*h->results));
		h->n--;
	}
	h->results[h->n++] = *r;
}

void health_free(struct container *c)
{
	struct health *h = c->health;

	if (!h)
		return;
	for (size_t i = 0; i < h->n; i++)
		free(h->results[i].output);
	strlist_free(&h->command);
	free(h);
	c->health = NULL;
}

const char *health_status(const struct container *c)
{
	return c->health ? c->health->status : "none";
}

void health_print(const struct container *c, bool null_if_none, struct jw *w)
{
	const struct health *h = c->health;

	if (!h) {
		if (null_if_none)
			jw_knull(w, "Health");
		return;
	}
	jw_kobj(w, "Health");
	jw_kstr(w, "Status", h->status);
	jw_ki64(w, "FailingStreak", h->streak);
	jw_karr(w, "Log");
	for (size_t i = 0; i < h->n; i++) {
		jw_obj(w);
		jw_ktime(w, "Start", h->results[i].start);
		jw_ktime(w, "End", h->results[i].end);
		jw_ki64(w, "ExitCode", h->results[i].exit_code);
		jw_kstr(w, "Output", h->results[i].output);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static int64_t read_time(const json *j, const char *name)
{
	int64_t ns;

	return clock_parse(json_get_str(j, name, ""), &ns) ? ns : CLOCK_ZERO;
}

void health_load(struct container *c, const json *state)
{
	const json *kept = json_get(state, "Health");
	const char *status = json_get_str(kept, "Status", "");
	struct health *h;

	if (json_type(kept) != JSON_OBJECT)
		return;
	h = c->health = xnew(struct health);
	h->status = streq(status, healthy)    ? healthy
		    : streq(status, starting) ? starting
					      : unhealthy;
	h->streak = (int)json_get_i64(kept, "FailingStreak", 0);
	for (json *j = json_first(json_get(kept, "Log")); j; j = json_next(j))
		add_result(h, &(struct result){.start = read_time(j, "Start"),
					       .end = read_time(j, "End"),
					       .exit_code = (int)json_get_i64(j, "ExitCode", 0),
					       .output = xstrdup(json_get_str(j, "Output", ""))});
}

/* ---- One probe -------------------------------------------------------------------------------------------------------------------- */

struct probe {
	struct container *c;
	uint64_t run;
	int64_t timeout, interval;
	struct strlist command;
	struct result result;
};

/* "1.5s", "1m30s": Go's time.Duration, as far as timeouts go. */
static void print_duration(int64_t ns, struct str *out)
{
	int64_t rest = ns % (60 * SECOND);
	char number[32];

	if (ns < SECOND) {
		snprintf(number, sizeof(number), "%gms", (double)ns / 1e6);
		str_puts(out, number);
		return;
	}
	if (ns >= 3600 * SECOND)
		str_printf(out, "%lldh", (long long)(ns / (3600 * SECOND)));
	if (ns >= 60 * SECOND)
		str_printf(out, "%lldm", (long long)(ns / (60 * SECOND) % 60));
	snprintf(number, sizeof(number), "%gs", (double)rest / 1e9);
	str_puts(out, number);
}

static int left_ms(int64_t until)
{
	int64_t left = until - clock_mono_ns();

	return left <= 0                             ? 0
	       : left > INT32_MAX * INT64_C(1000000) ? INT32_MAX
						     : (int)(left / 1000000 + 1);
}

/* Its output until it ends; more than fits is read away, so that nothing blocks the probe. false: the time is up. */
static bool read_output(int fd, int64_t until, struct str *out)
{
	char buf[4096];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int r = poll(&p, 1, left_ms(until));
		ssize_t n;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return true;
		if (out->len < OUTPUT_MAX)
			str_add(out, buf,
				out->len + (size_t)n > OUTPUT_MAX ? OUTPUT_MAX - out->len
								  : (size_t)n);
	}
}

static bool wait_exit(struct container *c, struct exec_session *e, int64_t until)
{
	struct timespec ts = {(time_t)(until / SECOND), (long)(until % SECOND)};
	bool ended;

	pthread_mutex_lock(&c->lock);
	while (!e->has_exit && !c->gone)
		if (pthread_cond_timedwait(&c->changed, &c->lock, &ts) == ETIMEDOUT)
			break;
	ended = e->has_exit;
	pthread_mutex_unlock(&c->lock);
	return ended;
}

static void take_result(struct probe *p, struct exec_session *e, bool in_time, struct str *output)
{
	auto_str text = STR_INIT;

	if (in_time) {
		p->result.exit_code = e->exit_code;
		str_add(&text, output->p, output->len);
	} else {
		p->result.exit_code = -1;
		str_puts(&text, "Health check exceeded timeout (");
		print_duration(p->timeout, &text);
		str_puts(&text, output->len ? "): " : ")");
		str_add(&text, output->p, output->len);
	}
	p->result.output = xstrdup(str_cstr(&text));
}

static void run_probe(struct probe *p)
{
	auto_free char *dir = container_run_dir(p->c->id);
	int64_t until = clock_mono_ns() + p->timeout;
	struct error err = ERROR_INIT;
	auto_str output = STR_INIT;
	struct exec_session *e;
	auto_close out = -1;
	bool in_time;

	metrics_add(METRICS_PROBES);
	e = exec_probe(p->c, &p->command, &out, &err);
	if (!e) {
		metrics_add(METRICS_PROBES_FAILED);
		p->result.exit_code = -1;
		p->result.output = xstrdup(err.text);
		return;
	}
	in_time = read_output(out, until, &output);
	if (!wait_exit(p->c, e, in_time ? until : 0)) {
		in_time = false;
		if (shim_signal(dir, e->id, SIGKILL, false, &err) < 0)
			log_debug("health check not killed", "container", p->c->id, "error",
				  err.text);
	}
	take_result(p, e, in_time, &output);
	exec_probe_done(p->c, e);
}

/* moby's handleProbeResult. true: the status is another one now. With c->lock held. */
static bool judge(struct container *c, struct health *h, const struct result *r)
{
	const char *was = h->status;

	if (r->exit_code == 0) {
		h->streak = 0;
		h->status = healthy;
	} else if (h->status != starting || r->start - c->state.started >= h->start_period) {
		h->streak++;
		if (h->streak >= h->retries)
			h->status = unhealthy;
	}
	return h->status != was;
}

/* ---- When the next one is due ------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* leaf, but for container references */
static pthread_cond_t wake;
static struct watched {
	struct watched *next;
	struct container *c;
	int64_t due; /* of its next probe; INT64_MAX while one runs */
} * all;
static bool thread_runs;

static int64_t interval_now(const struct container *c, const struct health *h)
{
	bool begins = h->status == starting && clock_wall_ns() - c->state.started < h->start_period;

	return begins ? h->start_interval : h->interval;
}

static void set_due(struct container *c, int64_t due)
{
	LOCK_SCOPE(&lock);

	for (struct watched *w = all; w; w = w->next)
		if (w->c == c)
			w->due = due;
	pthread_cond_signal(&wake);
}

/* Beyond moby: who asks for it is restarted as by `docker restart` once it turns unhealthy. The label wins over the daemon's setting. */
static bool wants_restart(const struct container *c)
{
	const char *label = pairs_get(&c->labels, HEALTH_RESTART_LABEL);

	return label ? streq(label, "true") : config_bool(containers.config, "restart-unhealthy");
}

/* True: the container is to be restarted, by a caller without locks. */
static bool record(struct probe *p)
{
	struct container *c = p->c;
	struct error err = ERROR_INIT;
	auto_free char *event = NULL;
	bool restart;
	int64_t due;

	LOCK_SCOPE(&c->op);
	pthread_mutex_lock(&c->lock);
	if (!c->health || !c->health->watched || c->health->run != p->run) {
		pthread_mutex_unlock(&c->lock);
		free(p->result.output);
		return false; /* it ended meanwhile */
	}
	add_result(c->health, &p->result);
	if (judge(c, c->health, &p->result))
		event = xasprintf("health_status: %s", c->health->status);
	restart = event && c->health->status == unhealthy && wants_restart(c);
	due = clock_mono_ns() + interval_now(c, c->health);
	pthread_mutex_unlock(&c->lock);
	if (container_note(c, &err) < 0)
		log_error("health of a container is not on disk", "container", c->id, "error",
			  err.text);
	if (event)
		container_event(c, event, NULL);
	set_due(c, due);
	return restart;
}

static void restart_unhealthy(struct container *c)
{
	struct error err = ERROR_INIT;

	log_info("container is unhealthy: it is restarted", "container", c->id);
	if (container_restart(c->id, INT32_MIN, NULL, &err) < 0)
		log_error("unhealthy container is not restarted", "container", c->id, "error",
			  err.text);
}

static void *probe_thread(void *arg)
{
	struct probe *p = arg;
	bool paused, restart = false;

	pthread_mutex_lock(&p->c->lock);
	paused = p->c->state.paused;
	pthread_mutex_unlock(&p->c->lock);
	if (paused) {
		set_due(p->c, clock_mono_ns() + p->interval);
	} else {
		p->result.start = clock_wall_ns();
		run_probe(p);
		p->result.end = clock_wall_ns();
		restart = record(p);
	}
	if (restart)
		restart_unhealthy(p->c);
	strlist_free(&p->command);
	container_unref(p->c);
	free(p);
	return NULL;
}

/* NULL: it is no longer watched. */
static struct probe *probe_new(struct container *c)
{
	struct probe *p = NULL;
	LOCK_SCOPE(&c->lock);

	if (!c->health || !c->health->watched)
		return NULL;
	p = xnew(struct probe);
	p->c = container_ref(c);
	p->run = c->health->run;
	p->timeout = c->health->timeout;
	p->interval = c->health->interval;
	strlist_copy(&p->command, &c->health->command);
	return p;
}

static void launch_due(struct container *c)
{
	struct error err = ERROR_INIT;
	struct probe *p = probe_new(c);

	if (p && thread_start("probe", probe_thread, p, &err) < 0) {
		log_error("health check not run", "container", c->id, "error", err.text);
		set_due(c, clock_mono_ns() + SECOND);
		strlist_free(&p->command);
		container_unref(p->c);
		free(p);
	}
}

static void *health_thread(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		int64_t now = clock_mono_ns(), first = INT64_MAX;
		struct container *c = NULL;

		for (struct watched *w = all; w && !c; w = w->next) {
			if (w->due <= now) {
				w->due = INT64_MAX;
				c = container_ref(w->c);
			} else if (w->due < first) {
				first = w->due;
			}
		}
		if (c) {
			pthread_mutex_unlock(&lock);
			launch_due(c);
			container_unref(c);
			pthread_mutex_lock(&lock);
		} else if (first == INT64_MAX) {
			pthread_cond_wait(&wake, &lock);
		} else {
			struct timespec ts = {(time_t)(first / SECOND), (long)(first % SECOND)};

			pthread_cond_timedwait(&wake, &lock, &ts);
		}
	}
	return NULL;
}

static void watch(struct container *c, int64_t due)
{
	struct error err = ERROR_INIT;
	struct watched *w = xnew(struct watched);
	LOCK_SCOPE(&lock);

	if (!thread_runs) {
		pthread_condattr_t attr;

		pthread_condattr_init(&attr);
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		pthread_cond_init(&wake, &attr);
		pthread_condattr_destroy(&attr);
		thread_runs = thread_start("health", health_thread, NULL, &err) == 0;
		if (!thread_runs)
			log_error("health checks are not run", "error", err.text);
	}
	w->c = container_ref(c);
	w->due = due;
	w->next = all;
	all = w;
	pthread_cond_signal(&wake);
}

/* ---- Begin and end ------------------------------------------------------------------------------------------------------------------ */

/* false: there is no check, or it is switched off. */
static bool command_of(const json *config, struct strlist *out)
{
	const json *test = json_get(json_get(config, "Healthcheck"), "Test"),
		   *first = json_first(test);
	const char *kind = json_str(first, "NONE");

	if (streq(kind, "CMD-SHELL")) {
		json_strlist(json_get(config, "Shell"), out);
		if (!out->n) {
			strlist_add(out, "/bin/sh");
			strlist_add(out, "-c");
		}
	} else if (!streq(kind, "CMD")) {
		return false;
	}
	for (json *j = json_next(first); j; j = json_next(j))
		strlist_add(out, json_str(j, ""));
	return out->n > 0;
}

static int64_t or_default(const json *check, const char *name, int64_t fallback)
{
	int64_t ns = json_get_i64(check, name, 0);

	return !ns ? fallback : ns > LONGEST ? LONGEST : ns;
}

void health_begin(struct container *c)
{
	auto_json *config = json_parse(c->config, strlen(c->config), NULL);
	const json *check = json_get(config, "Healthcheck");
	auto_strlist command = STRLIST_INIT;
	struct health *h;
	int64_t due;

	if (!command_of(config, &command))
		return;
	health_end(c);
	pthread_mutex_lock(&c->lock);
	if (!c->health)
		c->health = xnew(struct health);
	h = c->health;
	h->status = starting;
	h->streak = 0;
	h->watched = true;
	h->run++;
	h->interval = or_default(check, "Interval", 30 * SECOND);
	h->timeout = or_default(check, "Timeout", 30 * SECOND);
	h->start_period = or_default(check, "StartPeriod", 0);
	h->start_interval = or_default(check, "StartInterval", 5 * SECOND);
	h->retries = (int)json_get_i64(check, "Retries", 0);
	if (h->retries <= 0)
		h->retries = 3;
	strlist_free(&h->command);
	strlist_copy(&h->command, &command);
	due = clock_mono_ns() + interval_now(c, h);
	pthread_mutex_unlock(&c->lock);
	watch(c, due);
}

void health_end(struct container *c)
{
	struct watched *gone = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->health) {
		c->health->watched = false;
		c->health->status = unhealthy;
	}
	pthread_mutex_unlock(&c->lock);
	pthread_mutex_lock(&lock);
	for (struct watched **at = &all; *at; at = &(*at)->next)
		if ((*at)->c == c) {
			gone = *at;
			*at = gone->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	if (gone)
		container_unref(gone->c);
	free(gone);
}
