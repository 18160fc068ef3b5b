/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.so: HTTP by libcurl, SHA-256 by libcrypto. See transport.h. Compiled with the base sources it needs; exports one constant.
 * A transport is one multi handle (it keeps the connections) with one easy handle at a time, waiting in curl_multi_poll together with the
 * caller's cancel descriptor.
 */
#include "registry/transport.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS 30L
#define HEAD_MAX (256 * 1024) /* bytes of a reply's headers */

struct transport {
	CURLM *multi;
};

/* One request under way. */
struct exchange {
	const struct transport_request *q;
	struct transport_reply *r;
	CURL *easy;
	char error[CURL_ERROR_SIZE];
	size_t head_bytes;
	size_t sent; /* of q->body */
	bool head_told, stopped;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static struct transport *transport_open(void)
{
	struct transport *t = xnew(struct transport);

	pthread_once(&once, init);
	t->multi = curl_multi_init();
	if (!t->multi)
		abort(); /* only when memory is gone */
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, 4L);
	return t;
}

static void transport_close(struct transport *t)
{
	if (!t)
		return;
	curl_multi_cleanup(t->multi);
	free(t);
}

/* ---- callbacks ------------------------------------------------------------------------------------------------------------------------ */

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * n, name;
	char *colon;

	x->head_bytes += len;
	if (x->head_bytes > HEAD_MAX)
		return 0;
	if (len > 5 && !memcmp(p, "HTTP/", 5)) { /* a new head: 100 Continue, or a proxy's */
		pairs_free(&x->r->headers);
		return len;
	}
	colon = memchr(p, ':', len);
	if (colon) {
		char *key = xstrndup(p, (size_t)(colon - p)), *value;

		name = (size_t)(colon - p);
		for (size_t i = 0; i < name; i++)
			if (key[i] >= 'A' && key[i] <= 'Z')
				key[i] += 'a' - 'A';
		colon++;
		while (colon < p + len && (*colon == ' ' || *colon == '\t'))
			colon++;
		value = xstrndup(colon, (size_t)(p + len - colon));
		value[strcspn(value, "\r\n")] = '\0';
		pairs_add(&x->r->headers, key, value);
		free(key);
		free(value);
	}
	return len;
}

static bool tell_head(struct exchange *x)
{
	long status = 0;

	if (x->head_told)
		return true;
	x->head_told = true;
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	x->r->status = (int)status;
	if (x->q->head && x->q->head(x->q->ctx, x->r->status, &x->r->headers) < 0) {
		x->stopped = true;
		return false;
	}
	return true;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;

	if (!tell_head(x))
		return 0;
	if (x->q->write && x->q->write(x->q->ctx, p, size * n) < 0) {
		x->stopped = true;
		return 0;
	}
	return size * n;
}

static size_t on_read(char *buf, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t room = size * n;
	ssize_t got;

	if (!x->q->read) {
		if (room > x->q->body_len - x->sent)
			room = x->q->body_len - x->sent;
		memcpy(buf, (const char *)x->q->body + x->sent, room);
		x->sent += room;
		return room;
	}
	got = x->q->read(x->q->ctx, buf, room);
	if (got < 0) {
		x->stopped = true;
		return CURL_READFUNC_ABORT;
	}
	return (size_t)got;
}

/* curl starts a body over when a kept connection turns out to be closed. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct exchange *x = arg;

	if (x->q->read || origin != SEEK_SET || (uint64_t)offset > x->q->body_len)
		return CURL_SEEKFUNC_CANTSEEK;
	x->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Which address was tried, for the error text. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = arg;
	char ip[INET6_ADDRSTRLEN] = "";
	unsigned port = 0;

	(void)purpose;
	if (a->family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&a->addr;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		port = ntohs(in->sin_port);
	} else if (a->family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)&a->addr;

		inet_ntop(AF_INET6, &in->sin6_addr, ip, sizeof(ip));
		port = ntohs(in->sin6_port);
	}
	if (*ip)
		snprintf(x->r->peer, sizeof(x->r->peer),
			 a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, port);
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- one request ---------------------------------------------------------------------------------------------------------------------- */

static void set_tls(CURL *e, const struct transport_tls *tls)
{
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	if (tls->ca && tls->ca->len) {
		/* The directory of the system's certificates stays in force beside it. */
		struct curl_blob blob = {
		    .data = tls->ca->p, .len = tls->ca->len, .flags = CURL_BLOB_COPY};

		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob);
	}
	if (tls->cert) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, tls->cert);
		curl_easy_setopt(e, CURLOPT_SSLKEY, tls->key);
	}
}

static void set_body(CURL *e, struct exchange *x)
{
	const struct transport_request *q = x->q;

	if (!q->read && !q->body)
		return;
	curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(e, CURLOPT_READDATA, x);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	if (!q->read)
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_len);
}

