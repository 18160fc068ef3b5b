/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in, rules out: one worker thread per family owns the coprocess and the list of our rules, so nothing of it needs a lock. Callers
 * hand it batches through a queue that `lock` guards; batches that wait together are applied together.
 *
 * Normal work trusts the list. Whenever the coprocess ends with a complaint (somebody flushed a chain, or a rule is bad), the kernel's rules
 * are listed, what is missing is put back, and each batch is tried again by itself, so that only the bad one fails.
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
	struct fw_request *next_deferred;
};

/* A rule of ours. */
struct fw_rule {
	char verb;    /* how it went in: A or I */
	bool claimed; /* asked for in this daemon's life */
};

struct firewall {
	int family;
	struct fw_proc proc;
	struct pairs order; /* our rules in the order they went in; value: the verb */
	struct map rules;   /* rule -> struct fw_rule, owned */
	int journal;        /* O_APPEND; -1 until opened */
	bool listed;        /* base rules are known to be there */
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
/* Queued by this thread between firewall_defer and firewall_collect. */
static _Thread_local bool deferring;
static _Thread_local struct fw_request *deferred;

/* ---- record on disk ------------------------------------------------------------------------------------------------------------------- */

/* One line per change: "+A TABLE CHAIN SPEC" before a rule goes in, "- TABLE CHAIN SPEC" after it went out. One write(2) each: a kill leaves it whole. */
static void record(struct firewall *f, const struct str *lines)
{
	if (lines->len && f->journal >= 0 && fd_write_all(f->journal, lines->p, lines->len) < 0)
		log_warn("firewall record not written", "error", strerror(errno));
}

static void rule_put(struct firewall *f, const char *rule, char verb, bool claimed)
{
	struct fw_rule *r = map_get(&f->rules, rule);

	if (!r) {
		char value[2] = {verb, 0};

		r = xnew(struct fw_rule);
		map_set(&f->rules, rule, r);
		pairs_set(&f->order, rule, value);
	}
	*r = (struct fw_rule){.verb = verb, .claimed = claimed};
}

static void rule_drop(struct firewall *f, const char *rule)
{
	free(map_del(&f->rules, rule));
	pairs_del(&f->order, rule);
}

/* Rules of an earlier daemon, then a fresh file with what is left of them. */
static void record_load(struct firewall *f)
{
	auto_free char *path = xasprintf("%s/firewall%d.rules", state_dir, f->family);
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT, kept = STR_INIT;
	auto_strlist lines = STRLIST_INIT;

	if (file_read_at(AT_FDCWD, path, 64 << 20, &text, &err) < 0 && err.kind != ERR_NOT_FOUND)
		log_warn("firewall record not read", "error", err.text);
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *l = lines.v[i];

		if (l[0] == '+' && (l[1] == 'A' || l[1] == 'I') && l[2] == ' ')
			rule_put(f, l + 3, l[1], false);
		else if (l[0] == '-' && l[1] == ' ')
			rule_drop(f, l + 2);
	}
	for (size_t i = 0; i < f->order.n; i++)
		str_printf(&kept, "+%s %s\n", f->order.v[i].value, f->order.v[i].key);
	if (file_write_atomic(AT_FDCWD, path, str_cstr(&kept), kept.len, 0600, false, &err) < 0)
		log_warn("firewall record not written", "error", err.text);
	f->journal = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* ---- applying --------------------------------------------------------------------------------------------------------------------------- */

static int apply(struct firewall *f, const struct fw_ops *ops, struct error *err)
{
	auto_str text = STR_INIT;

	if (!ops->n)
		return 0;
	fw_print(ops, &text);
	return fw_proc_batch(&f->proc, str_cstr(&text), err);
}

/* What of the kernel's rules misses of the base and of ours goes back in. `present` receives the kernel's rules as they are then. */
static int heal(struct firewall *f, struct map *present, struct error *err)
{
	auto_fw_ops ops = {0};
	static char here[] = "";

	f->listed = false;
	if (fw_proc_list(&f->proc, present, err) < 0)
		return -1;
	fw_base(f->family, proxy, present, &ops);
	for (size_t i = 0; i < f->order.n; i++) {
		const struct fw_rule *r = map_get(&f->rules, f->order.v[i].key);

		if (!map_get(present, f->order.v[i].key) && r->claimed)
			fw_ops_add(&ops, r->verb, f->order.v[i].key);
	}
	if (apply(f, &ops, err) < 0)
		return error_wrap(err, "restore the firewall rules");
	for (size_t i = 0; i < ops.n; i++)
		if (ops.v[i].verb != 'P')
			map_set(present, ops.v[i].rule, here);
	f->listed = true;
	return 0;
}

/* First use: an earlier daemon's rules that a reboot or flush took away are no longer ours. */
static int first_listing(struct firewall *f, struct error *err)
{
	struct map present = MAP_INIT;
	auto_str gone = STR_INIT;
	int r = heal(f, &present, err);

	for (size_t i = f->order.n; r == 0 && i-- > 0;) {
		auto_free char *rule = xstrdup(f->order.v[i].key);

		if (map_get(&present, rule))
			continue;
		str_printf(&gone, "- %s\n", rule);
		rule_drop(f, rule);
	}
	record(f, &gone);
	map_free(&present, NULL);
	return r;
}

/* Add what of a request is not there yet to the batch. `present`: the kernel's rules if they were just listed, else our list is believed. */
static void select_ops(struct firewall *f, const struct fw_ops *from, const struct map *present,
		       struct fw_ops *to)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct fw_op *op = &from->v[i];
		struct fw_rule *r = map_get(&f->rules, op->rule);
		bool there = present ? map_get(present, op->rule) != NULL : r != NULL;

