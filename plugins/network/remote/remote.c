/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network driver "remote": plugins of the classic socket protocol as drivers. Man page: dockerd-network-remote(8). The daemon opens it for a name that is no
 * driver's, with that name as the option `plugin`.
 */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define KIND "NetworkDriver"

static const struct dockerd_option options[] = {
    {.key = "plugin",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_DAEMON,
     .help = "Name of the plugin; the daemon gives it"},
    {.key = "*",
     .type = DOCKERD_OPT_STRING,
     .scope = DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT,
     .help = "Any other goes to the plugin"},
};

/* ---- asking ------------------------------------------------------------------------------------------------------------------------- */

static int from_error(const struct error *from, struct dockerd_error *err)
{
	return dockerd_fail(
	    err, from->kind == ERR_NOT_FOUND ? DOCKERD_ERR_NOT_FOUND : DOCKERD_ERR_SYSTEM, "%s",
	    from->text);
}

static json *ask(const struct adapter *a, const char *method, const struct str *request,
		 bool patient, bool *said, struct dockerd_error *err)
{
	auto_free char *full = xasprintf(KIND ".%s", method);
	struct error bad = ERROR_INIT;
	const struct remote *r = remote_get(a->plugin, KIND, patient, &bad);
	json *reply = r ? remote_call(r, full, request, REMOTE_SHORT, patient, &bad) : NULL;

	if (said)
		*said = r && !reply && !bad.sys;
	if (!reply && r && !bad.sys)
		dockerd_fail(err, DOCKERD_ERR_SYSTEM, "remote: %s", bad.text);
	else if (!reply)
		from_error(&bad, err);
	return reply;
}

json *adapter_ask(const struct adapter *a, const char *method, const struct str *request,
		  bool *said, struct dockerd_error *err)
{
	return ask(a, method, request, true, said, err);
}

static void complain(const struct adapter *a, const char *method, const char *why)
{
	auto_free char *text = xasprintf("plugin %s: " KIND ".%s: %s", a->plugin, method, why);

	if (DOCKERD_HAS(a->host, log))
		a->host->log(a->host, DOCKERD_LOG_WARN, text);
}

int adapter_tell(const struct adapter *a, const char *method, const struct str *request,
		 struct dockerd_error *err)
{
	bool said;
	auto_json *reply = ask(a, method, request, false, &said, err);

	if (!reply && said)
		complain(a, method, err->text);
	return reply || said ? 0 : -1;
}

/* ---- the instance ------------------------------------------------------------------------------------------------------------------- */

static void adapter_close(void *self)
{
	struct adapter *a = self;

	fd_close(&a->root);
	fd_close(&a->state);
	free(a->plugin);
	free(a);
}

static bool is_empty(int dir)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			return false;
	return true;
}

static int check_scope(const char *scope, struct dockerd_error *err)
{
	return strcmp(scope, "local") == 0 || strcmp(scope, "global") == 0
		   ? 0
		   : dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				  "invalid capability: expecting 'local' or 'global', got %s",
				  scope);
}

/* One that has networks yet is taken at its word, so that a daemon starts without it. */
static int meet(const struct adapter *a, struct dockerd_error *err)
{
	auto_json *reply = NULL;

	if (!is_empty(a->root))
		return 0;
	reply = adapter_ask(a, "GetCapabilities", NULL, NULL, err);
	return reply ? check_scope(json_get_str(reply, "Scope", ""), err) : -1;
}

static int32_t adapter_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	const struct dockerd_value *plugin = dockerd_option_get(args->options, "plugin");
	struct adapter *a = xnew(struct adapter);
	struct error bad = ERROR_INIT;

	a->host = args->host;
	a->plugin = xstrdup(plugin ? plugin->text : "");
	a->root = dir_open_at(AT_FDCWD, args->root, &bad);
	a->state = dir_open_at(AT_FDCWD, args->state, &bad);
	if (a->root < 0 || a->state < 0)
		from_error(&bad, err);
	else if (!plugin || !*plugin->text)
		dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "no plugin is named");
	else if (meet(a, err) == 0) {
		*self = a;
		return 0;
	}
	adapter_close(a);
	return -1;
}

