/* SPDX-License-Identifier: Apache-2.0 */
/* See fetch.h. room.lock guards every field of every fetch but those that are constant and `digest`, the worker's own. */
#include "registry/fetch.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum state { WAITING, RUNNING, COMPLETE, FAILED };

struct watcher {
	struct watcher *next;
	struct progress *p;
};

struct fetch {
	struct fetch *next; /* in the queue */
	char *key, id[13];
	struct image_store *images;
	struct client *client;
	struct descriptor blob; /* type is not copied, nor are urls */
	struct strlist urls;    /* of a foreign layer */
	int attempts, retry_s;
	int cancel; /* eventfd: nobody wants it any more */
	struct digester *digest;
	int spool;
	uint64_t have;
	enum state state;
	bool claimed, applied, listed, spent;
	unsigned refs; /* watchers and the worker */
	struct watcher *watchers;
	char *said; /* the last state, for those who come late */
	struct error err;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct map by_key;
	struct fetch *queue, **queue_end;
	int running;
} room = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void fetches_kick(void)
{
	LOCK_SCOPE(&room.lock);
	pthread_cond_broadcast(&room.changed);
}

/* ---- telling ---------------------------------------------------------------------------------------------------------------------- */

static void say_locked(struct fetch *f, const char *status)
{
	free(f->said);
	f->said = xstrdup(status);
	for (struct watcher *w = f->watchers; w; w = w->next)
		progress_update(w->p, f->id, status);
}

void fetch_say(struct fetch *f, const char *status)
{
	LOCK_SCOPE(&room.lock);
	say_locked(f, status);
}

