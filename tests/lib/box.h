/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A box for whole-daemon tests: namespaces of its own for processes, mounts and network, a tmpfs for all state, a cgroup parent. What the
 * daemon leaves behind is visible in it, and everything goes with it, however the test ends. Root only.
 */
#ifndef TESTS_BOX_H
#define TESTS_BOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/str.h"

/* TAP. */
void plan_done(void);
void ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern int box_failed;

/* Runs `test` inside the box and exits with its result; 77 with the reason if this machine can't. */
int box_run(int (*test)(void)) __attribute__((warn_unused_result));
/* Directory of the box (a tmpfs): state in data/ and exec/, socket `sock`, log `log`. */
extern char box_dir[64];
extern char box_cgroup[64]; /* "/dockerd-test-PID": cgroup parent of its containers */

/* ---- The daemon --------------------------------------------------------------------------------------------------------------- */

/* Further members of its daemon.json, with a leading comma. "" at first. */
extern const char *box_config;
/* Start ./dockerd and wait until it is ready: its pid, or -1 if it ended instead. fault: value of DOCKERD_FAULT, or NULL. */
pid_t daemon_start(bool live_restore, const char *fault);
/* SIGTERM or SIGKILL and wait for its end. Returns the wait status. */
int daemon_end(pid_t pid, int sig);
/* Its resident memory in KiB. */
long daemon_rss(pid_t pid);
/* The end of its log, for a failed test. */
void daemon_log_show(void);
/* Import the test image as `guest`. */
int daemon_image(void);
int image_at(const char *socket);

/* ---- Requests ----------------------------------------------------------------------------------------------------------------- */

struct reply {
	int status;      /* 0: none came */
	struct str head; /* lines, each ended by \r\n */
	struct str body; /* decoded */
	bool closes;     /* the server said that it closes, or did */
};
#define auto_reply __attribute__((cleanup(reply_free))) struct reply
void reply_free(struct reply *r);
/* Value of a header (in a static buffer), or NULL. */
const char *reply_header(const struct reply *r, const char *name);

/* Connection to the daemon's socket; with a receive time limit, so that no test hangs. */
int dial(void);
int dial_path(const char *path);
int send_all(int fd, const void *p, size_t n);
int send_text(int fd, const char *text);
/* One reply; head_only: it has no body whatever its head says. 0, or -1 if the connection ended or went silent within it. */
int read_reply(int fd, bool head_only, struct reply *r);
/* Only the head of a reply; what came behind it stays in the socket. */
int read_head(int fd, struct reply *r);
/* A request on a connection of its own. body NULL: none. */
int request(const char *method, const char *uri, const char *body, struct reply *r);
int request_at(const char *socket, const char *method, const char *uri, const char *body,
	       struct reply *r);
/* The same, and only its status. */
int status_of(const char *method, const char *uri, const char *body);
/* Read until `text` was seen, in all that came since `seen` was empty. False: the connection ended or went silent. */
bool read_until(int fd, struct str *seen, const char *text);
/* Create a container of the image `guest` running `args` ("\"pause\""), more: further members (",\"Tty\":true"). Its id, or "". */
const char *make_container(const char *name, const char *args, const char *more);
/* printf into one of a few static buffers. */
const char *fmt(const char *f, ...) __attribute__((format(printf, 1, 2)));

#endif
