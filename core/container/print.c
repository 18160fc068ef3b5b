/* SPDX-License-Identifier: Apache-2.0 */
/* Containers as the API shows them: inspect and list. Field order and nulls are moby's. */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "container/container_int.h"
#include "container/health.h"
#include "container/image_use.h"
#include "container/join.h"
#include "container/list_filter.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes that most containers take, so that a reply's buffer need not grow step by step. */
#define INSPECT_USUAL 8192
#define ROW_USUAL 1536

const char *container_state_name(const struct container *c)
{
	const struct state *s = &c->state;

	if (s->running)
		return s->paused ? "paused" : s->restarting ? "restarting" : "running";
	if (s->removing)
		return "removing";
	if (s->dead)
		return "dead";
	return s->started == CLOCK_ZERO ? "created" : "exited";
}

/* go-units HumanDuration */
static void human_duration(int64_t ns, struct str *out)
{
	int64_t s = ns / 1000000000, m = s / 60, h = (s + 1800) / 3600;

	if (s < 1)
		str_puts(out, "Less than a second");
	else if (s == 1)
		str_puts(out, "1 second");
	else if (s < 60)
		str_printf(out, "%lld seconds", (long long)s);
	else if (m == 1)
		str_puts(out, "About a minute");
	else if (m < 60)
		str_printf(out, "%lld minutes", (long long)m);
	else if (h == 1)
		str_puts(out, "About an hour");
	else if (h < 48)
		str_printf(out, "%lld hours", (long long)h);
	else if (h < 24 * 7 * 2)
		str_printf(out, "%lld days", (long long)(h / 24));
	else if (h < 24 * 30 * 2)
		str_printf(out, "%lld weeks", (long long)(h / 24 / 7));
	else if (h < 24 * 365 * 2)
		str_printf(out, "%lld months", (long long)(h / 24 / 30));
	else
		str_printf(out, "%lld years", (long long)(s / 3600 / 24 / 365));
}

void container_print_status(const struct container *c, struct str *out)
{
	const struct state *s = &c->state;
	int64_t now = clock_wall_ns();

	if (s->running && s->restarting) {
		str_printf(out, "Restarting (%d) ", s->exit_code);
		human_duration(now - s->finished, out);
		str_puts(out, " ago");
	} else if (s->running) {
		str_puts(out, "Up ");
		human_duration(now - s->started, out);
		if (s->paused)
			str_puts(out, " (Paused)");
		else if (c->health)
			str_printf(out, " (%s%s)",
				   streq(health_status(c), "starting") ? "health: " : "",
				   health_status(c));
	} else if (s->removing) {
		str_puts(out, "Removal In Progress");
	} else if (s->dead) {
		str_puts(out, "Dead");
	} else if (s->started == CLOCK_ZERO) {
		str_puts(out, "Created");
	} else if (s->finished != CLOCK_ZERO) {
		str_printf(out, "Exited (%d) ", s->exit_code);
		human_duration(now - s->finished, out);
		str_puts(out, " ago");
	}
}

/* ---- Shared parts ------------------------------------------------------------------------------------------------------------- */

static void print_mounts(struct jw *w, const struct container *c)
{
	jw_karr(w, "Mounts");
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct mount_point *m = &c->mounts[i];

		jw_obj(w);
		jw_kstr(w, "Type", m->type);
		if (!str_empty(m->name))
			jw_kstr(w, "Name", m->name);
		jw_kstr(w, "Source", m->source);
		jw_kstr(w, "Destination", m->destination);
		if (!str_empty(m->driver))
			jw_kstr(w, "Driver", m->driver);
		jw_kstr(w, "Mode", m->mode);
		jw_kbool(w, "RW", m->rw);
		jw_kstr(w, "Propagation", m->propagation);
		jw_end(w);
	}
	jw_end(w);
}

/* ---- Inspect ------------------------------------------------------------------------------------------------------------------ */

static void print_state(struct jw *w, const struct container *c)
{
	const struct state *s = &c->state;

	jw_kobj(w, "State");
	jw_kstr(w, "Status", container_state_name(c));
	jw_kbool(w, "Running", s->running);
	jw_kbool(w, "Paused", s->paused);
	jw_kbool(w, "Restarting", s->restarting);
	jw_kbool(w, "OOMKilled", s->oom_killed);
	jw_kbool(w, "Dead", s->dead);
	jw_ki64(w, "Pid", s->pid);
	jw_ki64(w, "ExitCode", s->exit_code);
	jw_kstr(w, "Error", s->error);
	jw_ktime(w, "StartedAt", s->started);
	jw_ktime(w, "FinishedAt", s->finished);
	health_print(c, false, w);
	jw_end(w);
}

