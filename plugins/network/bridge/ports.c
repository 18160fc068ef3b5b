/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host ports: which are taken by this daemon, and taking more. Binding is done by the daemon's proxy process, whose socket holds the port even
 * when nothing is forwarded. `lock` guards the table; it is not held while a port is bound, since the entry is made first.
 */
#include "bridge.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* Linux's default, where the sysctl can't be read. */
#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_LAST 60999

static bool is_any(const char *ip)
{
	return !strcmp(ip, "0.0.0.0") || !strcmp(ip, "::");
}

static bool is_v6(const char *ip)
{
	return strchr(ip, ':') != NULL;
}

/* The entry that is in the way, or NULL. Called with the lock held. */
static const struct ports_taken *clash(const struct ports *p, const char *proto, const char *ip,
				       uint32_t port)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct ports_taken *t = &p->v[i];

		if (t->port == port && !strcmp(t->proto, proto) && is_v6(t->ip) == is_v6(ip) &&
		    (is_any(t->ip) || is_any(ip) || !strcmp(t->ip, ip)))
			return t;
	}
	return NULL;
}

static int remember(struct ports *p, const char *proto, const char *ip, uint32_t port)
{
	struct ports_taken *t;

	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 8;
		void *v = reallocarray(p->v, cap, sizeof(*p->v));

		if (!v)
			return -1;
		p->v = v;
		p->cap = cap;
	}
	t = &p->v[p->n++];
	snprintf(t->proto, sizeof(t->proto), "%s", proto);
	snprintf(t->ip, sizeof(t->ip), "%s", ip);
	t->port = port;
	return 0;
}

static bool forget(struct ports *p, const char *proto, const char *ip, uint32_t port)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n && !found; i++)
		if (p->v[i].port == port && !strcmp(p->v[i].proto, proto) &&
		    !strcmp(p->v[i].ip, ip)) {
			p->v[i] = p->v[--p->n];
			found = true;
		}
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void release_one(struct ports *p, const struct dockerd_host *host,
			const struct dockerd_port *v)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};

	if (v->bound_port && forget(p, v->proto, v->host_ip, v->bound_port) &&
	    DOCKERD_HAS(host, proxy_stop))
		host->proxy_stop(host, v->proto, v->host_ip, v->bound_port, &ignored);
}

void ports_release(struct ports *p, const struct dockerd_host *host, const struct dockerd_port *v,
		   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		release_one(p, host, DOCKERD_AT(v, i));
}

/* Errno's text as Go's runtime writes it: clients match on "address already in use". */
static const char *go_text(int errnum, char buf[128])
{
	snprintf(buf, 128, "%s", strerror(errnum));
	buf[0] = (char)tolower((unsigned char)buf[0]);
	return buf;
}

/* Where a port of a host address leads. */
static const char *target(const char *const ip[2], const struct dockerd_port *v)
{
	return is_v6(v->host_ip) && ip[1][0] ? ip[1] : ip[0];
}

static int bind_failed(const char *ip, const struct dockerd_port *v, uint32_t port,
		       const struct dockerd_error *why, struct dockerd_error *err)
{
	char text[128];
	int sys = why->sys_errno;

	if (!sys)
		return dockerd_fail(err, why->category,
				    "failed to bind host port for %s:%u:%s:%u/%s: %s", v->host_ip,
				    port, ip, v->container_port, v->proto, why->text);
	dockerd_fail(err, DOCKERD_ERR_SYSTEM, "failed to bind host port for %s:%u:%s:%u/%s: %s",
		     v->host_ip, port, ip, v->container_port, v->proto, go_text(sys, text));
	err->sys_errno = sys;
	return -1;
}

/* Enter the port for all addresses of the group, or say who has it. */
static int reserve(struct ports *p, struct dockerd_port *v, uint32_t n, uint32_t port,
		   struct dockerd_error *err)
{
	int r = 0;

	pthread_mutex_lock(&p->lock);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct ports_taken *t =
		    clash(p, DOCKERD_AT(v, i)->proto, DOCKERD_AT(v, i)->host_ip, port);

