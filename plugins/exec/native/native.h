/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native exec driver: what its files share. It makes containers with the kernel's own calls, from an OCI spec, and keeps nothing in
 * memory between operations: the state directory holds what `exec` and `destroy` need.
 *
 *	native.c   descriptor and ops          spec.c, process.c  the spec's text as structs
 *	create.c   parent's side of create     init.c             the first process until it executes
 *	binds.c    trees of bind mounts, made in the host's namespace
 *	root.c, devices.c, paths.c, proc_safe.c, sysctl.c   the container's root from inside
 *	limits.c, cgroup_*.c, devfilter.c      limits and devices; the directories are ../common/cgroup.c's
 *	caps.c, seccomp.c, become.c            rights of the user's process, and its execution
 *	session.c  further processes           birth.c            into a pid namespace that has members
 *	sync.c     messages between parent and child
 *
 * Everything runs in dockerd-exec, single-threaded, or in its clones before they execute.
 */
#ifndef NATIVE_NATIVE_H
#define NATIVE_NATIVE_H

#include <dockerd/exec.h>

#include <linux/filter.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "../common/cgroup.h"

/* ---- spec.c, process.c -------------------------------------------------------------------------------------------------------- */

#define MAX_NAMESPACES 8
#define MAX_GROUPS 256

enum { CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_INHERITABLE, CAPS_PERMITTED, CAPS_AMBIENT, CAPS_SETS };

struct limit {
	int resource;
	struct rlimit value;
};

struct process {
	struct strlist argv, env;
	const char *cwd;
	uid_t uid;
	gid_t gid, groups[MAX_GROUPS];
	size_t n_groups;
	int umask; /* -1: leave 022 */
	uint64_t caps[CAPS_SETS];
	bool terminal, no_new_privs;
	uint16_t rows, columns;
	int oom_score_adj;
	const char *apparmor, *selinux;
	struct limit limits[RLIM_NLIMITS];
	size_t n_limits;
};

struct join {
	int flag; /* CLONE_NEW* */
	const char *path;
};

/* Strings and nodes point into doc. */
struct spec {
	json *doc;
	struct process process;
	uint64_t unshare; /* CLONE_NEW* to make */
	struct join joins[MAX_NAMESPACES];
	size_t n_joins;
	const char *hostname, *domainname, *cgroup, *mount_label;
	bool readonly_root;
	unsigned long root_propagation; /* MS_*, 0: rslave */
	json *mounts, *devices, *resources, *sysctl, *masked, *readonly, *uid_map, *gid_map;
};

int spec_parse(struct spec *s, const char *text, size_t len, struct error *err);
void spec_free(struct spec *s);
int process_parse(struct process *p, const json *j, struct error *err);
void process_free(struct process *p);

/* Mount options as mount(8) and the runtime spec name them. */
struct mount_options {
	unsigned long flags;           /* MS_* to set */
	unsigned long propagation;     /* MS_PRIVATE|MS_REC ...; 0: none given */
	uint64_t attr_set, attr_clear; /* the same for mount_setattr(2) */
	bool recursive_attr;           /* rro and the like */
	bool bind, recursive;
	struct str data; /* what is left, comma-separated */
};
void mount_options_parse(struct mount_options *o, const json *options);
unsigned long propagation_parse(const char *name);

/* ---- sync.c ------------------------------------------------------------------------------------------------------------------- */

enum sync_type { SYNC_GO = 1, SYNC_TERMINAL, SYNC_BORN, SYNC_READY, SYNC_START, SYNC_ERROR };

/* For waits on a process that others in the container can see, and stop. */
#define SYNC_DEADLINE_MS 20000

/* fd: -1, or one to send along. */
int sync_send(int sock, enum sync_type type, int fd, struct error *err);
int sync_send_error(int sock, const struct error *what);
int sync_send_born(int sock, pid_t pid, int pidfd, struct error *err);
/*
 * 1, 0: the other side closed; -1, also when timeout_ms (-1: none) has passed. SYNC_ERROR becomes err. `expect` other than what came is an
 * error. fd: NULL, or takes the received one.
 */