/* ---- networks: a file in root says that the plugin was asked for it -------------------------------------------------------------------- */

#define ASKED "asked\n"
#define MADE "made\n"

static int mark(const struct adapter *a, const char *id, const char *text,
		struct dockerd_error *err)
{
	struct error bad = ERROR_INIT;

	return file_write_atomic(a->root, id, text, strlen(text), 0600, true, &bad) < 0
		   ? from_error(&bad, err)
		   : 0;
}

static bool is_made(const struct adapter *a, const char *id)
{
	struct error bad = ERROR_INIT;
	auto_str text = STR_INIT;

	return file_read_at(a->root, id, 64, &text, &bad) == 0 && streq(str_cstr(&text), MADE);
}

static int32_t network_create(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	const struct adapter *a = self;
	auto_json *reply = NULL;
	auto_str text = STR_INIT;
	bool said;

	if (is_made(a,
		    n->id)) /* the plugin keeps it over restarts, and would refuse a second one */
		return 0;
	if (mark(a, n->id, ASKED, err) < 0)
		return -1;
	wire_network(n, &text);
	reply = adapter_ask(a, "CreateNetwork", &text, &said, err);
	if (!reply) {
		if (said)
			unlinkat(a->root, n->id, 0);
		return -1;
	}
	return mark(a, n->id, MADE, err);
}

static int32_t network_delete(void *self, const struct dockerd_network *n,
			      struct dockerd_error *err)
{
	const struct adapter *a = self;
	auto_str text = STR_INIT;

	if (!file_exists_at(a->root, n->id))
		return 0;
	wire_ids(n->id, NULL, &text);
	if (adapter_tell(a, "DeleteNetwork", &text, err) < 0)
		return -1;
	unlinkat(a->root, n->id, 0);
	return 0;
}

/* ---- endpoints ---------------------------------------------------------------------------------------------------------------------- */

static int undo_endpoint(const struct adapter *a, const struct dockerd_network *n,
			 const struct dockerd_endpoint *e, bool joined, struct dockerd_error *err)
{
	auto_str text = STR_INIT;

	wire_ids(n->id, e->id, &text);
	if ((joined && adapter_tell(a, "Leave", &text, err) < 0) ||
	    adapter_tell(a, "DeleteEndpoint", &text, err) < 0)
		return -1;
	place_forget(a, e->id);
	return 0;
}

/* What the plugin has chosen, where nobody else has. */
static int take_interface(const struct dockerd_endpoint *e, const json *i, struct place *p,
			  struct dockerd_error *err)
{
	const char *told[2] = {json_get_str(i, "Address", ""), json_get_str(i, "AddressIPv6", "")},
		   *mac = json_get_str(i, "MacAddress", "");

	for (int v6 = 0; v6 < 2; v6++) {
		const char *ours = dockerd_address_of(e, v6);

		if (*told[v6] && !(ours && strcmp(ours, told[v6]) == 0))
			return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
					    "driver modified interface address: %s", told[v6]);
	}
	if (*mac && e->mac && *e->mac && strcasecmp(mac, e->mac) != 0)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM,
				    "driver modified interface MAC address: %s", mac);
	p->mac = xstrdup(*mac ? mac : e->mac ? e->mac : "");
	return 0;
}

static int create_endpoint(const struct adapter *a, const struct dockerd_network *n,
			   const struct dockerd_endpoint *e, struct place *p,
			   struct dockerd_error *err)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	auto_json *reply = NULL;
	auto_str text = STR_INIT;
	bool said;

	wire_endpoint(n, e, &text);
	reply = adapter_ask(a, "CreateEndpoint", &text, &said, err);
	if (reply && take_interface(e, json_get(reply, "Interface"), p, err) == 0)
		return 0;
	if (!said || reply) /* it has made one that is refused, or may have: no answer came */
		undo_endpoint(a, n, e, false, &ignored);
	return -1;
}

