/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the relay. Nothing here waits: sockets are non-blocking or asked not to block. */
#include "tls/relay.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <mbedtls/oid.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ROUNDS 16 /* chunks in a turn */

static int tls_send(void *ctx, const unsigned char *p, size_t n)
{
	ssize_t r = send(((const struct session *)ctx)->sock, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
							 : MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)r;
}

static int tls_recv(void *ctx, unsigned char *p, size_t n)
{
	ssize_t r = recv(((const struct session *)ctx)->sock, p, n, MSG_DONTWAIT);

	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
							 : MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)r;
}

struct session *session_new(struct identity *id, int sock, const char *peer)
{
	struct session *s = xnew(struct session);

	s->sock = sock;
	s->plain = -1;
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	mbedtls_ssl_init(&s->ssl);
	if (mbedtls_ssl_setup(&s->ssl, &id->conf)) {
		session_free(s);
		return NULL;
	}
	mbedtls_ssl_set_bio(&s->ssl, s, tls_send, tls_recv, NULL);
	return s;
}

void session_free(struct session *s)
{
	mbedtls_ssl_free(&s->ssl);
	fd_close(&s->sock);
	fd_close(&s->plain);
	free(s->in.bytes);
	free(s->out.bytes);
	free(s);
}

/*
 * Our last byte is sent. The client gets the time to read it: a close with unread bytes behind it would be a reset, and take ours back.
 */
static void part(struct session *s)
{
	shutdown(s->sock, SHUT_WR);
	mbedtls_ssl_free(&s->ssl);
	s->state = SESSION_LINGER;
}

/* ---- The handshake --------------------------------------------------------------------------------------------------------------- */

/* Common name of a verified certificate, or "". A name with a zero byte or too long is none: it could pass for another. */
static void name_of(const struct session *s, char name[256])
{
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&s->ssl);

	*name = '\0';
	if (!crt || mbedtls_ssl_get_verify_result(&s->ssl) != 0)
		return;
	for (const mbedtls_x509_name *n = &crt->subject; n; n = n->next) {
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) != 0)
			continue;
		if (n->val.len < 256 && !memchr(n->val.p, '\0', n->val.len)) {
			memcpy(name, n->val.p, n->val.len);
			name[n->val.len] = '\0';
		}
		return;
	}
}

enum greeting { GREETING_TLS, GREETING_HTTP, GREETING_GONE, GREETING_LATER };

/* Somebody may not know that we speak TLS: moby tells him (net/http's words). */
static enum greeting greeting_of(const struct session *s)
{
	static const char *const methods[] = {"GET /", "HEAD ", "POST ", "PUT /", "DELET", "OPTIO"};
	char five[5];
	ssize_t n = recv(s->sock, five, sizeof(five), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return GREETING_LATER;
	if (n <= 0)
		return GREETING_GONE;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strncmp(five, methods[i], (size_t)n) == 0)
			return n == sizeof(five) ? GREETING_HTTP : GREETING_LATER;
	return GREETING_TLS;
}

