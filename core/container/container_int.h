/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the container room share.
 *
 * Locks, outermost first:
 *   c->op      one change of life at a time (start, the handling of an exit, delete, rename, pause); held over I/O and driver calls
 *   c->lock    the fields of a container; short
 *   room lock  (store.c) the tables of containers and names; short
 * stop and kill do not take `op` while they wait: the exit they cause needs it.
 */
#ifndef CONTAINER_CONTAINER_INT_H
#define CONTAINER_CONTAINER_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/id.h"
#include "base/map.h"
#include "container/container.h"
#include "container/logd_client.h"
#include "container/shim_client.h"
#include "container/links.h"
#include "container/networks.h"
#include "spec/spec.h"

struct state {
	bool running, paused, restarting, oom_killed, dead, removing;
	pid_t pid;
	uint64_t start_time; /* of pid, see shim_created */
	int exit_code;
	char *error;               /* why the last start failed, or NULL */
	int64_t started, finished; /* CLOCK_ZERO: never */
};

/* A volume or bind as it was resolved; kept for inspect and removal. */
struct mount_point {
	char *type, *source, *destination, *name, *driver, *mode, *propagation;
	char *subpath;  /* of the volume or image, or NULL */
	char *image_id; /* of an image that is mounted; NULL: something else is */
	char *
	    mount_id; /* of a volume while it is mounted for a run: what a plugin knows the mount by */
	char *mounted_at; /* the same: where, if not at source */
	bool held;        /* the volume room counts it */
	bool rw, anonymous;
	bool fill; /* copy-up at the creation; not kept */
};

struct exec_session {
	struct exec_session *next;
	char id[ID_LEN + 1];
	char container_id[ID_LEN + 1];
	struct strlist cmd, env;
	char *user, *working_dir, *detach_keys;
	bool tty, privileged, attach_stdin, attach_stdout, attach_stderr;
	bool started, running, has_exit;
	uint64_t life;      /* start_time of the container's process that it was made for */
	bool probe;         /* of a health check: no stream in logd */
	bool launching;     /* its start is under way: its end waits for that */
	bool ending;        /* its shim has told its end, which is about to be handled */
	unsigned int users; /* requests that have it in hands */
	int64_t ended;      /* monotonic ns */
	int exit_code;
	pid_t pid;
	uint32_t rows, columns;
};

/* A client of /wait. Owned by its stream; guarded by c->lock. */
struct waiter;

struct container {
	atomic_uint refs;
	pthread_mutex_t op, lock;
	pthread_cond_t changed; /* with lock: state, or gone */
	char id[ID_LEN + 1];
	char *name; /* without slash; guarded by the room lock as well */
	int64_t created;
	char *path;
	struct strlist args;
	char *config, *host_config; /* normalised text */
	char *image_id;
	char *
	    extra; /* members of config.v2.json that are not ours, as text with leading commas, or NULL */
	struct state state;
	struct mount_point *mounts;
	size_t n_mounts;
	struct container_network *networks; /* networks.h */
	size_t n_networks;
	struct container_link *links; /* links.h */
	size_t n_links;
	bool connected; /* it has its namespace, and what networks say of themselves */
	int restart_count;
	bool started_before, manually_stopped, gone;
	bool
	    user_restart; /* `docker restart` has it in hands: its end is no reason to remove or restart it */
	/* read often, taken out of the texts */
	char *image_name, *network_mode, *ipc_mode, *log_driver, *command;
	struct pairs labels, log_opts;
	bool tty, open_stdin, stdin_once, auto_remove;
	int stop_signal, stop_timeout;
	char *restart_policy;
	int restart_max;
	struct spec_ports ports; /* exposed and published, as asked for */
	char *
	    graph_driver; /* as inspect prints it, once it was asked for; a layer's stack is for its life */
	/* running */
	bool mounted;
	bool volumes_mounted; /* counted by the volume room */
	bool logd_open;       /* its stream was made in the logd that runs now */
	bool streaming;       /* its shim holds stdio that a logd reads */
	bool
	    unclean; /* the driver could not clean up behind the last run: tried again before the next, and at the removal */
	bool oom_seen;
	int64_t restart_delay;  /* ns, grows */
	uint64_t restart_token; /* a scheduled restart is valid only with this */
	struct exec_session *execs;
	struct health *health; /* health.h; NULL: no check */
	struct waiter *waiters;
};

