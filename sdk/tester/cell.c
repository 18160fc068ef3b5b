/* SPDX-License-Identifier: Apache-2.0 */
/* See cell.h. */
#include "cell.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSYBOX "/bin/busybox"

static const char caps[] =
    "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_KILL\"]";

static void process_text(struct str *out, const char *const *argv, bool terminal)
{
	struct jw w = jw_to(out);

	str_printf(out, "{\"terminal\":%s,\"user\":{\"uid\":0,\"gid\":0},\"args\":",
		   terminal ? "true" : "false");
	jw_arr(&w);
	for (; *argv; argv++)
		jw_str(&w, *argv);
	jw_end(&w);
	str_printf(out,
		   ",\"env\":[\"PATH=/bin\",\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":{"
		   "\"bounding\":%s,\"effective\":%s,\"permitted\":%s},\"oomScoreAdj\":0}",
		   caps, caps, caps);
}

static void spec_text(struct str *out, const char *id, const char *const *argv, bool terminal)
{
	str_puts(out, "{\"ociVersion\":\"1.2.0\",\"process\":");
	process_text(out, argv, terminal);
	str_puts(
	    out,
	    ",\"root\":{\"path\":\"rootfs\",\"readonly\":false},\"hostname\":\"kit\",\"mounts\":["
	    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":["
	    "\"nosuid\",\"noexec\",\"nodev\"]},"
	    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":["
	    "\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
	    "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]}]");
	str_printf(out,
		   ",\"linux\":{\"cgroupsPath\":\"/docker/%s\",\"resources\":{\"devices\":["
		   "{\"allow\":false,\"access\":\"rwm\"},"
		   "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"},"
		   "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":0,\"access\":\"rwm\"},"
		   "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":2,\"access\":\"rwm\"},"
		   "{\"allow\":true,\"type\":\"c\",\"major\":136,\"access\":\"rwm\"}]},"
		   "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},{\"type\":\"uts\"},"
		   "{\"type\":\"ipc\"},{\"type\":\"pid\"}]}}",
		   id);
}

static void make_root(struct kit *k, const char *root)
{
	static const char *const dirs[] = {"", "/bin", "/dev", "/proc", "/sys", "/tmp", "/etc"};
	static const char *const tools[] = {"sh",   "true", "cat",  "sleep",
					    "echo", "ls",   "kill", "tty"};
	auto_free char *busybox = xasprintf("%s/bin/busybox", root);
	auto_close from = open(BUSYBOX, O_RDONLY | O_CLOEXEC), to = -1;
	auto_str text = STR_INIT;
	struct error err = ERROR_INIT;

	if (from < 0)
		kit_skip(k, "needs " BUSYBOX " (static)");
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		auto_free char *p = xasprintf("%s%s", root, dirs[i]);

		KIT_CHECK(k, mkdir(p, 0755) == 0, "%s: %s", p, strerror(errno));
	}
	to = open(busybox, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	KIT_CHECK(k,
		  file_read_fd(from, 64 << 20, &text, &err) == 0 &&
		      fd_write_all(to, text.p, text.len) == 0,
		  "copy " BUSYBOX);
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		auto_free char *p = xasprintf("%s/bin/%s", root, tools[i]);

		KIT_CHECK(k, symlink("busybox", p) == 0, "%s: %s", p, strerror(errno));
	}
}

void cell_init(struct kit *k, struct cell *c, const char *const *argv, bool terminal)
{
	static unsigned int serial;
	int in[2], out[2];

	if (geteuid() != 0)
		kit_skip(k, "needs root");
	kit_load(k); /* for what it claims; only helpers open it */
	*c = (struct cell){.k = k,
			   .in = -1,
			   .out = -1,
			   .child_in = -1,
			   .child_out = -1,
			   .console = -1,
			   .go = -1,
			   .come = -1,
			   .terminal = terminal};
	snprintf(c->id, sizeof(c->id), "kit-%d-%u", (int)getpid(), serial++);
	c->root = xasprintf("%s/%s-rootfs", k->root, c->id);
	c->dir = xasprintf("%s/%s", k->state, c->id);
	c->cache = xasprintf("%s/cache", k->state);
	make_root(k, c->root);
	KIT_CHECK(k, mkdir(c->dir, 0700) == 0, "%s: %s", c->dir, strerror(errno));
	mkdir(c->cache, 0700);
	c->root_fd = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->state_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	spec_text(&c->spec, c->id, argv, terminal);
	c->answer = mmap(NULL, sizeof(*c->answer), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	KIT_CHECK(k, c->answer != MAP_FAILED && c->root_fd >= 0 && c->state_fd >= 0, "%s: %s",
		  c->dir, strerror(errno));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (terminal)
		return;
	KIT_CHECK(k, pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe");
	c->child_in = in[0];
	c->in = in[1];
	c->out = out[0];
	c->child_out = out[1];
}

/* ---- In the helper -------------------------------------------------------------------------------------------------------------------- */

static struct dockerd_container container(const struct cell *c)
{
	return (struct dockerd_container){.size = sizeof(struct dockerd_container),
					  .id = c->id,
					  .spec = c->spec.p,
					  .spec_length = c->spec.len,
					  .cache = c->cache,
					  .rootfs_fd = c->root_fd,
					  .state_fd = c->state_fd,
					  .netns_fd = -1,
					  .init_pid = (uint32_t)c->init,
					  .rootfs_path = c->root};
}

static struct dockerd_stdio stdio_of(const struct cell *c)
{
	return (struct dockerd_stdio){.size = sizeof(struct dockerd_stdio),
				      .terminal = c->terminal,
				      .in = c->child_in,
				      .out = c->child_out,
				      .err = c->child_out};
}

static void prepare_answer(struct cell *c)
{
	*c->answer = (struct cell_answer){.err = {.size = sizeof(struct dockerd_error)},
					  .made = {.size = sizeof(struct dockerd_created),
						   .netns_fd = -1,
						   .netlink_fd = -1,
						   .console_fd = -1}};
}

/* The driver opened in a new process; true in it. */
static bool helper(struct cell *c, pid_t *pid)
{
	prepare_answer(c);
	*pid = fork();
	KIT_CHECK(c->k, *pid >= 0, "fork");
	if (*pid)
		return false;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	c->answer->r = kit_try_open(c->k, &c->answer->err);
	if (c->answer->r < 0)
		_exit(0);
	return true;
}

static void judge_helper(struct cell *c, pid_t pid, const char *op)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		kit_fail(c->k, "%s crashed: signal %d (%s)", op, WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status)) /* it has said why */
		_exit(WEXITSTATUS(status));
	kit_clean(c->k, op, c->answer->r, &c->answer->err);
}