int sync_receive(int sock, enum sync_type expect, int *fd, int timeout_ms, struct error *err);
/* Our side failed, perhaps because the other one had died: if it said why, that becomes err instead. Does not wait. */
void sync_last_word(int sock, struct error *err);
int sync_receive_born(int sock, pid_t *pid, int *pidfd, int timeout_ms, struct error *err);

/* ---- binds.c ------------------------------------------------------------------------------------------------------------------ */

/* One mount of the spec, and its detached tree if it is a bind. */
struct mount_plan {
	const char *target, *type, *source;
	struct mount_options options;
	int tree;       /* -1: a new filesystem */
	bool directory; /* of the tree's root */
	bool attr_done; /* mount_setattr worked on the detached tree */
	bool late;      /* for root_finish */
};

/* Late mounts with a tree: what users bind below /proc, which is next to nothing. */
#define MAX_LATE 64

struct mount_plans {
	struct mount_plan *v;
	size_t n;
};

/* Read the mounts and open the sources in the caller's namespace. init_path: bound read-only at /sbin/docker-init, or NULL. */
int mount_plans_make(struct mount_plans *p, const struct spec *s, const char *init_path,
		     struct error *err);
void mount_plans_free(struct mount_plans *p);
int tree_open(int dirfd, const char *path, bool recursive);
/* Set attributes and propagation of an attached or detached tree; on kernels before 5.12 the mount(2) way (attached only). */
int tree_set(int fd, const struct mount_options *o, bool attached);
int tree_attach(int tree, int target);
/* Both, in the order that the kernel can. */
int tree_place(int tree, int target, const struct mount_options *o);

/* ---- limits.c, cgroup_v1.c, cgroup_v2.c, devfilter.c --------------------------------------------------------------------------- */

/* Apply an OCI linux.resources object; at_create: also the device rules. */
int cgroup_limit(struct cgroup *g, const json *resources, bool at_create, struct error *err);
int cgroup_limit_v1(const struct cgroup *g, const json *resources, bool at_create,
		    struct error *err);
int cgroup_limit_v2(const struct cgroup *g, const json *resources, bool at_create,
		    struct error *err);
/* Attach a device filter made from OCI linux.resources.devices to a v2 cgroup. */
int devfilter_attach(int cgroup_dir, const json *rules, struct error *err);

/* ---- root.c, devices.c, paths.c -------------------------------------------------------------------------------------------------- */

struct launch; /* below */
/*
 * Build and enter the container's root. console_master: set if there is a terminal. Of a staged launch without what is late: a proc shows the
 * pid namespace of the process that mounts it, so it is mounted by root_finish, with all that lies below it.
 */
int root_build(struct launch *l, int *console_master, struct error *err);
int root_finish(struct launch *l, struct error *err);
/* proc_safe.c: ERR_INVALID for a mount that would replace what /proc is trusted for. */
int proc_safe(const struct mount_plan *m, int target, struct error *err);
/* Does the path lie on or below a late mount? */
bool root_is_late(const struct launch *l, const char *path);
/* O_PATH of a path inside a root; what is missing is made (a directory or an empty file), dangling links followed inside. */
int root_target(int root, const char *path, bool directory, struct error *err);
/* To be freed; access is "rwm" where absent. */
json *devices_default_rules(struct error *err);
int devices_make(struct launch *l, struct error *err);
/* Those of which root_is_late says `late`. */
int paths_mask(struct launch *l, bool late, struct error *err);
int paths_readonly(struct launch *l, bool late, struct error *err);
/* sysctl.c: refuse what is not in a namespace of the container's own; in the parent, joins being open. */
int sysctls_check(const struct launch *l, struct error *err);
int sysctls_write(const json *list, struct error *err);
/* A cgroup filesystem at target, as the spec's mount of type cgroup wants it. */
int cgroup_mount(struct launch *l, const struct mount_plan *m, struct error *err);

/* ---- seccomp.c, caps.c, become.c -------------------------------------------------------------------------------------------------- */

struct filter {
	struct sock_filter *code; /* NULL: unconfined */
	unsigned short n;
	unsigned int flags; /* of seccomp(2) */
};

int filter_prepare(struct filter *f, const char *text, const char *digest, const char *cache,
		   struct error *err);
