/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in, rules out: one worker thread per family owns the coprocess and the list of our rules, so nothing of it needs a lock. Callers
 * hand it batches through a queue that `lock` guards; batches that wait together are applied together.
 *
 * What the rules are and how they change is in firewall_rules.c. If a common batch fails, each of its requests is tried again by itself, so
 * that only the bad one fails.
 */
#include "network/firewall.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define IDLE_SECONDS 10

enum fw_kind {
	FW_BATCH,
	FW_REFRESH,
	FW_SWEEP,
	FW_NOTHING, /* passes through the queue: everything before it is done */
	FW_END
};

struct fw_request {
	enum fw_kind kind;
	struct fw_ops ops;
	bool waited; /* the caller waits and frees; else the worker frees */
	bool done;
	int result;
	struct error err;
	struct fw_request *next;
	struct fw_request *next_in_batch;
};

struct firewall {
	struct fw_rules rules; /* the worker's */
	/* under lock: */
	struct fw_request *first, **last;
	bool started, ended;
	pthread_cond_t wake;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static struct firewall families[2];
static char *state_dir;
static bool proxy;

static int run_other(struct firewall *f, struct fw_request *q)
{
	struct map present = MAP_INIT;
	int r = 0;

	if (q->kind == FW_REFRESH) {
		r = fw_rules_heal(&f->rules, &present, &q->err);
		map_free(&present, NULL);
	} else if (q->kind == FW_SWEEP) {
		r = fw_rules_sweep(&f->rules, &q->err);
	} else if (q->kind == FW_END) {
		fw_proc_end(&f->rules.proc);
	}
	return r;
}

/* All batches that wait, as one; if that fails, each by itself. */
static void run_batches(struct firewall *f, struct fw_request *q)
{
	struct error err = ERROR_INIT;
	auto_fw_ops all = {0};
	int r = 0;

	r = fw_rules_ready(&f->rules, &err);
	if (r == 0) {
		struct map twice = MAP_INIT;
		static char seen[] = "";

		/* The same rule in two waiting batches would confuse the selection: such company is taken apart. */
		for (struct fw_request *i = q; i && r == 0; i = i->next)
			for (size_t k = 0; k < i->ops.n; k++)
				if (map_set(&twice, i->ops.v[k].rule, seen) && i != q)
					r = 1;
		map_free(&twice, NULL);
	}
	if (r == 0) {
		for (struct fw_request *i = q; i; i = i->next)
			fw_rules_select(&f->rules, &i->ops, NULL, &all);
		r = fw_rules_run(&f->rules, &all, &err);
		if (r == 0)
			return;
		log_debug("firewall batch is tried again rule by rule", "error", err.text);
	}
	for (struct fw_request *i = q; i; i = i->next) {
		auto_fw_ops one = {0};

		if (r > 0) { /* only taken apart: nothing has failed yet */
			fw_rules_select(&f->rules, &i->ops, NULL, &one);
			if (fw_rules_run(&f->rules, &one, &i->err) == 0)
				continue;
		}
		i->result = fw_rules_retry(&f->rules, &i->ops, &i->err);
	}
}

/* ---- queue -------------------------------------------------------------------------------------------------------------------------------- */

/* Take what waits: one request of another kind, or all batches up to the next one. Called with the lock held. */
static struct fw_request *take(struct firewall *f)
{
	struct fw_request *head = f->first, *end = head;

