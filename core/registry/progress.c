/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress lines between a job and the reply that shows them. `lock` guards all. The queue is bounded by what can be said: state changes are few,
 * and of numbers there is one unsent line per id.
 */
#include "registry/fetch.h"
#include "registry/registry.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define INTERVAL_NS 100000000 /* between two lines of numbers for one id */
#define BAR 50

struct line {
	struct line *next;
	char *id; /* of numbers; else NULL */
	struct str text;
};

struct progress {
	pthread_mutex_t lock;
	unsigned refs;
	struct line *first, **last;
	struct map times; /* id -> int64_t*: when its numbers were last taken down */
	bool said, ended;
	struct error err;
	int ready, cancel;
	void (*wake)(void *ctx);
	void *ctx;
};

struct progress *progress_new(void (*wake)(void *ctx), void *ctx)
{
	struct progress *p = xnew(struct progress);

	pthread_mutex_init(&p->lock, NULL);
	p->refs = 1;
	p->last = &p->first;
	p->wake = wake;
	p->ctx = ctx;
	p->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return p;
}

struct progress *progress_ref(struct progress *p)
{
	LOCK_SCOPE(&p->lock);
	p->refs++;
	return p;
}

static void line_free(struct line *l)
{
	free(l->id);
	str_free(&l->text);
	free(l);
}

void progress_unref(struct progress *p)
{
	bool last;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	last = --p->refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	for (struct line *l = p->first, *next; l; l = next) {
		next = l->next;
		line_free(l);
	}
	map_free(&p->times, free);
	fd_close(&p->ready);
	fd_close(&p->cancel);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void tell_locked(struct progress *p)
{
	eventfd_write(p->ready, 1);
	if (p->wake)
		p->wake(p->ctx);
}

/* Takes text. */
static void append_locked(struct progress *p, const char *id, struct str *text)
{
	struct line *l = NULL;

	p->said = true;
	if (id)
		for (struct line *i = p->first; i; i = i->next)
			if (i->id && streq(i->id, id))
				l = i;
	if (l) {
		str_free(&l->text);
	} else {
		l = xnew(struct line);
		l->id = xstrdup_null(id);
		*p->last = l;
		p->last = &l->next;
	}
	l->text = *text;
	*text = (struct str)STR_INIT;
	tell_locked(p);
}

/* What comes after is no news for the numbers that wait: they become a line like any other. */
static void settle_locked(struct progress *p, const char *id)
{
	for (struct line *i = p->first; i && id; i = i->next)
		if (i->id && streq(i->id, id)) {
			free(i->id);
			i->id = NULL;
		}
}

void progress_message(struct progress *p, const char *id, const char *fmt, ...)
{
	auto_str line = STR_INIT, text = STR_INIT;
	struct jw w = jw_to(&line);
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&text, fmt, ap);
	va_end(ap);
	jw_obj(&w);
	jw_kstr(&w, "status", str_cstr(&text));
	if (id)
		jw_kstr(&w, "id", id);
	jw_end(&w);
	progress_raw(p, str_cstr(&line));
}

void progress_raw(struct progress *p, const char *json_line)
{
	auto_str line = STR_INIT;

	str_puts(&line, json_line);
	str_puts(&line, "\r\n");
	LOCK_SCOPE(&p->lock);
	append_locked(p, NULL, &line);
}

void progress_update(struct progress *p, const char *id, const char *status)
{
	auto_str line = STR_INIT;
	struct jw w = jw_to(&line);

	jw_obj(&w);
	jw_kstr(&w, "status", status);
	jw_kobj(&w, "progressDetail");
	jw_end(&w);
	jw_kstr(&w, "id", id);
	jw_end(&w);
	str_puts(&line, "\r\n");
	LOCK_SCOPE(&p->lock);
	settle_locked(p, id);
	append_locked(p, NULL, &line);
}

