/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and addresses of the test plugin; see plugin.h. ROOT/networks/ID holds what a network was made with; ROOT/addresses/POOL,ADDRESS are taken. */
#include "plugin.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *fmt, ...)
{
	auto_str line = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&line, fmt, ap);
	va_end(ap);
	return system(str_cstr(&line)); /* a test's own words only */
}

static char *kept(const char *root, const char *id)
{
	return xasprintf("%s/networks/%.64s", root, id);
}

/* Of the network's creation; NULL: no such network. */
static json *remembered(const char *root, const char *id)
{
	auto_free char *path = kept(root, id);
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;

	return file_read_at(AT_FDCWD, path, 1 << 20, &text, &err) < 0
		   ? NULL
		   : json_parse(text.p, text.len, &err);
}

static const char *option(const json *network, const char *name)
{
	return json_get_str(json_get(json_get(network, "Options"), "com.docker.network.generic"),
			    name, "");
}

static void create_network(const char *root, struct answer *a, const json *q)
{
	const char *id = json_get_str(q, "NetworkID", ""),
		   *gateway = json_get_str(json_first(json_get(q, "IPv4Data")), "Gateway", "");
	auto_free char *path = kept(root, id);
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;

	json_print(q, &text);
	if (file_write_atomic(AT_FDCWD, path, text.p, text.len, 0600, false, &err) < 0)
		plugin_fail(a, 200, err.text);
	run("ip link add tp%.8s type bridge 2>/dev/null; ip link set tp%.8s up", id, id);
	if (*gateway)
		run("ip addr replace %s dev tp%.8s", gateway, id);
}

static void delete_network(const char *root, const char *id)
{
	auto_free char *path = kept(root, id);

	run("ip link del tp%.8s 2>/dev/null", id);
	unlink(path);
}

static void create_endpoint(struct answer *a, const json *network, const json *q)
{
	const json *wanted = json_get(q, "Interface");
	struct jw w = jw_to(&a->body);

	jw_obj(&w);
	jw_kobj(&w, "Interface");
	if (!*json_get_str(wanted, "Address", "") && *option(network, "choose"))
		jw_kstr(&w, "Address", option(network, "choose"));
	if (!*json_get_str(wanted, "MacAddress", "") || *option(network, "mac"))
		jw_kstr(&w, "MacAddress",
			*option(network, "mac") ? option(network, "mac") : "02:00:5e:10:20:30");
	jw_end(&w);
	jw_end(&w);
}

static void join(struct answer *a, const json *network, const json *q)
{
	const char *id = json_get_str(q, "EndpointID", ""),
		   *gateway =
		       json_get_str(json_first(json_get(network, "IPv4Data")), "Gateway", "");
	auto_free char *name = xasprintf("tq%.8s", id),
		       *hop = xstrndup(gateway, strcspn(gateway, "/"));
	struct jw w = jw_to(&a->body);

	if (run("ip link add tv%.8s type veth peer name %s && ip link set tv%.8s master tp%.8s up",
		id, name, id, json_get_str(q, "NetworkID", "")) != 0) {
		plugin_fail(a, 200, "no link");
		return;
	}
	jw_obj(&w);
	jw_kobj(&w, "InterfaceName");
	jw_kstr(&w, "SrcName", name);
	jw_kstr(&w, "DstPrefix", "tst");
	jw_end(&w);
	jw_kstr(&w, "Gateway", hop);
	if (*option(network, "route")) {
		jw_karr(&w, "StaticRoutes");
		jw_obj(&w);
		jw_kstr(&w, "Destination", option(network, "route"));
		jw_ki64(&w, "RouteType", 1);
		jw_end(&w);
		jw_end(&w);
	}
	jw_end(&w);
}

void plugin_network(const char *root, struct answer *a, const char *method, const json *q)
{
	auto_json *network = remembered(root, json_get_str(q, "NetworkID", ""));
	const json *says = streq(method, "CreateNetwork") ? q : network;

	if (*option(says, "fail") && streq(option(says, "fail"), method))
		plugin_fail(a, 200, "as it was told");
	else if (streq(method, "GetCapabilities"))
		str_puts(&a->body, "{\"Scope\":\"local\",\"ConnectivityScope\":\"local\"}");
	else if (streq(method, "CreateNetwork"))
		create_network(root, a, q);
	else if (streq(method, "DeleteNetwork"))
		delete_network(root, json_get_str(q, "NetworkID", ""));
	else if (!network)
		plugin_fail(a, 200, "no such network");
	else if (streq(method, "CreateEndpoint"))
		create_endpoint(a, network, q);
	else if (streq(method, "Join"))
		join(a, network, q);
	else if (streq(method, "EndpointOperInfo"))
		str_puts(&a->body, "{\"Value\":{\"kind\":\"test\"}}");
	else if (streq(method, "DeleteEndpoint"))
		run("ip link del tv%.8s 2>/dev/null", json_get_str(q, "EndpointID", ""));
	else if (!streq(method, "Leave")) {
		a->status = 404;
		str_puts(&a->body, "404 page not found\n");
	}
}

