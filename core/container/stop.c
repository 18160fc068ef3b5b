/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, stop, restart, pause, resize, rename: what a user does to a container that runs. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SEC INT64_C(1000000000)
#define KILL_WAIT (10 * SEC)

static void kill_event(struct container *c, int signo)
{
	auto_pairs attrs = PAIRS_INIT;
	char number[16];

	snprintf(number, sizeof(number), "%d", signo);
	pairs_set(&attrs, "signal", number);
	container_event(c, "kill", &attrs);
}

static bool is_running(struct container *c)
{
	LOCK_SCOPE(&c->lock);

	return c->state.running;
}

/* A container that waits for its restart has no process: it just stays down. True if that was the case. */
static bool stop_restarting(struct container *c)
{
	struct error err = ERROR_INIT;
	LOCK_SCOPE(&c->op);

	pthread_mutex_lock(&c->lock);
	if (!c->state.restarting) {
		pthread_mutex_unlock(&c->lock);
		return false;
	}
	restart_cancel(c);
	c->state.running = c->state.restarting = false;
	c->manually_stopped = true;
	waiters_exit(c);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (container_save(c, false, &err) < 0)
		log_error("state of a container is not on disk", "container", c->id, "error",
			  err.text);
	return true;
}

static int send_signal(struct container *c, int signo, struct error *err)
{
	auto_free char *dir = container_run_dir(c->id);
	bool paused;

	pthread_mutex_lock(&c->lock);
	paused = c->state.paused;
	pthread_mutex_unlock(&c->lock);
	if (shim_signal(dir, NULL, signo, false, err) < 0) {
		/* it has ended, and its shim goes or is gone: the exit is on its way */
		if (err->kind == ERR_NOT_FOUND || err->kind == ERR_CANCELLED)
			return 0;
		return error_wrap(err, "cannot kill container %s", c->id);
	}
	kill_event(c, signo);
	if (paused && (signo == SIGKILL || signo == c->stop_signal)) {
		LOCK_SCOPE(&c->op);
		/* a frozen process does not even die */
		if (c->state.paused && shim_resume(dir, err) == 0) {
			pthread_mutex_lock(&c->lock);
			c->state.paused = false;
			pthread_mutex_unlock(&c->lock);
		}
	}
	return 0;
}

int container_kill(const char *name, const char *signal_name, struct error *err)
{
	int signo = *signal_name ? spec_signal(signal_name) : SIGKILL;
	auto_container *c = NULL;

	if (signo <= 0)
		return error_set(err, ERR_INVALID, "cannot kill container: %s: invalid signal: %s",
				 name, signal_name);
	c = container_find(name, err);
	if (!c)
		return error_wrap(err, "cannot kill container: %s", name);
	if (!is_running(c))
		return error_set(err, ERR_CONFLICT,
				 "cannot kill container: %s: container %s is not running", name,
				 c->id);
	if (stop_restarting(c))
		return 0;
	pthread_mutex_lock(&c->lock);
	c->manually_stopped = true;
	pthread_mutex_unlock(&c->lock);
	if (send_signal(c, signo, err) < 0)
		return -1;
	/* moby answers a SIGKILL when the container is down */
	if (signo == SIGKILL)
		container_wait_exit(c, KILL_WAIT);
	return 0;
}

static int stop_running(struct container *c, int timeout_s, int signo, struct error *err)
{
	if (stop_restarting(c))
		return 0;
	pthread_mutex_lock(&c->lock);
	c->manually_stopped = true;
	pthread_mutex_unlock(&c->lock);
	if (send_signal(c, signo, err) < 0)
		return -1;
	if (container_wait_exit(c, timeout_s < 0 ? -1 : timeout_s * SEC) < 0) {
		log_info("Container failed to exit within the stop timeout - using the force",
			 "container", c->id);
		if (send_signal(c, SIGKILL, err) < 0)
			return -1;
		if (container_wait_exit(c, KILL_WAIT) < 0)
			return error_set(err, ERR_SYSTEM,
					 "cannot stop container: %s: tried to kill container, but "
					 "did not receive an exit event",
					 c->id);
	}
	container_event(c, "stop", NULL);
	return 0;
}

static int stop_values(struct container *c, int *timeout_s, const char *signal_name, int *signo,
		       struct error *err)
{
	if (*timeout_s == INT32_MIN)
		*timeout_s = c->stop_timeout == INT32_MIN ? 10 : c->stop_timeout;
	*signo = signal_name && *signal_name ? spec_signal(signal_name) : c->stop_signal;
	if (*signo <= 0)
		return error_set(err, ERR_INVALID, "cannot stop container: %s: invalid signal: %s",
				 c->name, signal_name);
	return 0;
}

int container_stop(const char *name, int timeout_s, const char *signal_name, struct error *err)
{
	auto_container *c = container_find(name, err);
	int signo;

	if (!c)
		return -1;
	if (!is_running(c))
		return error_set(err, ERR_NOT_MODIFIED, "container is already stopped");
	if (stop_values(c, &timeout_s, signal_name, &signo, err) < 0)
		return -1;
	return stop_running(c, timeout_s, signo, err);
}

