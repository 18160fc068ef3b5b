/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker import of a URL: the archive goes through a pipe into the image room while it comes. A thread reads from the server, the job's own one makes
 * the image, and keeps nothing of it unless the download came to its end. Nothing is authorized: whoever wants a password is not asked.
 */
#include "registry/client.h"
#include "registry/registry.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct download {
	struct client *client;
	const char *url;
	struct progress *p;
	int out;   /* pipe's writing end */
	int begun; /* eventfd: the head is there, or it won't come */
	bool good; /* the archive follows; set before `begun` */
	uint64_t have, total;
	int result;
	struct error err;
};

static int on_head(void *ctx, int status, const struct pairs *headers)
{
	struct download *d = ctx;
	const char *length = pairs_get(headers, "content-length");

	(void)status;
	d->total = length ? strtoull(length, NULL, 10) : 0;
	progress_message(d->p, NULL, "Downloading from %s", d->url);
	d->good = true;
	eventfd_write(d->begun, 1);
	return 0;
}

static int on_bytes(void *ctx, const void *p, size_t n)
{
	struct download *d = ctx;

	if (fd_write_all(d->out, p, n) < 0)
		return -1; /* the reader has ended, and says why */
	d->have += n;
	progress_bytes(d->p, "", "Importing", d->have, d->total);
	return 0;
}

/* Source: moby daemon/builder/remotecontext, whose words these are. */
static int refused(const struct download *d, const struct answer *a, struct error *err)
{
	static const struct {
		int status;
		enum error_kind kind;
		const char *text;
	} known[] = {{400, ERR_INVALID, " Bad Request"},
		     {401, ERR_UNAUTHORIZED, " Unauthorized"},
		     {403, ERR_DENIED, " Forbidden"},
		     {404, ERR_NOT_FOUND, " Not Found"},
		     {410, ERR_SYSTEM, " Gone"},
		     {429, ERR_SYSTEM, " Too Many Requests"},
		     {500, ERR_SYSTEM, " Internal Server Error"},
		     {502, ERR_SYSTEM, " Bad Gateway"},
		     {503, ERR_SYSTEM, " Service Unavailable"},
		     {504, ERR_SYSTEM, " Gateway Timeout"}};
	enum error_kind kind = ERR_SYSTEM;
	const char *text = "", *body = a->body.len ? a->body.p : "";
	size_t n = a->body.len;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].status == a->r.status) {
			kind = known[i].kind;
			text = known[i].text;
		}
	while (n && strchr(" \t\r\n", *body)) {
		body++;
		n--;
	}
	while (n && strchr(" \t\r\n", body[n - 1]))
		n--;
	return error_set(err, kind, "failed to GET %s with status %d%s: %.*s", d->url, a->r.status,
			 text, (int)n, body);
}

static int get(struct download *d, struct error *err)
{
	struct call q = {.method = "GET",
			 .url = d->url,
			 .cancel_fd = progress_cancel_fd(d->p),
			 .head = on_head,
			 .write = on_bytes,
			 .ctx = d};
	auto_answer a = {.code = ""};

	if (client_get(d->client, &q, &a, err) < 0)
		return -1;
	return a.r.status >= 200 && a.r.status < 300 ? 0 : refused(d, &a, err);
}

static void *download_run(void *arg)
{
	struct download *d = arg;

	d->result = get(d, &d->err);
	fd_close(&d->out);
	eventfd_write(d->begun, 1);
	return NULL;
}

/* After the archive's last byte: was that all of it? */
struct end {
	struct download *d;
	pthread_t thread;
	int in;
	bool joined;
};

static void join(struct end *e)
{
	if (!e->joined)
		pthread_join(e->thread, NULL);
	e->joined = true;
}

static int verify(void *ctx, struct error *err)
{
	struct end *e = ctx;
	char rest[4096];

	/* Behind the archive's end something may follow, which nobody wants. */
	while (read(e->in, rest, sizeof(rest)) > 0)
		;
	join(e);
	return e->d->result < 0 ? error_set(err, e->d->err.kind, "%s", e->d->err.text) : 0;
}

static int import_from(struct image_store *images, struct download *d, const struct image_import *o,
		       char **id, struct error *err)
{
	auto_free char *said = xasprintf("Imported from %s", d->url);
	struct image_import with = *o;
	struct end e = {.d = d};
	eventfd_t n;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	e.in = p[0];
	d->out = p[1];
	if (thread_start_joinable("download", download_run, d, &e.thread, err) < 0) {
		close(p[0]);
		close(p[1]);
		return -1;
	}
	eventfd_read(d->begun, &n);
	if (d->good) {
		if (str_empty(o->message))
			with.message = said;
		with.verify = verify;
		with.ctx = &e;
		r = image_import(images, e.in, &with, id, err);
	} else {
		r = verify(&e, err);
	}
	close(e.in); /* a writer that is left ends with EPIPE */
	join(&e);
	return r;
}

/* "host/path" means http. The place that a registry's address would be: "http://host". malloc'ed, both. */
static int parse(const char *src, char **url, char **origin, struct error *err)
{
	const char *at = strstr(src, "://");

	*url = *origin = NULL;
	if (at == src)
		return error_set(err, ERR_INVALID, "parse \"%s\": missing protocol scheme", src);
	*url = at ? xstrdup(src) : xasprintf("http://%s", src);
	if (!str_after(*url, "http://") && !str_after(*url, "https://"))
		return error_set(err, ERR_SYSTEM,
				 "Get \"%s\": unsupported protocol scheme \"%.*s\"", src,
				 (int)(at - src), src);
	at = strstr(*url, "://") + 3;
	*origin = xstrndup(*url, (size_t)(at - *url) + strcspn(at, "/?#"));
	return 0;
}

int registry_import(struct image_store *images, const struct registry_settings *s, const char *src,
		    const struct image_import *o, struct progress *p, struct error *err)
{
	auto_free char *url = NULL, *origin = NULL, *id = NULL;
	auto_close begun = eventfd(0, EFD_CLOEXEC);
	struct download d = {.p = p, .out = -1, .begun = begun};
	struct endpoint ep = {.url = NULL};
	int r;

	if (parse(src, &url, &origin, err) < 0 || image_import_check(o, err) < 0 ||
	    endpoint_at(s, origin, false, &ep, err) < 0) {
		endpoint_free(&ep);
		return -1;
	}
	d.url = url;
	d.client = client_new(s, &ep, NULL, "", "", err);
	endpoint_free(&ep);
	if (!d.client)
		return -1;
	r = import_from(images, &d, o, &id, err);
	client_unref(d.client);
	if (r == 0)
		progress_message(p, NULL, "%s", id);
	return r;
}
