/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSockets, the server's side: RFC 6455. websocket.c is pure (keys and frames), ws_relay.c carries bytes between a client and a socket of
 * ours. No extensions, no subprotocols; a message is a piece of a byte stream, wherever it is cut.
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* Sec-WebSocket-Accept for a client's key. RFC 6455, section 4.2.2. */
void ws_accept(const char *key, char out[29]);
/* An unfragmented frame, unmasked as a server's are, appended. */
void ws_frame(struct str *out, int opcode, const void *data, size_t n);

/* What was read of a client's frames; zeroed before the first. */
struct ws_in {
	unsigned char head[14];
	unsigned int have; /* bytes of the head */
	unsigned int mask_at;
	uint64_t left; /* of the payload; the head is complete while `begun` */
	bool begun, in_message, closed;
	unsigned char control[125];
	unsigned int control_len;
};
/*
 * Takes any number of bytes. Payload of messages goes to data, what must be answered (pongs, the end) to reply. False: the connection is over,
 * by the client's wish or because it broke the protocol; `reply` says so to it, and is the last that is sent.
 */
bool ws_feed(struct ws_in *w, const void *p, size_t n, struct str *data, struct str *reply);

struct http_exchange;
struct error;
/*
 * Take the connection over as a websocket: *sock is the plain side of a relay, the caller's; output goes to the client as messages of that
 * opcode. The connection ends with the client, or when the other end of *sock is closed and everything was sent. ERR_INVALID: no websocket was
 * asked for (the reply is sent); else as http_hijack.
 */
int http_websocket(struct http_exchange *x, int opcode, int *sock, struct error *err);

#endif
