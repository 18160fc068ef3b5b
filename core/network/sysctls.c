/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel parameters of one interface in a container, "net.ipv4.conf.IFNAME.log_martians=1,...": the text, and setting them. They belong to the
 * namespace of whoever opens them, which the daemon never enters: `dockerd-netd --sockets sysctl` does, and ends.
 */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "proto/msg.h"
#include "proto/netd.h"

#include <stdlib.h>
#include <strings.h>

#define KEY "com.docker.network.endpoint.sysctls"

/* The dot before "IFNAME" in "net.X.Y.IFNAME.Z=V", in either case, as the docker CLI sends it; NULL: it has another form. */
static const char *find_ifname(const char *text)
{
	static const char *const families[] = {"net.ipv4.", "net.ipv6.", "net.mpls."};
	const char *at = NULL;

	for (size_t i = 0; i < ARRAY_LEN(families) && !at; i++)
		at = str_after(text, families[i]);
	if (!at || *at == '.' || *at == '=')
		return NULL;
	at += strcspn(at, ".=");
	return !strncasecmp(at, ".ifname.", 8) && at[8] && at[8] != '=' ? at : NULL;
}

int sysctls_check(const char *text, struct error *err)
{
	auto_strlist list = STRLIST_INIT;

	strlist_split(&list, text, ',');
	if (!list.n)
		strlist_add(&list, "");
	for (size_t i = 0; i < list.n; i++)
		if (!find_ifname(list.v[i]))
			return error_set(err, ERR_INVALID,
					 "unrecognised network interface sysctl '%s'; represent "
					 "'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be "
					 "'ipv4', 'ipv6' or 'mpls'",
					 list.v[i]);
	return list.n <= NETD_SYSCTLS_MAX
		   ? 0
		   : error_set(err, ERR_INVALID, "more than %d network interface sysctls",
			       NETD_SYSCTLS_MAX);
}

/* "net/ipv4/conf/eth0/log_martians=1". Dots of the name of an interface are its own, hence no list of dots to replace. */
static int as_path(const char *text, const char *ifname, struct strlist *out, struct error *err)
{
	const char *at = find_ifname(text), *eq = strchr(text, '=');
	auto_free char *before = xstrndup(text, (size_t)(at - text)),
		       *after = xstrdup(at + strlen(".ifname."));

	if (!eq)
		return error_set(err, ERR_SYSTEM,
				 "failed to add interface to sandbox: expected sysctl '%s' to have "
				 "format name=value",
				 text);
	for (char *p = before; *p; p++)
		if (*p == '.')
			*p = '/';
	for (char *p = after; *p && *p != '='; p++)
		if (*p == '.')
			*p = '/';
	strlist_printf(out, "%s/%s/%s", before, ifname, after);
	return 0;
}

int endpoint_sysctls(const struct network_join *j, struct error *err)
{
	const char *text = j->driver_opts ? pairs_get(j->driver_opts, KEY) : NULL;
	const char *args[NETD_SYSCTLS_MAX + 1] = {NULL};
	auto_strlist list = STRLIST_INIT, paths = STRLIST_INIT;
	auto_msg reply = {0};

	if (!text)
		return 0;
	if (sysctls_check(text, err) < 0)
		return -1;
	strlist_split(&list, text, ',');
	for (size_t i = 0; i < list.n; i++) {
		if (as_path(list.v[i], j->ifname ? j->ifname : "eth0", &paths, err) < 0)
			return -1;
		args[i] = paths.v[i];
	}
	return netd_helper("sysctl", args, j->netns_fd, &reply, err) < 0
		   ? error_wrap(err, "failed to add interface to sandbox")
		   : 0;
}
