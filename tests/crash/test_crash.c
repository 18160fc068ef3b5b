/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at every fault point on the way of a container: of the daemon, or of the child that passes it. Then the daemon starts again, and
 * nothing half-made may be listed, everything listed can be removed, the name is free, a new container runs, and nothing has leaked.
 * Needs --enable-faults. Arguments: points to try instead of all.
 */
#include <dirent.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "drivers/tar_maker.h"
#include "lib/box.h"

/* Points that dockerd itself passes: each must be reached. */
static const char *const own[] = {
    "container.create.after-directory",
    "container.create.after-layer",
    "container.create.after-save",
    "container.save.between",
    "image.rw.after-init-prepare",
    "image.rw.after-init",
    "image.rw.after-files",
    "image.rw.after-create",
    "container.start.mounted",
    "container.files.written",
    "shim.spare.launched",
    "shim.spare.taken",
    "shim.launch.before",
    "shim.launch.after",
    "container.start.created",
    "network.connect.recorded",
    "network.connect.joined",
    "container.start.connected",
    "container.start.started",
    "container.start.saved",
    "exec.start.created",
    "container.exit.seen",
    "container.exit.drained",
    "network.disconnect.left",
    "network.create.made",
    "network.store.put",
    "network.store.deleted",
    "bolt.commit.written",
    "bolt.commit.done",
    "container.connect.saved",
    "container.exit.released",
    "container.exit.saved",
    "container.remove.begin",
    "image.rw.remove.after-mount",
    "image.rw.remove.after-init",
    "image.rw.remove.after-rename",
    "container.remove.after-config",
    "container.remove.done",
    "stacked.create.after-marker",
    "stacked.create.before-link",
    "stacked.create.after-mkdir",
    "stacked.mount.before",
    "plugin.mount.recorded",
    "plugin.mount.made",
    "plugin.mount.unmade",
    "stacked.mount.after",
    "stacked.unmount.after",
    "stacked.remove.after-link",
};
/* Points of what not every container does: they are passed by live_more. */
static const char *const more[] = {
    "volume.create.directory",    "volume.create.renamed",     "volume.meta.put",
    "volume.fill.copied",         "volume.fill.moving",        "volume.fill.complete",
    "volume.remove.renamed",      "volume.remove.files",       "image.hold.after-record",
    "container.start.shm",        "container.attach.held",     "container.rename.claimed",
    "container.rename.saved",     "container.update.limited",  "container.update.saved",
    "container.commit.paused",    "image.layer.after-prepare", "image.layer.after-extract",
    "image.layer.after-publish",  "image.put.after-content",   "image.tags.before-write",
    "image.tags.after-write",     "container.commit.made",     "image.delete.before-content",
    "image.delete.after-content",
};
/*
 * Points of its children: the daemon lives, and must cope. (Not native.cgroup.one-removed: the old shim keeps the fault, and can never
 * clean up.)
 */
static const char *const children[] = {
    "shim.ready",           "shim.cgroup.one",         "shim.op.made",
    "shim.op.recorded",     "shim.journal.before",     "shim.journal.after",
    "exec.create.done",     "exec.start.before",       "exec.start.after",
    "exec.session.done",    "netd.start.bound",        "logd.stream.started",
    "logd.stream.read",     "logd.stream.finish",      "logd.sink.write",
    "logd.control.request", "native.create.cloned",    "native.cgroup.one-made",
    "native.init.ready",    "native.seccomp.compiled", "native.session.ready",
};

/* ---- What a container does ---------------------------------------------------------------------------------------------------- */

#define PUBLISH                                             \
	",\"ExposedPorts\":{\"80/tcp\":{}},\"HostConfig\":" \
	"{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"18080\"}]}}"

#define NETWORKS "/v1.51/networks"

