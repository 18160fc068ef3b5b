/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints that outlive a daemon: their records, taking them over, and taking away what nobody holds.
 *
 * An endpoint is on disk twice, for two questions. What a container has (addresses, ports, link) is answered by its config.v2.json
 * alone, written when the driver is done. Whether a driver may have left something behind is answered by the record
 * <exec-root>/network/endpoints/<id>, written before the driver is called and removed after the endpoint has left: it names no more than what
 * `leave` needs, the network, the container and the addresses. config.v2.json wins: network_adopt writes the record anew from it, and
 * network_sweep takes away what is on record and was claimed by no container.
 */
#include "network/endpoints.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "network/firewall.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- records --------------------------------------------------------------------------------------------------------------------------- */

static char *record_path(const char *id)
{
	return xasprintf("%s/endpoints/%s", room.state_dir, id);
}

/* Network, container, addresses with prefix length; one per line. */
int endpoint_record(const struct net *n, const struct net_endpoint *e, struct error *err)
{
	auto_free char *path = record_path(e->id);
	auto_str text = STR_INIT;
	char ip[IP_TEXT];

	str_printf(&text, "%s\n%s\n", n->id, e->container_id);
	for (int v6 = 0; v6 < 2; v6++) {
		ip_format(e->addr[v6].addr, ip);
		if (*ip)
			str_printf(&text, "%s/%d\n", ip, e->addr[v6].len);
	}
	return file_write_atomic(AT_FDCWD, path, text.p, text.len, 0600, false, err);
}

void endpoint_record_remove(const char *id)
{
	auto_free char *path = record_path(id);

	unlink(path);
}

int network_adopt(const char *container_id, const char *container_name,
		  struct network_endpoint *from, unsigned int ways, const struct strlist *names,
		  const struct network_link *links, size_t n_links, int netns_fd, struct error *err)
{
	auto_net *n = endpoint_network(from->network_id, err);
	struct net_endpoint e;
	auto_view v = {0};

	if (!n || endpoint_known(container_id, container_name, from, &e, err) < 0)
		return -1;
	if (endpoint_reserve(n, &e, err) < 0)
		return -1;
	from->publishes = net_publishes(n);
	view_init(&v, n, &e, from->ifname, ways);
	view_known(&v, from);
	v.endpoint.netns_fd = netns_fd;
	for (size_t i = 0; i < from->n_ports; i++)
		view_port(&v, &from->ports[i], from->ports[i].host_ip);
	endpoint_links(n, &e, links, n_links, &v);
	endpoint_remember(n, &e);
	/* from here on the room knows it, come what may: the container runs, and has the address */
	dns_add(n, &e, names);
	if (endpoint_record(n, &e, err) < 0 || FAULT_ERR("network.adopt.driver", err) < 0)
		return -1;
	return endpoint_call(n, "adopt", &v, err);
}

/* Of network_sweep; set once, before there are requests. */
static int (*namespace_of)(const char *container_id);

/* ---- after a crash ------------------------------------------------------------------------------------------------------------------------- */

/* An endpoint on record, an orphan in the table or of an earlier daemon: does anybody hold it? If not, its driver takes it away, as far as it can be told. */
static void sweep_one(const char *id, bool orphan)
{
	auto_free char *path = record_path(id);
	auto_strlist lines = STRLIST_INIT;
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;
	struct net_endpoint e = {0};
	auto_view v = {0};
	auto_net *n = NULL;
	auto_close ns = -1;
	const struct net_endpoint *known;
	bool held;

	if (file_read_at(AT_FDCWD, path, 4096, &text, &err) < 0)
		goto out;
	strlist_split(&lines, str_cstr(&text), '\n');
	n = lines.n >= 2 ? network_get(lines.v[0], &err) : NULL;
	if (!n ||
	    !n->driver) { /* cut short, or of a network that is no more: nothing of it can be there */
		unlink(path);
		return;
	}
	pthread_mutex_lock(&network_lock);
	known = map_get(&n->endpoints, id);
	held = known ? !known->orphan : orphan; /* gone from the table: another thread has it */
	pthread_mutex_unlock(&network_lock);
	if (held)
		return;
	memcpy(e.id, id, sizeof(e.id));
	snprintf(e.container_id, sizeof(e.container_id), "%s", lines.v[1]);
	for (size_t i = 2; i < lines.n; i++) {
		struct error none = ERROR_INIT;
		struct ipam_prefix p;

		if (ipam_parse(lines.v[i], &p, &none) == 0)
			e.addr[ip_is_v6(p.addr)] = p;
	}
	view_init(&v, n, &e, NULL, NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6);
	/* a link that nobody has on the host's side is found there */
	v.endpoint.netns_fd = ns = namespace_of ? namespace_of(e.container_id) : -1;
	dns_del(n, id);
	log_info("removing what is left of a network endpoint", "endpoint", id, "container",
		 e.container_id);
	if (endpoint_call(n, "leave", &v, &err) == 0) {
		endpoint_forget(n, &e, !orphan);
		return;
	}
out:
	log_warn("network endpoint not cleaned up", "endpoint", id, "error", err.text);
}

void network_abandon(const struct network_endpoint *from)
{
	struct error ignored = ERROR_INIT;
	auto_net *n = network_get(from->network_id, &ignored);
	struct net_endpoint *e;

	if (!n)
		return;
	LOCK_SCOPE(&network_lock);
	e = map_get(&n->endpoints, from->endpoint_id);
	if (e && !e->orphan) {
		e->orphan = true;
		n->orphans++;
	}
}

void endpoints_retry(struct net *n)
{
	auto_strlist ids = STRLIST_INIT;
	struct map_entry *m;

	pthread_mutex_lock(&network_lock);
	for (size_t i = 0; n->orphans && (m = map_next(&n->endpoints, &i));)
		if (((const struct net_endpoint *)m->value)->orphan)
			strlist_add(&ids, m->key);
	pthread_mutex_unlock(&network_lock);
	for (size_t i = 0; i < ids.n; i++)
		sweep_one(ids.v[i], true);
}

void network_sweep(int (*find)(const char *container_id))
{
	auto_free char *path = xasprintf("%s/endpoints", room.state_dir);
	auto_strlist ids = STRLIST_INIT;
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strlen(entry->d_name) == 64 && strspn(entry->d_name, "0123456789abcdef") == 64)
			strlist_add(&ids, entry->d_name);
	namespace_of = find;
	for (size_t i = 0; i < ids.n; i++)
		sweep_one(ids.v[i], false);
	firewall_sweep();
	proxy_sweep();
	dns_sweep();
}
