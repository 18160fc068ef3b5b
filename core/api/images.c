/* SPDX-License-Identifier: Apache-2.0 */
/* /images: list, inspect, history, tag, delete, prune, import, load, save. */
#include "api/api.h"
#include "api/images.h"
#include "api/pipe.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/filter.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- List, inspect, history --------------------------------------------------------------------------------------------------- */

static int parse_list_filter(struct http_exchange *x, struct image_filter *f, struct error *err)
{
	static const char *const known[] = {"dangling", "label", "reference", "before",
					    "since",    "until", NULL};
	struct strlist *const to[] = {&f->dangling, &f->label, &f->reference,
				      &f->before,   &f->since, &f->until};
	auto_json *filters = NULL;

	f->all = http_query_bool(x, "all", false);
	f->shared_size = x->api_version >= 42 && http_query_bool(x, "shared-size", false);
	f->containers = x->api_version >= 51;
	if (api_filters(x, &filters, err) < 0)
		return -1;
	if (filter_check(filters, known, err) < 0)
		return -1;
	for (size_t i = 0; known[i]; i++)
		filter_values(filters, known[i], to[i]);
	if (x->api_version < 41 && *http_query(x, "filter", ""))
		strlist_add(&f->reference, http_query(x, "filter", ""));
	return 0;
}

static void list(struct http_exchange *x, void *ctx)
{
	struct image_filter f = {0};
	struct image_list l = {0};
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	int r = parse_list_filter(x, &f, &err);

	(void)ctx;
	if (r == 0)
		r = image_list_get(api.images, &f, &l, &err);
	jw_arr(&w);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		api_image_print_summary(&w, &l.v[i], x->api_version);
	jw_end(&w);
	api_answer(x, r, 200, &reply, &err);
	image_list_free(&l);
	image_filter_free(&f);
}

static void inspect(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	struct image *i = image_get(api.images, http_param(x, "name"), &err);

	(void)ctx;
	if (i)
		api_image_print(&w, i, x->api_version);
	api_answer(x, i ? 0 : -1, 200, &reply, &err);
	if (i)
		image_free(i);
}

static void history(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	struct image_history h = {0};
	int r = image_history_get(api.images, http_param(x, "name"), &h, &err);

	(void)ctx;
	jw_arr(&w);
	for (size_t i = 0; r == 0 && i < h.n; i++) {
		jw_obj(&w);
		jw_kstr(&w, "Comment", h.v[i].comment);
		jw_ki64(&w, "Created", h.v[i].created);
		jw_kstr(&w, "CreatedBy", h.v[i].created_by);
		jw_kstr(&w, "Id", h.v[i].id);
		jw_ku64(&w, "Size", h.v[i].size);
		jw_kstrlist(&w, "Tags", &h.v[i].tags, true);
		jw_end(&w);
	}
	jw_end(&w);
	api_answer(x, r, 200, &reply, &err);
	image_history_free(&h);
}

/* ---- Tag, delete, prune ------------------------------------------------------------------------------------------------------- */

static void tag(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;

	(void)ctx;
	api_answer_empty(x,
			 image_tag(api.images, http_param(x, "name"), http_query(x, "repo", ""),
				   http_query(x, "tag", ""), &err),
			 201, &err);
}

static void print_deletions(struct jw *w, const struct image_deletions *d, bool null_if_empty)
{
	if (!d->n && null_if_empty) {
		jw_null(w);
		return;
	}
	jw_arr(w);
	for (size_t i = 0; i < d->n; i++) {
		jw_obj(w);
		if (d->v[i].untagged)
			jw_kstr(w, "Untagged", d->v[i].untagged);
		if (d->v[i].deleted)
			jw_kstr(w, "Deleted", d->v[i].deleted);
		jw_end(w);
	}
	jw_end(w);
}

static void delete (struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	struct image_deletions d = {0};
	int r = image_delete(api.images, http_param(x, "name"), http_query_bool(x, "force", false),
			     !http_query_bool(x, "noprune", false), &d, &err);

	(void)ctx;
	print_deletions(&w, &d, false);
	api_answer(x, r, 200, &reply, &err);
	image_deletions_free(&d);
}

static int parse_prune(struct http_exchange *x, struct image_prune *p, struct error *err)
{
	static const char *const known[] = {"dangling", "label", "label!", "until", NULL};
	auto_json *filters = NULL;
	auto_strlist dangling = STRLIST_INIT;

	p->dangling_only = true;
	if (api_filters(x, &filters, err) < 0 || filter_check(filters, known, err) < 0)
		return -1;
	filter_values(filters, "label", &p->label);
	filter_values(filters, "label!", &p->label_not);
	filter_values(filters, "until", &p->until);
	filter_values(filters, "dangling", &dangling);
	if (dangling.n) {
		bool yes = streq(dangling.v[0], "true") || streq(dangling.v[0], "1");

		if (!yes && !streq(dangling.v[0], "false") && !streq(dangling.v[0], "0"))
			return error_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'",
					 dangling.v[0]);
		p->dangling_only = yes;
	}
	return 0;
}

