/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server (RFC 9112) of the Engine API.
 *
 * Threads: a few equal workers wait on one epoll set that holds the listeners and every idle or half-read connection. The worker that gets a
 * complete request head runs its handler in straight blocking code; before it starts, it makes sure that another one waits. A
 * reply that goes on for long (events, logs -f, wait) leaves the worker for the stream loop (http_reply_stream), and a connection that
 * stops being HTTP leaves the server altogether (http_hijack).
 *
 * An exchange belongs to the thread that runs its handler, and is over when the handler returns.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

struct http_server;
struct http_conn;

/* One request and its reply. */
struct http_exchange {
	struct http_server *server;
	struct http_conn *conn;
	/* request */
	const char *method; /* "GET", ... */
	const char *uri;    /* as sent */
	char *path;         /* decoded, without version prefix and query */
	int api_version;    /* of the client: 1.47 -> 47; ours if the path has none */
	struct pairs query; /* decoded, in order; repeated keys stand repeated */
	struct pairs headers;
	struct pairs params;    /* {name} parts of the route */
	const char *route;      /* pattern that matched, "" while none has */
	int64_t content_length; /* -1: none given */
	bool chunked;
	bool head_only; /* HEAD: the body is left out */
	bool upgrade;   /* the client asks to switch protocols */
	bool expect_continue;
	int64_t peer_uid, peer_gid, peer_pid; /* unix peers; -1 otherwise */
	const char *peer_name; /* common name of a TLS client's verified certificate, or "" */
	/* reply */
	struct pairs reply_headers;
	int status; /* 0 until the head was sent */
	bool reply_chunked, keep_alive, hijacked, streaming, vetoed;
	int64_t body_read; /* bytes of the decoded request body handed out */
	bool body_done;
	struct str preread; /* body bytes that were read ahead (authorization) and come first */
	struct str
	    shown; /* the request's body as authorization saw it, if its reply will be asked about */
	uint32_t shown_state;
};

typedef void (*http_handler)(struct http_exchange *x, void *ctx);
/*
 * Asked before the head of a reply goes out, with its body if that is known (NULL: a stream, or a connection that is taken over).
 * content_type may be NULL. -1 with err: the error is sent instead. Not asked for the replies that it causes itself.
 */
typedef int (*http_reply_hook)(struct http_exchange *x, int status, const char *content_type,
			       const char *body, size_t len, struct error *err);

/* ---- Server ------------------------------------------------------------------------------------------------------------------- */

struct http_server *http_server_new(http_handler handler, void *ctx);
/* Before start. NULL: none. */
void http_server_set_reply_hook(struct http_server *s, http_reply_hook hook);
/* Accept on fd (listening, owned from now on). Before or after start. */
int http_server_listen(struct http_server *s, int fd, struct error *err);
/*
 * Serve a client whose connection somebody else accepted and relays (TLS): fd is its plain side, the server's from now on; name as peer_name.
 * Any thread.
 */
void http_server_take(struct http_server *s, int fd, const char *name);
int http_server_start(struct http_server *s, struct error *err);
/* Accept no more connections; those that there are are served on. */
void http_server_close(struct http_server *s);
/* Take no more requests, let running handlers end: false if one has not within timeout_ms. */
bool http_server_stop(struct http_server *s, int timeout_ms);

/*
 * Listening sockets for one -H value: unix://PATH (mode 0660, `group`; a stale socket is replaced, a live one refused), tcp://HOST[:PORT],
 * fd://[NAME or number] (systemd socket activation, sd_listen_fds(3); may give several). Appends to fds.
 */
int http_listen(const char *host, const char *group, int **fds, size_t *n, struct error *err);

/* ---- Request ------------------------------------------------------------------------------------------------------------------ */

const char *http_header(const struct http_exchange *x, const char *name);
/* First value of a query parameter, or fallback. */
const char *http_query(const struct http_exchange *x, const char *name, const char *fallback);
bool http_has_query(const struct http_exchange *x, const char *name);
/* moby's boolean: "", "0", "no", "false", "none" are false. */
bool http_query_bool(const struct http_exchange *x, const char *name, bool fallback);
/* Part of the path. */
const char *http_param(const struct http_exchange *x, const char *name);
/* Decoded body: bytes, 0 at its end, -1 with err. Blocks. Sends 100-continue first if the client waits for it. */
ssize_t http_body_read(struct http_exchange *x, void *buf, size_t n, struct error *err);
/* Some of it into a pipe, by splice(2) where that can be: bytes, 0 at the end, -1 with err. err->sys EPIPE: nobody reads the pipe any more. */
ssize_t http_body_pass(struct http_exchange *x, int pipe, struct error *err);
/* All of it, at most max bytes (ERR_TOO_LARGE). */
int http_body_all(struct http_exchange *x, size_t max, struct str *out, struct error *err);
/* JSON body as moby reads it: content type, emptiness, trailing data checked with its messages. `required`: an empty body is an error. NULL
 * with err, or NULL without (err->kind ERR_NONE) for an allowed empty one. */