int container_restart(const char *name, int timeout_s, const char *signal_name, struct error *err)
{
	auto_container *c = container_find(name, err);
	int signo, r = 0;

	if (!c || stop_values(c, &timeout_s, signal_name, &signo, err) < 0)
		return -1;
	pthread_mutex_lock(&c->lock);
	c->user_restart = true; /* it goes down, but not away */
	pthread_mutex_unlock(&c->lock);
	if (is_running(c))
		r = stop_running(c, timeout_s, signo, err);
	if (r == 0) {
		LOCK_SCOPE(&c->op);
		c->user_restart = false; /* before the start: the next end counts again */
		if (!c->gone && !c->state.running)
			r = container_start_locked(c, err);
	}
	pthread_mutex_lock(&c->lock);
	c->user_restart = false;
	pthread_mutex_unlock(&c->lock);
	if (r < 0)
		return error_wrap(err, "Cannot restart container %s", name);
	container_event(c, "restart", NULL);
	return 0;
}

static int set_paused(struct container *c, bool paused, struct error *err)
{
	pthread_mutex_lock(&c->lock);
	c->state.paused = paused;
	pthread_mutex_unlock(&c->lock);
	if (container_save(c, false, err) == 0)
		return 0;
	pthread_mutex_lock(&c->lock);
	c->state.paused = false;
	pthread_mutex_unlock(&c->lock);
	return -1;
}

int container_pause(const char *name, struct error *err)
{
	struct error ignored = ERROR_INIT;
	auto_container *c = container_find(name, err);
	auto_free char *dir = c ? container_run_dir(c->id) : NULL;

	if (!c)
		return -1;
	LOCK_SCOPE(&c->op);
	if (!c->state.running)
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	if (c->state.paused)
		return error_set(err, ERR_CONFLICT, "Container %s is already paused", c->id);
	if (c->state.restarting)
		return error_set(err, ERR_CONFLICT,
				 "Container %s is restarting, wait until the container is running",
				 c->id);
	/* on disk first: one that is frozen and said to run would answer to nothing after a kill of ours */
	if (set_paused(c, true, err) < 0)
		return -1;
	FAULT("container.pause.saved");
	if (shim_pause(dir, err) < 0) {
		set_paused(c, false, &ignored);
		return error_wrap(err, "cannot pause container %s", c->id);
	}
	container_event(c, "pause", NULL);
	return 0;
}

int container_unpause(const char *name, struct error *err)
{
	auto_container *c = container_find(name, err);
	auto_free char *dir = c ? container_run_dir(c->id) : NULL;

	if (!c)
		return -1;
	LOCK_SCOPE(&c->op);
	if (!c->state.paused)
		return error_set(err, ERR_SYSTEM, "Container %s is not paused", c->id);
	if (shim_resume(dir, err) < 0)
		return error_wrap(err, "cannot resume container: %s", c->id);
	if (set_paused(c, false, err) < 0)
		return -1;
	container_event(c, "unpause", NULL);
	return 0;
}

int container_rename(const char *name, const char *new_name, struct error *err)
{
	auto_container *c = container_find(name, err);
	auto_free char *old = NULL;
	auto_pairs attrs = PAIRS_INIT;
	auto_free char *slashed = NULL;

	if (*new_name == '/')
		new_name++;
	if (!*new_name)
		return error_set(err, ERR_INVALID, "Neither old nor new names may be empty");
	if (!c)
		return -1;
	if (!spec_name_ok(new_name))
		return error_set(
		    err, ERR_INVALID,
		    "Error when allocating new name: Invalid container name (/%s), only "
		    "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
		    new_name);
	LOCK_SCOPE(&c->op);
	if (c->gone)
		return error_set(err, ERR_NOT_FOUND, "No such container: %s", name);
	if (streq(c->name, new_name))
		return error_set(err, ERR_INVALID,
				 "Renaming a container with the same name as its current name");
	if (container_claim_name(c->id, new_name, err) < 0)
		return error_wrap(err, "Error when allocating new name");
	FAULT("container.rename.claimed");
	pthread_mutex_lock(&c->lock);
	old = c->name;
	c->name = xstrdup(new_name);
	pthread_mutex_unlock(&c->lock);
	if (container_save(c, false, err) < 0) {
		pthread_mutex_lock(&c->lock);
		free(c->name);
		c->name = steal_ptr(&old);
		pthread_mutex_unlock(&c->lock);
		container_release_name(new_name);
		return -1;
	}
	FAULT("container.rename.saved");
	container_release_name(old);
	links_renamed(c, old);
	networks_rename(c);
	slashed = xasprintf("/%s", old);
	pairs_set(&attrs, "oldName", slashed);
	container_event(c, "rename", &attrs);
	return 0;
}

int container_resize(const char *name, uint32_t rows, uint32_t columns, struct error *err)
{
	auto_container *c = container_find(name, err);
	auto_free char *dir = c ? container_run_dir(c->id) : NULL;
	auto_pairs attrs = PAIRS_INIT;
	char number[16];

	if (!c)
		return -1;
	if (!is_running(c))
		return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
	/* without a terminal there is nothing to do: no error, as moby */
	if (c->tty && shim_resize(dir, NULL, rows, columns, err) < 0)
		return -1;
	snprintf(number, sizeof(number), "%u", rows);
	pairs_set(&attrs, "height", number);
	snprintf(number, sizeof(number), "%u", columns);
	pairs_set(&attrs, "width", number);
	container_event(c, "resize", &attrs);
	return 0;
}