static void run_exec(const char *id)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;

	request("POST", fmt("/v1.51/containers/%s/exec", id),
		"{\"AttachStdout\":true,\"Cmd\":[\"/guest\",\"say\",\"x\"]}", &r);
	j = r.status == 201 ? json_parse(r.body.p, r.body.len, &err) : NULL;
	if (j)
		request("POST", fmt("/v1.51/exec/%s/start", json_get_str(j, "Id", "")), "{}", &r);
}

/* A whole life; whatever of it fails on the way is what the test is about. */
static void live(void)
{
	make_container("crash", "\"pause\"", PUBLISH);
	status_of("POST", "/v1.51/containers/crash/start", NULL);
	run_exec("crash");
	status_of("POST", NETWORKS "/create",
		  "{\"Name\":\"crashnet\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.244.0.0/24\"}]},"
		  "\"Options\":{\"com.docker.network.bridge.name\":\"crashbr\"}}");
	status_of("POST", NETWORKS "/crashnet/connect", "{\"Container\":\"crash\"}");
	status_of("POST", NETWORKS "/crashnet/disconnect", "{\"Container\":\"crash\"}");
	status_of("DELETE", NETWORKS "/crashnet", NULL);
	status_of("GET", "/v1.51/containers/crash/logs?stdout=1", NULL);
	status_of("POST", "/v1.51/containers/crash/stop?t=1", NULL);
	status_of("POST", "/v1.51/containers/crash/start", NULL);
	status_of("POST", "/v1.51/containers/crash/kill", NULL);
	status_of("DELETE", "/v1.51/containers/crash?force=1", NULL);
}

/* An image with something for a volume to be filled with. */
static void import_filled(void)
{
	auto_str tar = STR_INIT, program = STR_INIT, head = STR_INIT;
	auto_file FILE *f = fopen("tests/lib/guest", "rbe");
	auto_close fd = dial();
	auto_reply r = {0};

	for (size_t n; f && (n = fread(str_reserve(&program, 65536), 1, 65536, f)) > 0;)
		program.len += n;
	tar_member(&tar, '0', "guest", "", 0755, program.p, program.len);
	tar_member(&tar, '5', "data/", "", 0755, "", 0);
	tar_member(&tar, '0', "data/file", "", 0644, "content\n", 8);
	tar_end(&tar);
	str_printf(&head,
		   "POST /v1.51/images/create?fromSrc=-&repo=filled&tag=latest HTTP/1.1\r\nHost: "
		   "d\r\nContent-Type: application/x-tar\r\nContent-Length: %zu\r\n\r\n",
		   tar.len);
	if (send_all(fd, head.p, head.len) == 0 && send_all(fd, tar.p, tar.len) == 0)
		read_reply(fd, false, &r);
	ok(r.status == 200, "image with files");
}

/* Volumes, another's IPC, an image as a mount, attach behind the past, rename, update, commit. */
static void live_more(void)
{
	auto_reply r = {0};
	auto_close fd = -1;

	request(
	    "POST", "/v1.51/containers/create?name=crash",
	    "{\"Image\":\"filled\",\"Entrypoint\":[\"/guest\"],\"Cmd\":[\"pause\"],\"Volumes\":{\"/"
	    "data\":{}},"
	    "\"HostConfig\":{\"IpcMode\":\"shareable\",\"Binds\":[\"crashvol:/named\"],\"Mounts\":"
	    "[{\"Type\":\"image\",\"Source\":\"guest\",\"Target\":\"/image\"}]}}",
	    &r);
	status_of("POST", "/v1.51/containers/crash/start", NULL);
	make_container("crashipc", "\"pause\"",
		       ",\"HostConfig\":{\"IpcMode\":\"container:crash\"}");
	status_of("POST", "/v1.51/containers/crashipc/start", NULL);
	fd = dial();
	if (fd >= 0 &&
	    send_text(fd,
		      "POST /v1.51/containers/crash/attach?logs=1&stream=1&stdout=1 HTTP/1.1\r\n"
		      "Host: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n") == 0) {
		auto_str seen = STR_INIT;

		read_until(fd, &seen, "ready\n");
	}
	status_of("POST", "/v1.51/containers/crash/update", "{\"CpuShares\":512}");
	status_of("POST", "/v1.51/commit?container=crash&repo=crashed", "{}");
	status_of("DELETE", "/v1.51/images/crashed", NULL);
	status_of("POST", "/v1.51/containers/crash/rename?name=crash2", NULL);
	status_of("DELETE", "/v1.51/containers/crashipc?force=1&v=1", NULL);
	status_of("DELETE", "/v1.51/containers/crash2?force=1&v=1", NULL);
	status_of("DELETE", "/v1.51/volumes/crashvol", NULL);
}

