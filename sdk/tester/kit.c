/* SPDX-License-Identifier: Apache-2.0 */
/* See kit.h: what a check uses. */
#include "kit.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_SKIPPED 77

static _Noreturn void end(struct kit *k, int code, const char *fmt, va_list ap)
{
	fflush(NULL); /* what the driver has printed, too */
	vsnprintf(k->shared->message, sizeof(k->shared->message), fmt, ap);
	_exit(code);
}

void kit_fail(struct kit *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end(k, EXIT_FAILED, fmt, ap);
}

void kit_skip(struct kit *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end(k, EXIT_SKIPPED, fmt, ap);
}

int kit_clean(struct kit *k, const char *op, int32_t r, const struct dockerd_error *err)
{
	if (k->watched)
		snapshot_running(k, k->before, op);
	if (r >= 0)
		return r;
	KIT_CHECK(k, r == -1, "%s returned %d, expected 0 or -1", op, r);
	KIT_CHECK(k, err->size == sizeof(*err), "%s changed the size of the error", op);
	KIT_CHECK(k, memchr(err->text, '\0', sizeof(err->text)), "%s: error text does not end", op);
	KIT_CHECK(k, err->text[0], "%s failed without a text", op);
	KIT_CHECK(k, err->category != DOCKERD_ERR_NONE && err->category <= DOCKERD_ERR_CANCELLED,
		  "%s failed with the category %u and the text '%s', expected a DOCKERD_ERR_*", op,
		  err->category, err->text);
	KIT_CHECK(k, !k->shared->unfailing, "%s fails, and no host service did: %s", op, err->text);
	return r;
}

void kit_must(struct kit *k, const char *op, int32_t r, const struct dockerd_error *err)
{
	if (kit_clean(k, op, r, err) < 0)
		kit_fail(k, "%s: %s", op, err->text);
}

void kit_load(struct kit *k)
{
	struct error err = ERROR_INIT;

	if (k->plugin)
		return;
	k->plugin = plugin_load(0, k->path, &err);
	if (!k->plugin)
		kit_fail(k, "%s", err.text);
}

static bool has_row(const struct plugin *p, const char *key, uint32_t scope)
{
	for (uint32_t i = 0; i < p->option_count; i++)
		if (p->options[i].scope & scope &&
		    (streq(p->options[i].key, key) ||
		     (p->options[i].alias && streq(p->options[i].alias, key))))
			return true;
	return false;
}

struct dockerd_options *kit_options(struct kit *k, uint32_t scope, const struct pairs *more)
{
	auto_pairs given = PAIRS_INIT;
	struct dockerd_options *o = NULL;
	struct error err = ERROR_INIT;

	/* An option of the other scope is for the other place; one of none is refused here. */
	for (size_t i = 0; i < k->options->n; i++)
		if (has_row(k->plugin, k->options->v[i].key, scope) ||
		    !has_row(k->plugin, k->options->v[i].key, ~0u))
			pairs_set(&given, k->options->v[i].key, k->options->v[i].value);
	for (size_t i = 0; more && i < more->n; i++)
		pairs_set(&given, more->v[i].key, more->v[i].value);
	if (plugin_options_parse(k->plugin, scope, &given, &o, &err) < 0)
		kit_fail(k, "options: %s", err.text);
	return o;
}

int kit_try_open(struct kit *k, struct dockerd_error *derr)
{
	struct dockerd_options *o;
	struct error err = ERROR_INIT;
	int r;

	kit_load(k);
	o = kit_options(k, DOCKERD_SCOPE_DAEMON, NULL);
	r = plugin_probe(k->plugin, k->root, k->state, o, &err);
	if (r < 0 && err.kind == ERR_UNSUITABLE)
		kit_skip(k, "this host does not suit the driver: %s", err.text);
	if (r == 0) {
		r = plugin_open(k->plugin, k->root, k->state, o, &k->instance, &err);
		k->opened = r == 0;
	}
	plugin_options_free(o);
	if (k->watched)
		snapshot_running(k, k->before, "open");
	if (r < 0) {
		KIT_CHECK(k, !strstr(err.text, "without saying why"), "%s", err.text);
		dockerd_fail(derr, DOCKERD_ERR_SYSTEM, "%s", err.text);
	}
	return r;
}

void kit_open(struct kit *k)
{
	struct dockerd_error err = {.size = sizeof(err)};

	if (kit_try_open(k, &err) < 0)
		kit_fail(k, "open: %s", err.text);
}

void kit_close(struct kit *k)
{
	if (k->opened)
		plugin_close(&k->instance);
	k->opened = false;
}
