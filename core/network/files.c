/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of a container's /etc/resolv.conf and /etc/hosts, as moby writes them. resolv.conf(5), hosts(5). */
#include "network/network_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>

#define HOST_FILE "/etc/resolv.conf"
#define SYSTEMD_FILE "/run/systemd/resolve/resolv.conf"

struct resolv {
	struct strlist servers, search, options, other;
};

static void resolv_free(struct resolv *r)
{
	strlist_free(&r->servers);
	strlist_free(&r->search);
	strlist_free(&r->options);
	strlist_free(&r->other);
}

static void split_words(struct strlist *out, const char *s)
{
	while (*s) {
		size_t n;

		s += strspn(s, " \t");
		n = strcspn(s, " \t");
		if (n)
			strlist_take(out, xstrndup(s, n));
		s += n;
	}
}

static void parse_line(struct resolv *r, const char *line)
{
	auto_strlist words = STRLIST_INIT;

	if (line[0] == '#' || line[0] == ';')
		return;
	split_words(&words, line);
	if (!words.n)
		return;
	if (streq(words.v[0], "nameserver")) {
		if (words.n > 1)
			strlist_add(&r->servers, words.v[1]);
	} else if (streq(words.v[0], "search") || streq(words.v[0], "domain")) {
		strlist_free(&r->search); /* the last one counts */
		for (size_t i = 1; i < words.n; i++)
			strlist_add(&r->search, words.v[i]);
	} else if (streq(words.v[0], "options")) {
		for (size_t i = 1; i < words.n; i++)
			strlist_add(&r->options, words.v[i]);
	} else {
		strlist_add(&r->other, line);
	}
}

static int parse_file(const char *path, struct resolv *r, struct error *err)
{
	auto_strlist lines = STRLIST_INIT;
	auto_str text = STR_INIT;

	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, err) < 0)
		return err->kind == ERR_NOT_FOUND
			   ? 0
			   : -1; /* a host without one: as if it were empty */
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 0; i < lines.n; i++)
		parse_line(r, lines.v[i]);
	return 0;
}