/* ---- What must hold afterwards ------------------------------------------------------------------------------------------------ */

static bool remove_all(const char *point)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;
	bool good = true;

	if (request("GET", "/v1.51/containers/json?all=1", NULL, &r) < 0 || r.status != 200)
		return false;
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	for (json *c = json_first(j); c; c = json_next(c)) {
		const char *id = json_get_str(c, "Id", "");
		auto_reply d = {0};

		if (status_of("GET", fmt("/v1.51/containers/%s/json", id), NULL) != 200) {
			note("%s: %s is listed, but can't be inspected", point, id);
			good = false;
		}
		request("DELETE", fmt("/v1.51/containers/%s?force=1&v=1", id), NULL, &d);
		if (d.status != 204) {
			note("%s: removal (%s): %d %s", point, json_get_str(c, "State", ""),
			     d.status, str_cstr(&d.body));
			good = false;
		}
	}
	return good;
}

static bool remove_networks(const char *point)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;
	bool good = true;

	request("GET", NETWORKS "?filters=%7B%22type%22%3A%5B%22custom%22%5D%7D", NULL, &r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	for (json *n = json_first(j); n; n = json_next(n))
		if (status_of("DELETE", fmt(NETWORKS "/%s", json_get_str(n, "Id", "")), NULL) !=
		    204) {
			note("%s: network %s can't be removed", point, json_get_str(n, "Name", ""));
			good = false;
		}
	return good;
}

/* One container has one name, which finds it, whatever happened to a rename. */
static bool named_once(const char *point)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;
	int seen = 0;

	request("GET", "/v1.51/containers/json?all=1", NULL, &r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	for (json *c = json_first(j); c; c = json_next(c)) {
		const char *name = json_str(json_first(json_get(c, "Names")), "");
		auto_reply found = {0};

		request("GET", fmt("/v1.51/containers%s/json", name), NULL, &found);
		if (found.status != 200 || json_count(json_get(c, "Names")) != 1 ||
		    !strstr(str_cstr(&found.body), json_get_str(c, "Id", "?"))) {
			note("%s: %s is not found by its name", point, name);
			return false;
		}
		seen += streq(name, "/crash") || streq(name, "/crash2");
	}
	if (seen > 1)
		note("%s: listed under both names", point);
	return seen <= 1;
}

/* What is listed can be removed, and is all there is on disk. */
static bool remove_volumes(const char *point)
{
	struct error err = ERROR_INIT;
	auto_reply r = {0};
	auto_json *j = NULL;
	bool good = true;

	request("GET", "/v1.51/volumes", NULL, &r);
	j = json_parse(str_cstr(&r.body), r.body.len, &err);
	for (json *v = json_first(json_get(j, "Volumes")); v; v = json_next(v)) {
		const char *name = json_get_str(v, "Name", "");
		int s = status_of("DELETE", fmt("/v1.51/volumes/%s", name), NULL);

		if (s != 204) {
			note("%s: volume %s: %d", point, name, s);
			good = false;
		}
	}
	/* the commit's image, if it came to that: it is whole, or not there */
	request("GET", "/v1.51/images/crashed/json", NULL, &r);
	if (r.status == 200 && status_of("DELETE", "/v1.51/images/crashed", NULL) != 200) {
		note("%s: the committed image can't be removed", point);
		good = false;
	}
	return good;
}