		if (op->verb == 'D' ? !there : op->verb != 'P' && there) {
			if (r && op->verb != 'D')
				r->claimed = true;
			continue;
		}
		fw_ops_add(to, op->verb, op->rule);
	}
}

/* Write down before: what goes in. */
static void note_before(struct firewall *f, const struct fw_ops *ops)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == 'A' || ops->v[i].verb == 'I')
			str_printf(&text, "+%c %s\n", ops->v[i].verb, ops->v[i].rule);
	record(f, &text);
}

/* After: what is in or out now. */
static void note_after(struct firewall *f, const struct fw_ops *ops)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == 'A' || ops->v[i].verb == 'I') {
			rule_put(f, ops->v[i].rule, ops->v[i].verb, true);
		} else if (ops->v[i].verb == 'D') {
			rule_drop(f, ops->v[i].rule);
			str_printf(&text, "- %s\n", ops->v[i].rule);
		}
	record(f, &text);
}

static int run_ops(struct firewall *f, const struct fw_ops *ops, struct error *err)
{
	if (!f->listed && first_listing(f, err) < 0)
		return -1;
	note_before(f, ops);
	FAULT("network.firewall.recorded");
	if (apply(f, ops, err) < 0)
		return -1;
	FAULT("network.firewall.applied");
	note_after(f, ops);
	return 0;
}

/* Take back what a failed request has put in: tables are committed one by one. */
static void roll_back(struct firewall *f, const struct fw_ops *ops)
{
	struct map present = MAP_INIT;
	struct error err = ERROR_INIT;
	auto_fw_ops undo = {0};
	auto_str text = STR_INIT;

	if (heal(f, &present, &err) == 0) {
		for (size_t i = ops->n; i-- > 0;)
			if ((ops->v[i].verb == 'A' || ops->v[i].verb == 'I') &&
			    map_get(&present, ops->v[i].rule))
				fw_ops_add(&undo, 'D', ops->v[i].rule);
		apply(f, &undo, &err);
	}
	if (err.kind)
		log_error("firewall rules of a failed change may be left over", "error", err.text);
	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == 'A' || ops->v[i].verb == 'I')
			str_printf(&text, "- %s\n", ops->v[i].rule);
	record(f, &text);
	map_free(&present, NULL);
}

/* The common batch that failed may have put some of the request's rules in: they count as ours from now on. */
static void claim_present(struct firewall *f, const struct fw_ops *ops, const struct map *present)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < ops->n; i++) {
		const struct fw_op *op = &ops->v[i];

		if ((op->verb != 'A' && op->verb != 'I') || !map_get(present, op->rule))
			continue;
		str_printf(&text, "+%c %s\n", op->verb, op->rule);
		rule_put(f, op->rule, op->verb, true);
	}
	record(f, &text);
}

/* One request by itself, after the common batch failed. */
static int retry(struct firewall *f, struct fw_request *q, struct error *err)
{
	struct map present = MAP_INIT;
	auto_fw_ops ops = {0}, fresh = {0};
	int r;

	for (size_t i = 0; i < q->ops.n; i++) /* what it would add to what we had before */
		if (!map_get(&f->rules, q->ops.v[i].rule))
			fw_ops_add(&fresh, q->ops.v[i].verb, q->ops.v[i].rule);
	r = heal(f, &present, err);
	if (r == 0) {
		select_ops(f, &q->ops, &present, &ops);
		r = run_ops(f, &ops, err);
		if (r < 0)
			roll_back(f, &fresh);
		else
			claim_present(f, &q->ops, &present);
	}
	/* Deletions that were skipped because somebody else did them. */
	for (size_t i = 0; i < q->ops.n; i++)
		if (q->ops.v[i].verb == 'D' && map_get(&f->rules, q->ops.v[i].rule) &&
		    !map_get(&present, q->ops.v[i].rule))
			rule_drop(f, q->ops.v[i].rule);
	map_free(&present, NULL);
	return r;
}

