/* SPDX-License-Identifier: Apache-2.0 */
/* The oci exec driver's face: descriptor, options, ops. See oci.h for the rest. */
#include "oci.h"
#include "../common/cgroup.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int32_t give(struct dockerd_error *to, const struct error *from)
{
	static const uint32_t categories[ERR_KINDS] = {
	    [ERR_INVALID] = DOCKERD_ERR_INVALID,
	    [ERR_NOT_FOUND] = DOCKERD_ERR_NOT_FOUND,
	    [ERR_NO_COMMAND] = DOCKERD_ERR_NO_COMMAND,
	    [ERR_NO_PERMISSION] = DOCKERD_ERR_NO_PERMISSION,
	};
	uint32_t category = categories[from->kind];

	dockerd_fail(to, category ? category : DOCKERD_ERR_SYSTEM, "%s", from->text);
	to->sys_errno = from->sys;
	return -1;
}

/* ---- Options ------------------------------------------------------------------------------------------------------------------------- */

static const struct dockerd_option option_table[] = {
    {.key = "oci.runtime",
     .default_value = "runc",
     .help = "the runtime program: a path, or a name that is looked for in the usual places",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_DAEMON},
    {.key = "oci.args",
     .default_value = "",
     .help =
	 "its arguments before the command, separated by spaces; a backslash keeps what follows",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_DAEMON},
};

static const char *option(const struct dockerd_options *o, const char *key)
{
	const struct dockerd_value *v = dockerd_option_get(o, key);

	return v && v->text ? v->text : "";
}

/* malloc'ed; NULL: none of that name. */
static char *find_program(const char *name)
{
	static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					     "/usr/bin",        "/sbin",          "/bin"};

	if (strchr(name, '/'))
		return xstrdup(name);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		auto_free char *path = path_join(places[i], name);

		if (access(path, X_OK) == 0)
			return steal_ptr(&path);
	}
	return NULL;
}