static bool same_port(const struct network_port *a, const struct network_port *b)
{
	return a->container_port == b->container_port && streq(a->proto, b->proto);
}

static bool has_bindings(const struct container *c, const struct network_port *of)
{
	const struct network_port *p;

	for (size_t i = 0; (p = networks_port(c, i)); i++)
		if (same_port(p, of))
			return true;
	return false;
}

static void print_bindings(struct jw *w, const struct container *c, const struct network_port *of)
{
	const struct network_port *p;
	bool any = false;

	/* those of IPv4 first: the families may be of two networks */
	for (size_t i = 0, v6 = 0; v6 < 2; i++) {
		char number[8];

		p = networks_port(c, i);
		if (!p) {
			v6++;
			i = (size_t)-1;
			continue;
		}
		if (!same_port(p, of) || (strchr(p->host_ip, ':') != NULL) != v6)
			continue;
		if (!any)
			jw_arr(w);
		any = true;
		number[0] = '\0'; /* routed to: none is taken */
		if (p->host_port)
			snprintf(number, sizeof(number), "%u", p->host_port);
		jw_obj(w);
		jw_kstr(w, "HostIp", p->host_ip);
		jw_kstr(w, "HostPort", number);
		jw_end(w);
	}
	if (any)
		jw_end(w);
	else
		jw_null(w);
}

/* Exposed and bound ports of a running container that is in a network which publishes some; {} else. */
static void print_port_map(struct jw *w, const struct container *c)
{
	const struct spec_ports *ports = &c->ports;

	jw_kobj(w, "Ports");
	for (size_t i = 0; i < ports->n && networks_may_publish(c); i++) {
		const struct spec_port *p = &ports->v[i];
		struct network_port of = {.container_port = p->container_port};
		char key[16];

		memcpy(of.proto, p->proto, sizeof(of.proto));
		if (i && p->container_port == p[-1].container_port && streq(p->proto, p[-1].proto))
			continue;
		/* a port that nobody exposes is shown where it is bound */
		if (!p->named && !has_bindings(c, &of))
			continue;
		snprintf(key, sizeof(key), "%u/%s", p->container_port, p->proto);
		jw_key(w, key);
		print_bindings(w, c, &of);
	}
	jw_end(w);
}

static void print_network_settings(struct jw *w, const struct container *c)
{
	static const struct network_endpoint none;
	const struct container_network *n = networks_find(c, NETWORK_DEFAULT);
	const struct network_endpoint *e = n ? &n->ep : &none;
	char key[40] = "";

	if (c->connected && c->state.running)
		snprintf(key, sizeof(key), "/proc/%d/ns/net", (int)c->state.pid);
	jw_kobj(w, "NetworkSettings");
	jw_kstr(w, "Bridge", "");
	jw_kstr(w, "SandboxID", c->connected ? c->id : "");
	jw_kstr(w, "SandboxKey",
		key); /* moby's is a bind mount of the same; nsenter takes either */
	print_port_map(w, c);
	jw_kbool(w, "HairpinMode", false);
	jw_kstr(w, "LinkLocalIPv6Address", "");
	jw_ki64(w, "LinkLocalIPv6PrefixLen", 0);
	jw_knull(w, "SecondaryIPAddresses");
	jw_knull(w, "SecondaryIPv6Addresses");
	jw_kstr(w, "EndpointID", e->endpoint_id);
	jw_kstr(w, "Gateway", e->gateway4);
	jw_kstr(w, "GlobalIPv6Address", e->ipv6);
	jw_ki64(w, "GlobalIPv6PrefixLen", e->prefix6);
	jw_kstr(w, "IPAddress", e->ipv4);
	jw_ki64(w, "IPPrefixLen", e->prefix4);
	jw_kstr(w, "IPv6Gateway", e->gateway6);
	jw_kstr(w, "MacAddress", n && !*e->network_id ? n->mac : e->mac);
	networks_print(w, c);
	jw_end(w);
}