/* Rules of an earlier daemon that nobody wanted back. */
static int sweep(struct firewall *f, struct error *err)
{
	auto_fw_ops ops = {0};

	if (!f->listed && first_listing(f, err) < 0)
		return -1;
	for (size_t i = 0; i < f->order.n; i++) {
		const struct fw_rule *r = map_get(&f->rules, f->order.v[i].key);

		if (!r->claimed)
			fw_ops_add(&ops, 'D', f->order.v[i].key);
	}
	return run_ops(f, &ops, err);
}

static int run_other(struct firewall *f, struct fw_request *q)
{
	struct map present = MAP_INIT;
	int r = 0;

	if (q->kind == FW_REFRESH) {
		r = heal(f, &present, &q->err);
		map_free(&present, NULL);
	} else if (q->kind == FW_SWEEP) {
		r = sweep(f, &q->err);
	} else if (q->kind == FW_END) {
		fw_proc_end(&f->proc);
	}
	return r;
}

/* All batches that wait, as one; if that fails, each by itself. */
static void run_batches(struct firewall *f, struct fw_request *q)
{
	struct error err = ERROR_INIT;
	auto_fw_ops all = {0};
	int r = 0;

	if (!f->listed)
		r = first_listing(f, &err);
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
			select_ops(f, &i->ops, NULL, &all);
		r = run_ops(f, &all, &err);
		if (r == 0)
			return;
		log_debug("firewall batch is tried again rule by rule", "error", err.text);
	}
	for (struct fw_request *i = q; i; i = i->next) {
		auto_fw_ops one = {0};

		if (r > 0) { /* only taken apart: nothing has failed yet */
			select_ops(f, &i->ops, NULL, &one);
			if (run_ops(f, &one, &i->err) == 0)
				continue;
		}
		i->result = retry(f, i, &i->err);
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

		while (!f->first && f->proc.pid <= 0)
			pthread_cond_wait(&f->wake, &lock);
		if (!f->first) {
			struct timespec until;

			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += IDLE_SECONDS;
			while (!f->first &&
			       pthread_cond_timedwait(&f->wake, &lock, &until) != ETIMEDOUT)
				;
			if (!f->first) {
				fw_proc_end(&f->proc);
				continue;
			}
		}
		q = take(f);
		pthread_mutex_unlock(&lock);
		if (f->journal < 0)
			record_load(f);
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
	f->family = family;
	if (!f->proc.program)
		f->proc.program = fw_proc_find(family);
	if (!f->proc.program) {
		error_set(err, ERR_SYSTEM, "%s not found", family == 6 ? "ip6tables" : "iptables");
		return NULL;
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->wake, &attr);
	pthread_condattr_destroy(&attr);
	f->last = &f->first;
	f->journal = -1;
	f->ended = false;
	f->listed = false;
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

int firewall_apply(int family, const char *rules, struct error *err)
{
	auto_fw_ops ops = {0};
	bool deletes = true;
	int r;

	if (fw_parse(rules, &ops, err) < 0)
		return -1;
	for (size_t i = 0; i < ops.n; i++)
		deletes &= ops.v[i].verb == 'D';
	if (deletes || deferring) {
		struct fw_request *q = xnew(struct fw_request);

		*q = (struct fw_request){.kind = FW_BATCH, .ops = ops, .waited = !deletes};
		ops = (struct fw_ops){0};
		r = submit(family, q, false, err);
		if (!deletes && r == 0) {
			q->next_deferred = deferred;
			deferred = q;
		} else if (!deletes) {
			fw_ops_free(&q->ops);
			free(q);
		}
	} else {
		struct fw_request q = {.kind = FW_BATCH, .ops = ops, .waited = true};

		r = submit(family, &q, true, err);
	}
	return r;
}

void firewall_defer(void)
{
	deferring = true;
}

int firewall_collect(struct error *err)
{
	int r = 0;

	deferring = false;
	while (deferred) {
		struct fw_request *q = deferred;
		struct error one = ERROR_INIT;

		deferred = q->next_deferred;
		pthread_mutex_lock(&lock);
		if (wait_done(q, &one) < 0 && r == 0) {
			*err = one;
			r = -1;
		}
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
		fd_close(&f->journal);
		map_free(&f->rules, free);
		pairs_free(&f->order);
		f->rules = (struct map)MAP_INIT;
		f->started = false;
	}
	pthread_mutex_unlock(&lock);
}