static void split_words(const char *text, struct strlist *out)
{
	auto_str word = STR_INIT;
	bool in = false;

	for (const char *p = text; *p; p++) {
		if (*p == ' ') {
			if (in)
				strlist_add(out, str_cstr(&word));
			str_reset(&word);
			in = false;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		str_putc(&word, *p);
		in = true;
	}
	if (in)
		strlist_add(out, str_cstr(&word));
}

static int32_t probe(const struct dockerd_open *args, struct dockerd_error *err)
{
	(void)args;
	if (geteuid() != 0)
		return dockerd_fail(err, DOCKERD_ERR_UNSUITABLE, "oci: needs root");
	return 0;
}

static int32_t open_driver(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	const char *name = option(args->options, "oci.runtime");
	auto_free char *path = find_program(name);
	struct oci *o;

	if (!path)
		return dockerd_fail(err, DOCKERD_ERR_NO_COMMAND,
				    "exec: \"%s\": executable file not found in $PATH", name);
	o = xnew(struct oci);
	o->path = steal_ptr(&path);
	split_words(option(args->options, "oci.args"), &o->args);
	*self = o;
	return 0;
}

static void close_driver(void *self)
{
	struct oci *o = self;

	free(o->path);
	strlist_free(&o->args);
	free(o);
}

/* ---- Ops ----------------------------------------------------------------------------------------------------------------------------- */

/* A runtime's command with the container's name behind it. */
static int command(const struct oci *o, const struct dockerd_container *c, const char *verb,
		   const char *flag, struct error *err)
{
	auto_strlist words = STRLIST_INIT;

	strlist_add(&words, verb);
	if (flag)
		strlist_add(&words, flag);
	strlist_add(&words, c->id);
	return runtime_run(o, c, &words, NULL, err);
}

/*
 * What the runtime knows goes by its own command, which also ends what its hooks made. What a killed one has left, and the control group, which is on
 * record before anything is made, goes by ours: it comes first, so that "delete" finds nobody alive, for whom runc waits in steps of 100 ms.
 */
static int undo(const struct oci *o, const struct dockerd_container *c, struct error *err)
{
	struct error told = ERROR_INIT;
	struct cgroup g;
	int r, bad = 0;

	runtime_stop(c);
	r = cgroup_open(&g, c->state_fd, err);
	if (r == 0)
		cgroup_kill(&g, &told);
	if (file_exists_at(c->state_fd, "state"))
		bad = command(o, c, "delete", "--force", &told);
	if (bad < 0 && told.kind == ERR_NOT_FOUND)
		bad = 0; /* it was never made, or is gone */
	if (r == 0)
		r = cgroup_destroy(&g, err);
	cgroup_close(&g);
	if (r == 0 && bad < 0) {
		*err = told;
		r = -1;
	}
	return r;
}

static int32_t create(void *self, const struct dockerd_container *c, const struct dockerd_stdio *io,
		      struct dockerd_created *out, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT, ignored;

	out->netns_fd = out->netlink_fd = out->console_fd = -1;
	if (oci_create(self, c, io, out, &err) == 0)
		return 0;
	undo(self, c, &ignored);
	fd_close(&out->netns_fd);
	fd_close(&out->netlink_fd);
	fd_close(&out->console_fd);
	return give(derr, &err);
}

static int32_t start(void *self, const struct dockerd_container *c, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	return command(self, c, "start", NULL, &err) < 0 ? give(derr, &err) : 0;
}

static int32_t destroy(void *self, const struct dockerd_container *c, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	return undo(self, c, &err) < 0 ? give(derr, &err) : 0;
}

static int32_t exec(void *self, const struct dockerd_container *c, const char *process,
		    uint64_t len, const struct dockerd_stdio *io, struct dockerd_created *out,
		    struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	out->netns_fd = out->netlink_fd = out->console_fd = -1;
	return oci_session(self, c, process, (size_t)len, io, out, &err) < 0 ? give(derr, &err) : 0;
}

/* All of them by the control group: the runtimes do not agree on how that is asked for. */
static int32_t signal_all(void *self, const struct dockerd_container *c, int32_t signo,
			  uint32_t all, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;
	struct cgroup g;
	int r;

	(void)self;
	(void)all;
	r = cgroup_open(&g, c->state_fd, &err);
	if (r == 0)
		r = cgroup_signal_all(&g, signo, &err);
	cgroup_close(&g);
	return r < 0 ? give(derr, &err) : 0;
}

static int32_t pause_container(void *self, const struct dockerd_container *c,
			       struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	return command(self, c, "pause", NULL, &err) < 0 ? give(derr, &err) : 0;
}

static int32_t resume(void *self, const struct dockerd_container *c, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;

	return command(self, c, "resume", NULL, &err) < 0 ? give(derr, &err) : 0;
}

static int32_t update(void *self, const struct dockerd_container *c, const char *resources,
		      uint64_t len, struct dockerd_error *derr)
{
	struct error err = ERROR_INIT;
	auto_free char *path = call_path(c, "update", &err), *name = call_file("update");
	auto_strlist words = STRLIST_INIT;
	int r;

	if (!path ||
	    file_write_atomic(c->state_fd, name, resources, (size_t)len, 0600, false, &err) < 0)
		return give(derr, &err);
	strlist_add(&words, "update");
	strlist_add(&words, "--resources");
	strlist_add(&words, path);
	strlist_add(&words, c->id);
	r = runtime_run(self, c, &words, NULL, &err);
	call_remove(c, "update");
	return r < 0 ? give(derr, &err) : 0;
}

static const struct dockerd_exec_ops ops = {
    .common = {.size = sizeof(ops), .probe = probe, .open = open_driver, .close = close_driver},
    .create = create,
    .start = start,
    .destroy = destroy,
    .exec = exec,
    .signal = signal_all,
    .pause = pause_container,
    .resume = resume,
    .update = update,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_EXEC, .name = "oci", .version = PACKAGE_VERSION,
	       .description = "containers made by an OCI runtime program, as runc or crun",
	       .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_EXEC_CAP_PAUSE | DOCKERD_EXEC_CAP_UPDATE |
			       DOCKERD_EXEC_CAP_EXEC,
	       DOCKERD_OPTIONS(option_table), .ops = &ops.common);
