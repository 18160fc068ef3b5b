/* SPDX-License-Identifier: Apache-2.0 */
/* The client of socket plugins: names, where plugins are found, replies of servers that are not what they should be; questions of authorization. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "authz/remote.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "plugin/remote/remote_int.h"

static char dir[] = "/tmp/test_remote.XXXXXX";

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	auto_free char *path = in_dir(name);
	auto_close fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void make(const char *name)
{
	auto_free char *path = in_dir(name);

	assert_int_equal(mkdir(path, 0700), 0);
}

static int listen_at(const char *name)
{
	auto_free char *path = in_dir(name);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	assert_true(strlen(path) < sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int set_up(void **state)
{
	auto_free char *path = NULL;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	path = xasprintf("%s/run:%s/etc:%s/lib", dir, dir, dir);
	setenv("DOCKERD_PLUGIN_PATH", path, 1);
	make("run");
	make("etc");
	make("lib");
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return dir_remove_all(AT_FDCWD, dir, &err);
}

/* ---- Where they are ------------------------------------------------------------------------------------------------------------------ */

static void test_names(void **state)
{
	static const char *const good[] = {"a", "x1", "rexray", "a.b-c_d", "0"}, *const bad[] = {
										     "",     ".",
										     "..",   "a/b",
										     "../a", "-a",
										     ".a",   "a b",
										     "a:b"};
	auto_free char *longest = xmalloc(301);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(remote_name_ok(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(remote_name_ok(bad[i]));
	memset(longest, 'a', 300);
	longest[300] = '\0';
	assert_false(remote_name_ok(longest));
}

static void address_is(const char *name, const char *want)
{
	struct error err = ERROR_INIT;
	auto_free char *address = remote_address(name, &err), *full = NULL;

	if (str_after(want, "unix://run"))
		full = xasprintf("unix://%s/%s", dir, want + 7);
	assert_non_null(address);
	assert_string_equal(address, full ? full : want);
}

static void refused(const char *name, enum error_kind kind, const char *part)
{
	struct error err = ERROR_INIT;

	assert_null(remote_address(name, &err));
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.text, part));
}

static void test_addresses(void **state)
{
	auto_close one = listen_at("run/one.sock"), two = -1;

	(void)state;
	make("run/two");
	two = listen_at("run/two/two.sock");
	put("run/plain.sock", "no socket");
	put("etc/one.spec", "tcp://ignored:1");
	put("etc/spec.spec", "\n  tcp://127.0.0.1:99 \n");
	make("etc/inner");
	put("etc/inner/inner.spec", "http://[::1]:99");
	put("etc/json.json", "{\"Name\":\"other\",\"Addr\":\"unix:///x\",\"TLSConfig\":null}");
	put("lib/spec.spec", "unix:///second");
	put("lib/lib.spec", "unix:///lib");
	put("lib/both.json", "{\"Addr\":\"unix:///j\"}");
	put("lib/both.spec", "unix:///s");
	put("lib/empty.spec", "");
	put("lib/none.spec", "://x");
	put("lib/ssl.spec", "https://x");
	put("lib/npipe.spec", "npipe:////./pipe/x");
	put("lib/tls.json", "{\"Addr\":\"tcp://x\",\"TLSConfig\":{}}");
	put("lib/bad.json", "{\"Addr\":");
	address_is("one", "unix://run/one.sock");
	address_is("two", "unix://run/two/two.sock");
	address_is("spec", "tcp://127.0.0.1:99");
	address_is("inner", "http://[::1]:99");
	address_is("json", "unix:///x");
	address_is("lib", "unix:///lib");
	address_is("both", "unix:///s");
	refused("nobody", ERR_NOT_FOUND, "plugin \"nobody\" not found");
	refused("plain", ERR_NOT_FOUND, "plugin \"plain\" not found");
	refused("../run/one", ERR_NOT_FOUND, "plugin \"../run/one\" not found");
	refused("empty", ERR_SYSTEM, "Unknown protocol");
	refused("none", ERR_SYSTEM, "Unknown protocol");
	refused("npipe", ERR_SYSTEM, "none of unix, tcp, http");
	refused("ssl", ERR_NOT_IMPLEMENTED, "not asked over TLS");
	refused("tls", ERR_NOT_IMPLEMENTED, "not asked over TLS");
	refused("bad", ERR_INVALID, "");
	unsetenv("DOCKERD_PLUGIN_PATIENCE");
}