static void tell_daemon(const struct dockerd_endpoint *e, const struct place *p)
{
	for (int v6 = 0; v6 < 2; v6++)
		if (*p->gateway[v6])
			e->out->row(e->out, "gateway", p->gateway[v6]);
	if (!*p->gateway[0] && !*p->gateway[1])
		e->out->row(e->out, "gateway", "");
}

static int enter(const struct adapter *a, const struct dockerd_network *n,
		 struct dockerd_endpoint *e, struct place *p, bool *joined,
		 struct dockerd_error *err)
{
	auto_json *reply = NULL;
	auto_str text = STR_INIT;

	wire_join(n, e, &text);
	reply = adapter_ask(a, "Join", &text, NULL, err);
	if (!reply)
		return -1;
	*joined = true;
	p->link = xstrdup(json_get_str(json_get(reply, "InterfaceName"), "SrcName", ""));
	p->gateway[0] = xstrdup(json_get_str(reply, "Gateway", ""));
	p->gateway[1] = xstrdup(json_get_str(reply, "GatewayIPv6", ""));
	if (place_save(a, e->id, p, err) < 0)
		return -1;
	if (!*p->link)
		return 0; /* it needs none */
	if (place_enter(p, e, json_get(reply, "StaticRoutes"), err) < 0) {
		place_return(p, e);
		return -1;
	}
	snprintf(e->out_mac, sizeof(e->out_mac), "%s", p->mac);
	return 0;
}

/* The MAC address that the link has of itself, where nobody chose one. */
static void ask_mac(struct dockerd_endpoint *e)
{
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	struct nl_sock *sk = *e->out_mac ? NULL : netlink_there(e->netlink_fd, &ignored);

	if (sk)
		link_ask(sk, e->ifname, e->out_mac, NULL);
	nl_socket_free(sk);
}

static int32_t join(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		    struct dockerd_error *err)
{
	const struct adapter *a = self;
	struct dockerd_error ignored = {.size = sizeof(ignored)};
	auto_place p = {0};
	bool joined = false;

	if (create_endpoint(a, n, e, &p, err) < 0)
		return -1;
	if (enter(a, n, e, &p, &joined, err) < 0) {
		undo_endpoint(a, n, e, joined, &ignored);
		return -1;
	}
	if (*p.link)
		ask_mac(e);
	if (DOCKERD_HAS(e, out) && e->out)
		tell_daemon(e, &p);
	return 0;
}

static int32_t leave(void *self, const struct dockerd_network *n, struct dockerd_endpoint *e,
		     struct dockerd_error *err)
{
	const struct adapter *a = self;
	auto_place p = {0};

	place_load(a, e->id, &p);
	place_return(&p, e);
	return undo_endpoint(a, n, e, true, err);
}

static int32_t update(void *self, const struct dockerd_network *n,
		      const struct dockerd_endpoint *was, struct dockerd_endpoint *e,
		      struct dockerd_error *err)
{
	const struct adapter *a = self;
	auto_place p = {0};

	(void)n;
	place_load(a, e->id, &p);
	for (int v6 = 0; e->netlink_fd >= 0 && *p.link && v6 < 2; v6++) {
		struct way_out before = place_way_out(&p, was, v6), now = place_way_out(&p, e, v6);

		if (before.wanted != now.wanted && inside_default_route(e, v6, &now, err) < 0)
			return -1;
	}
	return 0;
}

static const struct dockerd_network_ops ops = {
    .common = {.size = sizeof(ops), .open = adapter_open, .close = adapter_close},
    .network_create = network_create,
    .network_delete = network_delete,
    .join = join,
    .leave = leave,
    .update = update,
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_NETWORK, .name = "remote", .version = "0.1",
	       .description = "Network plugins of the classic socket protocol",
	       .concurrency = DOCKERD_PARALLEL,
	       .capabilities = DOCKERD_NETWORK_CAP_ADDRESSES | DOCKERD_NETWORK_CAP_IPV6,
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