static void prune(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;
	struct jw w = jw_to(&reply);
	struct image_prune p = {0};
	struct image_deletions d = {0};
	int r = parse_prune(x, &p, &err);

	(void)ctx;
	if (r == 0)
		r = image_prune(api.images, &p, &d, &err);
	jw_obj(&w);
	jw_key(&w, "ImagesDeleted");
	print_deletions(&w, &d, true);
	jw_ku64(&w, "SpaceReclaimed", d.reclaimed);
	jw_end(&w);
	api_answer(x, r, 200, &reply, &err);
	strlist_free(&p.label);
	strlist_free(&p.label_not);
	strlist_free(&p.until);
	image_deletions_free(&d);
}

/* ---- Import, load, save ----------------------------------------------------------------------------------------------------------- */

struct import_job {
	struct image_import o;
	char *id;
};

static int consume_import(int fd, void *ctx, struct error *err)
{
	struct import_job *j = ctx;

	return image_import(api.images, fd, &j->o, &j->id, err);
}

static void import_stream(struct http_exchange *x, const struct image_import *o)
{
	struct import_job j = {.o = *o};
	struct error err = ERROR_INIT;
	auto_str line = STR_INIT;
	struct jw w = jw_to(&line);

	if (api_upload(x, consume_import, &j, &err) < 0) {
		if (str_after(err.text, "archive/tar: ")) /* as moby: 500 */
			err.kind = ERR_SYSTEM;
		http_reply_error(x, &err);
		return;
	}
	jw_obj(&w);
	jw_kstr(&w, "status", j.id);
	jw_end(&w);
	str_puts(&line, "\r\n");
	http_reply(x, 200, "application/json", line.p, line.len);
	free(j.id);
}

static void create(struct http_exchange *x, void *ctx)
{
	auto_strlist changes = STRLIST_INIT;
	const struct image_import o = {.repo = http_query(x, "repo", ""),
				       .tag = http_query(x, "tag", ""),
				       .message = http_query(x, "message", ""),
				       .platform = http_query(x, "platform", ""),
				       .changes = &changes};
	const char *src = http_query(x, "fromSrc", "");

	(void)ctx;
	if (!*src) {
		api_image_pull(x);
		return;
	}
	for (size_t i = 0; i < x->query.n; i++)
		if (streq(x->query.v[i].key, "changes"))
			strlist_add(&changes, x->query.v[i].value);
	if (streq(src, "-"))
		import_stream(x, &o);
	else
		api_image_import_url(x, src, &o);
}

struct load_job {
	struct str lines; /* JSON progress stream */
};

static void load_progress(void *ctx, const char *text)
{
	struct load_job *j = ctx;
	struct jw w = jw_to(&j->lines);

	jw_obj(&w);
	jw_kstr(&w, "stream", text);
	jw_end(&w);
	str_puts(&j->lines, "\r\n");
}

/* What is wrong with an archive is said in the stream, and the status is 200: so it is with moby, where the stream has begun by then. */
static int consume_load(int fd, void *ctx, struct error *err)
{
	struct load_job *j = ctx;
	struct jw w = jw_to(&j->lines);
	bool cut;

	if (image_load(api.images, fd, load_progress, ctx, err) == 0)
		return 0;
	cut = streq(err->text, "archive/tar: unexpected end of archive");
	jw_obj(&w);
	jw_kobj(&w, "errorDetail");
	jw_kstr(&w, "message", cut ? "unexpected EOF" : err->text);
	jw_end(&w);
	jw_kstr(&w, "error", cut ? "unexpected EOF" : err->text);
	jw_end(&w);
	str_puts(&j->lines, "\r\n");
	error_clear(err);
	return 0;
}

static int check_platform(const char *text, struct error *err)
{
	auto_json *platform = *text ? json_parse(text, strlen(text), err) : NULL;

	return *text && !platform ? error_wrap(err, "failed to parse platform") : 0;
}

static void load(struct http_exchange *x, void *ctx)
{
	struct load_job j = {0};
	struct error err = ERROR_INIT;

	(void)ctx;
	if (check_platform(http_query(x, "platform", ""), &err) < 0 ||
	    api_upload(x, consume_load, &j, &err) < 0)
		http_reply_error(x, &err);
	else
		http_reply(x, 200, "application/json", str_cstr(&j.lines), j.lines.len);
	str_free(&j.lines);
}

static int produce_save(int fd, void *ctx, struct error *err)
{
	return image_save(api.images, ctx, fd, err);
}

static void save(struct http_exchange *x, void *ctx)
{
	auto_strlist names = STRLIST_INIT;

	(void)ctx;
	if (*http_param(x, "name"))
		strlist_add(&names, http_param(x, "name"));
	for (size_t i = 0; i < x->query.n; i++)
		if (streq(x->query.v[i].key, "names"))
			strlist_add(&names, x->query.v[i].value);
	api_download(x, "application/x-tar", produce_save, &names);
}

const struct http_route api_image_routes[] = {
    {"GET", "/images/json", list, 0},
    {"POST", "/images/create", create, 0},
    {"POST", "/images/load", load, 0},
    {"POST", "/images/prune", prune, 0},
    {"GET", "/images/get", save, 0},
    {"GET", "/images/{name:*}/json", inspect, 0},
    {"GET", "/images/{name:*}/history", history, 0},
    {"GET", "/images/{name:*}/get", save, 0},
    {"POST", "/images/{name:*}/tag", tag, 0},
    {"DELETE", "/images/{name:*}", delete, 0},
};
const size_t api_image_routes_count = ARRAY_LEN(api_image_routes);