static void test_scan(void **state)
{
	auto_strlist names = STRLIST_INIT;
	auto_free char *all = NULL;

	(void)state;
	remote_scan(&names);
	all = strlist_join(&names, " ");
	/* those of test_addresses; a file that is no socket is seen by its name alone, and fails when it is asked */
	assert_string_equal(all,
			    "bad both empty inner json lib none npipe one plain spec ssl tls two");
}

/* ---- Replies ------------------------------------------------------------------------------------------------------------------------ */

struct server {
	int fd;
	const char *reply;
	size_t repeat; /* how often the end of the reply is sent */
	struct str seen;
};

static void *serve(void *arg)
{
	struct server *s = arg;
	auto_close fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;

	while (!strstr(str_cstr(&s->seen), "\r\n\r\n{\"a\":1}")) {
		n = read(fd, str_reserve(&s->seen, 1024), 1023);
		if (n <= 0)
			return NULL;
		s->seen.len += (size_t)n;
		s->seen.p[s->seen.len] = '\0';
	}
	n = send(fd, s->reply, strlen(s->reply), MSG_NOSIGNAL);
	for (size_t i = 0; n > 0 && i < s->repeat; i++)
		n = send(fd, s->reply, strlen(s->reply), MSG_NOSIGNAL);
	if (s->repeat == SIZE_MAX)
		(void)!read(fd, &n, 1); /* silent, until the client goes */
	return NULL;
}

static int ask(struct server *s, int seconds, struct remote_reply *out, bool *again,
	       struct error *err)
{
	auto_free char *address = xasprintf("unix://%s/run/one.sock", dir);
	auto_str body = STR_INIT;
	pthread_t t;
	int r;

	str_puts(&body, "{\"a\":1}");
	assert_int_equal(pthread_create(&t, NULL, serve, s), 0);
	r = remote_post(address, "X.Y", &body, seconds, out, again, err);
	pthread_join(t, NULL);
	return r;
}

static void test_replies(void **state)
{
	static const struct {
		const char *reply;
		int status; /* 0: fails */
		const char *text;
		bool again;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}trailing", 200, "{}", false},
	    {"HTTP/1.1 200 OK\r\n\r\n{\"x\":2}", 200, "{\"x\":2}", false},
	    {"HTTP/1.0 500 no\r\n\r\n", 500, "", false},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
	     200, "{}", false},
	    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 1152921504606846976\r\n\r\nx", 0, "unexpected EOF",
	     false},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx", 0, "malformed",
	     false},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", 0, "malformed", false},
	    {"nonsense\r\n\r\n", 0, "malformed", false},
	    {"", 0, ": EOF", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct remote_reply out = {.body = STR_INIT};
		struct error err = ERROR_INIT;
		struct server s = {.reply = cases[i].reply, .seen = STR_INIT};
		bool again;
		int r;

		s.fd = listen_at("run/one.sock");
		r = ask(&s, 60, &out, &again, &err);
		assert_int_equal(r < 0 ? 0 : out.status, cases[i].status);
		assert_int_equal(again, cases[i].again);
		if (r < 0)
			assert_non_null(strstr(err.text, cases[i].text));
		else
			assert_string_equal(str_cstr(&out.body), cases[i].text);
		assert_true(r == 0 || err.sys);
		assert_non_null(
		    strstr(s.seen.p, "POST /X.Y HTTP/1.1\r\nHost: plugin.moby.localhost\r\n"));
		assert_non_null(
		    strstr(s.seen.p, "Accept: application/vnd.docker.plugins.v1.2+json\r\n"));
		assert_non_null(strstr(s.seen.p, "Content-Length: 7\r\n"));
		str_free(&s.seen);
		str_free(&out.body);
		close(s.fd);
	}
}