/* ---- Addresses ---------------------------------------------------------------------------------------------------------------------- */

/* This protocol has another name for it. */
static void refuse(struct answer *a, const char *text)
{
	struct jw w = jw_to(&a->body);

	jw_obj(&w);
	jw_kstr(&w, "Error", text);
	jw_end(&w);
}

/* The pool's id is its subnet, '/' as '+'. */
static void request_pool(const char *root, struct answer *a, const json *q)
{
	const char *pool = json_get_str(q, "Pool", "");
	struct jw w = jw_to(&a->body);
	char chosen[64], id[64];

	if (streq(pool, "10.250.0.0/24")) {
		refuse(a, "not that one");
		return;
	}
	snprintf(chosen, sizeof(chosen), "%s", pool);
	for (int i = 0; !*pool && i < 255; i++) {
		auto_free char *path = xasprintf("%s/pools/10.222.%d.0+24", root, i);

		snprintf(chosen, sizeof(chosen), "10.222.%d.0/24", i);
		if (access(path, F_OK) < 0)
			break;
	}
	snprintf(id, sizeof(id), "%s", chosen);
	id[strcspn(id, "/")] = '+';
	auto_free char *path = xasprintf("%s/pools/%s", root, id);

	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	jw_obj(&w);
	jw_kstr(&w, "PoolID", id);
	jw_kstr(&w, "Pool", streq(chosen, "10.251.0.0/24") ? "fd00:51::/64" : chosen);
	jw_kobj(&w, "Data");
	jw_end(&w);
	jw_end(&w);
}

static void request_address(const char *root, struct answer *a, const json *q)
{
	const char *pool = json_get_str(q, "PoolID", ""), *wanted = json_get_str(q, "Address", ""),
		   *kind = json_get_str(json_get(q, "Options"), "RequestAddressType", "");
	size_t base = strcspn(pool, "+");
	struct jw w = jw_to(&a->body);
	char text[64];

	while (base && pool[base - 1] != '.')
		base--;
	for (int i = str_ends(kind, "gateway") ? 1 : 10; i < 255; i++) {
		if (*wanted)
			snprintf(text, sizeof(text), "%s", wanted);
		else
			snprintf(text, sizeof(text), "%.*s%d", (int)base, pool, i);
		auto_free char *path = xasprintf("%s/addresses/%s,%s", root, pool, text);
		auto_close fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0 && *wanted)
			break;
		if (fd < 0)
			continue;
		jw_obj(&w);
		jw_key(&w, "Address");
		auto_free char *full = xasprintf("%s/%s", text, pool + strcspn(pool, "+") + 1);

		jw_str(&w, full);
		jw_end(&w);
		return;
	}
	refuse(a, "no address left");
}

void plugin_ipam(const char *root, struct answer *a, const char *method, const json *q)
{
	auto_free char *taken = xasprintf("%s/addresses/%s,%s", root, json_get_str(q, "PoolID", ""),
					  json_get_str(q, "Address", "")),
		       *pool = xasprintf("%s/pools/%s", root, json_get_str(q, "PoolID", ""));

	if (streq(method, "GetCapabilities"))
		str_puts(&a->body, "{\"RequiresMACAddress\":false}");
	else if (streq(method, "GetDefaultAddressSpaces"))
		str_puts(&a->body, "{\"LocalDefaultAddressSpace\":\"here\","
				   "\"GlobalDefaultAddressSpace\":\"everywhere\"}");
	else if (streq(method, "RequestPool"))
		request_pool(root, a, q);
	else if (streq(method, "RequestAddress"))
		request_address(root, a, q);
	else if (streq(method, "ReleaseAddress") && unlink(taken) < 0)
		refuse(a, "it is not taken");
	else if (streq(method, "ReleasePool") && unlink(pool) < 0)
		refuse(a, "no such pool");
}
