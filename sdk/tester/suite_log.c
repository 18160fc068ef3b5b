/* SPDX-License-Identifier: Apache-2.0 */
/* Log drivers: the writer half against a file or sink, the reader half (DOCKERD_LOG_CAP_READ) against what was written. */
#include "kit.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST INT64_C(1700000000000000000) /* time of line 0; each line is one second later */
#define SECOND INT64_C(1000000000)

struct log {
	struct dockerd_log_info info;
	struct dockerd_options *options;
	char *path;
	void *stream;
};

static void log_begin(struct kit *k, struct log *l)
{
	static const struct dockerd_key_value labels[] = {{"com.example.label", "blue"}};
	static const struct dockerd_key_value env[] = {{"COLOUR", "red"}};
	auto_free char *dir = xasprintf("%s/container", k->root);

	mkdir(dir, 0700);
	l->path = xasprintf("%s/0123456789abcdef-json.log", dir);
	l->stream = NULL;
	l->options = kit_options(k, DOCKERD_SCOPE_CONTAINER, NULL);
	l->info = (struct dockerd_log_info){.size = sizeof(l->info),
					    .label_count = 1,
					    .env_count = 1,
					    .container_id = "0123456789abcdef0123456789abcdef"
							    "0123456789abcdef0123456789abcdef",
					    .container_name = "kit",
					    .image_id = "sha256:00",
					    .image_name = "busybox:latest",
					    .command = "sh -c true",
					    .created = FIRST,
					    .log_path = l->path,
					    .daemon_name = "docker",
					    .cancel_fd = -1,
					    .labels = labels,
					    .env = env,
					    .options = l->options};
}

static void log_open(struct kit *k, struct log *l)
{
	kit_open(k);
	log_begin(k, l);
	if (k->plugin->ops.log.validate) {
		struct dockerd_error err = {.size = sizeof(err)};

		kit_must(k, "validate", k->plugin->ops.log.validate(l->options, &err), &err);
	}
	KIT_MUST(k, log, stream_open, &l->info, &l->stream);
}

static void log_close(struct kit *k, struct log *l)
{
	if (l->stream)
		k->plugin->ops.log.stream_close(k->instance.self, l->stream);
	plugin_options_free(l->options);
	free(l->path);
}

static struct dockerd_log_message message(int64_t n, const char *text)
{
	return (struct dockerd_log_message){.size = sizeof(struct dockerd_log_message),
					    .source =
						n % 2 ? DOCKERD_LOG_STDERR : DOCKERD_LOG_STDOUT,
					    .time = FIRST + n * SECOND,
					    .data = text,
					    .length = strlen(text)};
}

static void put(struct kit *k, struct log *l, const struct dockerd_log_message *m, uint32_t n)
{
	uint32_t done = UINT32_MAX;

	KIT_MUST(k, log, write, l->stream, m, n, &done);
	KIT_CHECK(k, done == n, "write took %u messages of %u without an error", done, n);
}

static void flush(struct kit *k, struct log *l)
{
	if (k->plugin->ops.log.flush)
		KIT_MUST(k, log, flush, l->stream);
}

static void put_lines(struct kit *k, struct log *l, int from, int to)
{
	for (int i = from; i < to; i++) {
		char text[32];
		struct dockerd_log_message m;

		snprintf(text, sizeof(text), "line %d", i);
		m = message(i, text);
		put(k, l, &m, 1);
	}
	flush(k, l);
}

static void *reader(struct kit *k, struct log *l, int64_t tail, int64_t since, int64_t until,
		    uint32_t follow)
{
	struct dockerd_log_read how = {
	    .size = sizeof(how), .follow = follow, .since = since, .until = until, .tail = tail};
	void *r = NULL;

	KIT_MUST(k, log, read_open, &l->info, &how, &r);
	return r;
}

static bool next(struct kit *k, void *r, struct dockerd_log_message *m)
{
	*m = (struct dockerd_log_message){.size = sizeof(*m)};
	return KIT_MUST(k, log, read_next, r, m) == 1;
}

