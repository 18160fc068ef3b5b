/* SPDX-License-Identifier: Apache-2.0 */
/* Exposed and published ports: "80/tcp", "53", "7000-7010/udp" and the bindings of each. Source: go-connections/nat. */
#include "spec/spec_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

static const char *const protocols[] = {"tcp", "udp", "sctp"};

void spec_ports_free(struct spec_ports *p)
{
	free(p->v);
	*p = (struct spec_ports){0};
}

/* "8080" or "8000-8010" of n characters; an empty one gives 0-0. */
static int parse_range(const char *s, size_t n, uint16_t *first, uint16_t *last)
{
	unsigned long v[2] = {0, 0};
	int k = 0;
	bool digits = false;

	*first = *last = 0;
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '-' && k == 0 && digits) {
			k = 1;
			digits = false;
			continue;
		}
		if (!isdigit((unsigned char)s[i]))
			return -1;
		digits = true;
		v[k] = v[k] * 10 + (unsigned long)(s[i] - '0');
		if (v[k] > 65535)
			return -1;
	}
	if (!digits)
		return -1;
	if (k == 0)
		v[1] = v[0];
	if (v[1] < v[0])
		return -1;
	*first = (uint16_t)v[0];
	*last = (uint16_t)v[1];
	return 0;
}

/* Number(s) and protocol of a key. */
static int parse_key(const char *key, uint16_t *first, uint16_t *last, char proto[5],
		     struct error *err)
{
	size_t n = strcspn(key, "/");
	const char *name = key[n] ? key + n + 1 : "tcp";

	if (parse_range(key, n, first, last) < 0 || !n)
		return error_set(err, ERR_INVALID, "invalid port specification: \"%.*s\"", (int)n,
				 key);
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (strcasecmp(protocols[i], name) != 0)
			continue;
		snprintf(proto, 5, "%s", protocols[i]);
		return 0;
	}
	return error_set(err, ERR_INVALID, "invalid port specification: \"%s\"", key);
}

static struct spec_port *add(struct spec_ports *p, uint16_t port, const char *proto)
{
	struct spec_port *e;

	if ((p->n & (p->n - 1)) == 0) /* room doubles at each power of two */
		p->v = xreallocarray(p->v, p->n ? 2 * p->n : 1, sizeof(*p->v));
	e = &p->v[p->n++];
	*e = (struct spec_port){.container_port = port};
	snprintf(e->proto, sizeof(e->proto), "%s", proto);
	return e;
}

static int check_address(const char *ip, char out[46], struct error *err)
{
	unsigned char bytes[16];

	if (strlen(ip) >= 46 ||
	    (*ip && inet_pton(AF_INET, ip, bytes) != 1 && inet_pton(AF_INET6, ip, bytes) != 1))
		return error_set(err, ERR_INVALID, "invalid IP address in port mapping: '%s'", ip);
	snprintf(out, 46, "%s", ip);
	return 0;
}

static int parse_binding(const json *b, uint16_t port, const char *proto, struct spec_ports *out,
			 struct error *err)
{
	const char *host = json_get_str(b, "HostPort", "");
	uint16_t first, last;
	struct spec_port *e;

	if (parse_range(host, strlen(host), &first, &last) < 0)
		return error_set(err, ERR_INVALID, "invalid port specification: \"%s\"", host);
	e = add(out, port, proto);
	e->published = true;
	e->host_start = first;
	e->host_end = last;
	return check_address(json_get_str(b, "HostIp", ""), e->host_ip, err);
}

static int parse_bindings(const json *host_config, struct spec_ports *out, struct error *err)
{
	for (json *c = json_first(json_get(host_config, "PortBindings")); c; c = json_next(c)) {
		uint16_t first, last;
		char proto[5];

		if (parse_key(json_name(c), &first, &last, proto, err) < 0)
			return -1;
		if (first != last)
			return error_set(err, ERR_INVALID, "invalid port specification: \"%s\"",
					 json_name(c));
		for (json *b = json_first(c); b; b = json_next(b))
			if (parse_binding(b, first, proto, out, err) < 0)
				return -1;
		if (json_count(c) == 0) /* named without a binding: exposed */
			add(out, first, proto);
	}
	return 0;
}

