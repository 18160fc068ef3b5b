/* SPDX-License-Identifier: Apache-2.0 */
/* Files of containers: /containers/{}/changes, export, archive (docker cp), and /commit. */
#include "api/api.h"
#include "api/pipe.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "container/container.h"

#include <stdlib.h>
#include <sys/stat.h>

#define NAME http_param(x, "name")

static void changes(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_str reply = STR_INIT;

	(void)ctx;
	api_answer(x, container_changes(NAME, &reply, &err), 200, &reply, &err);
}

static int produce_export(int fd, void *ctx, struct error *err)
{
	return container_export(ctx, fd, err);
}

static void export(struct http_exchange *x, void *ctx)
{
	(void)ctx;
	api_download(x, "application/octet-stream", produce_export, (void *)(uintptr_t)NAME);
}

/* ---- Archive -------------------------------------------------------------------------------------------------------------------- */

#define PATH_STAT "X-Docker-Container-Path-Stat"

/* Go's os.FileMode of an st_mode. */
static uint32_t go_mode(uint32_t mode)
{
	static const struct {
		uint32_t type, bits;
	} types[] = {{S_IFDIR, 1u << 31}, {S_IFLNK, 1u << 27},
		     {S_IFBLK, 1u << 26}, {S_IFCHR, 1u << 26 | 1u << 21},
		     {S_IFIFO, 1u << 25}, {S_IFSOCK, 1u << 24}};
	uint32_t out = mode & 0777;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if ((mode & S_IFMT) == types[i].type)
			out |= types[i].bits;
	return out | (mode & S_ISUID ? 1u << 23 : 0) | (mode & S_ISGID ? 1u << 22 : 0) |
	       (mode & S_ISVTX ? 1u << 20 : 0);
}

static void set_stat_header(struct http_exchange *x, const struct container_path *p)
{
	auto_free char *text = NULL;
	auto_str object = STR_INIT;
	struct jw w = jw_to(&object);
	char time[CLOCK_TEXT];

	jw_obj(&w);
	jw_kstr(&w, "name", p->name);
	jw_ki64(&w, "size", p->size);
	jw_ki64(&w, "mode", go_mode(p->mode));
	clock_format(p->mtime, time);
	jw_kstr(&w, "mtime", time);
	jw_kstr(&w, "linkTarget", p->link);
	jw_end(&w);
	text = base64_encode(object.p, object.len);
	http_set_header(x, PATH_STAT, text);
}

/* The `path` parameter, or NULL after its error was sent. */
static const char *path_param(struct http_exchange *x)
{
	struct error err = ERROR_INIT;
	const char *path = http_query(x, "path", "");

	if (*path)
		return path;
	error_set(&err, ERR_INVALID, "bad parameter: pathcannot be empty");
	http_reply_error(x, &err);
	return NULL;
}

static int produce_archive(int fd, void *ctx, struct error *err)
{
	return container_files_pack(ctx, fd, err);
}

static void archive_get(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	const char *path = path_param(x);
	struct container_files *f;

	(void)ctx;
	if (!path)
		return;
	f = container_files_open(NAME, path, &err);
	if (!f) {
		http_reply_error(x, &err);
		return;
	}
	set_stat_header(x, container_files_path(f));
	if (x->head_only)
		http_reply(x, 200, NULL, NULL, 0);
	else
		api_download(x, "application/x-tar", produce_archive, f);
	container_files_close(f);
}

struct put_job {
	const char *name, *path;
	bool no_overwrite, copy_owner;
};

static int consume_archive(int fd, void *ctx, struct error *err)
{
	struct put_job *j = ctx;

	return container_files_extract(j->name, j->path, j->no_overwrite, j->copy_owner, fd, err);
}

static void archive_put(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	struct put_job j = {.name = NAME,
			    .path = path_param(x),
			    .no_overwrite = http_query_bool(x, "noOverwriteDirNonDir", false),
			    .copy_owner = http_query_bool(x, "copyUIDGID", false)};

	(void)ctx;
	if (j.path)
		api_answer_empty(x, api_upload(x, consume_archive, &j, &err), 200, &err);
}

/* ---- Commit --------------------------------------------------------------------------------------------------------------------- */

static void commit(struct http_exchange *x, void *ctx)
{
	struct error err = ERROR_INIT;
	auto_strlist instructions = STRLIST_INIT;
	auto_str reply = STR_INIT;
	auto_json *body = http_body_json(x, false, &err);
	struct container_commit c = {.container = http_query(x, "container", ""),
				     .repo = http_query(x, "repo", ""),
				     .tag = http_query(x, "tag", ""),
				     .author = http_query(x, "author", ""),
				     .comment = http_query(x, "comment", ""),
				     .pause = http_query_bool(x, "pause", true),
				     .changes = &instructions,
				     .config = body};

	(void)ctx;
	for (size_t i = 0; i < x->query.n; i++)
		if (streq(x->query.v[i].key, "changes"))
			strlist_add(&instructions, x->query.v[i].value);
	api_answer(x, err.kind ? -1 : container_commit_image(&c, &reply, &err), 201, &reply, &err);
}

const struct http_route api_file_routes[] = {
    {"GET", "/containers/{name}/changes", changes, HTTP_SLASHES},
    {"GET", "/containers/{name}/export", export, HTTP_SLASHES},
    {"HEAD", "/containers/{name}/archive", archive_get, HTTP_SLASHES},
    {"GET", "/containers/{name}/archive", archive_get, HTTP_SLASHES},
    {"PUT", "/containers/{name}/archive", archive_put, HTTP_SLASHES},
    {"POST", "/commit", commit, 0},
};
const size_t api_file_routes_count = ARRAY_LEN(api_file_routes);
