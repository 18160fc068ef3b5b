/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Push: an image's layers (each put together again by dockerd-unpack, compressed there, hashed here on its way out), its configuration, and a
 * schema 2 manifest, printed as moby prints it so that the same blobs give the same digest.
 */
#include "registry/manifest.h"
#include "registry/registry.h"
#include "registry/upload.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "image/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ATTEMPTS 5   /* of one layer, as moby */
#define CANDIDATES 3 /* known blobs that a registry is asked about */

struct push {
	struct image_store *images;
	const struct registry_settings *settings;
	struct client *client;
	struct progress *p;
	const char *domain;
};

/* A layer of the image on its way. */
struct part {
	size_t index;
	const char *diff;
	char id[13];
	struct descriptor blob;  /* result */
	struct str foreign;      /* its descriptor, if it stays where it is */
	const struct part *same; /* an equal one is taken care of there */
};

struct parts {
	struct push *push;
	struct image_stack *stack;
	struct part *v;
	size_t n;
	pthread_mutex_t lock; /* guards next and err */
	size_t next;
	struct error err;
};

/* Uploads of all pushes together. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	int running;
} slots = {.lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

/* ---- one layer -------------------------------------------------------------------------------------------------------------------- */

/* The archive, made by another process and driven by a thread of its own, as the body of a request. */
struct source {
	struct push *push;
	struct image_stack *stack;
	const struct part *part;
	int in, out, counter;
	pthread_t thread;
	bool running;
	int result;
	struct error err;
	struct digester *digest;
	uint64_t sent;
};

static void *make_archive(void *arg)
{
	struct source *s = arg;

	s->result = image_stack_write(s->stack, s->part->index, s->out, true, s->counter, &s->err);
	fd_close(&s->out);
	return NULL;
}

static int source_open(struct source *s, struct error *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	s->in = p[0];
	s->out = p[1];
	s->counter = memfd_create("progress", MFD_CLOEXEC);
	if (s->counter < 0)
		return error_sys(err, errno, "memfd");
	s->digest = s->push->client->m->digest_new();
	if (thread_start_joinable("archive", make_archive, s, &s->thread, err) < 0)
		return -1;
	s->running = true;
	return 0;
}

static void source_join(struct source *s)
{
	fd_close(&s->in);
	if (s->running)
		pthread_join(s->thread, NULL);
	s->running = false;
}

static void source_close(struct source *s)
{
	source_join(s);
	fd_close(&s->out);
	fd_close(&s->counter);
	if (s->digest)
		s->push->client->m->digest_free(s->digest);
}

