/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A classic socket plugin, for tests: `plugin LISTEN ROOT KIND...` (VolumeDriver, authz, NetworkDriver, IpamDriver) listens at LISTEN (a path, or tcp:PORT on the loopback),
 * prints its pid and goes on in the background. All it knows is in ROOT, so that it can be killed and started again:
 *
 *	log		a line per request: METHOD and the JSON text; and again, after "done ", when it is answered
 *	volumes/NAME	a volume (what NAME has of '/' becomes '+')
 *	mounts/NAME,ID	a mount of it
 *	deny		authz: a part of "PHASE METHOD URI" that is denied
 *	mountpoint	if it is there, Get tells the mountpoint, too
 *
 * A name of a volume says what happens: bad: an error in the reply; worse: an error with status 500; plain: the same in plain text; unm: can't be
 * mounted; keep: can't be removed; slow: its mount is answered when the file ROOT/go has appeared, as a fifo that somebody writes to; mute: no
 * answer to anything; garbage: a reply that is no JSON; huge: one that never ends; cut: half a reply; lie: a head with a length of 2^60.
 */
#include "plugin.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *root;
static char **kinds;

static char *volume_path(const char *kind, const char *name, const char *id)
{
	char *path = xasprintf("%s/%s/%s%s%s", root, kind, name, id ? "," : "", id ? id : "");

	for (char *p = path + strlen(root) + strlen(kind) + 2; *p; p++)
		if (*p == '/')
			*p = '+';
	return path;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void plugin_fail(struct answer *a, int status, const char *text)
{
	struct jw w = jw_to(&a->body);

	a->status = status;
	jw_obj(&w);
	jw_kstr(&w, "Err", text);
	jw_end(&w);
}

static void remember(const char *when, const char *method, const char *body)
{
	auto_free char *path = xasprintf("%s/log", root),
		       *line = xasprintf("%s%s %s\n", when, method, body);
	auto_close fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd >= 0)
		(void)!write(fd, line, strlen(line));
}

/* ---- Volumes ------------------------------------------------------------------------------------------------------------------------ */

static long mounts_of(const char *name)
{
	auto_free char *path = xasprintf("%s/mounts", root), *like = volume_path("", name, "");
	auto_dir DIR *d = opendir(path);
	const char *prefix = strrchr(like, '/') + 1;
	struct dirent *e;
	long n = 0;

	while (d && (e = readdir(d)))
		n += str_after(e->d_name, prefix) != NULL;
	return n;
}

static void volume_json(struct jw *w, const char *name, bool full)
{
	auto_free char *path = volume_path("volumes", name, NULL),
		       *tell = xasprintf("%s/mountpoint", root);

	jw_obj(w);
	jw_kstr(w, "Name", name);
	if (!full || exists(tell))
		jw_kstr(w, "Mountpoint", path);
	if (full) {
		jw_kstr(w, "CreatedAt", "2020-01-02T03:04:05.678Z");
		jw_kobj(w, "Status");
		jw_ki64(w, "mounts", mounts_of(name));
		jw_kstr(w, "kind", "test");
		jw_end(w);
	}
	jw_end(w);
}

static void volume_list(struct answer *a)
{
	auto_free char *path = xasprintf("%s/volumes", root);
	auto_dir DIR *d = opendir(path);
	struct jw w = jw_to(&a->body);
	struct dirent *e;

	jw_obj(&w);
	jw_karr(&w, "Volumes");
	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			volume_json(&w, e->d_name, false);
	jw_end(&w);
	jw_end(&w);
}

static void volume_mount(struct answer *a, const char *name, const char *id, const char *path)
{
	auto_free char *mark = volume_path("mounts", name, id), *go = xasprintf("%s/go", root);
	auto_close fd = -1;
	struct jw w = jw_to(&a->body);
	char c;

	if (str_after(name, "unm")) {
		plugin_fail(a, 200, "can't mount");
		return;
	}
	if (str_after(name, "slow")) {
		auto_close wait = open(go, O_RDONLY | O_CLOEXEC);

		(void)!read(wait, &c, 1);
	}
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	jw_obj(&w);
	jw_kstr(&w, "Mountpoint", path);
	jw_end(&w);
}