extern struct container_room containers;
/* The configuration in force: of what a reload changes. */
const struct config *containers_config(void);

/* ---- store.c */
struct container *container_new(const char *id);
struct container *container_ref(struct container *c);
void container_unref(struct container *c);
static inline void container_unrefp(struct container **c)
{
	if (*c)
		container_unref(*c);
}
#define auto_container __attribute__((cleanup(container_unrefp))) struct container
/* Its name now; malloc'ed. */
char *container_dup_name(struct container *c);
/* By id, name or prefix; a reference; NULL with moby's error. */
struct container *container_find(const char *name, struct error *err);
struct container *container_by_id(const char *id);
/* Reserve the name for the id; ERR_CONFLICT in moby's words. */
int container_claim_name(const char *id, const char *name, struct error *err);
void container_release_name(const char *name);
/* Visible to all from now on. */
void container_publish(struct container *c);
void container_unpublish(struct container *c);
/* References to all, newest first; free() the array after unref. */
struct container **containers_all(size_t *n);
/* A free pronounceable name, claimed for the id; malloc'ed. */
char *container_random_name(const char *id);

/* ---- later.c: work on disk that nobody waits for. Any thread. */
/* Close *fd, the last of a file that was replaced. */
void later_close(int *fd);
/* rm -rf of an absolute path. */
void later_remove(const char *path);
/* Wait until all of it is done, or `seconds` are over. */
void later_drain(int seconds);

/* ---- shutdown.c: any thread */
/* ERR_UNAVAILABLE once the daemon goes. Ask with op held: who has begun before is waited for. */
int containers_may_start(struct error *err);
/* Ends of containers are the next daemon's. With op held. */
bool containers_closed(void);

/* ---- shim_spare.c: any thread */
/* Keep a shim ready for the next start; said again after each start. */
void shim_spare_want(void);
/* The one that is kept, now in run_dir (which may be there if empty), to go on with shim_create: its connection. -1: none is ready. */
int shim_spare_take(const char *run_dir);
/* It goes, and none is kept any more. */
void shim_spare_end(void);

/* ---- disk.c */
char *container_dir(const char *id);     /* data-root/containers/ID */
char *container_run_dir(const char *id); /* exec-root/containers/ID */
/* Write config.v2.json (and hostconfig.json); durable. With op held. */
int container_save(struct container *c, bool host_config, struct error *err);
/* As started at `now`, which it is about to be: what is on disk when its program runs. */
int container_save_started(struct container *c, int64_t now, struct error *err);
/* The same without a sync: what only a kill of the daemon, not a power cut, must leave behind. */
int container_note(struct container *c, struct error *err);
struct container *container_load(const char *id, struct error *err);
/* HostConfig as it is now, parsed: for those who do not hold op, which an update does. */
/* Under its lock, for others may replace the text: another's host name, a network's settings. */
json *container_config(struct container *c, struct error *err);
json *container_host_config(struct container *c, struct error *err);
/* Take out of config and host_config what is read often. */
int container_cache_fields(struct container *c, struct error *err);

/* ---- life */
int container_start_locked(struct container *c, struct error *err); /* op held */
void container_release_resources(struct container *c); /* op held: network, mount, shim */
/* Clean up what could not be cleaned up at the end of the last run. */
int container_clean(struct container *c, struct error *err); /* op held */
void container_exited(struct container *c, const struct shim_event *ev);
int container_remove_locked(struct container *c, bool volumes, struct error *err); /* op held */
struct spec_host *spec_host(void);
/* shim_create arguments that deletion needs as well. */
void container_shim_base(struct container *c, char *run_dir, struct shim_create *out);
void restart_schedule(struct container *c, int64_t delay_ns);
/* The member AppArmorProfile: as moby, known from the first start on. With `lock` held, or while nobody else has the container. */
void container_print_apparmor(struct jw *w, const struct container *c);
/* From now on restarts that are due take place. */
void restarts_open(void);
/* What container_release_resources has left of the run, once its end is on disk. */
void container_forget_run(struct container *c);
/* Stopped by the daemon and by nobody else: its restart policy holds at the next chance. ERR_NOT_MODIFIED: it was down. */
int container_stop_by_daemon(struct container *c, int timeout_s, struct error *err);
void restart_cancel(struct container *c);
int container_wait_exit(struct container *c,
			int64_t timeout_ns); /* 0 ended, -1 timed out; without locks */

