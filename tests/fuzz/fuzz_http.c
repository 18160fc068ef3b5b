/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: requests as they come off a socket. A head, its URI and its body, then the next, until the bytes end; the body is read as a
 * handler reads it. What is left of a connection is what the server would wait for.
 */
#include "http/conn.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The server's part that is not run here. */
void http_conn_done(struct http_conn *c, bool keep_alive)
{
	(void)c, (void)keep_alive;
}

static void routes(struct http_exchange *x)
{
	static const struct http_route table[] = {
	    {"GET", "/containers/{name}/json", NULL, 0},
	    {"GET", "/images/{name:*}/json", NULL, 0},
	    {"POST", "/images/{name:*}/tag", NULL, 0},
	    {"DELETE", "/images/{name:*}", NULL, 0},
	};

	if (http_match(x, table, ARRAY_LEN(table)) &&
	    strlen(http_param(x, "name")) > strlen(x->path))
		abort();
}

static bool one(struct http_conn *c, struct http_server *s, size_t len)
{
	struct http_exchange x = {.server = s, .conn = c, .route = "", .method = ""};
	struct error err = ERROR_INIT;
	char buf[100];
	ssize_t n = -1;

	if (http_parse_head(&x, len, &err) == 0) {
		routes(&x);
		http_query_bool(&x, "all", false);
		while ((n = http_body_read(&x, buf, sizeof(buf), &err)) > 0)
			;
	}
	http_exchange_free(&x);
	return n == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_server s = {.epoll = -1};
	struct http_conn c = {.server = &s};
	int pair[2];
	ssize_t n;

	/* the socket has ended: what is not in the buffer never comes */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	shutdown(pair[1], SHUT_WR);
	c.fd = pair[0];
	str_add(&c.in, data, size);
	while ((n = http_head_length(&c)) > 0 && one(&c, &s, (size_t)n))
		str_reset(&c.decoded);
	str_free(&c.in);
	str_free(&c.decoded);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
