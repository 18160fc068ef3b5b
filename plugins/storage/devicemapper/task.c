/* SPDX-License-Identifier: Apache-2.0 */
/* libdevmapper, as far as thin pools need it. See devicemapper.h. */
#include "devicemapper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct dockerd_host *logs_to;

/* The library would print to stderr. What fails comes back as an errno: its words are for who debugs. */
static void on_log(int level, const char *file, int line, int errnum, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	(void)file, (void)line, (void)errnum;
	if ((level & 7) > 5 || !logs_to || !DOCKERD_HAS(logs_to, log)) /* _LOG_NOTICE and above */
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	logs_to->log(logs_to, DOCKERD_LOG_DEBUG, text);
}

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static int users;

/* The library opens its descriptor without O_CLOEXEC: it is made to do so here, once, and to keep it. */
static void keep_control(void)
{
	struct dm_task *t = dm_task_create(DM_DEVICE_VERSION);
	DIR *d;
	struct dirent *e;

	dm_hold_control_dev(1);
	if (t) {
		dm_task_run(t);
		dm_task_destroy(t);
	}
	d = opendir("/proc/self/fd");
	while (d && (e = readdir(d))) {
		char target[64];
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (!strcmp(target, "/dev/mapper/control"))
			fcntl(atoi(e->d_name), F_SETFD, FD_CLOEXEC);
	}
	if (d)
		closedir(d);
}

void task_init(const struct dockerd_host *host)
{
	pthread_mutex_lock(&users_lock);
	logs_to = host;
	if (users++ == 0) {
		dm_log_with_errno_init(on_log);
		dm_set_dev_dir("/dev");
		keep_control();
	}
	pthread_mutex_unlock(&users_lock);
}

void task_exit(void)
{
	pthread_mutex_lock(&users_lock);
	if (--users == 0) {
		logs_to = NULL;
		dm_hold_control_dev(0);
		dm_lib_release();
	}
	pthread_mutex_unlock(&users_lock);
}

const char *task_library_version(void)
{
	static char version[64];

	if (!*version && !dm_get_library_version(version, sizeof(version)))
		snprintf(version, sizeof(version), "unknown");
	return version;
}

bool task_udev_sync(void)
{
	return dm_udev_get_sync_support() != 0;
}

static struct dm_task *task(int type, const char *name)
{
	struct dm_task *t = dm_task_create(type);

	if (t && !dm_task_set_name(t, name)) {
		dm_task_destroy(t);
		return NULL;
	}
	return t;
}

/* Runs and frees it; waits for udev where it makes the nodes. */
static int run(struct dm_task *t, bool nodes, const char *what, const char *name,
	       struct dockerd_error *err)
{
	uint32_t cookie = 0;
	int e = 0;

	if (!t)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s %s: out of memory", what, name);
	if (nodes && !dm_task_set_cookie(t, &cookie, 0))
		e = EIO;
	else if (!dm_task_run(t))
		e = dm_task_get_errno(t) ? dm_task_get_errno(t) : EIO;
	if (nodes && cookie)
		dm_udev_wait(cookie);
	dm_task_destroy(t);
	if (!e)
		return 0;
	dockerd_fail_errno(err, e, "device-mapper: %s %s", what, name);
	err->category = DOCKERD_ERR_SYSTEM;
	return -1;
}

static bool info(const char *name, struct dm_info *out)
{
	struct dm_task *t = task(DM_DEVICE_INFO, name);
	bool ok = t && dm_task_run(t) && dm_task_get_info(t, out);

	if (t)
		dm_task_destroy(t);
	return ok && out->exists;
}

int task_exists(const char *name)
{
	struct dm_info i = {0};

	return info(name, &i);
}

int task_open_count(const char *name)
{
	struct dm_info i = {0};

	return info(name, &i) ? i.open_count : 0;
}

int task_create(const char *name, uint64_t sectors, const char *target, const char *params,
		struct dockerd_error *err)
{
	struct dm_task *t = task(DM_DEVICE_CREATE, name);

	if (t && !dm_task_add_target(t, 0, sectors, target, params)) {
		dm_task_destroy(t);
		t = NULL;
	}
	return run(t, true, "activate", name, err);
}

int task_remove(const char *name, bool deferred, struct dockerd_error *err)
{
	struct dm_task *t;

	if (!task_exists(name))
		return 0;
	t = task(DM_DEVICE_REMOVE, name);
	if (t && deferred)
		dm_task_deferred_remove(t);
	else if (t)
		dm_task_retry_remove(t); /* udev may look into it just now */
	if (run(t, true, "deactivate", name, err) == 0)
		return 0;
	return err->sys_errno == ENXIO ? 0 : -1;
}

int task_suspend(const char *name, bool resume, struct dockerd_error *err)
{
	return run(task(resume ? DM_DEVICE_RESUME : DM_DEVICE_SUSPEND, name), resume,
		   resume ? "resume" : "suspend", name, err);
}

int task_message(const char *pool, struct dockerd_error *err, const char *fmt, ...)
{
	struct dm_task *t = task(DM_DEVICE_TARGET_MSG, pool);
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t && (!dm_task_set_sector(t, 0) || !dm_task_set_message(t, text))) {
		dm_task_destroy(t);
		t = NULL;
	}
	return run(t, false, text, pool, err);
}

int task_status(const char *name, bool table, char *out, size_t size, struct dockerd_error *err)
{
	struct dm_task *t = task(table ? DM_DEVICE_TABLE : DM_DEVICE_STATUS, name);
	uint64_t start, length;
	char *type, *params;
	int r = -1;

	if (t && dm_task_no_flush(t) && dm_task_run(t)) {
		dm_get_next_target(t, NULL, &start, &length, &type, &params);
		if (params) {
			snprintf(out, size, "%s", params);
			r = 0;
		}
	}
	if (r < 0)
		dockerd_fail(err, DOCKERD_ERR_SYSTEM, "device-mapper: no status of %s", name);
	if (t)
		dm_task_destroy(t);
	return r;
}
