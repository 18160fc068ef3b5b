/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at every fault point on the way of a container: of the daemon, or of the child that passes it. Then the daemon starts again, and
 * nothing half-made may be listed, everything listed can be removed, the name is free, a new container runs, and nothing has leaked.
 * Needs --enable-faults. Arguments: points to try instead of all.
 */
#include <dirent.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
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
    "overlay2.create.after-marker",
    "overlay2.create.before-link",
    "overlay2.create.after-mkdir",
    "overlay2.mount.before",
    "plugin.mount.recorded",
    "plugin.mount.made",
    "plugin.mount.unmade",
    "overlay2.mount.after",
    "overlay2.unmount.after",
    "overlay2.remove.after-link",
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

/* With the daemon stopped. */
static int leaks(const char *point)
{
	auto_file FILE *mounts = fopen("/proc/self/mounts", "re");
	FILE *rules = popen("iptables-save 2>/dev/null", "re");
	struct if_nameindex *all = if_nameindex();
	int n = lines_of(point, "mount", mounts, box_dir, "merged");

	rewind(mounts);
	n += lines_of(point, "namespace", mounts, "nsfs", "");
	n += lines_of(point, "rule", rules, "18080", "");
	if (rules)
		pclose(rules);
	rules = popen("iptables-save 2>/dev/null", "re");
	n += lines_of(point, "rule", rules, "10.244.0.", "");
	if (rules)
		pclose(rules);
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		if (str_after(i->if_name, "veth") || streq(i->if_name, "crashbr"))
			n += leak(point, "link", i->if_name);
	if_freenameindex(all);
	n += processes(point) + cgroups(point);
	n += entries(point, "unfinished network", fmt("%s/exec/network/unfinished", box_dir), 1);
	n += entries(point, "container", fmt("%s/data/containers", box_dir), 64);
	n += entries(point, "run directory", fmt("%s/exec/containers", box_dir), 64);
	n += entries(point, "recorded mount", fmt("%s/exec/mounts", box_dir), 1);
	n += entries(point, "layer", fmt("%s/data/image/overlay2/layerdb/mounts", box_dir), 1);
	return n;
}

static void one(const char *point, bool must_die, bool live_restore)
{
	/* a start launches a shim itself only if none is kept ready */
	bool alone = strncmp(point, "shim.launch", 11) == 0;
	auto_free char *fault =
	    strdup(fmt("%s=kill@1%s", point, alone ? ",shim.spare.begin=error" : ""));
	pid_t pid = daemon_start(live_restore, fault);
	bool good, died = false;
	int status;

	if (pid > 0) {
		live();
		/* some points are passed by threads that a clean end waits for */
		status = daemon_end(pid, must_die ? SIGTERM : SIGKILL);
		died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	} else {
		died = true;
	}
	pid = daemon_start(live_restore, NULL);
	good = pid > 0 && (!must_die || died);
	if (pid > 0) {
		good &= remove_all(point);
		good &= remove_networks(point);
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

static int n_args;
static char **args;

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	daemon_end(pid, SIGTERM);
	if (box_failed)
		return 1;
	for (int i = 0; i < n_args; i++)
		for (int lr = 0; lr < 2; lr++)
			one(args[i], false, lr);
	for (size_t i = 0; !n_args && i < sizeof(own) / sizeof(*own); i++)
		for (int lr = 0; lr < 2; lr++)
			one(own[i], true, lr);
	for (size_t i = 0; !n_args && i < sizeof(children) / sizeof(*children); i++)
		for (int lr = 0; lr < 2; lr++)
			one(children[i], false, lr);
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