static void volume_known(struct answer *a, const char *method, const char *name, const char *id)
{
	auto_free char *path = volume_path("volumes", name, NULL);
	struct jw w = jw_to(&a->body);

	if (!exists(path)) {
		plugin_fail(a, 200, "no such volume here");
	} else if (streq(method, "Get")) {
		jw_obj(&w);
		jw_key(&w, "Volume");
		volume_json(&w, name, true);
		jw_end(&w);
	} else if (streq(method, "Mount")) {
		volume_mount(a, name, id, path);
	} else if (streq(method, "Unmount")) {
		auto_free char *mark = volume_path("mounts", name, id);

		if (unlink(mark) < 0)
			plugin_fail(a, 200, "it is not mounted");
	} else if (streq(method, "Remove") && str_after(name, "keep")) {
		plugin_fail(a, 200, "kept");
	} else if (streq(method, "Remove")) {
		auto_free char *cmd = xasprintf("%s.gone-%d", path, (int)getpid());

		if (rmdir(path) < 0 && rename(path, cmd) < 0)
			plugin_fail(a, 200, strerror(errno));
	} else if (streq(method, "Path")) {
		jw_obj(&w);
		jw_kstr(&w, "Mountpoint", path);
		jw_end(&w);
	}
}

static bool odd(struct answer *a, const char *name)
{
	a->raw = true;
	if (str_after(name, "mute"))
		pause();
	else if (str_after(name, "garbage"))
		str_puts(&a->body, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"Err");
	else if (str_after(name, "cut"))
		str_puts(&a->body, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"Err");
	else if (str_after(name, "lie"))
		str_puts(&a->body,
			 "HTTP/1.1 200 OK\r\nContent-Length: 1152921504606846976\r\n\r\n{\"Err");
	else if (str_after(name, "huge")) {
		str_puts(&a->body, "HTTP/1.1 200 OK\r\n\r\n{\"Err\":\"");
		while (a->body.len < 20 * 1024 * 1024)
			str_puts(&a->body,
				 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	} else {
		a->raw = false;
	}
	return a->raw;
}

static void volume_driver(struct answer *a, const char *method, const json *q)
{
	const char *name = json_get_str(q, "Name", "");
	auto_free char *path = volume_path("volumes", name, NULL);

	if (odd(a, name))
		return;
	if (streq(method, "Capabilities"))
		str_puts(&a->body, "{\"Capabilities\":{\"Scope\":\"Global\"}}");
	else if (streq(method, "List"))
		volume_list(a);
	else if (!streq(method, "Create"))
		volume_known(a, method, name, json_get_str(q, "ID", ""));
	else if (str_after(name, "bad"))
		plugin_fail(a, 200, "no luck");
	else if (str_after(name, "worse"))
		plugin_fail(a, 500, "less luck");
	else if (str_after(name, "plain")) {
		a->status = 500;
		str_puts(&a->body, "plain text");
	} else if (mkdir(path, 0755) < 0)
		plugin_fail(a, 200, strerror(errno));
}

/* ---- Authorization ------------------------------------------------------------------------------------------------------------------ */

static void authz(struct answer *a, const char *method, const json *q)
{
	auto_free char *path = xasprintf("%s/deny", root),
		       *what = xasprintf("%s %s %s", method, json_get_str(q, "RequestMethod", ""),
					 json_get_str(q, "RequestUri", ""));
	char rule[256] = "";
	auto_file FILE *f = fopen(path, "re");
	struct jw w = jw_to(&a->body);
	bool deny;

	if (f && !fgets(rule, sizeof(rule), f))
		rule[0] = '\0';
	rule[strcspn(rule, "\n")] = '\0';
	if (*rule == '!') {
		plugin_fail(a, 200, "out of order");
		return;
	}
	deny = *rule && strstr(what, rule);
	jw_obj(&w);
	jw_kbool(&w, "Allow", !deny);
	jw_kstr(&w, "Msg", deny ? "not here" : "");
	jw_end(&w);
}

/* ---- HTTP --------------------------------------------------------------------------------------------------------------------------- */

static void answer(struct answer *a, const char *path, const struct str *body)
{
	struct error err = ERROR_INIT;
	auto_json *q = body->len ? json_parse(body->p, body->len, &err) : NULL;
	struct jw w = jw_to(&a->body);

	remember("", path, str_cstr(body));
	if (streq(path, "/Plugin.Activate")) {
		jw_obj(&w);
		jw_karr(&w, "Implements");
		for (char **k = kinds; *k; k++)
			jw_str(&w, *k);
		jw_end(&w);
		jw_end(&w);
	} else if (str_after(path, "/VolumeDriver.")) {
		volume_driver(a, str_after(path, "/VolumeDriver."), q);
	} else if (str_after(path, "/AuthZPlugin.")) {
		authz(a, str_after(path, "/AuthZPlugin."), q);
	} else if (str_after(path, "/NetworkDriver.")) {
		plugin_network(root, a, str_after(path, "/NetworkDriver."), q);
	} else if (str_after(path, "/IpamDriver.")) {
		plugin_ipam(root, a, str_after(path, "/IpamDriver."), q);
	} else {
		a->status = 404;
		str_puts(&a->body, "404 page not found\n");
	}
	if (!a->body.len)
		str_puts(&a->body, "{}");
	remember("done ", path, str_cstr(body));
}

static void send_all(int fd, const struct str *s)
{
	for (size_t at = 0; at < s->len;) {
		ssize_t n = send(fd, s->p + at, s->len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static void *serve(void *arg)
{
	auto_close fd = (int)(intptr_t)arg;
	struct answer a = {.status = 200, .body = STR_INIT};
	auto_str in = STR_INIT, body = STR_INIT, out = STR_INIT;
	const char *end, *length;
	char path[256] = "";
	ssize_t n;

	while (!(end = strstr(str_cstr(&in), "\r\n\r\n"))) {
		n = read(fd, str_reserve(&in, 4096), 4095);
		if (n <= 0)
			return NULL;
		in.len += (size_t)n;
		in.p[in.len] = '\0';
	}
	sscanf(in.p, "POST %255s", path);
	length = strcasestr(in.p, "Content-Length: ");
	str_puts(&body, end + 4);
	while (length && body.len < strtoul(length + 16, NULL, 10)) {
		n = read(fd, str_reserve(&body, 4096), 4095);
		if (n <= 0)
			return NULL;
		body.len += (size_t)n;
		body.p[body.len] = '\0';
	}
	answer(&a, path, &body);
	if (!a.raw)
		str_printf(
		    &out,
		    "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\n"
		    "Content-Length: %zu\r\n\r\n",
		    a.status, a.body.len);
	str_add(&out, a.body.p, a.body.len);
	send_all(fd, &out);
	str_free(&a.body);
	return NULL;
}

static int listen_at(const char *where)
{
	const char *port = str_after(where, "tcp:");
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	struct sockaddr_in i = {.sin_family = AF_INET};
	int fd = socket(port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, r;

	if (port) {
		i.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
		i.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		r = bind(fd, (struct sockaddr *)&i, sizeof(i));
	} else {
		snprintf(u.sun_path, sizeof(u.sun_path), "%s", where);
		unlink(where);
		r = bind(fd, (struct sockaddr *)&u, sizeof(u));
	}
	if (r < 0 || listen(fd, 64) < 0) {
		perror(where);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static const char *const dirs[] = {"",          "/volumes", "/mounts",
					   "/networks", "/pools",   "/addresses"};
	int fd, client;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: plugin LISTEN ROOT KIND...\n");
		return 2;
	}
	root = argv[2];
	kinds = argv + 3;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		auto_free char *path = xasprintf("%s%s", root, dirs[i]);

		mkdir(path, 0755);
	}
	signal(SIGPIPE, SIG_IGN);
	fd = listen_at(argv[1]);
	pid = fork();
	if (pid > 0) {
		printf("%d\n", (int)pid);
		return 0;
	}
	setsid();
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		return 1;
	while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_t t;

		if (pthread_create(&t, NULL, serve, (void *)(intptr_t)client) == 0)
			pthread_detach(t);
	}
	return 1;
}