static void expect(struct kit *k, void *r, int n)
{
	struct dockerd_log_message m;
	char want[32];

	snprintf(want, sizeof(want), "line %d", n);
	KIT_CHECK(k, next(k, r, &m), "the log ends before '%s'", want);
	KIT_CHECK(k, m.length == strlen(want) && !memcmp(m.data, want, m.length),
		  "read '%.*s', expected '%s'", (int)(m.length > 200 ? 200 : m.length), m.data,
		  want);
	KIT_CHECK(k, m.time == FIRST + n * SECOND, "time of '%s' is %lld, expected %lld", want,
		  (long long)m.time, (long long)(FIRST + n * SECOND));
	KIT_CHECK(k, m.source == (n % 2 ? DOCKERD_LOG_STDERR : DOCKERD_LOG_STDOUT),
		  "'%s' comes from stream %u", want, m.source);
}

static void expect_end(struct kit *k, void *r)
{
	struct dockerd_log_message m;

	KIT_CHECK(k, !next(k, r, &m), "there is more than expected: '%.*s'",
		  (int)(m.length > 200 ? 200 : m.length), m.data);
	k->plugin->ops.log.read_close(k->instance.self, r);
}

/* A later daemon's messages are longer: a driver that steps by its own idea of the size reads the fill. */
static void check_stride(struct kit *k)
{
	struct {
		struct dockerd_log_message m;
		char later[64];
	} batch[3];
	struct log l;

	log_open(k, &l);
	for (int i = 0; i < 3; i++) {
		memset(batch[i].later, 0xa5, sizeof(batch[i].later));
		batch[i].m = message(i, i == 0 ? "line 0" : i == 1 ? "line 1" : "line 2");
		batch[i].m.size = sizeof(batch[i]);
	}
	put(k, &l, &batch[0].m, 3);
	flush(k, &l);
	if (k->plugin->capabilities & DOCKERD_LOG_CAP_READ) {
		void *r = reader(k, &l, -1, INT64_MIN, INT64_MAX, 0);

		for (int i = 0; i < 3; i++)
			expect(k, r, i);
		expect_end(k, r);
	}
	log_close(k, &l);
}

/* ---- checks --------------------------------------------------------------------------------------------------------------------------- */

static void check_write(struct kit *k)
{
	static const char odd[] = "\x01\xff\xfe\"\\<&>\xe2\x82\xac\r\t{}";
	auto_free char *long_line = xmalloc(16384);
	struct dockerd_log_message batch[64];
	struct log l;

	log_open(k, &l);
	for (size_t i = 0; i < ARRAY_LEN(batch); i++)
		batch[i] = message((int64_t)i, i % 3 ? "" : odd);
	memset(long_line, 'x', 16384);
	batch[5].data = long_line;
	batch[5].length = 16384;
	put(k, &l, batch, ARRAY_LEN(batch));
	put(k, &l, batch, 0);
	flush(k, &l);
	log_close(k, &l);
}

static void check_lines(struct kit *k)
{
	static const char odd[] = "quote \" slash \\ <&> tab\t euro \xe2\x82\xac cr\r";
	struct dockerd_log_message m = message(0, odd), got, empty = message(1, "");
	struct log l;
	void *r;

	log_open(k, &l);
	put(k, &l, &m, 1);
	put(k, &l, &empty, 1);
	flush(k, &l);
	r = reader(k, &l, -1, INT64_MIN, INT64_MAX, 0);
	KIT_CHECK(
	    k, next(k, r, &got) && got.length == strlen(odd) && !memcmp(got.data, odd, got.length),
	    "what was written is not what is read");
	KIT_CHECK(k, next(k, r, &got) && got.length == 0, "an empty line is lost");
	expect_end(k, r);
	log_close(k, &l);
}

