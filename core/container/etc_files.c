/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that the daemon writes for a container, bound over its own: /etc/hostname, /etc/hosts, /etc/resolv.conf. Written in place, at its
 * start and whenever what they tell changes. With the container's `op` held.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * In place: the file is bound into the container, a rename would leave the old one there. Cut off behind what was written, not before: a running
 * container is at no time without its hosts, whoever is killed.
 */
static int put_file(const char *path, const struct str *text, struct error *err)
{
	auto_close fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0 || idmap_give(fd, "") < 0 ||
	    fd_write_all(fd, str_cstr(text), text->len) < 0)
		return error_sys(err, errno, "write %s", path);
	FAULT("container.files.written");
	if (ftruncate(fd, (off_t)text->len) < 0)
		return error_sys(err, errno, "write %s", path);
	return 0;
}

static int host_file(const char *path, struct str *text, struct error *err)
{
	return file_read_at(AT_FDCWD, path, 1 << 20, text, err) < 0 && err->kind != ERR_NOT_FOUND
		   ? -1
		   : 0;
}

static bool in_host(const struct container *c)
{
	return streq(c->network_mode, "host");
}

/* Held while a file of hosts is written: news of a linked container come from its own start. */
static pthread_mutex_t hosts_lock = PTHREAD_MUTEX_INITIALIZER;

/* "name:address" as the user gives them; the word host-gateway stands for one address of the host in each family. */
static int extra_hosts(const json *host, struct strlist *out, struct error *err)
{
	for (const json *e = json_first(json_get(host, "ExtraHosts")); e; e = json_next(e)) {
		const char *text = json_str(e, ""), *colon = strchr(text, ':');
		auto_strlist gateways = STRLIST_INIT;

		if (!colon || !streq(colon + 1, "host-gateway")) {
			strlist_add(out, text);
			continue;
		}
		network_host_gateway(&gateways);
		if (!gateways.n)
			return error_set(err, ERR_SYSTEM,
					 "unable to derive the IP value for host-gateway");
		for (size_t i = 0; i < gateways.n; i++)
			strlist_printf(out, "%.*s:%s", (int)(colon - text), text, gateways.v[i]);
	}
	return 0;
}

int container_write_hosts(struct container *c, struct error *err)
{
	auto_json *config = json_parse(c->config, strlen(c->config), err);
	auto_json *host = config ? json_parse(c->host_config, strlen(c->host_config), err) : NULL;
	auto_free char *dir = container_dir(c->id), *path = path_join(dir, "hosts");
	auto_strlist extra = STRLIST_INIT, addresses = STRLIST_INIT;
	auto_str text = STR_INIT;

	LOCK_SCOPE(&hosts_lock);

	if (!host)
		return -1;
	if (extra_hosts(host, &extra, err) < 0)
		return -1;
	links_hosts(c, &extra);
	if (in_host(c)) {
		if (host_file("/etc/hosts", &text, err) < 0)
			return -1;
		for (size_t i = 0; i < extra.n; i++) {
			const char *colon = strchr(extra.v[i], ':');

			if (colon)
				str_printf(&text, "%s\t%.*s\n", colon + 1,
					   (int)(colon - extra.v[i]), extra.v[i]);
		}
		return put_file(path, &text, err);
	}
	for (size_t i = 0; i < c->n_networks; i++) {
		const struct network_endpoint *e = &c->networks[i].ep;

		if (c->networks[i].connected && *e->ipv4)
			strlist_add(&addresses, e->ipv4);
		if (c->networks[i].connected && *e->ipv6)
			strlist_add(&addresses, e->ipv6);
	}
	if (network_hosts(json_get_str(config, "Hostname", ""),
			  json_get_str(config, "Domainname", ""), &addresses, &extra, &text,
			  err) < 0)
		return -1;
	return put_file(path, &text, err);
}

/* As moby: whatever else stands in the file stays, so may lines of the user's. */
int container_update_hosts(struct container *c, const char *alias, const char *address,
			   struct error *err)
{
	auto_free char *dir = container_dir(c->id), *path = path_join(dir, "hosts");
	auto_str there = STR_INIT, text = STR_INIT;
	auto_strlist lines = STRLIST_INIT;
	size_t len = strlen(alias);
	LOCK_SCOPE(&hosts_lock);

	if (host_file(path, &there, err) < 0)
		return -1;
	if (!there.len) /* it has not been started yet */
		return 0;
	strlist_split(&lines, str_cstr(&there), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i], *tab = strchr(line, '\t');

		if (tab && !strncmp(tab + 1, alias, len) && strchr(" .", tab[1 + len]))
			str_printf(&text, "%s%s", address, tab);
		else
			str_puts(&text, line);
		if (i + 1 < lines.n)
			str_putc(&text, '\n');
	}
	return put_file(path, &text, err);
}

/* Moby looks at them no earlier than here, at the start. */
static int check_servers(const struct strlist *dns, struct error *err)
{
	unsigned char addr[sizeof(struct in6_addr)];

	for (size_t i = 0; i < dns->n; i++) {
		auto_free char *bare = xasprintf("%.*s", (int)strcspn(dns->v[i], "%"), dns->v[i]);

		if (inet_pton(AF_INET, bare, addr) != 1 && inet_pton(AF_INET6, bare, addr) != 1)
			return error_set(err, ERR_SYSTEM,
					 "bad nameserver address %s: ParseAddr(\"%s\"): unable to "
					 "parse IP",
					 dns->v[i], dns->v[i]);
	}
	return 0;
}

static int resolv_text(struct container *c, bool internal, struct str *text, struct error *err)
{
	auto_json *host = json_parse(c->host_config, strlen(c->host_config), err);
	auto_strlist dns = STRLIST_INIT, search = STRLIST_INIT, options = STRLIST_INIT;

	if (!host)
		return -1;
	json_strlist(json_get(host, "Dns"), &dns);
	if (check_servers(&dns, err) < 0)
		return -1;
	json_strlist(json_get(host, "DnsSearch"), &search);
	json_strlist(json_get(host, "DnsOptions"), &options);
	return network_resolv_conf(in_host(c) ? RESOLV_HOST
				   : internal ? RESOLV_INTERNAL
					      : RESOLV_PLAIN,
				   &dns, &search, &options, text, err);
}

int container_write_resolv_conf(struct container *c, struct error *err)
{
	auto_free char *dir = container_dir(c->id), *path = path_join(dir, "resolv.conf");
	auto_str before = STR_INIT, there = STR_INIT, text = STR_INIT;

	if (resolv_text(c, false, &before, err) < 0 || host_file(path, &there, err) < 0 ||
	    resolv_text(c, true, &text, err) < 0)
		return -1;
	if (!streq(str_cstr(&before), str_cstr(&there))) /* somebody's own */
		return 0;
	return put_file(path, &text, err);
}

int container_put_files(struct container *c, struct error *err)
{
	auto_json *config = json_parse(c->config, strlen(c->config), err);
	auto_free char *dir = container_dir(c->id), *name = path_join(dir, "hostname"),
		       *resolv = path_join(dir, "resolv.conf");
	auto_str hostname = STR_INIT, servers = STR_INIT;

	if (!config)
		return -1;
	if (networks_shares(c)) /* those of the other container are used */
		return 0;
	str_printf(&hostname, "%s\n", json_get_str(config, "Hostname", ""));
	if (put_file(name, &hostname, err) < 0 || container_write_hosts(c, err) < 0 ||
	    resolv_text(c, networks_need_resolver(c), &servers, err) < 0)
		return -1;
	return put_file(resolv, &servers, err);
}