static struct curl_slist *set_up(struct exchange *x)
{
	const struct transport_request *q = x->q;
	struct curl_slist *headers = NULL;
	CURL *e = x->easy;

	for (size_t i = 0; q->headers && i < q->headers->n; i++)
		headers = curl_slist_append(headers, q->headers->v[i]);
	headers = curl_slist_append(headers, "Expect:"); /* no second of waiting */
	curl_easy_setopt(e, CURLOPT_URL, q->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, q->proxy ? q->proxy : "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)q->idle_s);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 128L * 1024);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	set_tls(e, &q->tls);
	set_body(e, x);
	if (!strcmp(q->method, "HEAD"))
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
	return headers;
}

/* Until the transfer has ended; false: cancelled. */
static bool run(CURLM *multi, int cancel_fd, CURLcode *result)
{
	struct curl_waitfd cancel = {.fd = cancel_fd, .events = CURL_WAIT_POLLIN};
	int running = 1;

	*result = CURLE_OK;
	for (;;) {
		CURLMsg *m;
		int left;

		if (curl_multi_perform(multi, &running) != CURLM_OK) {
			*result = CURLE_OUT_OF_MEMORY;
			return true;
		}
		while ((m = curl_multi_info_read(multi, &left)))
			if (m->msg == CURLMSG_DONE) {
				*result = m->data.result;
				return true;
			}
		if (!running)
			return true;
		cancel.revents = 0;
		curl_multi_poll(multi, &cancel, cancel_fd >= 0, 60000, NULL);
		if (cancel.revents)
			return false;
	}
}

static enum transport_fault classify(struct exchange *x, CURLcode code)
{
	long sys = 0;

	if (x->stopped)
		return TRANSPORT_STOPPED;
	switch (code) {
	case CURLE_OK:
		return TRANSPORT_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TRANSPORT_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &sys);
		x->r->sys = sys ? (int)sys : ECONNREFUSED;
		return TRANSPORT_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSPORT_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
		return strstr(x->error, "wrong version number") ||
			       strstr(x->error, "packet length too long") ||
			       strstr(x->error, "http request")
			   ? TRANSPORT_PLAIN
			   : TRANSPORT_BROKEN;
	case CURLE_PEER_FAILED_VERIFICATION:
		return TRANSPORT_VERIFY;
	default:
		return TRANSPORT_BROKEN;
	}
}

static int perform(struct transport *t, const struct transport_request *q,
		   struct transport_reply *reply)
{
	struct exchange x = {.q = q, .r = reply, .easy = curl_easy_init()};
	struct curl_slist *headers;
	char *redirect = NULL;
	CURLcode code;

	*reply = (struct transport_reply){.status = 0};
	if (!x.easy)
		abort(); /* only when memory is gone */
	headers = set_up(&x);
	curl_multi_add_handle(t->multi, x.easy);
	if (run(t->multi, q->cancel_fd, &code)) {
		if (code == CURLE_OK && !tell_head(&x))
			code = CURLE_WRITE_ERROR;
		reply->fault = classify(&x, code);
	} else {
		reply->fault = TRANSPORT_CANCELLED;
		code = CURLE_ABORTED_BY_CALLBACK;
	}
	if (code != CURLE_OK)
		snprintf(reply->text, sizeof(reply->text), "%s",
			 *x.error ? x.error : curl_easy_strerror(code));
	if (curl_easy_getinfo(x.easy, CURLINFO_REDIRECT_URL, &redirect) == CURLE_OK && redirect)
		reply->redirect = xstrdup(redirect);
	curl_multi_remove_handle(t->multi, x.easy);
	curl_easy_cleanup(x.easy);
	curl_slist_free_all(headers);
	return reply->fault == TRANSPORT_OK ? 0 : -1;
}

/* ---- digests -------------------------------------------------------------------------------------------------------------------------- */

static struct digester *digest_new(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
		abort(); /* libcrypto without SHA-256, or no memory */
	return (struct digester *)c;
}

static void digest_add(struct digester *d, const void *p, size_t n)
{
	EVP_DigestUpdate((EVP_MD_CTX *)d, p, n);
}

static void digest_end(struct digester *d, char out[DIGEST_TEXT])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_DigestFinal_ex((EVP_MD_CTX *)d, md, &n);
	memcpy(out, "sha256:", 7);
	hex_encode(md, n, out + 7);
}

static void digest_free(struct digester *d)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)d);
}

extern const struct registry_module dockerd_registry_module;
__attribute__((visibility("default"))) const struct registry_module dockerd_registry_module = {
    .build = REGISTRY_MODULE_BUILD,
    .open = transport_open,
    .close = transport_close,
    .perform = perform,
    .digest_new = digest_new,
    .digest_add = digest_add,
    .digest_end = digest_end,
    .digest_free = digest_free,
};