static void check_partials(struct kit *k)
{
	struct dockerd_log_message m[3], got;
	struct log l;
	void *r;

	log_open(k, &l);
	for (uint32_t i = 0; i < 3; i++) {
		m[i] = message(0, i == 0 ? "one " : i == 1 ? "two " : "three");
		m[i].partial = i < 2;
		m[i].partial_ordinal = i + 1;
		m[i].partial_id = "line-id";
	}
	put(k, &l, m, 3);
	flush(k, &l);
	r = reader(k, &l, -1, INT64_MIN, INT64_MAX, 0);
	for (uint32_t i = 0; i < 3; i++) {
		KIT_CHECK(k, next(k, r, &got), "part %u is lost", i + 1);
		KIT_CHECK(k, got.length == m[i].length && !memcmp(got.data, m[i].data, got.length),
			  "part %u is another text", i + 1);
		KIT_CHECK(k, got.partial == m[i].partial, "part %u: partial is %u", i + 1,
			  got.partial);
	}
	expect_end(k, r);
	log_close(k, &l);
}

static void check_tail(struct kit *k)
{
	static const int tails[] = {0, 1, 7, 499, 500, 501, 100000};
	struct log l;

	log_open(k, &l);
	put_lines(k, &l, 0, 500);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		void *r = reader(k, &l, tails[i], INT64_MIN, INT64_MAX, 0);

		for (int n = tails[i] > 500 ? 0 : 500 - tails[i]; n < 500; n++)
			expect(k, r, n);
		expect_end(k, r);
	}
	log_close(k, &l);
}

static void check_since_until(struct kit *k)
{
	struct log l;
	void *r;

	log_open(k, &l);
	put_lines(k, &l, 0, 20);
	r = reader(k, &l, -1, FIRST + 5 * SECOND, FIRST + 9 * SECOND, 0);
	for (int n = 5; n <= 9; n++)
		expect(k, r, n);
	expect_end(k, r);
	r = reader(k, &l, -1, FIRST + 18 * SECOND + 1, INT64_MAX, 0);
	expect(k, r, 19);
	expect_end(k, r);
	r = reader(k, &l, -1, FIRST + 100 * SECOND, INT64_MAX, 0);
	expect_end(k, r);
	log_close(k, &l);
}

static void check_follow(struct kit *k)
{
	struct dockerd_log_message m;
	struct log l;
	void *r;

	log_open(k, &l);
	put_lines(k, &l, 0, 3);
	r = reader(k, &l, 1, INT64_MIN, INT64_MAX, 1);
	expect(k, r, 2);
	KIT_CHECK(k, !next(k, r, &m), "follow shows what was not written");
	for (int n = 3; n < 200; n++) {
		int fd = k->plugin->ops.log.read_wait_fd
			     ? k->plugin->ops.log.read_wait_fd(k->instance.self, r)
			     : -1;
		struct pollfd p = {.fd = fd, .events = POLLIN};

		put_lines(k, &l, n, n + 1);
		if (fd >= 0)
			KIT_CHECK(k, poll(&p, 1, 10000) == 1,
				  "read_wait_fd does not become readable by a write");
		expect(k, r, n);
		KIT_CHECK(k, !next(k, r, &m), "a line comes twice");
	}
	k->plugin->ops.log.read_close(k->instance.self, r);
	log_close(k, &l);
}

static void check_append(struct kit *k)
{
	struct log l;
	void *r;

	log_open(k, &l);
	put_lines(k, &l, 0, 3);
	k->plugin->ops.log.stream_close(k->instance.self, l.stream);
	kit_close(k);
	kit_open(k);
	KIT_MUST(k, log, stream_open, &l.info, &l.stream);
	put_lines(k, &l, 3, 5);
	r = reader(k, &l, -1, INT64_MIN, INT64_MAX, 0);
	for (int n = 0; n < 5; n++)
		expect(k, r, n);
	expect_end(k, r);
	log_close(k, &l);
}

/* docker logs of a container that never ran, and of one whose driver writes no file. */
static void check_nothing_written(struct kit *k)
{
	struct dockerd_log_read how = {
	    .size = sizeof(how), .since = INT64_MIN, .until = INT64_MAX, .tail = -1};
	struct log l;
	void *r = NULL;

	kit_open(k);
	log_begin(k, &l);
	if (KIT_CALL(k, log, read_open, &l.info, &how, &r) == 0)
		expect_end(k, r);
	log_close(k, &l);
}