static bool lives_again(const char *point)
{
	const char *id = make_container("crash", "\"pause\"", PUBLISH);
	auto_reply r = {0};
	int gone;

	if (!*id)
		return false;
	request("POST", fmt("/v1.51/containers/%s/start", id), NULL, &r);
	if (r.status != 204)
		note("%s: a new container: %d %s", point, r.status, str_cstr(&r.body));
	gone = status_of("DELETE", fmt("/v1.51/containers/%s?force=1&v=1", id), NULL);
	return r.status == 204 && gone == 204;
}

static int leak(const char *point, const char *what, const char *which)
{
	note("%s: leaked %s: %s", point, what, which);
	return 1;
}

static int entries(const char *point, const char *what, const char *path, size_t min_len)
{
	auto_dir DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(e->d_name) >= min_len)
			n += leak(point, what, fmt("%s/%s", path, e->d_name));
	return n;
}

/* A shim may be just about to end, after it has told the daemon that all is over. */
static bool ends(pid_t pid)
{
	auto_close fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd < 0 || poll(&p, 1, 5000) > 0;
}

/* The kernel takes a veth pair away some time after the namespace of its other end. */
static bool link_goes(const char *name)
{
	struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	auto_close fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char news[8192];

	if (bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0)
		return false;
	while (if_nametoindex(name)) {
		if (poll(&p, 1, 5000) <= 0)
			return false;
		while (recv(fd, news, sizeof(news), MSG_DONTWAIT) > 0)
			;
	}
	return true;
}

static int processes(const char *point)
{
	static const char *const ours[] = {"dockerd-shim", "dockerd-exec", "guest",
					   "dockerd-unpack"};
	auto_dir DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		auto_file FILE *f = fopen(fmt("/proc/%s/stat", e->d_name), "re");
		char comm[32] = "", state = 0;

		if (!f || atoi(e->d_name) <= 0 || fscanf(f, "%*d (%31[^)]) %c", comm, &state) != 2)
			continue;
		for (size_t i = 0; i < 4; i++)
			if (streq(comm, ours[i]) && state != 'Z' && !ends(atoi(e->d_name)))
				n += leak(point, "process", fmt("%s %s", e->d_name, comm));
	}
	return n;
}

static int lines_of(const char *point, const char *what, FILE *f, const char *a, const char *b)
{
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, a) && strstr(line, b))
			n += leak(point, what, line);
	return n;
}

static int cgroups(const char *point)
{
	auto_dir DIR *d = opendir("/sys/fs/cgroup");
	struct dirent *e;
	int n = entries(point, "cgroup", fmt("/sys/fs/cgroup%s", box_cgroup), 64);

	while (d && (e = readdir(d)))
		n +=
		    entries(point, "cgroup", fmt("/sys/fs/cgroup/%s%s", e->d_name, box_cgroup), 64);
	return n;
}

static int volumes(const char *point)
{
	auto_dir DIR *d = opendir(fmt("%s/data/volumes", box_dir));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, "..") &&
		    !streq(e->d_name, "metadata.db") && !streq(e->d_name, "backingFsBlockDev"))
			n += leak(point, "volume", e->d_name);
	return n;
}

