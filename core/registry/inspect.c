/* SPDX-License-Identifier: Apache-2.0 */
/* GET /distribution/{name}/json: what a registry has under a name, without pulling it. */
#include "registry/client.h"
#include "registry/manifest.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/reference.h"

#include <stdlib.h>

static void print_platform(struct jw *w, const struct platform *p)
{
	jw_obj(w);
	jw_kstr(w, "architecture", p->arch);
	jw_kstr(w, "os", p->os);
	if (*p->variant)
		jw_kstr(w, "variant", p->variant);
	jw_end(w);
}

static int get(struct client *c, const char *method, const char *path, int cancel_fd,
	       struct answer *a, struct error *err)
{
	auto_free char *url = client_url(c, path);
	auto_strlist headers = STRLIST_INIT;
	struct call q = {.method = method, .url = url, .headers = &headers, .cancel_fd = cancel_fd};

	manifest_accept(&headers);
	return client_call(c, &q, a, err);
}

/* Platform of a single image: its configuration says. */
static int print_own_platform(struct client *c, const struct manifest *m, int cancel_fd,
			      struct jw *w, struct error *err)
{
	auto_free char *path = xasprintf("blobs/%s", m->config.digest);
	struct platform p = {.os = ""};
	auto_answer a = {.code = ""};
	auto_json *j = NULL;
	char digest[DIGEST_TEXT];

	if (get(c, "GET", path, cancel_fd, &a, err) < 0)
		return -1;
	sha256_digest(str_cstr(&a.body), a.body.len, digest);
	if (!streq(digest, m->config.digest))
		return error_set(err, ERR_INVALID, "image config verification failed for digest %s",
				 m->config.digest);
	j = json_parse(str_cstr(&a.body), a.body.len, err);
	if (!j)
		return -1;
	snprintf(p.os, sizeof(p.os), "%s", json_get_str(j, "os", ""));
	snprintf(p.arch, sizeof(p.arch), "%s", json_get_str(j, "architecture", ""));
	snprintf(p.variant, sizeof(p.variant), "%s", json_get_str(j, "variant", ""));
	print_platform(w, &p);
	return 0;
}

static int print_reply(struct client *c, const struct answer *a, int cancel_fd, struct str *reply,
		       struct error *err)
{
	auto_manifest m = {.n = 0};
	struct jw w = jw_to(reply);
	char digest[DIGEST_TEXT];
	int r = 0;

	if (manifest_parse(str_cstr(&a->body), a->body.len, answer_header(a, "content-type"), &m,
			   err) < 0)
		return -1;
	sha256_digest(str_cstr(&a->body), a->body.len, digest);
	jw_obj(&w);
	jw_kobj(&w, "Descriptor");
	jw_kstr(&w, "mediaType", m.type);
	jw_kstr(&w, "digest", digest);
	jw_ku64(&w, "size", a->body.len);
	jw_end(&w);
	jw_karr(&w, "Platforms");
	if (m.kind == MANIFEST_IMAGE)
		r = print_own_platform(c, &m, cancel_fd, &w, err);
	for (size_t i = 0; m.kind == MANIFEST_LIST && i < m.n; i++)
		print_platform(&w, &m.v[i].platform);
	jw_end(&w);
	jw_end(&w);
	return r;
}

static int inspect(struct client *c, const struct reference *ref, int cancel_fd, struct str *reply,
		   struct error *err)
{
	auto_free char *path = xasprintf("manifests/%s", ref->digest ? ref->digest : ref->tag);
	auto_answer a = {.code = ""};
	char digest[DIGEST_TEXT];

	if (get(c, "HEAD", path, cancel_fd, &a, err) < 0) {
		if (!a.r.status)
			return -1;
		error_clear(err); /* the reply to GET says more */
	}
	answer_free(&a);
	if (get(c, "GET", path, cancel_fd, &a, err) < 0)
		return -1;
	sha256_digest(str_cstr(&a.body), a.body.len, digest);
	if (ref->digest && !streq(ref->digest, digest))
		return error_set(err, ERR_INVALID, "manifest verification failed for digest %s",
				 ref->digest);
	return print_reply(c, &a, cancel_fd, reply, err);
}

int registry_inspect(const struct registry_settings *s, const char *name,
		     const struct registry_auth *auth, int cancel_fd, struct str *reply,
		     struct error *err)
{
	auto_reference ref = {0};
	__attribute__((cleanup(endpoints_free))) struct endpoints e = {NULL, 0};
	auto_free char *domain = NULL;
	int r = -1;

	if (reference_parse(name, &ref, err) < 0)
		return -1;
	reference_default_tag(&ref);
	domain = xstrndup(ref.name, strcspn(ref.name, "/"));
	if (endpoints_of(s, domain, true, &e, err) < 0)
		return -1;
	for (size_t i = 0; i < e.n && r < 0; i++) {
		struct client *c;
		bool reached;

		error_clear(err);
		str_reset(reply);
		c = client_new(s, &e.v[i], auth, strchr(ref.name, '/') + 1, "pull", err);
		reached = c && client_ping(c, cancel_fd, NULL, err) == 0;
		if (reached)
			r = inspect(c, &ref, cancel_fd, reply, err);
		client_unref(c);
		if ((reached && !e.v[i].mirror) || err->kind == ERR_CANCELLED)
			break;
	}
	return r;
}
