/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the spec room is told about this host and the daemon's configuration. A reload makes another one; old ones stay, since a reload is rare and a
 * reader's pointer must stay good.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/apparmor.h"
#include "container/container_int.h"
#include "container/runtimes.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static struct spec_host first;
static _Atomic(struct spec_host *) host;
static _Atomic(const struct config *) in_force; /* NULL: that of the start */
static struct pairs ulimits;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_ulimits(void)
{
	/* {"nofile":{"Name":"nofile","Hard":64000,"Soft":64000}} */
	for (json *u = json_first(config_json(containers.config, "default-ulimits")); u;
	     u = json_next(u)) {
		char text[64];

		snprintf(text, sizeof(text), "%lld:%lld", (long long)json_get_i64(u, "Soft", -1),
			 (long long)json_get_i64(u, "Hard", -1));
		pairs_set(&ulimits, json_name(u), text);
	}
}

/* "" and "builtin", "unconfined", or the text of the profile. */
static const char *seccomp_profile(void)
{
	const char *path = config_str(containers.config, "seccomp-profile");
	struct error err = ERROR_INIT;
	struct str text = STR_INIT;

	if (!*path || streq(path, "builtin") || streq(path, "unconfined"))
		return path;
	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, &err) < 0) {
		log_error("opening seccomp profile failed: the built-in one is used", "error",
			  err.text);
		return "builtin";
	}
	return str_steal(&text);
}

/* On v2 only a cgroup that is no root has memory.swap.max, and only where the kernel counts swap: our own tells, as in moby. */
bool containers_limit_swap(void)
{
	auto_str text = STR_INIT;
	auto_free char *path = NULL;
	struct error err = ERROR_INIT;
	const char *line;
	int len;

	if (file_exists_at(AT_FDCWD, "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"))
		return true;
	if (file_read_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &err) < 0 ||
	    !(line = strstr(str_cstr(&text), "0::/")))
		return false;
	line += strlen("0::");
	len = (int)strcspn(line, "\n");
	path = xasprintf("/sys/fs/cgroup%.*s/memory.swap.max", len, line);
	return file_exists_at(AT_FDCWD, path);
}

/* What of it a reload changes. */
static void fill_runtimes(struct spec_host *h, const struct config *c)
{
	struct strlist names = STRLIST_INIT;

	runtime_names(c, &names);
	h->runtimes = (const char *const *)names.v; /* stays */
	h->default_runtime = config_str(c, "default-runtime");
}

static void make(void)
{
	struct sysinfo si;

	sysinfo(&si);
	read_ulimits();
	first = (struct spec_host){
	    .memory_total = (int64_t)si.totalram * si.mem_unit,
	    .cpus = (int)sysconf(_SC_NPROCESSORS_ONLN),
	    .cgroup_version =
		file_exists_at(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers") ? "2" : "1",
	    .ulimits = &ulimits,
	    .shm_size = config_int(containers.config, "default-shm-size"),
	    .ipc_mode = config_str(containers.config, "default-ipc-mode"),
	    .cgroupns_mode = config_str(containers.config, "default-cgroupns-mode"),
	    .cgroup_parent = config_str(containers.config, "cgroup-parent"),
	    .log_driver = config_str(containers.config, "log-driver"),
	    .log_opts = config_map(containers.config, "log-opts"),
	    .seccomp_profile = seccomp_profile(),
	    .no_new_privileges = config_bool(containers.config, "no-new-privileges"),
	    .init = config_bool(containers.config, "init"),
	    .swap_accounting = containers_limit_swap(),
	    .apparmor_profile = apparmor_enabled() ? APPARMOR_DEFAULT : "",
	    .ids = idmap_current(),
	};
	fill_runtimes(&first, containers_config());
	atomic_store(&host, &first);
}

const struct config *containers_config(void)
{
	const struct config *c = atomic_load(&in_force);

	return c ? c : containers.config;
}

void containers_reload(const struct config *c)
{
	struct spec_host *h = xnew(struct spec_host);

	*h = *spec_host();
	fill_runtimes(h, c);
	atomic_store(&in_force, c);
	atomic_store(&host, h);
}

struct spec_host *spec_host(void)
{
	pthread_once(&once, make);
	return atomic_load(&host);
}