		if (t)
			r = dockerd_fail(err, DOCKERD_ERR_SYSTEM,
					 "Bind for %s:%u failed: port is already allocated", t->ip,
					 port);
	}
	if (r < 0)
		err->sys_errno = EADDRINUSE;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		r = remember(p, DOCKERD_AT(v, i)->proto, DOCKERD_AT(v, i)->host_ip, port);
		if (r < 0) {
			dockerd_fail_errno(err, ENOMEM, "port table");
			p->n -= i;
		} else {
			DOCKERD_AT(v, i)->bound_port = port;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* What ports of one request are bound for. */
struct target {
	const struct dockerd_host *host;
	const struct bridge_net *net;
	const char *const *ip;
};

/* Opened in the packet filter alone: nothing of the host is taken for it. */
static bool is_routed(const struct bridge_net *n, const struct dockerd_port *v)
{
	return bridge_routed(n, is_v6(v->host_ip));
}

/* One port number for the group. */
static int try_port(struct ports *p, const struct target *t, struct dockerd_port *v, uint32_t n,
		    uint32_t port, struct dockerd_error *err)
{
	struct dockerd_error why = {.size = sizeof(why)};
	uint32_t i;

	for (i = 0; i < n; i++)
		DOCKERD_AT(v, i)->bound_port = 0;
	if (reserve(p, v, n, port, err) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		const struct dockerd_port *one = DOCKERD_AT(v, i);

		if (t->host->proxy_start(t->host, one->proto, one->host_ip, port,
					 t->net->proxy ? target(t->ip, one) : NULL,
					 one->container_port, &why) < 0) {
			bind_failed(target(t->ip, one), one, port, &why, err);
			break;
		}
	}
	if (i == n)
		return 0;
	ports_release(p, t->host, v, i);
	for (; i < n; i++)
		forget(p, DOCKERD_AT(v, i)->proto, DOCKERD_AT(v, i)->host_ip, port);
	for (i = 0; i < n; i++)
		DOCKERD_AT(v, i)->bound_port = 0;
	return -1;
}

static void ephemeral_range(uint32_t *first, uint32_t *last)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (!f || fscanf(f, "%u %u", first, last) != 2 || *first == 0 || *last < *first ||
	    *last > 65535) {
		*first = EPHEMERAL_FIRST;
		*last = EPHEMERAL_LAST;
	}
	if (f)
		fclose(f);
}

static int bind_group(struct ports *p, const struct target *t, struct dockerd_port *v, uint32_t n,
		      struct dockerd_error *err)
{
	uint32_t first = v->host_port_start, last = v->host_port_end, at, tries;
	bool ephemeral = first == 0;

	if (ephemeral)
		ephemeral_range(&first, &last);
	if (last < first)
		last = first;
	at = first;
	if (ephemeral) {
		pthread_mutex_lock(&p->lock);
		if (p->last_ephemeral >= first && p->last_ephemeral < last)
			at = p->last_ephemeral + 1;
		pthread_mutex_unlock(&p->lock);
	}
	for (tries = last - first + 1; tries; tries--, at = at == last ? first : at + 1) {
		err->sys_errno = 0;
		if (try_port(p, t, v, n, at, err) == 0) {
			pthread_mutex_lock(&p->lock);
			if (ephemeral)
				p->last_ephemeral = at;
			pthread_mutex_unlock(&p->lock);
			return 0;
		}
		if (err->sys_errno != EADDRINUSE)
			return -1;
	}
	return first == last ? -1
			     : dockerd_fail(err, DOCKERD_ERR_SYSTEM, "all ports are allocated");
}

/* Do two wanted ports get one number? */
static bool same_wish(const struct dockerd_port *a, const struct dockerd_port *b)
{
	return a->container_port == b->container_port && !strcmp(a->proto, b->proto) &&
	       a->host_port_start == b->host_port_start && a->host_port_end == b->host_port_end &&
	       strcmp(a->host_ip, b->host_ip) != 0;
}

void ports_any_address(const struct bridge_net *n, struct dockerd_port *v, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (is_routed(n, DOCKERD_AT(v, i))) {
			DOCKERD_AT(v, i)->host_ip =
			    is_v6(DOCKERD_AT(v, i)->host_ip) ? "::" : "0.0.0.0";
			DOCKERD_AT(v, i)->bound_port = 0;
		}
}

int ports_bind(struct ports *p, const struct dockerd_host *host, const struct bridge_net *net,
	       const char *const ip[2], struct dockerd_port *v, uint32_t count,
	       struct dockerd_error *err)
{
	const struct target t = {host, net, ip};
	uint32_t done = 0;

	if (count && (!DOCKERD_HAS(host, proxy_start) || !DOCKERD_HAS(host, proxy_stop)))
		return dockerd_fail(err, DOCKERD_ERR_UNAVAILABLE,
				    "this daemon has no port proxy: ports can't be published");
	ports_any_address(net, v, count);
	while (done < count) {
		struct dockerd_port *first = DOCKERD_AT(v, done);
		uint32_t n = 1;

		if (is_routed(net, first)) {
			done++;
			continue;
		}
		while (done + n < count && same_wish(first, DOCKERD_AT(v, done + n)) &&
		       !is_routed(net, DOCKERD_AT(v, done + n)))
			n++;
		if (bind_group(p, &t, first, n, err) < 0) {
			ports_release(p, host, v, done);
			return -1;
		}
		done += n;
	}
	return 0;
}
