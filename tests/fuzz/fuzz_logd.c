/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-logd's requests: each input is a sequence of u16 length + packet, sent behind a proper hello over a connection that the real
 * control, stream and client code serves. Log drivers are left out: opening a sink fails.
 */
#include "../../servers/logd/logd.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sink *sink_open(struct stream *s, const struct told *t, const struct sink_mode *mode,
		       struct error *err)
{
	(void)s;
	(void)t;
	(void)mode;
	error_set(err, ERR_UNAVAILABLE, "no driver");
	return NULL;
}

/* Never reached: there is no sink. */
void sink_write(struct sink *k, const struct dockerd_log_message *m, uint32_t n)
{
	(void)k;
	(void)m;
	(void)n;
}

bool sink_wants(const struct sink *k)
{
	return k != NULL;
}

bool sink_full(struct sink *k)
{
	return k != NULL;
}

struct sink *sink_open_copy(struct stream *s, const struct told *t, struct error *err)
{
	struct sink_mode mode = {0};

	return sink_open(s, t, &mode, err);
}

void sink_flush(struct sink *k)
{
	(void)k;
}

bool sink_opening(struct sink *k)
{
	return k != NULL;
}

void sink_drain(struct sink *k)
{
	(void)k;
}

void sink_close(struct sink *k)
{
	(void)k;
}

static int64_t rounds;

static int64_t at_once(void)
{
	return 0;
}

static void count(int64_t now)
{
	stream_tick(now);
	if (--rounds <= 0)
		loop_stop();
}

static void go_round(int n)
{
	rounds = n;
	loop_run(at_once, count);
}

static void drop_streams(void)
{
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&streams, &i)))
		stream_remove(e->value);
	go_round(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	static int listener = -1;
	struct error err = ERROR_INIT;
	struct msg hello;
	int sock;

	if (listener < 0) {
		snprintf(path, sizeof(path), "/tmp/fuzz_logd.%d", (int)getpid());
		listener = msg_listen(path, &err);
		if (listener < 0 || loop_setup(&err) < 0 || control_setup(listener, &err) < 0)
			abort();
	}
	sock = msg_connect(path, &err);
	if (sock < 0)
		abort();
	msg_init(&hello, MSG_HELLO);
	msg_put_u32(&hello, TAG_VERSION_MIN, 1);
	msg_put_u32(&hello, TAG_VERSION_MAX, 1);
	msg_send(sock, &hello, &err);
	msg_free(&hello);
	go_round(2);
	while (size >= 2) {
		size_t n = data[0] | (size_t)data[1] << 8;

		data += 2;
		size -= 2;
		if (n > size)
			n = size;
		if (n && send(sock, data, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		data += n;
		size -= n;
		go_round(1);
	}
	close(sock);
	go_round(2);
	drop_streams();
	return 0;
}

__attribute__((destructor)) static void remove_socket(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/fuzz_logd.%d", (int)getpid());
	unlink(path);
}