static bool is_loopback(const char *server)
{
	struct in_addr a;

	return streq(server, "::1") ||
	       (inet_pton(AF_INET, server, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

/* systemd-resolved's stub listens on the host's loopback; the servers behind it are in another file. */
static int load_host(struct resolv *r, const char **path, struct error *err)
{
	*path = HOST_FILE;
	if (parse_file(*path, r, err) < 0)
		return -1;
	if (r->servers.n == 1 && streq(r->servers.v[0], "127.0.0.53") &&
	    file_exists_at(AT_FDCWD, SYSTEMD_FILE)) {
		resolv_free(r);
		*path = SYSTEMD_FILE;
		return parse_file(*path, r, err);
	}
	return 0;
}

static void replace(struct strlist *what, const struct strlist *of_container,
		    const struct strlist *of_daemon, const char *name, struct strlist *overrides)
{
	const struct strlist *by = of_container && of_container->n ? of_container : of_daemon;

	if (!by->n)
		return;
	strlist_free(what);
	strlist_copy(what, by);
	strlist_add(overrides, name);
}

/* Servers on the host's loopback, and by IPv6 where the container has none, can't be reached from inside. */
static bool keep_reachable(struct strlist *servers)
{
	for (size_t i = servers->n; i-- > 0;)
		if (is_loopback(servers->v[i]) || strchr(servers->v[i], ':'))
			strlist_remove(servers, i);
	if (servers->n)
		return false;
	strlist_add(servers, "8.8.8.8");
	strlist_add(servers, "8.8.4.4");
	return true;
}

static const char *ndots_from(const struct resolv *r, const struct strlist *overrides)
{
	for (size_t i = 0; i < r->options.n; i++)
		if (str_after(r->options.v[i], "ndots:"))
			return strlist_has(overrides, "options") ? "override" : "host";
	return NULL;
}

static void print_list(struct str *out, const char *keyword, const struct strlist *l)
{
	auto_free char *joined = strlist_join(l, " ");

	if (l->n)
		str_printf(out, "%s %s\n", keyword, joined);
}

/* Without a word on ndots, a name without dots is asked for as it is. */
static const char *set_ndots(struct resolv *r, const struct strlist *overrides)
{
	const char *from = ndots_from(r, overrides);

	if (from)
		return from;
	strlist_add(&r->options, "ndots:0");
	return "internal";
}

static void print_internal(const struct resolv *r, const struct strlist *overrides,
			   const char *path, const char *ndots, struct str *out)
{
	bool own = strlist_has(overrides, "nameservers");
	auto_free char *joined = strlist_join(overrides, " ");

	str_puts(out, "nameserver 127.0.0.11\n");
	print_list(out, "search", &r->search);
	print_list(out, "options", &r->options);
	for (size_t i = 0; i < r->other.n; i++)
		str_printf(out, "%s\n", r->other.v[i]);
	str_printf(out, "\n# Based on host file: '%s' (internal resolver)\n", path);
	str_puts(out, r->servers.n ? "# ExtServers: [" : "# NO EXTERNAL NAMESERVERS DEFINED\n");
	for (size_t i = 0; i < r->servers.n; i++)
		str_printf(out, own ? "%s%s%s" : "%shost(%s)%s", i ? " " : "", r->servers.v[i],
			   i + 1 == r->servers.n ? "]\n" : "");
	str_printf(out, "# Overrides: [%s]\n# Option ndots from: %s\n", joined, ndots);
}

static int load(const struct strlist *dns, const struct strlist *search,
		const struct strlist *options, struct resolv *r, struct strlist *overrides,
		const char **path, struct error *err)
{
	if (load_host(r, path, err) < 0)
		return -1;
	replace(&r->servers, dns, &room.dns, "nameservers", overrides);
	replace(&r->search, search, &room.search, "search", overrides);
	replace(&r->options, options, &room.options, "options", overrides);
	if (r->search.n == 1 && streq(r->search.v[0], ".")) /* --dns-search=. : none */
		strlist_free(&r->search);
	return 0;
}

int network_upstreams(const struct strlist *dns, struct strlist *out, struct error *err)
{
	__attribute__((cleanup(resolv_free))) struct resolv r = {0};
	auto_strlist overrides = STRLIST_INIT;
	const char *path;

	if (load(dns, NULL, NULL, &r, &overrides, &path, err) < 0)
		return -1;
	strlist_copy(out, &r.servers);
	return 0;
}

int network_resolv_conf(enum resolv_kind kind, const struct strlist *dns,
			const struct strlist *search, const struct strlist *options,
			struct str *out, struct error *err)
{
	__attribute__((cleanup(resolv_free))) struct resolv r = {0};
	auto_strlist overrides = STRLIST_INIT;
	auto_free char *joined = NULL;
	bool used_default = false;
	const char *path, *ndots;

	if (load(dns, search, options, &r, &overrides, &path, err) < 0)
		return -1;
	str_puts(out,
		 "# Generated by Docker Engine.\n"
		 "# This file can be edited; Docker Engine will not make further changes once it\n"
		 "# has been modified.\n\n");
	if (kind == RESOLV_INTERNAL) {
		ndots = set_ndots(&r, &overrides);
		print_internal(&r, &overrides, path, ndots, out);
		return 0;
	}
	if (kind == RESOLV_PLAIN && !strlist_has(&overrides, "nameservers"))
		used_default = keep_reachable(&r.servers);
	for (size_t i = 0; i < r.servers.n; i++)
		str_printf(out, "nameserver %s\n", r.servers.v[i]);
	print_list(out, "search", &r.search);
	print_list(out, "options", &r.options);
	for (size_t i = 0; i < r.other.n; i++)
		str_printf(out, "%s\n", r.other.v[i]);
	str_printf(out, "\n# Based on host file: '%s'%s\n", path,
		   kind == RESOLV_HOST ? "" : " (legacy)");
	if (used_default)
		str_puts(out, "# Used default nameservers.\n");
	joined = strlist_join(&overrides, " ");
	str_printf(out, "# Overrides: [%s]\n", joined);
	ndots = ndots_from(&r, &overrides);
	if (ndots)
		str_printf(out, "# Option ndots from: %s\n", ndots);
	return 0;
}

void network_host_gateway(struct strlist *out)
{
	struct error ignored = ERROR_INIT;
	auto_net *n = NULL;
	char text[IP_TEXT];

	strlist_copy(out, &room.host_gateway);
	if (out->n || !(n = network_get(NETWORK_DEFAULT, &ignored)))
		return;
	for (size_t i = 0; i < n->n_subnets; i++) {
		ip_format(n->subnets[i].gateway, text);
		if (subnet_is_on(n, &n->subnets[i]) && *text)
			strlist_add(out, text);
	}
}

int network_hosts(const char *hostname, const char *domainname, const struct strlist *addresses,
		  const struct strlist *extra, struct str *out, struct error *err)
{
	str_puts(out, "127.0.0.1\tlocalhost\n"
		      "::1\tlocalhost ip6-localhost ip6-loopback\n"
		      "fe00::\tip6-localnet\n"
		      "ff00::\tip6-mcastprefix\n"
		      "ff02::1\tip6-allnodes\n"
		      "ff02::2\tip6-allrouters\n");
	for (size_t i = 0; extra && i < extra->n; i++) {
		const char *colon = strchr(extra->v[i], ':');

		if (!colon || colon == extra->v[i] || !colon[1])
			return error_set(err, ERR_INVALID, "bad format for add-host: \"%s\"",
					 extra->v[i]);
		str_printf(out, "%s\t%.*s\n", colon + 1, (int)(colon - extra->v[i]), extra->v[i]);
	}
	for (size_t i = 0; i < addresses->n && !str_empty(hostname); i++) {
		auto_free char *fqdn = str_empty(domainname)
					   ? xstrdup(hostname)
					   : xasprintf("%s.%s", hostname, domainname);
		size_t first = strcspn(fqdn, ".");

		str_printf(out, "%s\t%s", addresses->v[i], fqdn);
		if (fqdn[first])
			str_printf(out, " %.*s", (int)first, fqdn);
		str_putc(out, '\n');
	}
	return 0;
}