static void test_silence(void **state)
{
	struct remote_reply out = {.body = STR_INIT};
	struct error err = ERROR_INIT;
	struct server s = {.reply = "HTTP/1.1 200 OK\r\n", .seen = STR_INIT};
	bool again;

	(void)state;
	s.fd = listen_at("run/one.sock");
	/* no time at all: nothing is waited for, so that this does not depend on how fast the machine is */
	assert_int_equal(remote_post("unix:///nowhere/at/all", "X", NULL, 0, &out, &again, &err),
			 -1);
	assert_int_equal(err.sys, ETIMEDOUT);
	assert_false(again);
	assert_non_null(strstr(err.text, "context deadline exceeded"));
	s.repeat = SIZE_MAX;
	s.reply = "";
	assert_int_equal(ask(&s, 1, &out, &again, &err), -1);
	assert_int_equal(err.sys, ETIMEDOUT);
	assert_false(again);
	close(s.fd);
	assert_int_equal(remote_post("unix:///nowhere/at/all", "X", NULL, 9, &out, &again, &err),
			 -1);
	assert_string_equal(err.text, "Post \"http://plugin.moby.localhost/X\": dial unix "
				      "/nowhere/at/all: connect: no such file or directory");
	assert_true(again);
	str_free(&s.seen);
	str_free(&out.body);
}

static void test_too_large(void **state)
{
	struct remote_reply out = {.body = STR_INIT};
	struct error err = ERROR_INIT;
	auto_free char *big = xmalloc((1 << 20) + 1);
	struct server s = {.reply = big, .repeat = 32, .seen = STR_INIT};
	bool again;

	(void)state;
	memset(big, 'x', 1 << 20);
	big[1 << 20] = '\0';
	memcpy(big, "HTTP/1.1 200 OK\r\n\r\n", 19);
	s.fd = listen_at("run/one.sock");
	assert_int_equal(ask(&s, 60, &out, &again, &err), -1);
	assert_non_null(strstr(err.text, "larger than 16 MiB"));
	assert_true(out.body.len <= REMOTE_REPLY_MAX);
	close(s.fd);
	str_free(&s.seen);
	str_free(&out.body);
}

/* ---- Questions of authorization ----------------------------------------------------------------------------------------------------- */

static void test_question(void **state)
{
	const struct dockerd_key_value headers[] = {{"content-type", "application/json"},
						    {"X-ABC", "1"},
						    {"x-abc", "2"},
						    {"host", "d"},
						    {"Transfer-Encoding", "chunked"}},
				       reply[] = {{"Server", "s"}};
	struct dockerd_authz_request r = {.size = sizeof(r),
					  .user = "",
					  .auth_method = "",
					  .method = "POST",
					  .uri = "/v1.51/x?y",
					  .path = "/x",
					  .headers = headers,
					  .header_count = 5,
					  .body = "{\"a\":1}",
					  .body_length = 7,
					  .response_headers = reply,
					  .response_header_count = 1,
					  .response_body = "{}",
					  .response_length = 2,
					  .status = 201};
	auto_str text = STR_INIT;

	(void)state;
	authz_remote_question(&r, false, &text);
	assert_string_equal(str_cstr(&text),
			    "{\"RequestMethod\":\"POST\",\"RequestUri\":\"/v1.51/x?y\","
			    "\"RequestBody\":\"eyJhIjoxfQ==\",\"RequestHeaders\":"
			    "{\"Content-Type\":\"application/json\",\"X-Abc\":\"2\"}}");
	str_reset(&text);
	r.user = "me";
	r.auth_method = "TLS";
	r.path = "/auth"; /* a login: nothing of what is in it */
	authz_remote_question(&r, true, &text);
	assert_string_equal(str_cstr(&text),
			    "{\"User\":\"me\",\"UserAuthNMethod\":\"TLS\",\"RequestMethod\":"
			    "\"POST\",\"RequestUri\":\"/v1.51/x?y\",\"RequestHeaders\":"
			    "{\"Content-Type\":\"application/json\",\"X-Abc\":\"2\"},"
			    "\"ResponseStatusCode\":201,\"ResponseHeaders\":{\"Server\":\"s\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),   cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_scan),    cmocka_unit_test(test_replies),
	    cmocka_unit_test(test_silence), cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_question)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