/* Which ports are in the list: exposed ranges may name all of them, and name them again and again. */
struct port_set {
	uint8_t bits[ARRAY_LEN(protocols)][65536 / 8];
};

static bool set_has(const struct port_set *set, uint32_t port, const char *proto)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (streq(protocols[i], proto))
			return set->bits[i][port >> 3] & 1u << (port & 7);
	return false;
}

/* True if it was not in the set. */
static bool set_add(struct port_set *set, uint32_t port, const char *proto)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		uint8_t bit = (uint8_t)(1u << (port & 7)), *at = &set->bits[i][port >> 3];

		if (!streq(protocols[i], proto))
			continue;
		if (*at & bit)
			return false;
		*at |= bit;
		return true;
	}
	return false;
}

/* A binding of a port that is not exposed does nothing: as by moby, which publishes what ExposedPorts names. */
static void keep_exposed(struct spec_ports *p, const struct port_set *exposed)
{
	size_t n = 0;

	for (size_t i = 0; exposed && i < p->n; i++)
		if (set_has(exposed, p->v[i].container_port, p->v[i].proto))
			p->v[n++] = p->v[i];
	p->n = n;
}

static int parse_exposed(const json *config, bool publish, struct spec_ports *out,
			 struct error *err)
{
	auto_free struct port_set *set = NULL, *named = NULL, *exposed = NULL;

	if (json_count(json_get(config, "ExposedPorts"))) {
		set = xcalloc(1, sizeof(*set));
		named = xcalloc(1, sizeof(*named));
		exposed = xcalloc(1, sizeof(*exposed));
		for (size_t i = 0; i < out->n; i++)
			set_add(set, out->v[i].container_port, out->v[i].proto);
	}
	for (json *c = json_first(json_get(config, "ExposedPorts")); c; c = json_next(c)) {
		uint16_t first, last;
		char proto[5];

		if (parse_key(json_name(c), &first, &last, proto, err) < 0)
			return -1;
		for (uint32_t port = first; port <= last; port++) {
			set_add(exposed, port, proto);
			if (set_add(set, port, proto))
				add(out, (uint16_t)port, proto)->published = publish;
		}
		if (first == last)
			set_add(named, first, proto);
	}
	keep_exposed(out, exposed);
	for (size_t i = 0; named && i < out->n; i++)
		out->v[i].named = set_has(named, out->v[i].container_port, out->v[i].proto);
	/* PublishAllPorts means those that PortBindings names without a binding, too */
	for (size_t i = 0; publish && i < out->n; i++)
		out->v[i].published = true;
	return 0;
}

static int by_port(const void *a, const void *b)
{
	const struct spec_port *x = a, *y = b;

	if (x->container_port != y->container_port)
		return x->container_port < y->container_port ? -1 : 1;
	if (strcmp(x->proto, y->proto) != 0)
		return strcmp(x->proto, y->proto);
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Several bindings of one port stay in the user's order: by their place where the rest is equal. */
static void sort(struct spec_ports *p)
{
	for (size_t i = 0; i < p->n; i++)
		p->v[i].place = (uint32_t)i;
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_port);
}

int spec_parse_ports(const json *config, const json *host_config, struct spec_ports *out,
		     struct error *err)
{
	*out = (struct spec_ports){0};
	if (parse_bindings(host_config, out, err) < 0 ||
	    parse_exposed(config, json_get_bool(host_config, "PublishAllPorts", false), out, err) <
		0) {
		spec_ports_free(out);
		return -1;
	}
	sort(out);
	return 0;
}