/* With the daemon stopped. */
static int leaks(const char *point)
{
	auto_file FILE *mounts = fopen("/proc/self/mounts", "re");
	FILE *rules = popen("iptables-save 2>/dev/null", "re");
	struct if_nameindex *all = if_nameindex();
	int n = lines_of(point, "mount", mounts, box_dir, "merged");

	rewind(mounts);
	n += lines_of(point, "namespace", mounts, "nsfs", box_dir);
	n += lines_of(point, "rule", rules, "18080", "");
	if (rules)
		pclose(rules);
	rules = popen("iptables-save 2>/dev/null", "re");
	n += lines_of(point, "rule", rules, "10.244.0.", "");
	if (rules)
		pclose(rules);
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		if ((str_after(i->if_name, "veth") || streq(i->if_name, "crashbr")) &&
		    !link_goes(i->if_name))
			n += leak(point, "link", i->if_name);
	if_freenameindex(all);
	n += processes(point) + cgroups(point);
	n += entries(point, "unfinished network", fmt("%s/exec/network/unfinished", box_dir), 1);
	n += entries(point, "container", fmt("%s/data/containers", box_dir), 64);
	n += entries(point, "run directory", fmt("%s/exec/containers", box_dir), 64);
	n += entries(point, "recorded mount", fmt("%s/exec/mounts", box_dir), 1);
	n += entries(point, "layer", fmt("%s/data/image/overlay2/layerdb/mounts", box_dir), 1);
	n += entries(point, "image in use", fmt("%s/data/image/overlay2/held", box_dir), 1);
	n += volumes(point);
	return n;
}

static void one(const char *point, void (*life)(void), bool must_die, bool live_restore)
{
	/* a start launches a shim itself only if none is kept ready */
	bool alone = strncmp(point, "shim.launch", 11) == 0;
	auto_free char *fault =
	    strdup(fmt("%s=kill@1%s", point, alone ? ",shim.spare.begin=error" : ""));
	pid_t pid = daemon_start(live_restore, fault);
	bool good, died = false;
	int status;

	if (pid > 0) {
		life();
		/* some points are passed by threads that a clean end waits for */
		status = daemon_end(pid, must_die ? SIGTERM : SIGKILL);
		died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	} else {
		died = true;
	}
	pid = daemon_start(live_restore, NULL);
	good = pid > 0 && (!must_die || died);
	if (pid > 0) {
		good &= named_once(point);
		good &= remove_all(point);
		good &= remove_networks(point);
		good &= remove_volumes(point);
		good &= lives_again(point);
		status = daemon_end(pid, SIGTERM);
		good &= status == 0;
		good &= leaks(point) == 0;
	}
	ok(good, "%s, live-restore %s%s", point, live_restore ? "on" : "off",
	   pid < 0             ? ": the daemon does not start again"
	   : must_die && !died ? ": was not reached"
			       : "");
	if (!good)
		daemon_log_show();
	unlink(fmt("%s/log", box_dir));
}

#ifdef ENABLE_FAULTS
#define WITH_FAULTS true
#else
#define WITH_FAULTS false
#endif

static bool is_one_of(const char *point, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (streq(point, list[i]))
			return true;
	return false;
}

static int n_args;
static char **args;

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	import_filled();
	daemon_end(pid, SIGTERM);
	if (box_failed)
		return 1;
	for (int i = 0; i < n_args; i++)
		for (int lr = 0; lr < 2; lr++)
			one(args[i], is_one_of(args[i], more, ARRAY_LEN(more)) ? live_more : live,
			    false, lr);
	for (size_t i = 0; !n_args && i < ARRAY_LEN(own); i++)
		for (int lr = 0; lr < 2; lr++)
			one(own[i], live, true, lr);
	for (size_t i = 0; !n_args && i < ARRAY_LEN(more); i++)
		for (int lr = 0; lr < 2; lr++)
			one(more[i], live_more, true, lr);
	for (size_t i = 0; !n_args && i < ARRAY_LEN(children); i++)
		for (int lr = 0; lr < 2; lr++)
			one(children[i], live, false, lr);
	return box_failed != 0;
}

int main(int argc, char **argv)
{
	if (!WITH_FAULTS) {
		printf("1..0 # SKIP built without --enable-faults\n");
		return 77;
	}
	n_args = argc - 1;
	args = argv + 1;
	return box_run(test);
}
