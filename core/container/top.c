/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /containers/{}/top: the host's ps(1) run over the container's processes, as moby does, so that any ps_args work. The processes are those of
 * its cgroup.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/usage.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The list of pids on v1 and hybrid hosts, the unified one else. */
static int read_pids(const struct container *c, pid_t pid, struct strlist *pids, struct error *err)
{
	static const char *const controllers[] = {"pids", "memory", "cpu", ""};
	auto_free char *cgroup = cgroup_of(c->id, pid);
	auto_str procs = STR_INIT;

	for (size_t i = 0; cgroup && i < ARRAY_LEN(controllers); i++) {
		auto_free char *file =
		    xasprintf("/sys/fs/cgroup/%s%s/cgroup.procs", controllers[i], cgroup);

		if (file_read_at(AT_FDCWD, file, 1 << 20, &procs, err) < 0)
			continue;
		strlist_split(pids, str_cstr(&procs), '\n');
		return 0;
	}
	return error_set(err, ERR_SYSTEM,
			 "no cgroup of the container is left to list processes from");
}

/* ps's output, whole. Its own words are the error. */
static int run_ps(const struct strlist *args, struct str *out, struct error *err)
{
	static const char *const env[] = {
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	static const char *const places[] = {"/bin/ps", "/usr/bin/ps"};
	auto_close rd = -1, wr = -1;
	int p[2], status, fds[3];
	struct spawn s = {.path = access(places[0], X_OK) == 0 ? places[0] : places[1],
			  .argv = (const char *const *)args->v,
			  .envp = env,
			  .fds = fds,
			  .n_fds = 3};
	pid_t pid;

	if (access(s.path, X_OK) < 0)
		return error_set(err, ERR_SYSTEM,
				 "ps: exec: \"ps\": executable file not found in $PATH");
	if (pipe2(p, O_CLOEXEC) < 0)
		return error_sys(err, errno, "pipe");
	rd = p[0];
	wr = p[1];
	fds[0] = -1;
	fds[1] = fds[2] = wr;
	pid = spawn_program(&s, err);
	if (pid < 0)
		return -1;
	fd_close(&wr);
	if (file_read_fd(rd, 16 << 20, out, err) < 0) {
		fd_close(&rd); /* ps ends by SIGPIPE */
		waitpid(pid, &status, 0);
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERR_SYSTEM, "ps: %.*s", (int)strcspn(str_cstr(out), "\n"),
				 str_cstr(out));
	return 0;
}

/* Blank-separated words; the last of `columns` takes the rest of the line. */
static void split_row(const char *line, size_t columns, struct strlist *out)
{
	while (*line) {
		const char *end;

		while (isspace((unsigned char)*line))
			line++;
		if (!*line)
			return;
		end = line;
		if (columns && out->n + 1 == columns)
			end += strlen(end);
		else
			while (*end && !isspace((unsigned char)*end))
				end++;
		strlist_take(out, xstrndup(line, (size_t)(end - line)));
		line = end;
	}
}

static int print_rows(const struct str *text, const struct strlist *pids, struct str *reply,
		      struct error *err)
{
	auto_strlist lines = STRLIST_INIT, titles = STRLIST_INIT;
	struct jw w = jw_to(reply);
	size_t pid_column = SIZE_MAX;

	strlist_split(&lines, str_cstr(text), '\n');
	if (lines.n)
		split_row(lines.v[0], 0, &titles);
	for (size_t i = 0; i < titles.n; i++)
		if (streq(titles.v[i], "PID"))
			pid_column = i;
	if (pid_column == SIZE_MAX)
		return error_set(err, ERR_SYSTEM, "couldn't find PID field in ps output");
	jw_obj(&w);
	jw_kstrlist(&w, "Titles", &titles, false);
	jw_karr(&w, "Processes");
	for (size_t i = 1; i < lines.n; i++) {
		auto_strlist row = STRLIST_INIT;

		split_row(lines.v[i], titles.n, &row);
		if (row.n > pid_column && strlist_has(pids, row.v[pid_column]))
			jw_strlist(&w, &row, false);
	}
	jw_end(&w);
	jw_end(&w);
	return 0;
}

int container_top(const char *name, const char *ps_args, struct str *reply, struct error *err)
{
	auto_container *c = container_find(name, err);
	auto_strlist pids = STRLIST_INIT, args = STRLIST_INIT;
	auto_str text = STR_INIT;
	pid_t pid;

	if (!c)
		return -1;
	pthread_mutex_lock(&c->lock);
	pid = c->state.pid;
	if (!c->state.running || c->state.restarting)
		error_set(err, ERR_CONFLICT,
			  c->state.restarting
			      ? "Container %s is restarting, wait until the container is running"
			      : "container %s is not running",
			  c->id);
	pthread_mutex_unlock(&c->lock);
	if (err->kind != ERR_NONE)
		return -1;
	if (strpbrk(ps_args, "\n") != NULL)
		return error_set(err, ERR_INVALID, "invalid ps_args");
	strlist_add(&args, "ps");
	split_row(*ps_args ? ps_args : "-ef", 0, &args);
	if (read_pids(c, pid, &pids, err) < 0 || run_ps(&args, &text, err) < 0 ||
	    print_rows(&text, &pids, reply, err) < 0)
		return -1;
	container_event(c, "top", NULL);
	return 0;
}