	while (head->kind == FW_BATCH && end->next && end->next->kind == FW_BATCH)
		end = end->next;
	f->first = end->next;
	if (!f->first)
		f->last = &f->first;
	end->next = NULL;
	return head;
}

static void finish(struct firewall *f, struct fw_request *q)
{
	while (q) {
		struct fw_request *next = q->next;

		if (q->kind == FW_END)
			f->ended = true;
		if (!q->waited) {
			if (q->result < 0)
				log_error("firewall rules not changed", "error", q->err.text);
			fw_ops_free(&q->ops);
			free(q);
		} else {
			q->done = true;
		}
		q = next;
	}
	pthread_cond_broadcast(&done);
}

static void *work(void *arg)
{
	struct firewall *f = arg;

	pthread_mutex_lock(&lock);
	while (!f->ended) {
		struct fw_request *q;

		while (!f->first && f->rules.proc.pid <= 0)
			pthread_cond_wait(&f->wake, &lock);
		if (!f->first) {
			struct timespec until;

			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += IDLE_SECONDS;
			while (!f->first &&
			       pthread_cond_timedwait(&f->wake, &lock, &until) != ETIMEDOUT)
				;
			if (!f->first) {
				fw_proc_end(&f->rules.proc);
				continue;
			}
		}
		q = take(f);
		pthread_mutex_unlock(&lock);
		if (f->rules.journal < 0)
			fw_rules_load(&f->rules);
		if (q->kind == FW_BATCH)
			run_batches(f, q);
		else
			q->result = run_other(f, q);
		pthread_mutex_lock(&lock);
		finish(f, q);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static struct firewall *get_family(int family, struct error *err)
{
	struct firewall *f = &families[family == 6];
	pthread_condattr_t attr;

	if (f->started)
		return f;
	f->rules = (struct fw_rules){.family = family, .userland_proxy = proxy, .journal = -1};
	f->rules.proc.program = fw_proc_find(family);
	if (!f->rules.proc.program) {
		error_set(err, ERR_SYSTEM, "%s not found", family == 6 ? "ip6tables" : "iptables");
		return NULL;
	}
	f->rules.dir = xstrdup(state_dir);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->wake, &attr);
	pthread_condattr_destroy(&attr);
	f->last = &f->first;
	f->ended = false;
	if (thread_start(family == 6 ? "firewall6" : "firewall4", work, f, err) < 0)
		return NULL;
	f->started = true;
	return f;
}

/* Called with the lock held. */
static int wait_done(struct fw_request *q, struct error *err)
{
	while (!q->done)
		pthread_cond_wait(&done, &lock);
	if (q->result < 0)
		*err = q->err;
	return q->result;
}

/* Queue a request; wait for it if it is `waited` (then it is the caller's), else it is the worker's. */
static int submit(int family, struct fw_request *q, bool wait, struct error *err)
{
	struct firewall *f;
	int r = 0;

	pthread_mutex_lock(&lock);
	f = get_family(family, err);
	if (!f) {
		pthread_mutex_unlock(&lock);
		if (!q->waited) {
			fw_ops_free(&q->ops);
			free(q);
		}
		return -1;
	}
	*f->last = q;
	f->last = &q->next;
	pthread_cond_signal(&f->wake);
	if (wait)
		r = wait_done(q, err);
	pthread_mutex_unlock(&lock);
	return r;
}

static int submit_simple(int family, enum fw_kind kind, struct error *err)
{
	struct fw_request q = {.kind = kind, .waited = true};

	return submit(family, &q, true, err);
}

int firewall_apply(struct fw_batch *batch, int family, const char *rules, struct error *err)
{
	auto_fw_ops ops = {0};
	bool deletes = true, policy = false;
	struct fw_request *q;

	if (fw_parse(rules, &ops, err) < 0)
		return -1;
	for (size_t i = 0; i < ops.n; i++) {
		deletes &= ops.v[i].verb == 'D';
		policy |= ops.v[i].verb == 'P';
	}
	if (!deletes && (!batch || policy)) {
		struct fw_request now = {.kind = FW_BATCH, .ops = ops, .waited = true};

		return submit(family, &now, true, err);
	}
	q = xnew(struct fw_request);
	*q = (struct fw_request){.kind = FW_BATCH, .ops = ops, .waited = !deletes};
	ops = (struct fw_ops){0};
	if (submit(family, q, false, err) < 0) {
		if (!deletes) {
			fw_ops_free(&q->ops);
			free(q);
		}
		return -1;
	}
	if (!deletes) {
		q->next_in_batch = batch->first;
		batch->first = q;
	}
	return 0;
}

int firewall_wait(struct fw_batch *batch, struct error *err)
{
	int r = 0;

	while (batch->first) {
		struct fw_request *q = batch->first;

		batch->first = q->next_in_batch;
		pthread_mutex_lock(&lock);
		if (wait_done(q, err) < 0)
			r = -1;
		pthread_mutex_unlock(&lock);
		fw_ops_free(&q->ops);
		free(q);
	}
	return r;
}

int firewall_init(const char *dir, bool userland_proxy, struct error *err)
{
	int r;

	free(state_dir);
	state_dir = xstrdup(dir);
	proxy = userland_proxy;
	pthread_mutex_lock(&lock);
	r = get_family(4, err) ? 0 : -1;
	pthread_mutex_unlock(&lock);
	return r;
}

/* Rules of a family that an earlier daemon has left on record have to be looked at, even if nobody has any now. */
static void open_recorded(void)
{
	for (int i = 0; i < 2 && state_dir; i++) {
		auto_free char *path = xasprintf("%s/firewall%d.rules", state_dir, i ? 6 : 4);
		struct error err = ERROR_INIT;
		struct stat st;

		if (stat(path, &st) < 0 || st.st_size == 0)
			continue;
		pthread_mutex_lock(&lock);
		if (!get_family(i ? 6 : 4, &err))
			log_warn("firewall rules of an earlier daemon", "error", err.text);
		pthread_mutex_unlock(&lock);
	}
}

/* For each family that is in use. */
static void each_family(enum fw_kind kind, const char *what)
{
	for (int i = 0; i < 2; i++) {
		struct error err = ERROR_INIT;
		bool used;

		pthread_mutex_lock(&lock);
		used = families[i].started;
		pthread_mutex_unlock(&lock);
		if (used && submit_simple(i ? 6 : 4, kind, &err) < 0)
			log_error(what, "error", err.text);
	}
}

void firewall_refresh(void)
{
	each_family(FW_REFRESH, "firewall rules not restored");
}

void firewall_sweep(void)
{
	open_recorded();
	each_family(FW_SWEEP, "stale firewall rules not removed");
}

void firewall_flush(void)
{
	each_family(FW_NOTHING, "firewall");
}

void firewall_shutdown(void)
{
	each_family(FW_END, "firewall helper not ended");
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 2; i++) {
		struct firewall *f = &families[i];

		if (!f->started)
			continue;
		fw_rules_free(&f->rules);
		f->started = false;
	}
	pthread_mutex_unlock(&lock);
}