static _Noreturn void create_then_start(struct cell *c, int come, int go)
{
	const struct dockerd_exec_ops *ops = &c->k->plugin->ops.exec;
	struct dockerd_container box = container(c);
	struct dockerd_stdio io = stdio_of(c);
	struct cell_answer *a = c->answer;
	char byte = 'c';

	a->r = ops->create(c->k->instance.self, &box, &io, &a->made, &a->err);
	if (a->r < 0)
		_exit(0);
	fd_close(&c->child_in);
	fd_close(&c->child_out);
	box.init_pid = a->made.pid;
	if (write(come, &byte, 1) != 1 || read(go, &byte, 1) != 1) {
		struct dockerd_error err = {.size = sizeof(err)};

		a->r = ops->destroy(c->k->instance.self, &box, &a->err);
		_exit(0);
	}
	a->r = ops->start(c->k->instance.self, &box, &a->err);
	_exit(0);
}

/* ---- The shim's side ------------------------------------------------------------------------------------------------------------------ */

/* A descriptor of the helper's. */
static int take(struct cell *c, int fd)
{
	auto_close pidfd = (int)syscall(SYS_pidfd_open, c->helper, 0);

	return fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

static void judge_created(struct cell *c)
{
	const struct dockerd_created *m = &c->answer->made;
	auto_free char *path = xasprintf("/proc/%u/stat", m->pid);
	auto_str text = STR_INIT;
	struct error err = ERROR_INIT;
	const char *paren;
	char state;
	int parent = 0;

	KIT_CHECK(c->k, m->pid > 0, "create reports pid 0");
	KIT_CHECK(c->k, file_read_at(AT_FDCWD, path, 4096, &text, &err) == 0,
		  "create reports pid %u, which does not exist", m->pid);
	paren = strrchr(str_cstr(&text), ')');
	KIT_CHECK(c->k,
		  paren && sscanf(paren + 1, " %c %d", &state, &parent) == 2 &&
		      parent == (int)getpid(),
		  "the first process is a child of %d, expected the shim's (%d): clone with "
		  "CLONE_PARENT",
		  parent, (int)getpid());
	KIT_CHECK(c->k, m->netns_fd >= 0 && m->netlink_fd >= 0,
		  "create made a network namespace and does not hand it out");
	KIT_CHECK(c->k, (m->console_fd >= 0) == c->terminal, "console_fd is %d", m->console_fd);
	KIT_CHECK(c->k, memchr(m->cgroup, '\0', sizeof(m->cgroup)), "cgroup does not end");
}

int32_t cell_create(struct cell *c)
{
	int come[2], go[2];
	char byte;

	KIT_CHECK(c->k, pipe2(come, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0, "pipe");
	if (helper(c, &c->helper)) {
		close(come[0]);
		close(go[1]);
		create_then_start(c, come[1], go[0]);
	}
	close(come[1]);
	close(go[0]);
	c->come = come[0];
	c->go = go[1];
	fd_close(&c->child_in);
	if (read(c->come, &byte, 1) != 1) { /* it ended: create failed */
		judge_helper(c, c->helper, "create");
		c->helper = 0;
		KIT_CHECK(c->k, c->answer->r < 0, "the helper ended after create");
		fd_close(&c->child_out);
		fd_close(&c->come);
		fd_close(&c->go);
		return -1;
	}
	judge_created(c);
	c->init =
	    (pid_t)(c->answer->made.wait_pid ? c->answer->made.wait_pid : c->answer->made.pid);
	memcpy(c->cgroup, c->answer->made.cgroup, sizeof(c->cgroup));
	c->console = take(c, c->answer->made.console_fd);
	return 0;
}

int32_t cell_start(struct cell *c)
{
	KIT_CHECK(c->k, write(c->go, "s", 1) == 1, "the helper is gone before start");
	judge_helper(c, c->helper, "start");
	c->helper = 0;
	fd_close(&c->come);
	fd_close(&c->go);
	return c->answer->r;
}

void cell_drop(struct cell *c)
{
	fd_close(&c->go);
	judge_helper(c, c->helper, "destroy");
	c->helper = 0;
	fd_close(&c->come);
	KIT_CHECK(c->k, c->answer->r == 0, "destroy before start: %s", c->answer->err.text);
}

void cell_run(struct cell *c)
{
	if (cell_create(c) < 0)
		kit_fail(c->k, "create: %s", c->answer->err.text);
	if (cell_start(c) < 0)
		kit_fail(c->k, "start: %s", c->answer->err.text);
	/* child_out stays open for exec sessions until cell_read wants the end */
}

int32_t cell_exec(struct cell *c, const char *const *argv)
{
	auto_str text = STR_INIT;
	pid_t pid;

	process_text(&text, argv, false);
	if (helper(c, &pid)) {
		struct dockerd_container box = container(c);
		struct dockerd_stdio io = stdio_of(c);
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		io.in = null;
		c->answer->r =
		    c->k->plugin->ops.exec.exec(c->k->instance.self, &box, text.p, text.len, &io,
						&c->answer->made, &c->answer->err);
		_exit(0);
	}
	judge_helper(c, pid, "exec");
	return c->answer->r;
}

static const char *const op_names[] = {"destroy", "signal", "pause", "resume", "update"};

int32_t cell_op(struct cell *c, enum cell_op op, int signo)
{
	static const char limits[] = "{\"pids\":{\"limit\":77}}";
	pid_t pid;

	if (helper(c, &pid)) {
		const struct dockerd_exec_ops *ops = &c->k->plugin->ops.exec;
		struct dockerd_container box = container(c);
		struct cell_answer *a = c->answer;
		void *self = c->k->instance.self;

		switch (op) {
		case CELL_DESTROY:
			a->r = ops->destroy(self, &box, &a->err);
			break;
		case CELL_SIGNAL:
			a->r = ops->signal(self, &box, signo, 1, &a->err);
			break;
		case CELL_PAUSE:
			a->r = ops->pause(self, &box, &a->err);
			break;
		case CELL_RESUME:
			a->r = ops->resume(self, &box, &a->err);
			break;
		case CELL_UPDATE:
			a->r = ops->update(self, &box, limits, sizeof(limits) - 1, &a->err);
		}
		_exit(0);
	}
	judge_helper(c, pid, op_names[op]);
	return c->answer->r;
}

void cell_read(struct cell *c, struct str *out, size_t want)
{
	int fd = c->terminal ? c->console : c->out;
	char buf[4096];
	ssize_t n;

	if (!want)
		fd_close(&c->child_out);
	while ((!want || out->len < want) && (n = read(fd, buf, sizeof(buf))) > 0)
		str_add(out, buf, (size_t)n); /* EIO ends a terminal */
}

/* As a shim: every child is reaped, also what a failed session left; a pid namespace does not end before. */
int cell_wait(struct cell *c, pid_t pid)
{
	int status = 0;
	pid_t r;

	if (pid == c->init && c->ended)
		return c->exit_code;
	do {
		r = waitpid(-1, &status, 0);
		if (r == c->init) {
			c->ended = true;
			c->exit_code =
			    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		}
	} while ((r >= 0 && r != pid) || (r < 0 && errno == EINTR));
	KIT_CHECK(c->k, r == pid, "process %d is not the shim's child: %s", (int)pid,
		  strerror(errno));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void cell_end(struct cell *c)
{
	auto_free char *one = xasprintf("/sys/fs/cgroup%s", c->cgroup),
		       *many = xasprintf("/sys/fs/cgroup/*%s", c->cgroup);
	glob_t g = {0};

	if (cell_op(c, CELL_DESTROY, 0) < 0 && cell_op(c, CELL_DESTROY, 0) < 0)
		kit_fail(c->k, "destroy: %s", c->answer->err.text);
	if (c->init > 0)
		waitpid(c->init, NULL, WNOHANG);
	if (c->cgroup[0] && c->cgroup[1]) {
		KIT_CHECK(c->k, access(one, F_OK) < 0, "destroy left the cgroup %s", one);
		KIT_CHECK(c->k, glob(many, GLOB_NOSORT, NULL, &g) == GLOB_NOMATCH,
			  "destroy left the cgroup %s", g.gl_pathc ? g.gl_pathv[0] : many);
	}
	fd_close(&c->in);
	fd_close(&c->out);
	fd_close(&c->child_in);
	fd_close(&c->child_out);
	fd_close(&c->console);
	fd_close(&c->root_fd);
	fd_close(&c->state_fd);
	munmap(c->answer, sizeof(*c->answer));
	str_free(&c->spec);
	free(c->root);
	free(c->dir);
	free(c->cache);
}
