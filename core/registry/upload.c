/* SPDX-License-Identifier: Apache-2.0 */
/* See upload.h. Source: distribution specification, "Pushing blobs". */
#include "registry/upload.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

int blob_exists(struct client *c, const char *digest, int cancel_fd, bool *there, uint64_t *size,
		struct error *err)
{
	auto_free char *path = xasprintf("blobs/%s", digest), *url = client_url(c, path);
	struct call q = {.method = "HEAD", .url = url, .cancel_fd = cancel_fd};
	auto_answer a = {.code = ""};
	const char *length;

	*there = client_call(c, &q, &a, err) == 0;
	if (!*there) {
		if (a.r.status != 404 && a.r.status != 403)
			return -1;
		error_clear(err);
		return 0;
	}
	length = answer_header(&a, "content-length");
	*size = length ? strtoull(length, NULL, 10) : 0;
	*there = *size > 0; /* a registry that doesn't say how long is of no use */
	return 0;
}

/* Where to go on: Location is absolute, or a path at the registry. malloc'ed. */
static char *next_place(const struct client *c, const struct answer *a, const char *add)
{
	const char *location = answer_header(a, "location");
	auto_free char *host = url_host(c->ep.url);
	auto_str url = STR_INIT;

	if (str_empty(location))
		return NULL;
	if (*location == '/')
		str_printf(&url, "%.*s%s", (int)(strstr(c->ep.url, "://") + 3 - c->ep.url),
			   c->ep.url, host);
	else if (!str_after(location, "http://") && !str_after(location, "https://"))
		return NULL;
	/* Blobs go over no weaker line than we came by. */
	if (str_after(c->ep.url, "https://") && str_after(location, "http://"))
		return NULL;
	str_puts(&url, location);
	if (add)
		query_add(&url, "digest", add);
	return str_steal(&url);
}

static int begin(struct client *c, int cancel_fd, struct answer *a, struct error *err)
{
	auto_free char *url = client_url(c, "blobs/uploads/");
	struct call q = {
	    .method = "POST", .url = url, .cancel_fd = cancel_fd, .body = "", .body_len = 0};

	return client_call(c, &q, a, err);
}

void blob_mount(struct client *c, const char *digest, const char *from, int cancel_fd, bool *done)
{
	auto_free char *base = client_url(c, "blobs/uploads/"), *cancel = NULL;
	auto_str url = STR_INIT;
	struct error ignored = ERROR_INIT;
	struct call q = {.method = "POST", .cancel_fd = cancel_fd, .mount_from = from, .body = ""};
	auto_answer a = {.code = ""};

	str_puts(&url, base);
	query_add(&url, "from", from);
	query_add(&url, "mount", digest);
	q.url = str_cstr(&url);
	*done = client_call(c, &q, &a, &ignored) == 0 && a.r.status == 201;
	if (*done || a.r.status != 202)
		return;
	/* It has begun an upload instead: not needed. */
	cancel = next_place(c, &a, NULL);
	answer_free(&a);
	if (cancel) {
		q = (struct call){.method = "DELETE", .url = cancel, .cancel_fd = cancel_fd};
		client_call(c, &q, &a, &ignored);
	}
}

static int no_place(struct error *err)
{
	return error_set(err, ERR_SYSTEM, "the registry doesn't say where to upload (Location)");
}

static int finish(struct client *c, const char *url, const void *p, size_t n, int cancel_fd,
		  const char *digest, struct error *err)
{
	auto_strlist headers = STRLIST_INIT;
	struct call q = {.method = "PUT",
			 .url = url,
			 .headers = &headers,
			 .cancel_fd = cancel_fd,
			 .body = p,
			 .body_len = n};
	auto_answer a = {.code = ""};
	const char *got;

	strlist_add(&headers, "Content-Type: application/octet-stream");
	if (client_call(c, &q, &a, err) < 0)
		return -1;
	got = answer_header(&a, "docker-content-digest");
	if (got && !streq(got, digest))
		return error_set(err, ERR_SYSTEM, "the registry has received %.80s instead of %s",
				 got, digest);
	return 0;
}

int blob_put(struct client *c, const void *p, size_t n, const char *digest, int cancel_fd,
	     struct error *err)
{
	auto_answer a = {.code = ""};
	auto_free char *url = NULL;

	if (begin(c, cancel_fd, &a, err) < 0)
		return -1;
	url = next_place(c, &a, digest);
	return url ? finish(c, url, p, n, cancel_fd, digest, err) : no_place(err);
}

int blob_stream(struct client *c, const struct blob_stream *s, int cancel_fd, struct error *err)
{
	auto_answer a = {.code = ""}, sent = {.code = ""};
	auto_free char *url = NULL, *last = NULL;
	auto_strlist headers = STRLIST_INIT;
	struct call q = {.method = "PATCH",
			 .headers = &headers,
			 .cancel_fd = cancel_fd,
			 .read = s->read,
			 .ctx = s->ctx};
	char digest[DIGEST_TEXT];
	struct error ours = ERROR_INIT;

	if (begin(c, cancel_fd, &a, err) < 0)
		return -1;
	url = next_place(c, &a, NULL);
	if (!url)
		return no_place(err);
	q.url = url;
	strlist_add(&headers, "Content-Type: application/octet-stream");
	if (client_call(c, &q, &sent, err) < 0) {
		/* When our side has failed, that is the reason. */
		if (sent.r.fault == TRANSPORT_STOPPED && s->finish(s->ctx, digest, &ours) < 0)
			*err = ours;
		return -1;
	}
	if (s->finish(s->ctx, digest, err) < 0)
		return -1;
	last = next_place(c, &sent, digest);
	if (!last)
		return no_place(err);
	return finish(c, last, "", 0, cancel_fd, digest, err);
}