json *http_body_json(struct http_exchange *x, bool required, struct error *err);
/* True once the client has closed its side or vanished; never blocks. */
bool http_client_gone(struct http_exchange *x);
/* Blocks until fd is readable (true) or the client has gone (false). */
bool http_wait(struct http_exchange *x, int fd);

/* ---- Reply -------------------------------------------------------------------------------------------------------------------- */

/* Header for the reply's head; replaces an equal one. */
void http_set_header(struct http_exchange *x, const char *name, const char *value);
/* Whole reply. content_type NULL: none. */
void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body,
		size_t n);
/* JSON value; a newline is added as Go's encoder does. */
void http_reply_json(struct http_exchange *x, int status, struct str *body);
void http_reply_empty(struct http_exchange *x, int status);
/* {"message": ...} with the kind's status. */
void http_reply_error(struct http_exchange *x, const struct error *err);
/* Reply of unknown length from this thread: head, then pieces, then the end (chunked for HTTP/1.1). -1: the client is gone. */
int http_begin(struct http_exchange *x, int status, const char *content_type);
int http_write(struct http_exchange *x, const void *p, size_t n);
/* The same with n bytes that are in a pipe, without a copy. */
int http_write_pipe(struct http_exchange *x, int pipe, size_t n);
void http_end(struct http_exchange *x);

/*
 * Take the connection over. Sends the head of the switch (101 UPGRADED if the client asked to upgrade, else 200 and close) with
 * content_type, gives the socket and the bytes that came behind the request. The caller owns the socket. -1: the client is gone (ERR_CANCELLED),
 * or the reply hook has refused and its answer is sent (ERR_DENIED).
 */
int http_hijack(struct http_exchange *x, const char *content_type, int *sock, struct str *pending,
		struct error *err);

/* ---- Streams ------------------------------------------------------------------------------------------------------------------ */

struct http_stream;

/* Where a stream's bytes come from. All calls come from the stream loop's thread, one at a time per stream; none may block. */
struct http_source {
	/*
	 * Append at most about 64 KiB to out. It is asked again only when that was sent.
	 * HTTP_MORE: ask again; HTTP_LATER: nothing (more) now, http_stream_wake will be called, or wait_fd become readable; HTTP_END.
	 */
	int (*fill)(void *ctx, struct str *out);
	/* The stream is over (ended, or the client went away): release ctx. After this http_stream_wake must not be called. */
	void (*done)(void *ctx);
	/* The stream exists: keep `s` for http_stream_wake. May be NULL. */
	void (*started)(void *ctx, struct http_stream *s);
	int wait_fd; /* borrowed descriptor, -1: none */
};
enum { HTTP_LATER = 0, HTTP_MORE = 1, HTTP_END = 2 };

/* Send the head and hand the rest of the reply to the stream loop. The handler returns after it. */
void http_reply_stream(struct http_exchange *x, int status, const char *content_type,
		       const struct http_source *source, void *ctx);
/* Ask the source again. Any thread, never blocks; the caller makes sure that `done` has not run (by a lock that done takes). */
void http_stream_wake(struct http_stream *s);

/* ---- Routes ------------------------------------------------------------------------------------------------------------------- */

/*
 * "/containers/{name}/json"; {name:*} matches over slashes. Tried in order; the path is decoded, without the version prefix.
 */
struct http_route {
	const char *method;
	const char *pattern;
	http_handler handler;
	unsigned int flags;
};
#define HTTP_SLASHES \
	1u /* as if each parameter were {name:*}; the route is still called by its pattern */

/* Split path and query out of the URI, decode, take the version prefix off. ERR_INVALID for bad escapes. */
int http_parse_uri(struct http_exchange *x, const char *uri, int default_version, bool *has_version,
		   struct error *err);
/* The route of method and path, params filled; NULL: none. */
const struct http_route *http_match(struct http_exchange *x, const struct http_route *routes,
				    size_t n);

#endif