static ssize_t source_read(void *ctx, void *buf, size_t n)
{
	struct source *s = ctx;
	uint64_t packed = 0;
	ssize_t got;

	do
		got = read(s->in, buf, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	if (got == 0) { /* all of it, or was it cut off? */
		source_join(s);
		return s->result < 0 ? -1 : 0;
	}
	s->push->client->m->digest_add(s->digest, buf, (size_t)got);
	s->sent += (uint64_t)got;
	if (pread(s->counter, &packed, sizeof(packed), 0) == sizeof(packed))
		progress_bytes(s->push->p, s->part->id, "Pushing", packed,
			       image_stack_size(s->stack, s->part->index));
	return got;
}

static int source_finish(void *ctx, char digest[DIGEST_TEXT], struct error *err)
{
	struct source *s = ctx;

	source_join(s);
	if (s->result < 0)
		return error_set(err, s->err.kind, "%s", s->err.text);
	s->push->client->m->digest_end(s->digest, digest);
	snprintf(((struct part *)s->part)->blob.digest, DIGEST_TEXT, "%s", digest);
	((struct part *)s->part)->blob.size = s->sent;
	FAULT("registry.push.after-upload");
	return 0;
}

static int upload_once(struct parts *ps, struct part *t, struct error *err)
{
	struct source s = {
	    .push = ps->push, .stack = ps->stack, .part = t, .in = -1, .out = -1, .counter = -1};
	struct blob_stream b = {.read = source_read, .finish = source_finish, .ctx = &s};
	int r = source_open(&s, err);

	if (r == 0)
		r = blob_stream(ps->push->client, &b, progress_cancel_fd(ps->push->p), err);
	source_close(&s);
	return r;
}

static bool worth_another(const struct error *err)
{
	return err->kind == ERR_SYSTEM && !strstr(err->text, "no basic auth credentials") &&
	       !strstr(err->text, "is damaged");
}

static int upload(struct parts *ps, struct part *t, struct error *err)
{
	struct pollfd gone = {.fd = progress_cancel_fd(ps->push->p), .events = POLLIN};

	for (int n = 1;; n++) {
		error_clear(err);
		if (upload_once(ps, t, err) == 0)
			return 0;
		if (n == ATTEMPTS || !worth_another(err) || progress_cancelled(ps->push->p))
			return -1;
		for (int left = n * ps->push->settings->retry_s; left > 0; left--) {
			auto_free char *text =
			    xasprintf("Retrying in %d second%s", left, left == 1 ? "" : "s");

			progress_update(ps->push->p, t->id, text);
			if (poll(&gone, 1, 1000) > 0)
				return error_set(err, ERR_CANCELLED, "context canceled");
		}
	}
}

/* Is it there under a name that we know it by? 1: yes. */
static int already_there(struct push *v, struct part *t, const struct blob_origins *known,
			 struct error *err)
{
	auto_strlist asked = STRLIST_INIT;

	for (size_t i = 0; i < known->n && asked.n < CANDIDATES; i++) {
		bool there;

		if (strlist_has(&asked, known->v[i].digest))
			continue;
		strlist_add(&asked, known->v[i].digest);
		if (blob_exists(v->client, known->v[i].digest, progress_cancel_fd(v->p), &there,
				&t->blob.size, err) < 0)
			return -1;
		if (there) {
			snprintf(t->blob.digest, DIGEST_TEXT, "%s", known->v[i].digest);
			progress_update(v->p, t->id, "Layer already exists");
			return 1;
		}
	}
	return 0;
}

/* Path of a repository within our registry, or NULL. */
static const char *path_here(const struct push *v, const char *repository)
{
	const char *rest = str_after(repository, v->domain);

	return rest && *rest == '/' && !streq(rest + 1, v->client->repository) ? rest + 1 : NULL;
}

static int mounted(struct push *v, struct part *t, const struct blob_origins *known,
		   struct error *err)
{
	int tries = 0;

	for (size_t i = 0; i < known->n && tries < CANDIDATES; i++) {
		const char *from = path_here(v, known->v[i].repository);
		auto_free char *text = NULL;
		bool done = false, there = false;

		if (!from)
			continue;
		tries++;
		blob_mount(v->client, known->v[i].digest, from, progress_cancel_fd(v->p), &done);
		if (!done)
			continue;
		if (blob_exists(v->client, known->v[i].digest, progress_cancel_fd(v->p), &there,
				&t->blob.size, err) < 0)
			return -1;
		if (!there)
			continue;
		snprintf(t->blob.digest, DIGEST_TEXT, "%s", known->v[i].digest);
		text = xasprintf("Mounted from %s", from);
		progress_update(v->p, t->id, text);
		return 1;
	}
	return 0;
}

static int push_part(struct parts *ps, struct part *t, struct error *err)
{
	struct push *v = ps->push;
	struct blob_origins known;
	int r;

	if (image_stack_foreign(ps->stack, t->index, &t->foreign) &&
	    !registry_takes_foreign(v->settings, v->domain)) {
		progress_update(v->p, t->id, "Skipped foreign layer");
		return 0;
	}
	str_free(&t->foreign);
	image_blob_origins(v->images, t->diff, &known);
	r = already_there(v, t, &known, err);
	if (r == 0)
		r = mounted(v, t, &known, err);
	blob_origins_free(&known);
	if (r == 0) {
		r = upload(ps, t, err);
		if (r == 0)
			progress_update(v->p, t->id, "Pushed");
	}
	if (r < 0)
		return -1;
	image_blob_note(v->images, t->diff, t->blob.digest, v->client->origin);
	return 0;
}

/* ---- all layers of an image ------------------------------------------------------------------------------------------------------- */

static void slot_take(int max)
{
	LOCK_SCOPE(&slots.lock);
	while (slots.running >= (max > 0 ? max : 1))
		pthread_cond_wait(&slots.freed, &slots.lock);
	slots.running++;
}

static void slot_give(void)
{
	LOCK_SCOPE(&slots.lock);
	slots.running--;
	pthread_cond_signal(&slots.freed);
}

static struct part *next_part(struct parts *ps)
{
	LOCK_SCOPE(&ps->lock);
	while (ps->err.kind == ERR_NONE && ps->next < ps->n) {
		struct part *t = &ps->v[ps->next++];

		if (!t->same)
			return t;
	}
	return NULL;
}

static void *push_worker(void *arg)
{
	struct parts *ps = arg;
	struct part *t;

	while ((t = next_part(ps))) {
		struct error err = ERROR_INIT;
		int r;

		slot_take(ps->push->settings->max_uploads);
		r = push_part(ps, t, &err);
		slot_give();
		if (r < 0) {
			LOCK_SCOPE(&ps->lock);
			if (ps->err.kind == ERR_NONE)
				ps->err = err;
		}
	}
	return NULL;
}

/* From the top layer down, as moby lists them. */
static void list_parts(struct parts *ps)
{
	ps->n = image_stack_depth(ps->stack);
	ps->v = xcalloc(ps->n + 1, sizeof(*ps->v));
	for (size_t i = 0; i < ps->n; i++) {
		struct part *t = &ps->v[i];

		t->index = ps->n - 1 - i;
		t->diff = image_stack_diff(ps->stack, t->index);
		snprintf(t->id, sizeof(t->id), "%.12s", strchr(t->diff, ':') + 1);
		for (size_t k = 0; k < i && !t->same; k++)
			if (streq(ps->v[k].diff, t->diff))
				t->same = &ps->v[k];
		if (!t->same)
			progress_update(ps->push->p, t->id, "Preparing");
	}
}

static int push_parts(struct parts *ps, struct error *err)
{
	size_t max = (size_t)(ps->push->settings->max_uploads > 0 ? ps->push->settings->max_uploads
								  : 1),
	       n = 0;
	auto_free pthread_t *threads = xcalloc(max, sizeof(*threads));

	while (n < max && n < ps->n &&
	       thread_start_joinable("push", push_worker, ps, &threads[n], err) == 0)
		n++;
	if (!n)
		return ps->n ? -1 : 0;
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (ps->err.kind == ERR_NONE)
		return 0;
	*err = ps->err;
	return -1;
}

/* ---- configuration and manifest --------------------------------------------------------------------------------------------------- */

static int push_config(struct push *v, const struct image *i, struct error *err)
{
	bool there;
	uint64_t size;
	int cancel = progress_cancel_fd(v->p);

	if (blob_exists(v->client, i->id, cancel, &there, &size, err) < 0)
		return -1;
	return there ? 0 : blob_put(v->client, i->text.p, i->text.len, i->id, cancel, err);
}

/* A foreign layer's, from layerdb. Source: moby's MarshalIndent of distribution.Descriptor. */
static void print_foreign(struct str *out, const json *d)
{
	const json *urls = json_get(d, "urls");

	str_puts(out, "         \"mediaType\": ");
	json_quote(out, json_get_str(d, "mediaType", ""), strlen(json_get_str(d, "mediaType", "")));
	str_printf(out, ",\n         \"size\": %llu,\n         \"digest\": ",
		   (unsigned long long)json_get_i64(d, "size", 0));
	json_quote(out, json_get_str(d, "digest", ""), strlen(json_get_str(d, "digest", "")));
	str_puts(out, ",\n         \"urls\": [");
	for (json *u = json_first(urls); u; u = json_next(u)) {
		str_puts(out, "\n            ");
		json_quote(out, json_str(u, ""), strlen(json_str(u, "")));
		str_puts(out, json_next(u) ? "," : "\n         ");
	}
	str_puts(out, "]\n");
}

static void print_descriptor(struct str *out, const char *indent, const char *type, uint64_t size,
			     const char *digest)
{
	str_printf(out,
		   "%s   \"mediaType\": \"%s\",\n%s   \"size\": %llu,\n%s   \"digest\": \"%s\"\n",
		   indent, type, indent, (unsigned long long)size, indent, digest);
}

/* Byte for byte as moby prints it: that is what the digest is of. */
static void print_manifest(const struct parts *ps, const struct image *i, struct str *out)
{
	str_printf(out, "{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"" TYPE_SCHEMA2
			"\",\n   \"config\": {\n");
	print_descriptor(out, "   ", TYPE_CONFIG, i->text.len, i->id);
	str_puts(out, "   },\n   \"layers\": [");
	for (size_t k = ps->n; k-- > 0;) {
		const struct part *t = ps->v[k].same ? ps->v[k].same : &ps->v[k];

		struct error ignored = ERROR_INIT;
		auto_json *foreign =
		    t->foreign.len ? json_parse(t->foreign.p, t->foreign.len, &ignored) : NULL;

		str_puts(out, "\n      {\n");
		if (foreign)
			print_foreign(out, foreign);
		else
			print_descriptor(out, "      ", TYPE_LAYER, t->blob.size, t->blob.digest);
		str_puts(out, k ? "      }," : "      }\n   ");
	}
	str_puts(out, "]\n}");
}

static int put_manifest(struct push *v, const char *tag, const struct str *text, const char *digest,
			struct error *err)
{
	auto_free char *path = xasprintf("manifests/%s", tag), *url = client_url(v->client, path);
	auto_strlist headers = STRLIST_INIT;
	struct call q = {.method = "PUT",
			 .url = url,
			 .headers = &headers,
			 .cancel_fd = progress_cancel_fd(v->p),
			 .body = text->p,
			 .body_len = text->len};
	auto_answer a = {.code = ""};
	const char *got;

	strlist_add(&headers, "Content-Type: " TYPE_SCHEMA2);
	if (client_call(v->client, &q, &a, err) < 0)
		return -1;
	got = answer_header(&a, "docker-content-digest");
	if (got && !streq(got, digest))
		return error_set(err, ERR_SYSTEM,
				 "the registry has received the manifest %.80s instead of %s", got,
				 digest);
	return 0;
}

static void say_result(struct push *v, const char *tag, const char *digest, size_t size)
{
	auto_str line = STR_INIT;
	struct jw w = jw_to(&line);

	progress_message(v->p, NULL, "%s: digest: %s size: %zu", tag, digest, size);
	jw_obj(&w);
	jw_kobj(&w, "progressDetail");
	jw_end(&w);
	jw_kobj(&w, "aux");
	jw_kstr(&w, "Tag", tag);
	jw_kstr(&w, "Digest", digest);
	jw_ku64(&w, "Size", size);
	jw_end(&w);
	jw_end(&w);
	progress_raw(v->p, str_cstr(&line));
}

static int push_image(struct push *v, const struct reference *ref, const struct image *i,
		      struct error *err)
{
	struct parts ps = {.push = v, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct reference exact = {.name = ref->name};
	char digest[DIGEST_TEXT];
	auto_str manifest = STR_INIT;
	int r = -1;

	ps.stack = image_stack_of(v->images, i->id, err);
	if (!ps.stack)
		return -1;
	list_parts(&ps);
	if (push_parts(&ps, err) < 0 || push_config(v, i, err) < 0)
		goto out;
	print_manifest(&ps, i, &manifest);
	sha256_digest(manifest.p, manifest.len, digest);
	FAULT("registry.push.before-manifest");
	if (put_manifest(v, ref->tag, &manifest, digest, err) < 0)
		goto out;
	exact.digest = digest;
	r = image_reference_set(v->images, &exact, i->id, NULL, err);
	if (r == 0)
		say_result(v, ref->tag, digest, manifest.len);
out:
	for (size_t k = 0; k < ps.n; k++)
		str_free(&ps.v[k].foreign);
	free(ps.v);
	image_stack_free(ps.stack);
	return r;
}

static int push_tag(struct push *v, const struct reference *ref, struct error *err)
{
	auto_free char *id = image_reference_get(v->images, ref), *shown = reference_familiar(ref);
	struct image *i;
	int r;

	if (!id)
		return error_set(err, ERR_NOT_FOUND, "tag does not exist: %s", shown);
	i = image_get_config(v->images, id, err);
	if (!i)
		return -1;
	r = push_image(v, ref, i, err);
	image_free(i);
	if (r == 0)
		image_tell(v->images, "push", ref);
	return r;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------------- */

static int push_to(struct push *v, const struct reference *ref, const struct strlist *tags,
		   struct error *err)
{
	for (size_t i = 0; i < tags->n; i++) {
		struct reference one = {.name = ref->name, .tag = tags->v[i]};

		if (push_tag(v, &one, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_name(const char *name, const char *tag, struct reference *ref, struct error *err)
{
	auto_free char *joined = str_empty(tag) ? xstrdup(name) : xasprintf("%s:%s", name, tag);

	if (reference_parse(joined, ref, err) < 0)
		return -1;
	if (ref->digest)
		return error_set(err, ERR_INVALID, "cannot push a digest reference");
	return 0;
}

int registry_push(struct image_store *images, const struct registry_settings *s, const char *name,
		  const char *tag, const struct registry_auth *auth, struct progress *p,
		  struct error *err)
{
	struct push v = {.images = images, .settings = s, .p = p};
	auto_reference ref = {0};
	__attribute__((cleanup(endpoints_free))) struct endpoints e = {NULL, 0};
	auto_free char *domain = NULL, *familiar = NULL;
	auto_strlist tags = STRLIST_INIT;
	int r = -1;

	if (parse_name(name, tag, &ref, err) < 0)
		return -1;
	domain = xstrndup(ref.name, strcspn(ref.name, "/"));
	v.domain = domain;
	progress_message(p, NULL, "The push refers to repository [%s]", ref.name);
	image_repository_tags(images, ref.name, &tags);
	familiar = reference_familiar_name(&ref);
	if (!tags.n)
		return error_set(err, ERR_NOT_FOUND,
				 "An image does not exist locally with the tag: %s", familiar);
	if (ref.tag) {
		strlist_free(&tags);
		strlist_add(&tags, ref.tag);
	}
	if (endpoints_of(s, domain, false, &e, err) < 0)
		return -1;
	for (size_t i = 0; i < e.n && r < 0; i++) {
		bool reached = false;

		error_clear(err);
		v.client =
		    client_new(s, &e.v[i], auth, strchr(ref.name, '/') + 1, "pull,push", err);
		if (v.client && client_ping(v.client, progress_cancel_fd(p), NULL, err) == 0) {
			reached = true;
			v.client->origin = xstrdup(ref.name);
			r = push_to(&v, &ref, &tags, err);
		}
		client_unref(v.client);
		if (reached || err->kind == ERR_CANCELLED)
			break;
	}
	if (r < 0 && strstr(err->text, "no basic auth credentials"))
		error_set(err, ERR_SYSTEM, "no basic auth credentials");
	return r;
}
