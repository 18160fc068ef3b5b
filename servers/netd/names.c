/* SPDX-License-Identifier: Apache-2.0 */
/* Who is called what: endpoints of containers by network and name. What the daemon tells replaces what it told before of the same endpoint. */
#include "dns.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "proto/netd.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

struct place {
	char *id, *sandbox;
	struct strlist names; /* in small letters; the first is the container's own */
	struct strlist links; /* "name:alias": what it calls others */
	struct dns_ip ip[2];  /* of IPv4, of IPv6 */
};

/* All endpoints of one name. */
struct namesakes {
	struct place **v;
	size_t n;
};

struct network {
	char *name;
	struct map places; /* endpoint id -> struct place, owned */
	struct map names;  /* name -> struct namesakes, owned */
};

/* A container's networks, in the order in which it joined them. */
struct membership {
	struct seat {
		struct network *n;
		struct place *p;
	} * v;
	size_t n;
};

static struct map networks = MAP_INIT, members = MAP_INIT;

static char *small(const char *s)
{
	char *copy = xstrdup(s);

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static void name_add(struct network *n, const char *name, struct place *p)
{
	struct namesakes *s = map_get(&n->names, name);

	if (!s) {
		s = xnew(struct namesakes);
		map_set(&n->names, name, s);
	}
	s->v = xreallocarray(s->v, s->n + 1, sizeof(struct place *));
	s->v[s->n++] = p;
}

static void name_drop(struct network *n, const char *name, const struct place *p)
{
	struct namesakes *s = map_get(&n->names, name);

	for (size_t i = 0; s && i < s->n; i++)
		if (s->v[i] == p) {
			memmove(&s->v[i], &s->v[i + 1], (s->n - i - 1) * sizeof(struct place *));
			s->n--;
			break;
		}
	if (s && !s->n) {
		map_del(&n->names, name);
		free(s->v);
		free(s);
	}
}

static void join(const char *sandbox, struct network *n, struct place *p)
{
	struct membership *m = map_get(&members, sandbox);

	if (!m) {
		m = xnew(struct membership);
		map_set(&members, sandbox, m);
	}
	m->v = xreallocarray(m->v, m->n + 1, sizeof(*m->v));
	m->v[m->n++] = (struct seat){n, p};
}

static void leave(const char *sandbox, const struct place *p)
{
	struct membership *m = map_get(&members, sandbox);

	for (size_t i = 0; m && i < m->n; i++)
		if (m->v[i].p == p) {
			memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(*m->v));
			m->n--;
			break;
		}
	if (m && !m->n) {
		map_del(&members, sandbox);
		free(m->v);
		free(m);
	}
}

static void drop(struct network *n, const char *endpoint)
{
	struct place *p = map_del(&n->places, endpoint);

	if (!p)
		return;
	for (size_t i = 0; i < p->names.n; i++)
		name_drop(n, p->names.v[i], p);
	leave(p->sandbox, p);
	strlist_free(&p->names);
	strlist_free(&p->links);
	free(p->id);
	free(p->sandbox);
	free(p);
}

static bool read_ips(const struct msg *m, struct dns_ip ip[2])
{
	const char *v4 = msg_get_str(m, NETD_IP), *v6 = msg_get_str(m, NETD_IP6);

	if ((v4 && inet_pton(AF_INET, v4, ip[0].b) != 1) ||
	    (v6 && inet_pton(AF_INET6, v6, ip[1].b) != 1))
		return false;
	ip[0].len = v4 ? 4 : 0;
	ip[1].len = v6 ? 16 : 0;
	return true;
}

