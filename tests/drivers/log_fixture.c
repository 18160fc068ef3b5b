/* SPDX-License-Identifier: Apache-2.0 */
/* See log_fixture.h. Needs the build tree: DOCKERD_LIBEXECDIR, DOCKERD_DRIVER_PATH. */
#include "log_fixture.h"

char root[] = "/tmp/test_log_XXXXXX";
char *run_dir, *log_path;
struct pairs options = PAIRS_INIT;
int serial;
char id[32];
struct process process;
void (*on_restore)(const char *driver);

struct logd_stream stream(void)
{
	return (struct logd_stream){
	    .id = id,
	    .driver = DRIVER,
	    .container_id = id,
	    .container_name = "tester",
	    .image_name = "busybox",
	    .image_id = "sha256:0123456789abcdef",
	    .command = "sh",
	    .log_path = log_path,
	    .options = &options,
	};
}

void fresh(void)
{
	snprintf(id, sizeof(id), "container%d", ++serial);
	free(log_path);
	log_path = xasprintf("%s/c%d/%s-json.log", root, serial, id);
	{
		auto_free char *dir = xasprintf("%s/c%d", root, serial);

		assert_int_equal(mkdir(dir, 0700), 0);
	}
	pairs_free(&options);
	process.in = process.out = process.err = process.console = -1;
	process.held = (struct logd_fds){.in = -1, .out = -1, .err = -1, .console = -1};
}

void ok(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

void start_pipes(const struct logd_stream *s)
{
	struct error err = ERROR_INIT;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	process.in = p[0];
	process.held.in = p[1];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	process.out = p[1];
	process.held.out = p[0];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	process.err = p[1];
	process.held.err = p[0];
	ok(logd_open(s, &err), &err);
	ok(logd_start(DRIVER, id, &process.held, &err), &err);
	if (s->stdin_once)
		fd_close(&process.held.in);
}

void say(int fd, const char *text)
{
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

void finish(void)
{
	struct error err = ERROR_INIT;

	fd_close(&process.out);
	fd_close(&process.err);
	fd_close(&process.console);
	ok(logd_finish(DRIVER, id, 20000, &err), &err);
	ok(logd_remove(DRIVER, id, &err), &err);
	fd_close(&process.in);
	fd_close(&process.held.in);
	fd_close(&process.held.out);
	fd_close(&process.held.err);
	fd_close(&process.held.console);
}

int attach(bool in, bool frames, const char *keys)
{
	struct error err = ERROR_INIT;
	int pair[2];
	struct logd_attach a = {.in = in,
				.out = true,
				.err = true,
				.multiplexed = frames,
				.detach_keys = keys,
				.detach_keys_len = strlen(keys)};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	a.sock = pair[1];
	ok(logd_attach(DRIVER, id, &a, &err), &err);
	return pair[0];
}

void expect(int fd, const void *bytes, size_t n)
{
	auto_free char *got = xmalloc(n + 1);

	assert_int_equal(fd_read_full(fd, got, n), n);
	assert_memory_equal(got, bytes, n);
}

void expect_end(int fd)
{
	char c;

	assert_int_equal(fd_read_full(fd, &c, 1), 0);
	close(fd);
}

void read_log(struct str *out)
{
	struct error err = ERROR_INIT;

	ok(file_read_at(AT_FDCWD, log_path, 64 << 20, out, &err), &err);
}

struct log_reader *open_reader(int64_t tail, bool follow)
{
	struct logd_stream s = stream();
	struct dockerd_log_read how = {.size = sizeof(how),
				       .follow = follow,
				       .since = INT64_MIN,
				       .until = INT64_MAX,
				       .tail = tail};
	struct log_reader *r = NULL;
	struct error err = ERROR_INIT;

	ok(log_reader_open(&s, &how, &r, &err), &err);
	return r;
}

struct read_back {
	struct str *out;
	int n;
};

static bool take_back(void *ctx, const struct dockerd_log_message *m)
{
	struct read_back *b = ctx;

	str_add(b->out, m->data, (size_t)m->length);
	if (!m->partial)
		str_putc(b->out, '\n');
	b->n++;
	return true;
}

int read_back(struct log_reader *r, struct str *out)
{
	struct read_back b = {.out = out};
	struct error err = ERROR_INIT;

	ok(log_reader_read(r, take_back, &b, &err), &err);
	return b.n;
}

static bool take_one(void *ctx, const struct dockerd_log_message *m)
{
	*(struct dockerd_log_message *)ctx = *m;
	return false;
}

int next(struct log_reader *r, struct dockerd_log_message *m, struct error *err)
{
	return log_reader_read(r, take_one, m, err);
}

void expect_log(int64_t tail, const char *text)
{
	auto_str out = STR_INIT;
	struct log_reader *r = open_reader(tail, false);

	read_back(r, &out);
	log_reader_close(r);
	assert_string_equal(str_cstr(&out), text);
}

void number_lines(int from, int to)
{
	auto_str s = STR_INIT;

	for (int i = from; i < to; i++)
		str_printf(&s, "line %d\n", i);
	assert_int_equal(fd_write_all(process.out, s.p, s.len), 0);
}

static void restore(const char *driver)
{
	if (on_restore)
		on_restore(driver);
}

int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(root))
		return -1;
	run_dir = xasprintf("%s/run", root);
	if (mkdir(run_dir, 0700) < 0)
		return -1;
	logd_setup(run_dir, "test", restore);
	log_reader_setup(run_dir, "test");
	{
		auto_free char *dockerd = program_path("dockerd");

		plugin_set_reader(dockerd);
	}
	return 0;
}

int teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	logd_shutdown();
	return dir_remove_all(AT_FDCWD, root, &err);
}