static void check_many_streams(struct kit *k)
{
	struct log l;
	void *streams[50];
	struct dockerd_log_message m = message(0, "x");
	uint32_t done;

	kit_open(k);
	log_begin(k, &l);
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		auto_free char *id = xasprintf("%064zu", i), *path = xasprintf("%s.%zu", l.path, i);
		struct dockerd_log_info info = l.info;

		info.container_id = id;
		info.log_path = path;
		KIT_MUST(k, log, stream_open, &info, &streams[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		KIT_MUST(k, log, write, streams[i], &m, 1, &done);
	for (size_t i = ARRAY_LEN(streams); i-- > 0;)
		k->plugin->ops.log.stream_close(k->instance.self, streams[i]);
	log_close(k, &l);
}

static void faults(struct kit *k)
{
	struct dockerd_error err = {.size = sizeof(err)};
	struct dockerd_log_message m = message(0, "a line");
	struct log l;
	uint32_t done = 0;

	if (kit_try_open(k, &err) < 0)
		return;
	log_begin(k, &l);
	if (KIT_CALL(k, log, stream_open, &l.info, &l.stream) < 0) {
		l.stream = NULL;
	} else {
		KIT_CALL(k, log, write, l.stream, &m, 1, &done);
		KIT_CHECK(k, done <= 1, "write of 1 message took %u", done);
		if (k->plugin->ops.log.flush)
			KIT_CALL(k, log, flush, l.stream);
	}
	if (k->plugin->capabilities & DOCKERD_LOG_CAP_READ) {
		struct dockerd_log_read how = {
		    .size = sizeof(how), .since = INT64_MIN, .until = INT64_MAX, .tail = -1};
		struct dockerd_log_message got = {.size = sizeof(got)};
		void *r = NULL;

		if (KIT_CALL(k, log, read_open, &l.info, &how, &r) == 0) {
			KIT_CALL(k, log, read_next, r, &got);
			k->plugin->ops.log.read_close(k->instance.self, r);
		}
	}
	log_close(k, &l);
}

/* A driver whose log the kit can't read must give it to somebody: a file, a pipe, a socket, a program. */
static void check_goes_out(struct kit *k)
{
	struct dockerd_log_message m;
	uint64_t before, calls, bytes = 0;
	struct log l;

	if (k->discards)
		kit_skip(k, "the driver is said to drop what it gets (--discards)");
	kit_load(k);
	if (k->plugin->capabilities & DOCKERD_LOG_CAP_READ)
		kit_skip(k, "its reader half shows what is written");
	log_open(k, &l);
	before = bytes_sent();
	calls = atomic_load(&k->shared->calls);
	for (int i = 0; i < 100; i++) {
		char text[40];

		snprintf(text, sizeof(text), "%d: a line that nobody must lose", i);
		m = message(i, text);
		bytes += m.length;
		put(k, &l, &m, 1);
	}
	flush(k, &l);
	k->plugin->ops.log.stream_close(k->instance.self, l.stream);
	l.stream = NULL;
	KIT_CHECK(k, bytes_sent() - before >= bytes / 10 || atomic_load(&k->shared->calls) != calls,
		  "of 100 messages with %llu bytes, %llu bytes have left the process up to "
		  "stream_close, expected most of them: in a file, a pipe or a socket",
		  (unsigned long long)bytes, (unsigned long long)(bytes_sent() - before));
	log_close(k, &l);
}

/* ---- a sink that does not answer ------------------------------------------------------------------------------------------------------ */

#define BLOCKED_MS 1000 /* a call that takes longer waits for its sink */
#define CANCEL_MS 5000  /* within which it must heed cancel_fd */
#define FLOOD (8u << 20)

struct flood {
	struct kit *k;
	struct log *l;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const char *in; /* the op that is being called; NULL: between them */
	unsigned int calls;
	bool over;
};

static void entering(struct flood *f, const char *op)
{
	pthread_mutex_lock(&f->lock);
	f->in = op;
	f->calls++;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* A container that writes more than any buffer takes. Errors are the driver's right here. */
static void *flood(void *arg)
{
	static char line[16384];
	struct flood *f = arg;
	const struct dockerd_log_ops *ops = &f->k->plugin->ops.log;
	struct dockerd_error err = {.size = sizeof(err)};
	struct dockerd_log_message m = message(0, "");
	void *self = f->k->instance.self;
	uint32_t done;

	memset(line, 'x', sizeof(line));
	m.data = line;
	m.length = sizeof(line);
	entering(f, "stream_open");
	if (ops->stream_open(self, &f->l->info, &f->l->stream, &err) < 0)
		f->l->stream = NULL;
	for (size_t n = 0; f->l->stream && n < FLOOD; n += sizeof(line)) {
		err = (struct dockerd_error){.size = sizeof(err)};
		entering(f, "write");
		if (ops->write(self, f->l->stream, &m, 1, &done, &err) < 0 &&
		    (err.category == DOCKERD_ERR_CANCELLED ||
		     err.category == DOCKERD_ERR_UNAVAILABLE))
			break;
	}
	if (f->l->stream && ops->flush) {
		entering(f, "flush");
		ops->flush(self, f->l->stream, &err);
	}
	if (f->l->stream) {
		entering(f, "stream_close");
		ops->stream_close(self, f->l->stream);
	}
	f->l->stream = NULL;
	pthread_mutex_lock(&f->lock);
	f->over = true;
	f->in = NULL;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* Until the thread is over, or one call has lasted that long: then its name. */
static const char *blocked_in(struct flood *f, unsigned int ms)
{
	const char *in = NULL;

	pthread_mutex_lock(&f->lock);
	while (!f->over && !in) {
		unsigned int was = f->calls;
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += ms / 1000;
		until.tv_nsec += ms % 1000 * 1000000L;
		if (until.tv_nsec >= 1000000000L)
			until.tv_sec++, until.tv_nsec -= 1000000000L;
		while (!f->over && f->calls == was && !in)
			if (pthread_cond_timedwait(&f->changed, &f->lock, &until) == ETIMEDOUT)
				in = f->in;
	}
	pthread_mutex_unlock(&f->lock);
	return in;
}

static void check_cancel(struct kit *k)
{
	struct log l;
	struct flood f = {.k = k,
			  .l = &l,
			  .lock = PTHREAD_MUTEX_INITIALIZER,
			  .changed = PTHREAD_COND_INITIALIZER};
	const char *in;
	pthread_t thread;
	int cancel[2];

	kit_load(k);
	if (k->plugin->capabilities & DOCKERD_LOG_CAP_LOCAL)
		kit_skip(k, "the driver waits for nothing but this machine's disk");
	kit_open(k);
	log_begin(k, &l);
	KIT_CHECK(k, pipe2(cancel, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	l.info.cancel_fd = cancel[0];
	KIT_CHECK(k, pthread_create(&thread, NULL, flood, &f) == 0, "no thread");
	in = blocked_in(&f, BLOCKED_MS);
	close(cancel[1]);
	in = in ? blocked_in(&f, CANCEL_MS) : in;
	KIT_CHECK(
	    k, !in,
	    "%s still waits for its sink %d seconds after cancel_fd became readable, expected "
	    "DOCKERD_ERR_CANCELLED: poll(2) cancel_fd beside the sink",
	    in, CANCEL_MS / 1000);
	pthread_join(thread, NULL);
	close(cancel[0]);
	log_close(k, &l);
}

#define READ DOCKERD_LOG_CAP_READ
static const struct kit_check checks[] = {
    {"writes: batches, odd bytes, empty and long lines", check_write, 0},
    {"messages of a later daemon, which are longer", check_stride, 0},
    {"fifty streams at once", check_many_streams, 0},
    {"what is written leaves the process", check_goes_out, 0},
    {"a sink that does not answer: cancel_fd is heeded", check_cancel, 0},
    {"lines come back as written", check_lines, READ},
    {"parts of a long line", check_partials, READ},
    {"tail", check_tail, READ},
    {"since and until", check_since_until, READ},
    {"follow, woken by its descriptor", check_follow, READ},
    {"a second instance appends", check_append, READ},
    {"reading what was never written", check_nothing_written, READ},
};

const struct kit_suite suite_log = {
    .name = "log", .checks = checks, .n = ARRAY_LEN(checks), .faults = faults, .own_network = true};