/* "34.82kB", as go-units' HumanSize. */
static void human_size(uint64_t n, char out[24])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)n;
	size_t i = 0;

	for (; v >= 1000 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1000;
	snprintf(out, 24, "%.4g%s", v, units[i]);
}

/* The bar that old clients show as it is. Source: moby pkg/jsonmessage. */
static void print_bar(uint64_t current, uint64_t total, struct str *out)
{
	char now[24], all[24];
	int done;

	human_size(current, now);
	if (!total) {
		str_printf(out, "%8s", now);
		return;
	}
	human_size(total, all);
	done = (int)((double)current / (double)total * 100) / 2;
	if (done > BAR)
		done = BAR;
	str_putc(out, '[');
	for (int i = 0; i < BAR; i++)
		str_putc(out, i < done ? '=' : i == done ? '>' : ' ');
	if (done == BAR)
		str_putc(out, '>');
	else
		str_putc(out, ' ');
	str_puts(out, "] ");
	str_printf(out, "%8s", now);
	if (current <= total)
		str_printf(out, "/%s", all);
}

static bool too_soon_locked(struct progress *p, const char *id, bool whole)
{
	int64_t now = clock_mono_ns(), *last = map_get(&p->times, id);

	if (!last) {
		last = xcalloc(1, sizeof(*last));
		map_set(&p->times, id, last);
	} else if (!whole && now - *last < INTERVAL_NS) {
		return true;
	}
	*last = now;
	return false;
}

void progress_bytes(struct progress *p, const char *id, const char *status, uint64_t current,
		    uint64_t total)
{
	auto_str line = STR_INIT, bar = STR_INIT;
	struct jw w = jw_to(&line);
	LOCK_SCOPE(&p->lock);

	if (too_soon_locked(p, id, total && current == total))
		return;
	jw_obj(&w);
	jw_kstr(&w, "status", status);
	jw_kobj(&w, "progressDetail");
	if (current)
		jw_ku64(&w, "current", current);
	if (total)
		jw_ku64(&w, "total", total);
	jw_end(&w);
	if (current || total) {
		print_bar(current, total, &bar);
		jw_kstr(&w, "progress", str_cstr(&bar));
	}
	if (*id)
		jw_kstr(&w, "id", id);
	jw_end(&w);
	str_puts(&line, "\r\n");
	append_locked(p, id, &line);
}

void progress_end(struct progress *p, const struct error *err)
{
	auto_str line = STR_INIT;
	struct jw w = jw_to(&line);
	LOCK_SCOPE(&p->lock);

	p->ended = true;
	p->err = *err;
	if (err->kind != ERR_NONE && p->said) {
		jw_obj(&w);
		jw_kobj(&w, "errorDetail");
		jw_kstr(&w, "message", err->text);
		jw_end(&w);
		jw_kstr(&w, "error", err->text);
		jw_end(&w);
		str_puts(&line, "\r\n");
		append_locked(p, NULL, &line);
	}
	tell_locked(p);
}

bool progress_take(struct progress *p, struct str *out)
{
	struct line *l;
	LOCK_SCOPE(&p->lock);

	while ((l = p->first)) {
		p->first = l->next;
		str_add(out, l->text.p, l->text.len);
		line_free(l);
	}
	p->last = &p->first;
	return p->ended;
}

int progress_ready_fd(const struct progress *p)
{
	return p->ready;
}

bool progress_silent(struct progress *p, struct error *err)
{
	LOCK_SCOPE(&p->lock);
	if (p->said)
		return false;
	*err = p->err;
	return true;
}

void progress_cancel(struct progress *p)
{
	eventfd_write(p->cancel, 1);
	fetches_kick();
}

int progress_cancel_fd(const struct progress *p)
{
	return p->cancel;
}

bool progress_cancelled(const struct progress *p)
{
	struct pollfd f = {.fd = p->cancel, .events = POLLIN};

	return poll(&f, 1, 0) > 0;
}