static void answer_http(struct session *s, const char **why)
{
	static const char text[] = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to "
				   "an HTTPS server.\n";

	send(s->sock, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	part(s);
	*why = "client sent an HTTP request to an HTTPS server";
}

static void greet(struct session *s, const char **why)
{
	switch (greeting_of(s)) {
	case GREETING_TLS:
		s->state = SESSION_HANDSHAKE;
		break;
	case GREETING_HTTP:
		answer_http(s, why);
		break;
	case GREETING_GONE:
		s->state = SESSION_DEAD;
		break;
	case GREETING_LATER:
		break;
	}
}

static void shake_hands(struct session *s, int *daemon, char name[256], const char **why,
			char text[128])
{
	int pair[2], r = mbedtls_ssl_handshake(&s->ssl);

	if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
		return;
	if (r) {
		*why = identity_error(r, text);
		/* all others mbedTLS tells the client itself; the CLI knows this word and says what to do */
		if (r == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
			mbedtls_ssl_send_alert_message(&s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
						       MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
		part(s);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		*why = strerror(errno);
		s->state = SESSION_DEAD;
		return;
	}
	name_of(s, name);
	s->plain = pair[0];
	*daemon = pair[1];
	s->in.bytes = xmalloc(TLS_CHUNK);
	s->out.bytes = xmalloc(TLS_CHUNK);
	s->state = SESSION_OPEN;
}

/* ---- Bytes ----------------------------------------------------------------------------------------------------------------------- */

/* True: something moved. */
static bool from_client(struct session *s)
{
	bool moved = false;

	if (!s->in.len && !s->in.ended) {
		int r = mbedtls_ssl_read(&s->ssl, s->in.bytes, TLS_CHUNK);

		if (r > 0) {
			s->in.len = (size_t)r;
			s->in.at = 0;
			moved = true;
		} else if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
			s->in.ended = moved = true;
#if MBEDTLS_VERSION_MAJOR >= 3
		} else if (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
			moved = true;
#endif
		} else if (r != MBEDTLS_ERR_SSL_WANT_READ && r != MBEDTLS_ERR_SSL_WANT_WRITE) {
			s->state = SESSION_DEAD; /* gone without a word, or malformed */
			return false;
		}
	}
	if (s->in.len) {
		ssize_t n =
		    send(s->plain, s->in.bytes + s->in.at, s->in.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			s->in.len = 0; /* the daemon reads no more: what comes goes nowhere */
			return true;
		}
		if (n > 0) {
			s->in.at += (size_t)n;
			s->in.len -= (size_t)n;
			moved = true;
		}
	}
	if (s->in.ended && !s->in.len && !s->in.told) {
		shutdown(s->plain, SHUT_WR);
		s->in.told = true;
	}
	return moved;
}

static bool to_client(struct session *s)
{
	bool moved = false;

	if (!s->out.len && !s->out.ended) {
		ssize_t n = recv(s->plain, s->out.bytes, TLS_CHUNK, MSG_DONTWAIT);

		if (n > 0) {
			s->out.len = (size_t)n;
			s->out.at = 0;
			moved = true;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			s->out.ended = moved = true;
		}
	}
	if (s->out.len) {
		/* on WANT_WRITE it is asked again with the same bytes, as mbedTLS demands */
		int r = mbedtls_ssl_write(&s->ssl, s->out.bytes + s->out.at, s->out.len);

		if (r > 0) {
			s->out.at += (size_t)r;
			s->out.len -= (size_t)r;
			moved = true;
		} else if (r != MBEDTLS_ERR_SSL_WANT_WRITE && r != MBEDTLS_ERR_SSL_WANT_READ) {
			s->state = SESSION_DEAD;
			return false;
		}
	}
	if (s->out.ended && !s->out.len && !s->out.told) {
		int r = mbedtls_ssl_close_notify(&s->ssl);

		if (r == MBEDTLS_ERR_SSL_WANT_WRITE)
			return moved;
		s->out.told = true;
	}
	return moved;
}

/* Both sides have ended, or the daemon has closed the connection. */
static void maybe_end(struct session *s)
{
	if (s->out.told && (s->state == SESSION_GONE || s->in.told))
		part(s);
}

static void linger(struct session *s)
{
	char sink[4096];
	ssize_t n;

	for (int i = 0; i < ROUNDS; i++) {
		n = recv(s->sock, sink, sizeof(sink), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			s->state = SESSION_DEAD;
			return;
		}
	}
}

static bool is_open(const struct session *s)
{
	return s->state == SESSION_OPEN || s->state == SESSION_GONE;
}

bool session_pump(struct session *s, int *daemon, char name[256], const char **why, char text[128])
{
	bool more = true;

	if (s->state == SESSION_NEW)
		greet(s, why);
	if (s->state == SESSION_HANDSHAKE) {
		shake_hands(s, daemon, name, why, text);
		return s->state == SESSION_OPEN || s->state == SESSION_LINGER;
	}
	for (int i = 0; more && i < ROUNDS && is_open(s); i++) {
		bool in = from_client(s);

		more = is_open(s) && to_client(s);
		more = more || in;
		if (is_open(s))
			maybe_end(s);
	}
	if (s->state == SESSION_LINGER) {
		linger(s);
		return false;
	}
	return more && is_open(s);
}
