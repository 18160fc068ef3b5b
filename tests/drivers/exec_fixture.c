/* SPDX-License-Identifier: Apache-2.0 */
/* See exec_fixture.h. */
#include "exec_fixture.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSYBOX "/bin/busybox"

static const char default_caps[] =
    "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\",\"CAP_NET_"
    "RAW\",\"CAP_SETGID\",\"CAP_SETUID\","
    "\"CAP_SETFCAP\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\","
    "\"CAP_AUDIT_WRITE\"]";

/* A small allow-all-but list with an argument rule, so that both kinds are tested. */
static const char seccomp_text[] =
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_"
    "X86\",\"SCMP_ARCH_X32\"],"
    "\"syscalls\":[{\"names\":[\"keyctl\",\"unshare\",\"mseal\"],\"action\":\"SCMP_ACT_ERRNO\","
    "\"errnoRet\":1},"
    "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":"
    "131072,\"op\":\"SCMP_CMP_EQ\"}]}]}";

const char *fixture_seccomp(void)
{
	return seccomp_text;
}

static int make_root(const char *root)
{
	static const char *const dirs[] = {"bin", "dev", "etc",  "proc", "sys",
					   "tmp", "run", "sbin", "root"};
	static const char *const tools[] = {
	    "sh",       "true",    "false", "cat",  "ls", "sleep", "echo",     "id",    "mount",
	    "stty",     "unshare", "grep",  "kill", "dd", "touch", "hostname", "head",  "wc",
	    "readlink", "stat",    "tail",  "env",  "ip", "mknod", "seq",      "printf"};
	auto_free char *busybox = path_join(root, "bin/busybox");
	auto_close from = open(BUSYBOX, O_RDONLY | O_CLOEXEC), to = -1;
	char buf[65536];
	ssize_t n;

	if (from < 0 || mkdir(root, 0755) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		auto_free char *p = path_join(root, dirs[i]);

		if (mkdir(p, 0755) < 0)
			return -1;
	}
	to = open(busybox, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (fd_write_all(to, buf, (size_t)n) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		auto_free char *p = xasprintf("%s/bin/%s", root, tools[i]);

		if (symlink("busybox", p) < 0)
			return -1;
	}
	return 0;
}

bool fixture_open(struct fixture *f)
{
	const char *tmp = getenv("TMPDIR"), *drivers = getenv("DOCKERD_DRIVER_PATH");

	*f = (struct fixture){.root_fd = -1};
	if (geteuid() != 0 || access(BUSYBOX, X_OK) < 0 || !drivers)
		return false;
	snprintf(f->dir, sizeof(f->dir), "%.40s/dexec-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return false;
	snprintf(f->root, sizeof(f->root), "%s/root", f->dir);
	snprintf(f->cache, sizeof(f->cache), "%s/cache", f->dir);
	f->driver = xasprintf("%s/exec/native.so", drivers);
	if (make_root(f->root) < 0 || mkdir(f->cache, 0700) < 0) {
		perror("make root");
		exit(99);
	}
	f->root_fd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return true;
}

void fixture_close(struct fixture *f)
{
	auto_free char *parent = xstrndup(f->dir, (size_t)(path_base(f->dir) - f->dir));
	auto_close at = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct error err;

	fd_close(&f->root_fd);
	free((char *)f->driver);
	if (dir_remove_all(at, path_base(f->dir), &err) < 0)
		fprintf(stderr, "# left %s: %s\n", f->dir, err.text);
}

void fixture_process(struct str *out, const struct spec_options *o)
{
	const char *caps = o->caps ? o->caps : default_caps;
	struct jw w = jw_to(out);

	str_printf(out, "{\"terminal\":%s,\"user\":{\"uid\":%u,\"gid\":%u},\"args\":",
		   o->terminal ? "true" : "false", o->uid, o->uid);
	jw_arr(&w);
	for (const char *const *a = o->argv; *a; a++)
		jw_str(&w, *a);
	jw_end(&w);
	str_printf(out, ",\"env\":[\"%s\",\"TERM=xterm\"],\"cwd\":\"%s\",",
		   o->env ? o->env : "PATH=/usr/bin:/bin", o->cwd ? o->cwd : "/");
	str_printf(out,
		   "\"capabilities\":{\"bounding\":%s,\"effective\":%s,\"permitted\":%s},"
		   "\"oomScoreAdj\":0%s}",
		   caps, caps, caps, o->extra_process ? o->extra_process : "");
}

static const char mounts[] =
    "[{\"destination\":\"/"
    "proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/"
    "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\",\"mode="
    "755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/"
    "pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\",\"noexec\","
    "\"newinstance\","
    "\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/"
    "sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
    "\"ro\"]},"
    "{\"destination\":\"/sys/fs/"
    "cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\",\"nosuid\",\"noexec\","
    "\"nodev\"]},"
    "{\"destination\":\"/dev/"
    "mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\","
    "\"nodev\"]},"
    "{\"destination\":\"/dev/"
    "shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
    "\"mode=1777\","
    "\"size=67108864\"]}";

static const char devices[] =
    "{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"access\":\"m\"},{"
    "\"allow\":true,\"type\":\"b\",\"access\":\"m\"},"
    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"},{\"allow\":true,"
    "\"type\":\"c\",\"major\":1,\"minor\":5,"
    "\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":7,\"access\":\"rwm\"}"
    ",{\"allow\":true,\"type\":\"c\",\"major\":1,"
    "\"minor\":8,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":9,"
    "\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\","
    "\"major\":5,\"minor\":0,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":5,"
    "\"minor\":2,\"access\":\"rwm\"},{\"allow\":true,"
    "\"type\":\"c\",\"major\":136,\"access\":\"rwm\"}";

void fixture_spec(struct str *out, const char *id, const struct spec_options *o)
{
	str_puts(out, "{\"ociVersion\":\"1.2.0\",\"process\":");
	fixture_process(out, o);
	str_printf(out,
		   ",\"root\":{\"path\":\"rootfs\",\"readonly\":%s},\"hostname\":\"box\","
		   "\"mounts\":%s%s],\"linux\":{",
		   o->readonly_root ? "true" : "false", mounts,
		   o->extra_mounts ? o->extra_mounts : "");
	str_printf(out, "\"cgroupsPath\":\"/docker/%s\",\"resources\":{\"devices\":[%s]%s},", id,
		   devices, o->resources ? o->resources : "");
	str_puts(out, "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},"
		      "{\"type\":\"uts\"},{\"type\":\"ipc\"}");
	if (o->join_pid)
		str_printf(out, ",{\"type\":\"pid\",\"path\":\"/proc/%d/ns/pid\"}",
			   (int)o->join_pid);
	str_printf(out, "%s],", o->host_pid || o->join_pid ? "" : ",{\"type\":\"pid\"}");
	str_puts(out, "\"maskedPaths\":[\"/proc/asound\",\"/proc/acpi\",\"/proc/interrupts\",\"/"
		      "proc/kcore\",\"/proc/keys\","
		      "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/"
		      "sched_debug\",\"/proc/scsi\","
		      "\"/sys/firmware\",\"/sys/devices/virtual/powercap\"],\"readonlyPaths\":[\"/"
		      "proc/bus\",\"/proc/fs\",\"/proc/irq\","
		      "\"/proc/sys\",\"/proc/sysrq-trigger\"]");
	str_printf(out, "%s}}", o->extra_linux ? o->extra_linux : "");
}

void box_init(struct fixture *f, struct box *b, const struct spec_options *o)
{
	int in[2], out[2];

	*b = (struct box){.in = -1, .out = -1, .events = -1, .child_in = -1, .child_out = -1};
	snprintf(b->id, sizeof(b->id), "dexec-%d-%u", (int)getpid(), f->counter++);
	snprintf(b->dir, sizeof(b->dir), "%s/%s", f->dir, b->id);
	fixture_spec(&b->spec, b->id, o);
	b->create = (struct shim_create){.id = b->id,
					 .dir = b->dir,
					 .driver = f->driver,
					 .spec = str_cstr(&b->spec),
					 .seccomp = seccomp_text,
					 .seccomp_digest = "test-profile",
					 .cache = f->cache,
					 .rootfs_path = f->root,
					 .rootfs_fd = f->root_fd,
					 .netns_fd = -1};
	b->create.stdio = (struct shim_stdio){
	    .terminal = o->terminal, .child = {-1, -1, -1}, .held = {-1, -1, -1}};
	if (o->terminal)
		return;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
		perror("pipe");
		exit(99);
	}
	b->in = in[1];
	b->child_in = in[0];
	b->out = out[0];
	b->child_out = out[1];
	b->create.stdio.child[0] = b->child_in;
	b->create.stdio.child[1] = b->create.stdio.child[2] = b->child_out;
	b->create.stdio.held[0] = b->in;
	b->create.stdio.held[1] = b->out;
}

int box_create(struct box *b, struct error *err)
{
	int r = shim_create(&b->create, &b->made, err);

	fd_close(&b->child_in);
	fd_close(&b->child_out);
	if (r == 0)
		b->events = shim_subscribe(b->dir, 0, err);
	return r < 0 || b->events < 0 ? -1 : 0;
}

int box_start(struct box *b, struct error *err)
{
	return shim_start(b->made.sock, err);
}

void box_drain(struct box *b)
{
	int fd = b->out >= 0 ? b->out : b->made.console_fd;
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) /* EIO ends a terminal */
		str_add(&b->output, buf, (size_t)n);
}

