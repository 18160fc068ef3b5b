/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of firewalld.so: which links are ours, and a thread that waits for news. `lock` guards all of it. See firewalld.h. */
#include "network/firewalld.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "plugin/module.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS 3 /* for an answer of firewalld */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct strlist links;
static const struct firewalld_module *module; /* constant while the thread runs */
static bool watching, runs, stopping;
static int stop_fd = -1;
static void (*on_flush)(void);

/* Its policy for the system bus comes with it; who names a bus of his own in the environment means that one. */
static bool is_installed(void)
{
	return !str_empty(secure_getenv("DBUS_SYSTEM_BUS_ADDRESS")) ||
	       access("/usr/share/dbus-1/system.d/FirewallD.conf", F_OK) == 0 ||
	       access("/etc/dbus-1/system.d/FirewallD.conf", F_OK) == 0;
}

static void tell(const char *ifname, bool there)
{
	struct error err = ERROR_INIT;

	if (module->link(ifname, there, &err) < 0)
		log_warn(there ? "firewalld does not let containers through this link"
			       : "firewalld still knows a link",
			 "link", ifname, "error", err.text);
}

/* Is it a link of ours, and are we to go on? */
static bool has_link(const char *ifname)
{
	LOCK_SCOPE(&lock);

	return !stopping && strlist_has(&links, ifname);
}

static bool is_stopping(void)
{
	LOCK_SCOPE(&lock);

	return stopping;
}

/* It may leave while it is told of: then that was said before, or is undone here. */
static void tell_there(const char *ifname)
{
	if (!has_link(ifname))
		return;
	tell(ifname, true);
	if (!has_link(ifname) && !is_stopping())
		tell(ifname, false);
}

static void is_up(void)
{
	auto_strlist all = STRLIST_INIT;
	struct error err = ERROR_INIT;
	int r = module->prepare(&err);

	if (r > 0) /* it reloads, and is up again then */
		return;
	pthread_mutex_lock(&lock);
	runs = true; /* before the list is read: whoever comes now tells his link himself */
	strlist_copy(&all, &links);
	pthread_mutex_unlock(&lock);
	log_info("firewalld is running");
	if (r < 0)
		log_warn("no zone of containers in firewalld", "zone", FIREWALLD_ZONE, "error",
			 err.text);
	for (size_t i = 0; i < all.n; i++)
		tell_there(all.v[i]);
	if (!is_stopping())
		on_flush();
}

static void is_gone(void)
{
	LOCK_SCOPE(&lock);

	runs = false;
}

static void *run(void *arg)
{
	static const struct firewalld_hooks hooks = {is_up, is_gone};
	struct error err = ERROR_INIT;

	(void)arg;
	if (module->watch(stop_fd, &hooks, &err) < 0)
		log_warn("firewalld is not watched", "error", err.text);
	pthread_mutex_lock(&lock);
	watching = runs = false;
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
	return NULL;
}

void firewalld_init(void (*rules_gone)(void))
{
	struct error err = ERROR_INIT;
	LOCK_SCOPE(&lock);

	if (watching || !is_installed())
		return;
	on_flush = rules_gone;
	module = module_load("firewalld.so", FIREWALLD_MODULE_SYMBOL, FIREWALLD_MODULE_BUILD, &err);
	if (!module) {
		log_warn("firewalld is installed and can't be spoken to", "error", err.text);
		return;
	}
	stop_fd = eventfd(0, EFD_CLOEXEC);
	watching = stop_fd >= 0 && thread_start("firewalld", run, NULL, &err) == 0;
	if (!watching)
		log_warn("firewalld is not watched", "error", err.text);
}

void firewalld_link(const char *ifname, bool there)
{
	bool now;

	pthread_mutex_lock(&lock);
	for (size_t i = links.n; i-- > 0;)
		if (streq(links.v[i], ifname))
			strlist_remove(&links, i);
	if (there)
		strlist_add(&links, ifname);
	now = runs;
	pthread_mutex_unlock(&lock);
	if (now)
		tell(ifname, there);
}

void firewalld_shutdown(void)
{
	uint64_t one = 1;
	struct timespec until;
	LOCK_SCOPE(&lock);

	stopping = true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_SECONDS;
	if (watching && write(stop_fd, &one, sizeof(one)) == sizeof(one))
		while (watching && pthread_cond_timedwait(&ended, &lock, &until) == 0)
			;
	if (watching) /* it waits for the bus: it ends with the process, and its descriptor is still its own */
		log_warn("firewalld does not answer; it is not waited for");
	else
		fd_close(&stop_fd);
	strlist_free(&links);
}