int names_set(const struct msg *m, struct error *err)
{
	const char *network = msg_get_str(m, NETD_NETWORK), *id = msg_get_str(m, NETD_ENDPOINT),
		   *name = msg_get_str(m, NETD_NETWORK_NAME),
		   *sandbox = msg_get_str(m, NETD_SANDBOX);
	const void *data;
	size_t pos = 0, len;
	struct dns_ip ip[2] = {0};
	struct network *n;
	struct place *p;

	if (!network || !id || !sandbox || !read_ips(m, ip))
		return error_set(err, ERR_INVALID, "netd: names of nothing");
	n = map_get(&networks, network);
	if (!n) {
		n = xnew(struct network);
		map_set(&networks, network, n);
	}
	if (name) {
		free(n->name);
		n->name = small(name);
	}
	drop(n, id);
	p = xnew(struct place);
	*p = (struct place){.id = xstrdup(id), .sandbox = xstrdup(sandbox)};
	memcpy(p->ip, ip, sizeof(ip));
	while (msg_next(m, NETD_NAME, &pos, &data, &len)) {
		auto_free char *text = xstrndup(data, len), *low = small(text);

		if (strchr(low, ':')) {
			strlist_add(&p->links, low);
			continue;
		}
		if (*low && !strlist_has(&p->names, low)) {
			strlist_add(&p->names, low);
			name_add(n, low, p);
		}
	}
	map_set(&n->places, p->id, p);
	join(p->sandbox, n, p);
	return 0;
}

void names_forget(const struct msg *m)
{
	const char *network = msg_get_str(m, NETD_NETWORK), *id = msg_get_str(m, NETD_ENDPOINT);
	struct network *n = network ? map_get(&networks, network) : NULL;

	if (!n || !id)
		return;
	drop(n, id);
	if (n->places.n)
		return;
	map_del(&networks, network);
	map_free(&n->places, NULL);
	map_free(&n->names, NULL);
	free(n->name);
	free(n);
}

bool names_any(void)
{
	return networks.n != 0;
}

/* As the container in that seat calls it: an alias of its own hides a name that others have. */
static bool find_in(const struct seat *seat, const char *name, uint8_t len, struct dns_ip *out,
		    size_t max, size_t *count)
{
	const struct strlist *links = &seat->p->links;
	const struct namesakes *s;
	char target[256];

	for (size_t i = 0; i < links->n; i++) {
		const char *colon = strchr(links->v[i], ':');

		if (!streq(colon + 1, name))
			continue;
		snprintf(target, sizeof(target), "%.*s", (int)(colon - links->v[i]), links->v[i]);
		name = target;
		break;
	}
	s = map_get(&seat->n->names, name);

	*count = 0;
	for (size_t i = 0; s && i < s->n && *count < max; i++)
		if (s->v[i]->ip[len == 16].len)
			out[(*count)++] = s->v[i]->ip[len == 16];
	return s != NULL;
}

bool names_find(const char *sandbox, const char *name, uint8_t len, struct dns_ip *out, size_t max,
		size_t *n)
{
	const struct membership *m = map_get(&members, sandbox);
	const char *dot = strrchr(name, '.');
	char first[256];

	*n = 0;
	for (size_t i = 0; m && i < m->n; i++)
		if (find_in(&m->v[i], name, len, out, max, n))
			return true;
	if (!dot)
		return false;
	/* "container.network" */
	snprintf(first, sizeof(first), "%.*s", (int)(dot - name), name);
	for (size_t i = 0; m && i < m->n; i++)
		if (m->v[i].n->name && streq(m->v[i].n->name, dot + 1) &&
		    find_in(&m->v[i], first, len, out, max, n))
			return true;
	return false;
}

bool names_of(const char *sandbox, const struct dns_ip *a, char out[512])
{
	const struct membership *m = map_get(&members, sandbox);

	for (size_t i = 0; m && i < m->n; i++) {
		struct map_entry *e;

		for (size_t k = 0; (e = map_next(&m->v[i].n->places, &k));) {
			const struct place *p = e->value;
			const struct dns_ip *ip = &p->ip[a->len == 16];

			if (ip->len != a->len || memcmp(ip->b, a->b, a->len) != 0 || !p->names.n)
				continue;
			snprintf(out, 512, "%s.%s", p->names.v[0],
				 m->v[i].n->name ? m->v[i].n->name : "");
			return true;
		}
	}
	return false;
}