static void say_bytes_locked(struct fetch *f, const char *status, uint64_t n)
{
	for (struct watcher *w = f->watchers; w; w = w->next)
		progress_bytes(w->p, f->id, status, n, f->blob.size);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

static void unlist_locked(struct fetch *f)
{
	if (f->listed)
		map_del(&room.by_key, f->key);
	f->listed = false;
}

static void unref_locked(struct fetch *f)
{
	if (--f->refs)
		return;
	unlist_locked(f);
	fd_close(&f->spool);
	fd_close(&f->cancel);
	if (f->digest)
		f->client->m->digest_free(f->digest);
	client_unref(f->client);
	strlist_free(&f->urls);
	free(f->said);
	free(f->key);
	free(f);
}

static void fail_locked(struct fetch *f, const struct error *err)
{
	f->state = FAILED;
	f->err = *err;
	unlist_locked(f); /* who comes now tries anew */
	pthread_cond_broadcast(&room.changed);
}

/* ---- download --------------------------------------------------------------------------------------------------------------------- */

struct download {
	struct fetch *f;
	uint64_t skip; /* bytes that we have already, sent once more */
	struct error err;
};

/* Where does what is coming begin? */
static int on_head(void *ctx, int status, const struct pairs *headers)
{
	struct download *d = ctx;
	const char *range = pairs_get(headers, "content-range"), *from;
	unsigned long long start;

	d->skip = d->f->have;
	if (status != 206)
		return 0;
	from = range ? str_after(range, "bytes ") : NULL;
	if (!from || sscanf(from, "%llu-", &start) != 1 || start > d->f->have)
		return error_set(&d->err, ERR_SYSTEM,
				 "layer %s: the registry answers with the wrong part (%s)",
				 d->f->blob.digest, range ? range : "no Content-Range");
	d->skip = d->f->have - start;
	return 0;
}

static int on_bytes(void *ctx, const void *data, size_t n)
{
	struct download *d = ctx;
	struct fetch *f = d->f;
	const char *p = data;

	if (d->skip) {
		size_t known = d->skip < n ? (size_t)d->skip : n;

		d->skip -= known;
		p += known;
		n -= known;
	}
	if (f->blob.size && n > f->blob.size - f->have)
		return error_set(&d->err, ERR_INVALID,
				 "filesystem layer verification failed for digest %s: it is longer "
				 "than the %llu bytes of the manifest",
				 f->blob.digest, (unsigned long long)f->blob.size);
	for (size_t done = 0; done < n;) {
		ssize_t w = pwrite(f->spool, p + done, n - done, (off_t)(f->have + done));

		if (w < 0 && errno != EINTR)
			return error_sys(&d->err, errno, "write layer %s", f->blob.digest);
		done += w > 0 ? (size_t)w : 0;
	}
	f->client->m->digest_add(f->digest, p, n);
	LOCK_SCOPE(&room.lock);
	f->have += n;
	say_bytes_locked(f, "Downloading", f->have);
	pthread_cond_broadcast(&room.changed);
	return 0;
}

/* What is left of the blob from one place. -1 with err; the answer tells whether another try is worth it. */
static int get_from(struct fetch *f, const char *url, bool ours, struct answer *a,
		    struct error *err)
{
	auto_strlist headers = STRLIST_INIT;
	struct download d = {.f = f};
	struct call q = {.method = "GET",
			 .url = url,
			 .headers = &headers,
			 .cancel_fd = f->cancel,
			 .head = on_head,
			 .write = on_bytes,
			 .ctx = &d,
			 .why = &d.err};

	if (f->have)
		strlist_printf(&headers, "Range: bytes=%llu-", (unsigned long long)f->have);
	if (ours)
		return client_call(f->client, &q, a, err);
	if (client_get(f->client, &q, a, err) < 0)
		return -1;
	return a->r.status / 100 == 2
		   ? 0
		   : error_set(err, ERR_SYSTEM, "layer %s: %s answers with status %d",
			       f->blob.digest, url, a->r.status);
}

static bool hopeless(const struct answer *a, const struct error *err)
{
	return err->kind == ERR_CANCELLED || err->kind == ERR_INVALID ||
	       (a->r.status >= 400 && a->r.status < 500 && a->r.status != 408);
}

/* One attempt. 0: whole; 1: worth another try; -1: not. A foreign layer that the registry has not is looked for where its manifest says. */
static int attempt(struct fetch *f, struct error *err)
{
	auto_free char *path = xasprintf("blobs/%s", f->blob.digest),
		       *url = client_url(f->client, path);
	auto_answer a = {.code = ""};
	int r = get_from(f, url, true, &a, err);

	for (size_t i = 0; r < 0 && a.r.status == 404 && i < f->urls.n; i++) {
		error_clear(err);
		answer_free(&a);
		r = get_from(f, f->urls.v[i], false, &a, err);
		if (r < 0 && !hopeless(&a, err))
			return 1;
		if (r < 0 && a.r.status)
			a.r.status = 404; /* the next place may have it */
	}
	if (r < 0)
		return hopeless(&a, err) ? -1 : 1;
	if (f->blob.size && f->have < f->blob.size)
		return error_set(err, ERR_SYSTEM,
				 "layer %s: unexpected EOF after %llu of %llu bytes",
				 f->blob.digest, (unsigned long long)f->have,
				 (unsigned long long)f->blob.size),
		       1;
	return 0;
}

/* Counts down as moby does; false: cancelled. */
static bool pause_before_retry(struct fetch *f, int seconds)
{
	struct pollfd p = {.fd = f->cancel, .events = POLLIN};

	for (; seconds > 0; seconds--) {
		auto_free char *text =
		    xasprintf("Retrying in %d second%s", seconds, seconds == 1 ? "" : "s");

		fetch_say(f, text);
		if (poll(&p, 1, 1000) > 0)
			return false;
	}
	return true;
}

static int download(struct fetch *f, struct error *err)
{
	char digest[DIGEST_TEXT];

	f->spool = image_spool(f->images, err);
	if (f->spool < 0)
		return -1;
	f->digest = f->client->m->digest_new();
	for (int n = 1;; n++) {
		int r = attempt(f, err);

		if (r == 0)
			break;
		if (r < 0 || n >= f->attempts)
			return -1;
		log_info("download of a layer failed, trying again", "layer", f->blob.digest,
			 "error", err->text);
		error_clear(err);
		if (!pause_before_retry(f, n * f->retry_s))
			return error_set(err, ERR_CANCELLED, "context canceled");
	}
	fetch_say(f, "Verifying Checksum");
	f->client->m->digest_end(f->digest, digest);
	FAULT("registry.fetch.after-download");
	if (!streq(digest, f->blob.digest))
		return error_set(err, ERR_INVALID,
				 "filesystem layer verification failed for digest %s",
				 f->blob.digest);
	return 0;
}

static void run_fetch(struct fetch *f)
{
	struct error err = ERROR_INIT;
	int r = download(f, &err);
	LOCK_SCOPE(&room.lock);

	if (r < 0) {
		fail_locked(f, &err);
	} else {
		f->state = COMPLETE;
		say_locked(f, "Download complete");
		pthread_cond_broadcast(&room.changed);
	}
	unref_locked(f);
}

static void *work(void *arg)
{
	(void)arg;
	for (;;) {
		struct fetch *f;

		pthread_mutex_lock(&room.lock);
		f = room.queue;
		if (!f) {
			room.running--;
			pthread_mutex_unlock(&room.lock);
			return NULL;
		}
		room.queue = f->next;
		f->state = RUNNING;
		pthread_mutex_unlock(&room.lock);
		run_fetch(f);
	}
}

static void enqueue_locked(struct fetch *f)
{
	struct fetch **at = &room.queue;

	while (*at)
		at = &(*at)->next;
	*at = f;
	f->refs++;
}

static void dequeue_locked(struct fetch *f)
{
	for (struct fetch **at = &room.queue; *at; at = &(*at)->next)
		if (*at == f) {
			*at = f->next;
			unref_locked(f);
			return;
		}
}

static int start_worker_locked(int max, struct error *err)
{
	if (room.running >= (max > 0 ? max : 1))
		return 0;
	if (thread_start("fetch", work, NULL, err) < 0)
		return room.running ? 0 : -1;
	room.running++;
	return 0;
}

/* ---- joining ---------------------------------------------------------------------------------------------------------------------- */

static void watch_locked(struct fetch *f, struct progress *p)
{
	struct watcher *w = xnew(struct watcher);

	w->p = progress_ref(p);
	w->next = f->watchers;
	f->watchers = w;
	f->refs++;
}

static struct fetch *fetch_new(const struct fetch_want *w, char *key)
{
	struct fetch *f = xnew(struct fetch);

	f->key = key;
	snprintf(f->id, sizeof(f->id), "%.12s", strchr(w->blob->digest, ':') + 1);
	f->images = w->images;
	f->client = client_ref(w->client);
	f->blob = *w->blob;
	f->blob.type = NULL;
	f->blob.urls = (struct strlist)STRLIST_INIT;
	strlist_copy(&f->urls, &w->blob->urls);
	f->attempts = w->settings->attempts;
	f->retry_s = w->settings->retry_s;
	f->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->spool = -1;
	return f;
}

struct fetch *fetch_join(const struct fetch_want *w, struct error *err)
{
	char *key = xasprintf("%s %s %s", w->client->ep.url, w->place, w->blob->digest);
	struct fetch *f;
	LOCK_SCOPE(&room.lock);

	f = map_get(&room.by_key, key);
	if (f) {
		free(key);
		watch_locked(f, w->p);
		progress_update(w->p, f->id, "Pulling fs layer");
		if (f->said)
			progress_update(w->p, f->id, f->said);
		return f;
	}
	f = fetch_new(w, key);
	map_set(&room.by_key, f->key, f);
	f->listed = true;
	watch_locked(f, w->p);
	progress_update(w->p, f->id, "Pulling fs layer");
	enqueue_locked(f);
	if (room.running >= w->settings->max_downloads)
		say_locked(f, "Waiting");
	if (start_worker_locked(w->settings->max_downloads, err) < 0) {
		dequeue_locked(f);
		fail_locked(f, err);
	}
	return f;
}

void fetch_leave(struct fetch *f, struct progress *p)
{
	LOCK_SCOPE(&room.lock);
	for (struct watcher **at = &f->watchers; *at; at = &(*at)->next)
		if ((*at)->p == p) {
			struct watcher *w = *at;

			*at = w->next;
			free(w);
			progress_unref(p);
			break;
		}
	if (!f->watchers) {
		unlist_locked(f);
		eventfd_write(f->cancel, 1);
		f->refs++;
		dequeue_locked(f);
		f->refs--;
	}
	unref_locked(f);
}

bool fetch_claim(struct fetch *f, struct progress *p)
{
	LOCK_SCOPE(&room.lock);
	while (f->claimed && !f->applied && !progress_cancelled(p))
		pthread_cond_wait(&room.changed, &room.lock);
	if (f->applied || f->spent || progress_cancelled(p))
		return false;
	f->claimed = true;
	return true;
}

void fetch_unclaim(struct fetch *f, bool done)
{
	LOCK_SCOPE(&room.lock);
	f->claimed = false;
	f->applied = done;
	if (done) {
		say_bytes_locked(f, "Extracting", f->have);
		say_locked(f, "Pull complete");
	}
	pthread_cond_broadcast(&room.changed);
}

/* ---- feeding ---------------------------------------------------------------------------------------------------------------------- */

/* Until there is something behind pos, or nothing will come. */
static uint64_t wait_for_bytes(struct fetch_feed *feed, uint64_t pos, bool *whole)
{
	struct fetch *f = feed->f;
	LOCK_SCOPE(&room.lock);

	while (f->have == pos && f->state != COMPLETE && f->state != FAILED &&
	       !progress_cancelled(feed->p))
		pthread_cond_wait(&room.changed, &room.lock);
	*whole = f->state == COMPLETE;
	return f->state == FAILED || progress_cancelled(feed->p) ? pos : f->have;
}

static void *feed_run(void *arg)
{
	struct fetch_feed *feed = arg;
	struct fetch *f = feed->f;
	uint64_t end, pos = 0;
	bool whole = false;

	while ((end = wait_for_bytes(feed, pos, &whole)) > pos) {
		off_t at = (off_t)pos;
		size_t n = end - pos > 1 << 20 ? 1 << 20 : (size_t)(end - pos);
		ssize_t sent = sendfile(feed->out, f->spool, &at, n);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			break; /* the reader has ended, and says why */
		pos += (uint64_t)sent;
		if (whole) {
			LOCK_SCOPE(&room.lock);
			say_bytes_locked(f, "Extracting", pos);
		}
	}
	fd_close(&feed->out);
	return NULL;
}

int fetch_feed(struct fetch *f, struct progress *p, struct fetch_feed *feed, int *in,
	       struct error *err)
{
	int pipe_fds[2];

	*feed = (struct fetch_feed){.f = f, .p = p, .out = -1};
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
	feed->out = pipe_fds[1];
	*in = pipe_fds[0];
	if (thread_start_joinable("feed", feed_run, feed, &feed->thread, err) < 0) {
		fd_close(&feed->out);
		fd_close(in);
		return -1;
	}
	return 0;
}

void fetch_feed_end(struct fetch_feed *feed)
{
	pthread_join(feed->thread, NULL);
}

/* From success on nobody else claims it. */
static int wait_for_end(struct fetch_feed *feed, struct error *err)
{
	struct fetch *f = feed->f;
	LOCK_SCOPE(&room.lock);

	while (f->state != COMPLETE && f->state != FAILED && !progress_cancelled(feed->p))
		pthread_cond_wait(&room.changed, &room.lock);
	feed->failed = f->state != COMPLETE;
	if (f->state == FAILED)
		return error_set(err, f->err.kind, "%s", f->err.text);
	if (f->state != COMPLETE)
		return error_set(err, ERR_CANCELLED, "context canceled");
	f->spent = true;
	return 0;
}

int fetch_verify(void *ctx, struct error *err)
{
	struct fetch_feed *feed = ctx;
	struct fetch *f = feed->f;

	if (wait_for_end(feed, err) < 0)
		return -1;
	/* It was read to its end, and nobody reads it any more: what is not on disk yet need not go there with the layer's sync. */
	if (ftruncate(f->spool, 0) < 0)
		log_warn("spool not emptied", "error", strerror(errno));
	return 0;
}