/* ---- monitor.c */
int monitor_init(struct error *err);
/* Follow the shim's events from the first on. sock: the connection that it was created through, taken; -1: make one. */
int monitor_add(struct container *c, int sock, struct error *err);
void monitor_remove(const char *id);

/* ---- wait.c: with lock held */
void waiters_exit(struct container *c);
void waiters_removed(struct container *c);
/* Wake the stream at each end of the container, until unwatch_end. Without the lock. */
void watch_end(struct container *c, struct http_stream *stream);
void unwatch_end(struct container *c, struct http_stream *stream);

/* ---- etc_files.c */
/* hostname, hosts, resolv.conf, for a start. */
int container_put_files(struct container *c, struct error *err);

/* ---- mounts.c */
/* Make volumes and host directories, fill c->mounts (create). */
int mounts_create(struct container *c, const json *config, const json *host, struct error *err);
/* What is mounted for one use, beside what the container may run with. */
struct mounted {
	struct strlist ids; /* by mount point, as `at` */
	char **at;          /* where, if that is not the mount point's source */
};
/* Mount points for the spec, sources resolved; mounted NULL: as they are for the container's life. */
int mounts_resolve(struct container *c, const json *config, const json *host,
		   const struct mounted *mounted, struct spec_mounts *out, struct error *err);
void mounts_free(struct container *c);
/* One of its mount points is that image; c->lock held. */
bool mounts_has_image(const struct container *c, const char *image_id);
/* The container does not use the volume (all its volumes) any more. */
void mounts_release_volume(struct container *c, const char *name, bool remove);
void mounts_release(struct container *c, bool remove_anonymous);
/* Have its volumes mounted, for a copy. On failure there is nothing to undo. */
int mounts_mount(struct container *c, struct mounted *out, struct error *err);
void mounts_unmount(struct container *c, struct mounted *m);
/* The same for its life, with events; op held. */
int mounts_start(struct container *c, struct error *err);
void mounts_stop(struct container *c);
/* It runs since before the daemon. */
void mounts_adopt(struct container *c);

/* ---- streams.c */
/* Make or renew the container's stream in logd. */
int container_logd_open(struct container *c, struct error *err);
/* LogPath, malloc'ed; NULL: the driver has none. */
char *container_log_path(const struct container *c);
/* A new logd has started: give it what the shims hold. */
void containers_logd_restore(const char *driver);
/* What log drivers are told of the container. Fill, use, free; the strings of `out` live in `told`. */
struct stream_told {
	struct logd_stream stream;
	struct pairs env, options, copy_options;
	char *log_path, *copy_path, *name;
};
int stream_tell(struct container *c, struct stream_told *told, struct error *err);
void stream_told_free(struct stream_told *told);

/* ---- events */
/* attrs may be NULL; image, name and labels are added. Without locks held but op. */
void container_event(struct container *c, const char *action, const struct pairs *attrs);

/* ---- exec.c */
void execs_free(struct container *c);
/* Stream of an exec session in logd. */
int exec_logd_open(struct container *c, const struct exec_session *e, struct error *err);
void exec_exited(struct container *c, const struct shim_event *ev);
/* Its end was told, and exec_exited comes. */
void exec_ending(const char *container_id, const char *exec_id);
/* The container is gone, and no shim will tell the ends of its sessions any more. */
void execs_cut(struct container *c);
/*
 * A health check's session, which runs when this returns; *out: what it says, the caller's. Its end is has_exit, told by c->changed. NULL with err.
 * The session is the caller's until exec_probe_done.
 */
struct exec_session *exec_probe(struct container *c, const struct strlist *command, int *out,
				struct error *err);
void exec_probe_done(struct container *c, struct exec_session *e);

/* ---- print.c */
void container_print_status(const struct container *c,
			    struct str *out); /* "Up 3 minutes", "Exited (0) ..." */
const char *container_state_name(const struct container *c);

#endif