static void print_paths(struct jw *w, const struct container *c, const char *log)
{
	auto_free char *files = container_dir(container_files_of(c));
	bool own = c->started_before;
	auto_free char *resolv = own ? path_join(files, "resolv.conf") : NULL;
	auto_free char *hostname = own ? path_join(files, "hostname") : NULL;
	auto_free char *hosts = own ? path_join(files, "hosts") : NULL;

	jw_kstr(w, "ResolvConfPath", resolv);
	jw_kstr(w, "HostnamePath", hostname);
	jw_kstr(w, "HostsPath", hosts);
	jw_kstr(w, "LogPath", own ? log : NULL);
}

static void print_exec_ids(struct jw *w, const struct container *c)
{
	bool any = false;

	jw_key(w, "ExecIDs");
	for (const struct exec_session *e = c->execs; e; e = e->next) {
		/* a container that is down has none left */
		if (e->has_exit || !c->state.running)
			continue;
		if (!any)
			jw_arr(w);
		any = true;
		jw_str(w, e->id);
	}
	if (any)
		jw_end(w);
	else
		jw_null(w);
}

/* With the links as they are now, whatever was asked for. */
static void print_host_config(const struct container *c, const char *links, struct jw *w)
{
	struct error ignored = ERROR_INIT;
	auto_json *host = NULL;

	jw_key(w, "HostConfig");
	if (strstr(c->host_config, "\"Links\":["))
		host = json_parse(c->host_config, strlen(c->host_config), &ignored);
	if (host) {
		json_set(host, "Links", json_parse(links, strlen(links), &ignored));
		jw_json(w, host);
	} else {
		jw_raw(w, c->host_config, strlen(c->host_config));
	}
}

/* With the address that the main network was asked for, where moby's struct has it. */
static void print_config(struct jw *w, const struct container *c)
{
	const struct container_network *n = networks_find(c, network_mode_name(c->network_mode));
	struct error ignored = ERROR_INIT;
	auto_json *config =
	    n && *n->mac ? json_parse(c->config, strlen(c->config), &ignored) : NULL;

	jw_key(w, "Config");
	if (!config) {
		jw_raw(w, c->config, strlen(c->config));
		return;
	}
	jw_obj(w);
	for (json *m = json_first(config); m; m = json_next(m)) {
		if (streq(json_name(m), "OnBuild"))
			jw_kstr(w, "MacAddress", n->mac);
		jw_kjson(w, json_name(m), m);
	}
	jw_end(w);
}

/* What the storage driver says of its layer: it is asked once, without the lock. NULL: it could not be asked, said by `once`. */
static const char *graph_driver(struct container *c, struct str *once)
{
	struct jw w = jw_to(once);
	char *text;

	pthread_mutex_lock(&c->lock);
	text = c->graph_driver;
	pthread_mutex_unlock(&c->lock);
	if (text)
		return text;
	if (!image_use_print_driver(c->id, &w))
		return str_cstr(once);
	LOCK_SCOPE(&c->lock);
	if (!c->graph_driver)
		c->graph_driver = str_steal(once);
	return c->graph_driver;
}

static void print_inspect(struct container *c, const char *links, const char *log,
			  const char *driver, int64_t rw, int64_t root, bool size, struct jw *w)
{
	char name[258];

	snprintf(name, sizeof(name), "/%s", c->name);
	jw_obj(w);
	jw_kstr(w, "Id", c->id);
	jw_ktime(w, "Created", c->created);
	jw_kstr(w, "Path", c->path);
	jw_kstrlist(w, "Args", &c->args, false);
	print_state(w, c);
	jw_kstr(w, "Image", c->image_id);
	print_paths(w, c, log);
	jw_kstr(w, "Name", name);
	jw_ki64(w, "RestartCount", c->restart_count);
	jw_kstr(w, "Driver", containers.storage_driver);
	jw_kstr(w, "Platform", "linux");
	jw_kstr(w, "MountLabel", "");
	jw_kstr(w, "ProcessLabel", "");
	container_print_apparmor(w, c);
	print_exec_ids(w, c);
	print_host_config(c, links, w);
	jw_key(w, "GraphDriver");
	jw_raw(w, driver, strlen(driver));
	if (size) {
		jw_ki64(w, "SizeRw", rw);
		jw_ki64(w, "SizeRootFs", root);
	}
	print_mounts(w, c);
	print_config(w, c);
	print_network_settings(w, c);
	jw_end(w);
}

