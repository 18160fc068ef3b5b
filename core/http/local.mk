# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libhttp.a
libhttp_a_SOURCES = core/http/http.h core/http/conn.h core/http/head.c core/http/listen.c core/http/reply.c \
	core/http/route.c core/http/server.c core/http/stream.c core/http/websocket.c core/http/websocket.h core/http/ws_relay.c
