/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shim, with its dockerd-exec and the driver in it, that is up before a container needs it: two programs less to load while somebody waits for a
 * start. It costs some 400 KiB. There is one at a time; who comes while it is being made starts a shim of his own, as he would without this file.
 *
 * It is no different from another shim that was launched ahead of its creation (shim_launch): it knows no container, ends when our connection closes,
 * so also when we die, and lies in a run directory of exec-root/containers, with a name of an id's form, that the next start sweeps. A start takes it
 * by renaming the directory.
 *
 * `lock` guards all; one thread makes them.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/shim_call.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BEHIND_NS 10000000 /* behind a start */

struct spare {
	char *dir; /* NULL: there is none */
	int sock;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct spare spare = {.sock = -1};
static bool wanted, making, running, ended;

static void discard(struct spare *s)
{
	struct shim_create sc = {.dir = s->dir, .rootfs_fd = -1, .netns_fd = -1};
	struct error err = ERROR_INIT;

	if (!s->dir)
		return;
	fd_close(&s->sock);
	if (shim_delete(&sc, &err) < 0)
		log_warn("a shim that was kept ready is not removed; the next start tries again",
			 "directory", s->dir, "error", err.text);
	free(s->dir);
	s->dir = NULL;
}

static struct spare make_one(void)
{
	struct error err = ERROR_INIT;
	struct shim_create sc = {.id = SHIM_SPARE_ID, .driver = containers.exec_driver};
	struct spare s = {.sock = -1};
	char id[ID_LEN + 1];

	if (FAULT_ERR("shim.spare.begin", &err))
		return s;
	id_random(id);
	s.dir = container_run_dir(id);
	sc.dir = s.dir;
	if (dir_make_all(AT_FDCWD, s.dir, 0700, &err) == 0)
		s.sock = shim_launch(&sc, &err);
	FAULT("shim.spare.launched");
	if (s.sock < 0) /* the start that needs one will say why */
		discard(&s);
	return s;
}

/* The container that was just started is somebody's to wait for; the next one comes later. */
static void let_pass(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += BEHIND_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!ended && pthread_cond_timedwait(&changed, &lock, &until) == 0)
		;
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		struct spare made;

		while (!wanted)
			pthread_cond_wait(&changed, &lock);
		let_pass();
		wanted = false;
		if (spare.dir || ended)
			continue;
		making = true;
		pthread_mutex_unlock(&lock);
		made = make_one();
		pthread_mutex_lock(&lock);
		spare = made;
		making = false;
		pthread_cond_broadcast(&changed);
	}
	return NULL;
}

void shim_spare_want(void)
{
	struct error err = ERROR_INIT;
	LOCK_SCOPE(&lock);

	if (ended)
		return;
	if (!running)
		running = thread_start("shim-spare", run, NULL, &err) == 0;
	wanted = true;
	pthread_cond_broadcast(&changed);
}

static bool alive(const struct spare *s)
{
	struct pollfd p = {.fd = s->sock, .events = POLLIN};

	return poll(&p, 1, 0) == 0; /* it says nothing unasked: what could be read is its end */
}

int shim_spare_take(const char *run_dir)
{
	struct spare s;

	pthread_mutex_lock(&lock);
	s = spare;
	spare = (struct spare){.sock = -1};
	pthread_mutex_unlock(&lock);
	if (!s.dir)
		return -1;
	if (!alive(&s) || rename(s.dir, run_dir) < 0) {
		discard(&s);
		return -1;
	}
	FAULT("shim.spare.taken");
	free(s.dir);
	return s.sock;
}

void shim_spare_end(void)
{
	LOCK_SCOPE(&lock);

	ended = true;
	pthread_cond_broadcast(&changed);
	while (making)
		pthread_cond_wait(&changed, &lock);
	discard(&spare);
}
