/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container room: containers, their exec sessions, logs and waiting clients. Its own files share container_int.h.
 *
 * Functions that take a name accept a name (with or without slash), an id, or an unambiguous prefix of an id, and fail with moby's errors.
 * Any thread may call any of them.
 */
#ifndef CONTAINER_CONTAINER_H
#define CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "config/config.h"
#include "http/http.h"

struct image_store;

/* What the room needs from main; borrowed for the process's life. */
struct container_room {
	const struct config *config;
	struct image_store *images;
	const char *data_root, *exec_root; /* absolute, real */
	const char *exec_driver;           /* path of the .so */
	const char *storage_driver;        /* its name, for inspect */
	bool live_restore;
};

/* --log-driver and --log-opt: is the driver there, does it take the options? */
int containers_check_log(const struct config *c, struct error *err);
/* Load all containers from disk; adopt those that run; settle those that ended meanwhile. Call before listening. */
int containers_init(const struct container_room *room, struct error *err);
/* Start what its restart policy wants running; after the API listens. */
void containers_start_policies(void);
/*
 * Let none start any more (503), and stop all, unless live-restore; timeout_ms (-1: its own) for each. True: no thread is at work on a container. False:
 * one outlasts the patience of some seconds, and what it may use must not be closed.
 */
bool containers_shutdown(int timeout_ms);
/* SIGHUP: what new containers may ask for; those that run go on as they are. c lives as long as the process. */
void containers_reload(const struct config *c);
/* --exec-opt: does the exec driver take them? */
int containers_check_exec(const struct config *c, const char *driver, struct error *err);
/* Runtimes and DefaultRuntime of GET /info. */
void containers_print_runtimes(struct jw *w);
/* True if this host's control groups can limit swap. */
bool containers_limit_swap(void);

/* POST /containers/create. platform: what the image must be for, or "". Appends {"Id":..,"Warnings":..}. */
int container_create(const char *name, const char *platform, json *body, int api_version,
		     struct str *reply, struct error *err);
/* ERR_NOT_MODIFIED if it runs. */
int container_start(const char *name, const char *detach_keys, struct error *err);
/* timeout_s: before SIGKILL; -1: never kill; INT32_MIN: the container's or 10. signal NULL: the container's. */
int container_stop(const char *name, int timeout_s, const char *signal, struct error *err);
int container_restart(const char *name, int timeout_s, const char *signal, struct error *err);
/* signal "" : SIGKILL. */
int container_kill(const char *name, const char *signal, struct error *err);
int container_pause(const char *name, struct error *err);
int container_unpause(const char *name, struct error *err);
int container_rename(const char *name, const char *new_name, struct error *err);
/* POST /networks/{id}/connect and /disconnect; settings: EndpointSettings or NULL. */
int container_connect(const char *network, const char *container, const json *settings,
		      struct error *err);
int container_disconnect(const char *network, const char *container, bool force, struct error *err);
int container_resize(const char *name, uint32_t rows, uint32_t columns, struct error *err);
int container_delete(const char *name, bool force, bool volumes, bool link, struct error *err);
/* POST /containers/prune; appends the reply. */
int container_prune(const json *filters, struct str *reply, struct error *err);
/* GET /containers/{}/top; ps_args as ps(1) takes them. */
int container_top(const char *name, const char *ps_args, struct str *reply, struct error *err);

/* GET /containers/{}/json and /containers/json. */
int container_inspect(const char *name, bool size, struct str *reply, struct error *err);
struct container_list {
	bool all, size;
	int limit; /* 0: none */
	const json *filters;
};
int container_list(const struct container_list *how, struct str *reply, struct error *err);
struct container_counts {
	int total, running, paused, stopped;
};
struct container_counts containers_count(void);
/* Name without slash, into buf; NULL if there is no such id. */
const char *container_name_of(const char *id, char buf[256]);
/* Containers made from this image id, as the image room asks before it removes one: id of a running (or any) one, or NULL (malloc'ed). */
char *container_using_image(const char *image_id, bool running_only);

/* POST /containers/{}/update; body may be NULL. Appends {"Warnings": ...}. */
int container_update(const char *name, const json *body, struct str *reply, struct error *err);
/* GET /containers/{}/changes. */
int container_changes(const char *name, struct str *reply, struct error *err);
/* The whole tree as an archive to fd. */
int container_export(const char *name, int fd, struct error *err);
/*
 * docker cp. A path is the container's, resolved inside it, volumes included; "/x/" and "/x/." mean a directory. ERR_NOT_FOUND "Could not find
 * the file ...". One thread uses one container_files.
 */
struct container_files;
struct container_path {
	const char *name;
	int64_t size, mtime; /* bytes, ns */
	uint32_t mode;       /* st_mode */
	const char *link;    /* of a symlink: where it leads in the end */
};
struct container_files *container_files_open(const char *name, const char *path, struct error *err);
const struct container_path *container_files_path(const struct container_files *f);
int container_files_pack(struct container_files *f, int fd, struct error *err);
void container_files_close(struct container_files *f);
/* keep_dirs: no directory becomes a file, nor a file a directory. copy_owner: all becomes the container's user's. */
int container_files_extract(const char *name, const char *path, bool keep_dirs, bool copy_owner,
			    int fd, struct error *err);

/* POST /commit. Strings may be "". config: NULL, or the Config that goes over the container's. Appends {"Id": ...}. */
struct container_commit {
	const char *container, *repo, *tag, *author, *comment;
	bool pause;
	const struct strlist *changes; /* Dockerfile instructions */
	const json *config;
};
int container_commit_image(const struct container_commit *how, struct str *reply,
			   struct error *err);

/* These reply by themselves: they hijack, stream, or report the error. */
void container_wait(struct http_exchange *x, const char *name, const char *condition);
void container_attach(struct http_exchange *x, const char *name);
void container_attach_ws(struct http_exchange *x, const char *name);
void container_logs(struct http_exchange *x, const char *name);
void container_stats(struct http_exchange *x, const char *name, bool stream, bool one_shot);
void exec_start(struct http_exchange *x, const char *id);

int exec_create(const char *name, const json *body, struct str *reply, struct error *err);
int exec_inspect(const char *id, struct str *reply, struct error *err);
int exec_resize(const char *id, uint32_t rows, uint32_t columns, struct error *err);

#endif