bool box_wait(struct box *b, enum shim_event_type type, const char *exec_id, struct shim_event *ev)
{
	struct error err;

	for (;;) {
		struct pollfd p = {.fd = b->events, .events = POLLIN};
		int r = poll(&p, 1, 30000) == 1 ? shim_event_next(b->events, ev, &err) : -1;

		if (r < 0)
			return false;
		if (r && ev->type == type && streq(ev->exec_id, exec_id ? exec_id : ""))
			return true;
	}
}

void box_close(struct box *b)
{
	int *fds[] = {&b->in,        &b->out,           &b->events,          &b->child_in,
		      &b->child_out, &b->made.netns_fd, &b->made.netlink_fd, &b->made.console_fd,
		      &b->made.sock};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (*fds[i] > 0)
			fd_close(fds[i]);
	str_free(&b->spec);
	str_free(&b->output);
}

int box_delete(struct box *b, struct error *err)
{
	return shim_delete(&b->create, err);
}

int box_run(struct fixture *f, const struct spec_options *o, struct str *output, struct error *err)
{
	struct shim_event ev = {0};
	struct error ignored;
	struct box b;
	int r;

	box_init(f, &b, o);
	r = box_create(&b, err);
	if (r == 0 && box_start(&b, err) < 0) {
		box_delete(&b, &ignored);
		r = -1;
	}
	if (r == 0) {
		box_drain(&b);
		if (output)
			str_add(output, b.output.p, b.output.len);
		r = box_wait(&b, SHIM_EVENT_EXIT, NULL, &ev)
			? ev.exit_code
			: error_set(err, ERR_CANCELLED, "the shim died");
		if (box_delete(&b, err) < 0)
			r = -1;
	}
	box_close(&b);
	return r;
}
