/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd-shim: what its files share. One process per container, one thread, one poll loop; all state hangs on the one struct shim.
 *
 * It is the parent (subreaper) of all the container's processes, holds the ends of their stdio without reading them, and
 * records what happens in the journal before it tells anyone. It understands no specification: driver work is done by dockerd-exec,
 * which it starts per operation (op.c).
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "proto/msg.h"
#include "proto/shim.h"

#define EXEC_ID_SIZE 65

/* A process of the container that the daemon knows: the first one (exec_id "") or an exec'd one. */
struct proc {
	struct proc *next;
	pid_t pid;      /* 0: not made yet */
	pid_t wait_pid; /* our child whose end is its end; mostly the same */
	int pidfd;      /* of a pid that is not our child, and so may become another's; else -1 */
	bool ended;
	uint64_t start_time;
	int held[3], console; /* owned; -1: none */
	char exec_id[EXEC_ID_SIZE];
};

/* A connection. One request at a time; a subscriber only listens. */
struct client {
	struct client *next;
	int fd;
	uint32_t version; /* agreed on; 0: not greeted yet */
	bool subscribed, closed;
	uint64_t seen; /* subscriber: number of the last event sent */
};

/* A running dockerd-exec. The one that created the container stays until the start. */
struct op {
	struct op *next;
	uint16_t type;    /* of the request that it works on; 0: waits between create and start */
	pid_t pid;        /* 0: reaped */
	int sock;         /* -1: done, only its end is awaited */
	uint32_t version; /* agreed on; 0: its hello has not come yet */
	int status;       /* wait status once reaped */
	struct client *client; /* who waits for the answer; NULL: nobody (any more) */
	uint32_t seq;
	struct proc *proc; /* create, exec: the process that is being made */
	bool idle;         /* started ahead, for the creation: it has got no request yet */
};

/* A child that ended while an operation was running that may yet name it. */
struct orphan {
	pid_t pid;
	int status;
	int64_t time;
};

struct shim {
	int listen, dir, signals, journal;
	uint64_t last_seq;
	struct proc *procs;
	struct client *clients;
	struct op *ops;
	struct orphan *orphans;
	size_t n_orphans, cap_orphans;
	int oom_notify, oom_counter;
	uint64_t oom_kills;
	char cgroup[1024]; /* removing this is all that is to be done at the end; "": the driver does more */
	char *name;         /* argv[1] */
	const char *driver; /* path of the exec driver's file, or NULL: not told */
	bool accepted, done;
	bool asked, created; /* a creation was tried; has worked */
	bool ended,
	    destroyed; /* the first process has ended and cleaning up is due; the driver has cleaned up */
};

/* journal.c */
int journal_create(struct shim *s, struct error *err);
/* Number, checksum and write a record, then send it to the subscribers. */
void journal_add(struct shim *s, enum shim_event_type type, const struct proc *p, int exit_code,
		 int64_t time);
/* Send a subscriber what it has not seen, as far as its socket takes it. */
void journal_pump(struct shim *s, struct client *c);

/*
 * msg_take_fd leaves -1 in the message's table, which sendmsg refuses, and positions in fields count from the old table: so what the
 * shim takes out stands last in a message, and is cut off before the rest is forwarded.
 */
static inline void msg_trim(struct msg *m)
{
	while (m->n_fds && m->fds[m->n_fds - 1] < 0)
		m->n_fds--;
}

/* op.c */
/* Start dockerd-exec for request m of c (NULL: the shim's own wish); `type` is what it shall do. */
int op_begin(struct shim *s, struct client *c, struct msg *m, struct proc *proc, struct error *err);
/* Pass a further request (start) to an operation that waits. */
int op_continue(struct shim *s, struct op *op, struct client *c, struct msg *m, struct error *err);
/* Start a dockerd-exec for the creation that will be asked for: it comes up while the daemon prepares the container. May fail silently. */
void op_ahead(struct shim *s);
/* The first process has ended: clean up without waiting to be told. */
void op_destroy(struct shim *s);
void op_readable(struct shim *s, struct op *op);
struct op *op_of_pid(struct shim *s, pid_t pid);
bool op_running(const struct shim *s);
void op_sweep(struct shim *s);

/* proc.c */
struct proc *proc_new(struct shim *s, const char *exec_id);
void proc_free(struct shim *s, struct proc *p);
/* NULL or "": the first process. NULL if unknown. */
struct proc *proc_find(struct shim *s, const char *exec_id);
/* It runs from now on; wait_pid 0: pid is our child. If it has ended already, that is recorded when proc_ended_early is called. */
void proc_runs(struct proc *p, pid_t pid, uint64_t start_time, pid_t wait_pid);
void proc_ended_early(struct shim *s, struct proc *p);
/* 0 or -1 with errno: ESRCH also if it has ended and is not yet reaped. */
int proc_signal(const struct proc *p, int signo);
void proc_close_stdio(struct proc *p);
void reap(struct shim *s);
void oom_check(struct shim *s);

/* cgroup.c */
/* Remove the directory below every hierarchy. False: somebody is in there, or it is not for us; dockerd-exec then does what is left. */
bool cgroup_remove(const char *path);

/* request.c */
void request_handle(struct shim *s, struct client *c, struct msg *m);
void client_reply_ok(struct client *c, uint32_t seq);
void client_reply_error(struct client *c, uint32_t seq, const struct error *e);

#endif