int container_inspect(const char *name, bool size, struct str *reply, struct error *err)
{
	auto_container *c = container_find(name, err);
	struct jw w = jw_to(reply), lw;
	auto_free char *log = NULL;
	auto_str links = STR_INIT, once = STR_INIT;
	const char *driver;
	int64_t rw = 0, root = 0;

	if (!c || (size && image_use_layer_size(c->id, &rw, &root, err) < 0))
		return -1;
	lw = jw_to(&links);
	links_print(c, &lw);
	log = container_log_path(c); /* may ask the driver: not with the lock held */
	driver = graph_driver(c, &once);
	str_reserve(reply, INSPECT_USUAL);
	LOCK_SCOPE(&c->lock);
	print_inspect(c, str_cstr(&links), log, driver, rw, root, size, &w);
	return 0;
}

/* ---- List --------------------------------------------------------------------------------------------------------------------- */

static void print_list_ports(struct jw *w, const struct container *c)
{
	const struct network_port *q;
	size_t n = networks_may_publish(c) ? c->ports.n : 0;

	jw_karr(w, "Ports");
	for (size_t i = 0; (q = networks_port(c, i)); i++) {
		jw_obj(w);
		jw_kstr(w, "IP", q->host_ip);
		jw_ki64(w, "PrivatePort", q->container_port);
		if (q->host_port)
			jw_ki64(w, "PublicPort", q->host_port);
		jw_kstr(w, "Type", q->proto);
		jw_end(w);
	}
	for (size_t i = 0; i < n; i++) {
		const struct spec_port *p = &c->ports.v[i];
		struct network_port of = {.container_port = p->container_port};

		memcpy(of.proto, p->proto, sizeof(of.proto));
		if (p->published || has_bindings(c, &of))
			continue;
		jw_obj(w);
		jw_ki64(w, "PrivatePort", p->container_port);
		jw_kstr(w, "Type", p->proto);
		jw_end(w);
	}
	jw_end(w);
}

static void print_row(struct container *c, const struct strlist *links, int64_t rw, int64_t root,
		      bool size, struct jw *w)
{
	auto_str status = STR_INIT;
	char name[258];

	snprintf(name, sizeof(name), "/%s", c->name);
	container_print_status(c, &status);
	jw_obj(w);
	jw_kstr(w, "Id", c->id);
	jw_karr(w, "Names");
	jw_str(w, name);
	for (size_t i = 0; i < links->n; i++)
		jw_str(w, links->v[i]);
	jw_end(w);
	jw_kstr(w, "Image", c->image_name);
	jw_kstr(w, "ImageID", c->image_id);
	jw_kstr(w, "Command", c->command);
	jw_ki64(w, "Created", c->created / 1000000000);
	print_list_ports(w, c);
	if (size && rw)
		jw_ki64(w, "SizeRw", rw);
	if (size && root)
		jw_ki64(w, "SizeRootFs", root);
	jw_kpairs(w, "Labels", &c->labels, false);
	jw_kstr(w, "State", container_state_name(c));
	jw_kstr(w, "Status", str_cstr(&status));
	jw_kobj(w, "HostConfig");
	jw_kstr(w, "NetworkMode", c->network_mode);
	jw_end(w);
	jw_kobj(w, "NetworkSettings");
	networks_print(w, c);
	jw_end(w);
	print_mounts(w, c);
	jw_end(w);
}

int container_list(const struct container_list *how, struct str *reply, struct error *err)
{
	struct jw w = jw_to(reply);
	struct list_filter filter;
	struct container **all;
	int shown = 0;
	size_t n;

	if (list_filter_parse(how, &filter, err) < 0) {
		list_filter_free(&filter);
		return -1;
	}
	all = containers_all(&n);
	str_reserve(reply, (how->limit > 0 && (size_t)how->limit < n ? (size_t)how->limit : n) *
			       ROW_USUAL);
	jw_arr(&w);
	for (size_t i = 0; i < n; i++) {
		struct container *c = all[i];
		struct error ignored = ERROR_INIT;
		auto_strlist links = STRLIST_INIT;
		int64_t rw = 0, root = 0;

		links_names(c, &links);
		if (how->size)
			image_use_layer_size(c->id, &rw, &root, &ignored);
		pthread_mutex_lock(&c->lock);
		if ((how->limit <= 0 || shown < how->limit) && list_filter_match(&filter, c)) {
			print_row(c, &links, rw, root, how->size, &w);
			shown++;
		}
		pthread_mutex_unlock(&c->lock);
		container_unref(c);
	}
	free(all);
	list_filter_free(&filter);
	jw_end(&w);
	return 0;
}
