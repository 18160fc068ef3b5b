/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host services of the tester: those of the plugin room, each with a counter in front that makes one of them fail, and firewall and proxy
 * services that keep books instead of touching the machine. `lock` guards the book of proxies.
 */
#include "kit.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dockerd_host real;
static struct kit_shared *shared;
static struct strlist proxies = STRLIST_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool due(const char *service)
{
	unsigned int n = atomic_fetch_add(&shared->calls, 1) + 1;

	if (n != shared->fail_at)
		return false;
	snprintf(shared->failed_service, sizeof(shared->failed_service), "%s", service);
	return true;
}

static int32_t injected(const char *service, struct dockerd_error *err)
{
	return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "host service %s was made to fail", service);
}

/* The driver's lines for the daemon's log: nobody reads them here. */
static void kit_log(const struct dockerd_host *host, uint32_t level, const char *message)
{
	(void)host;
	(void)level;
	(void)message;
}

static int32_t kit_mount(const struct dockerd_host *host, const char *source, const char *target,
			 const char *fstype, uint64_t flags, const char *data,
			 struct dockerd_error *err)
{
	if (due("mount"))
		return injected("mount", err);
	return real.mount(host, source, target, fstype, flags, data, err);
}

static int32_t kit_unmount(const struct dockerd_host *host, const char *target, uint64_t flags,
			   struct dockerd_error *err)
{
	if (due("unmount"))
		return injected("unmount", err);
	return real.unmount(host, target, flags, err);
}

static int32_t kit_run(const struct dockerd_host *host, const char *const *argv,
		       uint32_t deadline_ms, char *output, uint32_t output_size, int32_t *status,
		       struct dockerd_error *err)
{
	if (due("run"))
		return injected("run", err);
	return real.run(host, argv, deadline_ms, output, output_size, status, err);
}

static void *kit_alloc(const struct dockerd_host *host, size_t size)
{
	void *p;

	if (due("alloc"))
		return NULL;
	p = real.alloc(host, size);
	if (p)
		atomic_fetch_add(&shared->live_allocs, 1);
	return p;
}

static void kit_free(const struct dockerd_host *host, void *p)
{
	if (p)
		atomic_fetch_sub(&shared->live_allocs, 1);
	real.free(host, p);
}

/* The language of iptables-restore --noflush, loosely: a table, lines of known verbs, COMMIT. */
static bool good_rules(const char *rules)
{
	bool table = false;

	while (*rules) {
		size_t n = strcspn(rules, "\n");

		if (n && *rules == '*') {
			if (table)
				return false;
			table = true;
		} else if (n == 6 && !memcmp(rules, "COMMIT", 6)) {
			if (!table)
				return false;
			table = false;
		} else if (n && *rules != '#') {
			if (!table ||
			    !(*rules == ':' || (n > 3 && *rules == '-' && rules[2] == ' ' &&
						strchr("AIDNFXCP", rules[1]))))
				return false;
		}
		rules += n + (rules[n] == '\n');
	}
	return !table;
}

static int32_t kit_firewall(const struct dockerd_host *host, uint32_t family, const char *rules,
			    struct dockerd_error *err)
{
	(void)host;
	if (family != 4 && family != 6)
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "firewall: family is %u, expected 4 or 6", family);
	if (!rules || !good_rules(rules))
		return dockerd_fail(err, DOCKERD_ERR_INVALID,
				    "firewall: not in the language of iptables-restore: %s",
				    rules ? rules : "(null)");
	return due("firewall") ? injected("firewall", err) : 0;
}

static char *proxy_key(const char *proto, const char *ip, uint32_t port)
{
	return xasprintf("%s %s %u", proto, ip, port);
}

static int32_t kit_proxy_start(const struct dockerd_host *host, const char *proto,
			       const char *host_ip, uint32_t host_port, const char *container_ip,
			       uint32_t container_port, struct dockerd_error *err)
{
	char *key;
	int32_t r = 0;
	LOCK_SCOPE(&lock);

	(void)host;
	(void)container_ip;
	(void)container_port;
	if (due("proxy_start"))
		return injected("proxy_start", err);
	key = proxy_key(proto, host_ip, host_port);
	if (strlist_has(&proxies, key))
		r = dockerd_fail(err, DOCKERD_ERR_CONFLICT, "address already in use: %s", key);
	else
		strlist_add(&proxies, key);
	free(key);
	return r;
}

static int32_t kit_proxy_stop(const struct dockerd_host *host, const char *proto,
			      const char *host_ip, uint32_t host_port, struct dockerd_error *err)
{
	char *key = proxy_key(proto, host_ip, host_port);
	LOCK_SCOPE(&lock);

	(void)host;
	(void)err;
	for (size_t i = 0; i < proxies.n; i++) {
		if (!streq(proxies.v[i], key))
			continue;
		strlist_remove(&proxies, i);
		break;
	}
	free(key);
	return 0;
}

unsigned int host_proxies(void)
{
	LOCK_SCOPE(&lock);

	return (unsigned int)proxies.n;
}

static void filter(struct dockerd_host *h)
{
	real = *h;
	h->log = kit_log;
	h->mount = kit_mount;
	h->unmount = kit_unmount;
	h->run = kit_run;
	h->alloc = kit_alloc;
	h->free = kit_free;
	h->firewall = kit_firewall;
	h->proxy_start = kit_proxy_start;
	h->proxy_stop = kit_proxy_stop;
}

void host_setup(struct kit *k)
{
	shared = k->shared;
	plugin_set_host_filter(filter);
}