void filter_free(struct filter *f);
int filter_load(const struct filter *f, struct error *err);
/* malloc'ed program for an OCI linux.seccomp text. */
int filter_compile(struct filter *f, const char *text, struct error *err);

uint64_t caps_parse(const json *names);
int caps_drop_bounding(uint64_t keep, struct error *err);
int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct error *err);
int caps_set_ambient(uint64_t set, struct error *err);

/*
 * The way to the user's program, in this order. What others in the container can see has, from its first moment on, no descriptor, root or
 * directory of the host: rights_labels and rights_drop come before keep_only, and that before the process is born there or
 * resolves any path of the container.
 */
/* Security labels of the coming execve; through the host's /proc. */
int rights_labels(const struct process *p, struct error *err);
/* Limits, user, capabilities; CAP_SYS_ADMIN and CAP_SETPCAP stay for the filter. After stdio is installed. */
int rights_drop(const struct process *p, struct error *err);
/* Really close all above 2 but these, which get sorted. */
int keep_only(int *fds, int n, struct error *err);
/* PR_SET_PDEATHSIG towards the shim. The other end of the sync socket looks after it whether the shim still lives: shim_lives */
int die_with_shim(struct error *err);
int shim_lives(int shim_pidfd, struct error *err);
/* Working directory, program, filter, execve. Returns only on failure. */
int become(const struct process *p, const struct filter *f, struct error *err);
/* 0, 1, 2 of the process; what is missing becomes the container's /dev/null (null_path in the current root). */
int stdio_install(const struct dockerd_stdio *io, struct error *err);
bool is_null_device(int fd);
int terminal_open(int devpts_dir, const struct process *p, const struct dockerd_stdio *io,
		  int *master, int *slave, struct error *err);
int terminal_install(int slave, struct error *err);
/* A new session, with the installed terminal, if there is one, as its controlling one. */
int session_lead(const struct process *p, struct error *err);

/* ---- create.c, init.c, session.c --------------------------------------------------------------------------------------------------- */

/* What the first process is born with. All descriptors are close-on-exec. */
struct launch {
	const struct dockerd_container *container;
	const struct dockerd_stdio *stdio;
	struct spec spec;
	struct mount_plans mounts;
	struct filter filter;
	struct cgroup cgroup;
	int root_tree; /* detached; in the child: attached, and the root of all path work */
	int shim;      /* pidfd */
	int sync;      /* the child's end */
	int joins[MAX_NAMESPACES];
	bool staged;      /* the pid namespace has members already: birth.c */
	bool user_joined; /* another's: a stage enters it, who is born there makes all else */
};

/* ---- birth.c: the stage, the process, the parent ----------------------------------------------------------------------------------- */

/* 0: we are the process; -1; the stage does not return. */
pid_t birth_give(int sync, struct error *err);
int birth_begin(int sync, struct error *err);
/* Say that we are ready; returns when we may start. */
int birth_wait(int sync, struct error *err);
/* Until the process is born. terminal: NULL if it has none. timeout_ms: -1 for none. */
int birth_attend(int sync, int timeout_ms, int *terminal, pid_t *pid, int *pidfd,
		 struct error *err);
/* Until it is ready. */
int birth_finish(int sync, int shim_pidfd, struct error *err);

_Noreturn void init_main(struct launch *l);
/* clone3(2) with CLONE_PARENT: the child is the shim's. 0 in the child. */
pid_t clone_for_shim(uint64_t flags, int cgroup_dir, int *pidfd, struct error *err);

int native_create(const struct dockerd_container *c, const struct dockerd_stdio *io,
		  struct dockerd_created *out, int *sync, struct error *err);
int native_session(const struct dockerd_container *c, const char *process, size_t len,
		   const struct dockerd_stdio *io, struct dockerd_created *out, struct error *err);
/* The spec's oom_score_adj, set from outside: in a user namespace the process itself may not lower it. */
int oom_adjust(pid_t pid, int score, struct error *err);
/* state.c: the first process's identity, kept for later operations. */
int state_save(int state_fd, pid_t pid, struct error *err);
/* pidfd of the container's first process, or -1 (ERR_NOT_FOUND: it has ended). */
int state_open_init(const struct dockerd_container *c, struct error *err);

#endif
