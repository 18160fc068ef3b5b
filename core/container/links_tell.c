/* SPDX-License-Identifier: Apache-2.0 */
/* What a link tells a container of another one: variables, lines of its hosts file, and the ports that it may reach. See links.h. */
#include "container/links_int.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static bool on_default_bridge(const struct container *c)
{
	return networks_find(c, NETWORK_DEFAULT) != NULL;
}

struct port {
	int number;
	char proto[8], upper[8];
};

static int by_proto(const void *a, const void *b)
{
	const struct port *x = a, *y = b;
	bool xt = streq(x->proto, "tcp"), yt = streq(y->proto, "tcp");

	if (xt != yt)
		return yt - xt;
	return streq(x->proto, y->proto) ? x->number - y->number : strcmp(x->proto, y->proto);
}

static struct port *exposed_ports(const json *config, size_t *n)
{
	const json *ports = json_get(config, "ExposedPorts");
	struct port *v = xcalloc(json_count(ports) + 1, sizeof(*v));

	*n = 0;
	for (json *p = json_first(ports); p; p = json_next(p)) {
		struct port *port = &v[*n];

		if (sscanf(json_name(p), "%d/%7[a-z]", &port->number, port->proto) != 2)
			continue;
		for (size_t i = 0; port->proto[i]; i++)
			port->upper[i] = (char)toupper((unsigned char)port->proto[i]);
		(*n)++;
	}
	qsort(v, *n, sizeof(*v), by_proto);
	return v;
}

static void print_range(const char *a, const char *ip, const struct port *from,
			const struct port *to, struct strlist *env)
{
	strlist_printf(env, "%s_PORT_%d_%s_START=%s://%s:%d", a, from->number, from->upper,
		       from->proto, ip, from->number);
	strlist_printf(env, "%s_PORT_%d_%s_PORT_START=%d", a, from->number, from->upper,
		       from->number);
	strlist_printf(env, "%s_PORT_%d_%s_END=%s://%s:%d", a, from->number, from->upper,
		       from->proto, ip, to->number);
	strlist_printf(env, "%s_PORT_%d_%s_PORT_END=%d", a, from->number, from->upper, to->number);
}

static void print_port(const char *a, const char *ip, const struct port *p, struct strlist *env)
{
	strlist_printf(env, "%s_PORT_%d_%s=%s://%s:%d", a, p->number, p->upper, p->proto, ip,
		       p->number);
	strlist_printf(env, "%s_PORT_%d_%s_ADDR=%s", a, p->number, p->upper, ip);
	strlist_printf(env, "%s_PORT_%d_%s_PORT=%d", a, p->number, p->upper, p->number);
	strlist_printf(env, "%s_PORT_%d_%s_PROTO=%s", a, p->number, p->upper, p->proto);
}

/* In moby's order: a range follows the first port behind it. */
static void print_ports(const char *a, const char *ip, const json *config, struct strlist *env)
{
	size_t n, from = 0;
	auto_free struct port *v = exposed_ports(config, &n);

	if (n)
		strlist_printf(env, "%s_PORT=%s://%s:%d", a, v[0].proto, ip, v[0].number);
	for (size_t i = 0; i <= n; i++) {
		bool goes_on = i < n && i && streq(v[i].proto, v[i - 1].proto) &&
			       v[i].number == v[i - 1].number + 1;

		if (i < n)
			print_port(a, ip, &v[i], env);
		if (goes_on)
			continue;
		if (i - from > 1)
			print_range(a, ip, &v[from], &v[i - 1], env);
		from = i;
	}
}

static void print_env(const char *parent, const char *alias, const char *ip, const json *config,
		      struct strlist *env)
{
	auto_free char *a = xstrdup(alias);

	for (char *p = a; *p; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	print_ports(a, ip, config, env);
	strlist_printf(env, "%s_NAME=/%s/%s", a, parent, alias);
	for (json *e = json_first(json_get(config, "Env")); e; e = json_next(e)) {
		const char *v = json_str(e, "");

		if (strchr(v, '=') && !str_after(v, "HOME=") && !str_after(v, "PATH="))
			strlist_printf(env, "%s_ENV_%s", a, v);
	}
}

void link_child_free(struct link_child *k)
{
	free(k->name);
	json_free(k->config);
}

bool link_look(const char *id, struct link_child *k)
{
	auto_container *c = container_by_id(id);
	const struct container_network *n;
	struct error ignored = ERROR_INIT;

	*k = (struct link_child){0};
	if (!c)
		return false;
	LOCK_SCOPE(&c->lock);
	k->name = xstrdup(c->name);
	k->running = c->state.running;
	k->config = json_parse(c->config, strlen(c->config), &ignored);
	n = networks_find(c, NETWORK_DEFAULT);
	k->bridged = n != NULL;
	if (n && n->connected)
		snprintf(k->ip, sizeof(k->ip), "%s", n->ep.ipv4);
	return true;
}

int links_env(struct container *c, bool must, struct strlist *env, struct error *err)
{
	auto_links l = links_copy(c);
	auto_str parent = STR_INIT;

	if (!l.n || !on_default_bridge(c))
		return 0;
	links_owner(c, &parent);
	for (size_t i = 0; i < l.n; i++) {
		auto_child k = {0};

		if (!link_look(l.v[i].child, &k))
			continue;
		if (must && !k.running)
			return error_set(err, ERR_SYSTEM,
					 "Cannot link to a non running container: /%s AS /%s/%s",
					 k.name, str_cstr(&parent), l.v[i].alias);
		if (must && !k.bridged)
			return error_set(err, ERR_SYSTEM,
					 "container %s not attached to default bridge network",
					 l.v[i].child);
		if (k.running && k.bridged)
			print_env(str_cstr(&parent), l.v[i].alias, k.ip, k.config, env);
	}
	return 0;
}

void links_hosts(struct container *c, struct strlist *out)
{
	auto_links l = links_copy(c);

	if (!l.n || !on_default_bridge(c))
		return;
	for (size_t i = 0; i < l.n; i++) {
		auto_child k = {0};

		if (link_look(l.v[i].child, &k) && *k.ip)
			strlist_printf(out, "%s %s%s%s:%s", l.v[i].alias,
				       json_get_str(k.config, "Hostname", ""),
				       streq(l.v[i].alias, k.name) ? "" : " ",
				       streq(l.v[i].alias, k.name) ? "" : k.name, k.ip);
	}
}

static void tell_parent(struct container *parent, struct container *child, void *arg)
{
	auto_links l = links_copy(parent);
	struct error err = ERROR_INIT;
	auto_child k = {0};

	(void)arg;
	for (size_t i = 0; i < l.n; i++) {
		if (!streq(l.v[i].child, child->id))
			continue;
		if (!k.name)
			link_look(child->id, &k);
		if (*k.ip && container_update_hosts(parent, l.v[i].alias, k.ip, &err) < 0)
			log_warn("link of a container", "container", parent->id, "link",
				 l.v[i].alias, "error", err.text);
	}
}

void links_announce(struct container *c)
{
	links_each_other(c, tell_parent, NULL);
}

/* ---- ports that a link opens -------------------------------------------------------------------------------------------------------------- */

struct opened {
	struct network_link *v;
	size_t n;
};

/* The ports of whoever is asked, between the container and a peer. */
static void open_ports(struct opened *out, const char *peer, const json *config, bool serves)
{
	size_t n;
	auto_free struct port *ports = exposed_ports(config, &n);

	for (size_t i = 0; i < n; i++) {
		struct network_link *l;

		out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
		l = &out->v[out->n++];
		*l = (struct network_link){.port = (uint16_t)ports[i].number, .serves = serves};
		snprintf(l->peer, sizeof(l->peer), "%s", peer);
		snprintf(l->proto, sizeof(l->proto), "%s", ports[i].proto);
	}
}

static void open_to_parent(struct container *parent, struct container *child, void *arg)
{
	auto_links l = links_copy(parent);
	bool links = false;
	auto_child k = {0}, self = {0};

	for (size_t i = 0; i < l.n; i++)
		links |= streq(l.v[i].child, child->id);
	if (links && link_look(parent->id, &k) && k.running && *k.ip && link_look(child->id, &self))
		open_ports(arg, k.ip, self.config, true);
}

struct network_link *links_ports(struct container *c, size_t *n)
{
	auto_links l = links_copy(c);
	struct opened out = {0};

	for (size_t i = 0; i < l.n; i++) {
		auto_child k = {0};

		if (link_look(l.v[i].child, &k) && k.running && *k.ip)
			open_ports(&out, k.ip, k.config, false);
	}
	links_each_other(c, open_to_parent, &out);
	*n = out.n;
	return out.v;
}
