/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks on disk: <data-root>/network/files/local-kv.db, in the records that moby 28.5 keeps there, so that either daemon finds the networks
 * of the other. A record is eight bytes of a counter and JSON; parts of it are JSON in a string, as there. What we don't understand (other
 * scopes, drivers) stays as it is. `lock` guards the file.
 */
#include "network/network_int.h"
#include "base/bolt.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <fcntl.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define BUCKET "libnetwork"
#define PREFIX "docker/network/v1.0/"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bolt *db;
static uint64_t counter;
static bool held; /* between store_hold and store_release */

/* ---- writing ------------------------------------------------------------------------------------------------------------------------ */

static void put(const char *kind, const char *id, const char *text, size_t len)
{
	auto_free char *key = xasprintf(PREFIX "%s/%s/", kind, id);
	auto_str value = STR_INIT;

	counter++;
	str_add(&value, (const char *)&counter, sizeof(counter));
	str_add(&value, text, len);
	bolt_put(db, BUCKET, key, value.p, value.len);
}

/* {"PreferredPool":..}: what was asked for. */
static void print_config(const struct net *n, const struct net_subnet *s, struct jw *w)
{
	bool asked = s->asked || n->is_default;
	char pool[IPAM_PREFIX_TEXT], range[IPAM_PREFIX_TEXT] = "", gateway[IP_TEXT];

	ipam_format_net(s->subnet, pool);
	if (s->has_range)
		ipam_format_net(s->range, range);
	ip_format(s->gateway, gateway);
	jw_obj(w);
	jw_kstr(w, "PreferredPool", asked ? pool : "");
	jw_kstr(w, "SubPool", asked ? range : "");
	jw_kstr(w, "Gateway", s->gateway_asked || n->is_default ? gateway : "");
	jw_kpairs(w, "AuxAddresses", &s->auxiliary, !n->is_default);
	jw_end(w);
}

/* {"IPAMData":"{..}","PoolID":..}: what it has. */
static void print_info(const struct net *n, const struct net_subnet *s, struct jw *out)
{
	char pool[IPAM_PREFIX_TEXT], range[IPAM_PREFIX_TEXT + 1] = "", gateway[IP_TEXT];
	auto_free char *pool_id = NULL, *with_len = NULL;
	auto_str data = STR_INIT;
	struct jw w = jw_to(&data);

	ipam_format_net(s->subnet, pool);
	if (s->has_range) {
		range[0] = '/';
		ipam_format_net(s->range, range + 1);
	}
	ip_format(s->gateway, gateway);
	jw_obj(&w);
	jw_kstr(&w, "AddressSpace", n->ipam_driver ? n->address_space : "LocalDefault");
	if (s->auxiliary.n || n->is_default) {
		jw_kobj(&w, "AuxAddresses");
		for (size_t i = 0; i < s->auxiliary.n; i++) {
			auto_free char *aux =
			    xasprintf("%s/%d", s->auxiliary.v[i].value, s->subnet.len);

			jw_kstr(&w, s->auxiliary.v[i].key, aux);
		}
		jw_end(&w);
	}
	with_len = xasprintf("%s/%d", gateway, s->subnet.len);
	if (*gateway)
		jw_kstr(&w, "Gateway", with_len);
	jw_kstr(&w, "Pool", pool);
	jw_end(&w);
	pool_id = xasprintf("LocalDefault/%s%s", pool, range);
	jw_obj(out);
	jw_kstr(out, "IPAMData", str_cstr(&data));
	jw_kstr(out, "PoolID", s->pool_id ? s->pool_id : pool_id);
	jw_end(out);
}

/* "ipamVxConfig" and "ipamVxInfo": arrays, as texts. */
static void print_family(const struct net *n, bool ipv6, struct jw *w)
{
	auto_str config = STR_INIT, info = STR_INIT;
	struct jw c = jw_to(&config), i = jw_to(&info);
	bool on = false;

	if (!net_first_subnet(n, ipv6))
		return;
	jw_arr(&c);
	jw_arr(&i);
	for (size_t k = 0; k < n->n_subnets; k++) {
		const struct net_subnet *s = &n->subnets[k];

		if (subnet_is_v6(s) != ipv6)
			continue;
		print_config(n, s, &c);
		on = subnet_is_on(n, s) && !n->config_only;
		if (on)
			print_info(n, s, &i);
	}
	jw_end(&c);
	jw_end(&i);
	jw_kstr(w, ipv6 ? "ipamV6Config" : "ipamV4Config", str_cstr(&config));
	if (on)
		jw_kstr(w, ipv6 ? "ipamV6Info" : "ipamV4Info", str_cstr(&info));
}

static void print_generic(const struct net *n, struct jw *w)
{
	jw_kobj(w, "generic");
	if (n->n_subnets) {
		jw_kbool(w, "com.docker.network.enable_ipv4", n->ipv4);
		jw_kbool(w, "com.docker.network.enable_ipv6", n->ipv6);
	}
	jw_kpairs(w, "com.docker.network.generic", &n->options, false);
	if (n->internal)
		jw_kbool(w, "com.docker.network.internal", true);
	jw_end(w);
}

static void print_record(const struct net *n, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "addrSpace",
		n->ipam_driver ? n->address_space
		: n->n_subnets ? "LocalDefault"
			       : "");
	jw_kbool(&w, "attachable", n->attachable);
	jw_kstr(&w, "configFrom", n->config_from);
	jw_kbool(&w, "configOnly", n->config_only);
	jw_ktime(&w, "created", n->created);
	jw_kbool(&w, "enableIPv4", n->ipv4);
	jw_kbool(&w, "enableIPv6", n->ipv6);
	print_generic(n, &w);
	jw_kstr(&w, "id", n->id);
	jw_kbool(&w, "inDelete", false);
	jw_kbool(&w, "ingress", false);
	jw_kbool(&w, "internal", n->internal);
	jw_kpairs(&w, "ipamOptions", &n->ipam_options, !n->ipam_options_given);
	jw_kstr(&w, "ipamType", n->ipam_driver ? n->ipam_driver : "default");
	print_family(n, false, &w);
	print_family(n, true, &w);
	jw_kpairs(&w, "labels", &n->labels, n->predefined);
	jw_kstr(&w, "loadBalancerIP", "");
	jw_kstr(&w, "loadBalancerMode", "NAT");
	jw_kstr(&w, "name", n->name);
	jw_kstr(&w, "networkType", n->driver_name);
	jw_kbool(&w, "persist", true);
	jw_kstr(&w, "scope", "local");
	jw_kbool(&w, "skipGwAllocIPv4", n->no_gateway[0]);
	jw_kbool(&w, "skipGwAllocIPv6", n->no_gateway[1]);
	jw_end(&w);
}

/* Members of `from` that `to` lacks; not those of `ours`, which we leave out on purpose. */
static void keep_unknown(json *to, json *from, const char *const *ours)
{
	auto_strlist names = STRLIST_INIT;

	for (json *m = json_first(from); m; m = json_next(m)) {
		size_t i = 0;

		while (ours[i] && !streq(ours[i], json_name(m)))
			i++;
		if (!ours[i] && !json_get(to, json_name(m)))
			strlist_add(&names, json_name(m));
	}
	for (size_t i = 0; i < names.n; i++)
		json_set(to, names.v[i], json_take(from, names.v[i]));
}

/* The record, with what another daemon has kept in it and we don't understand. */
static void print_whole(const struct net *n, struct str *out)
{
	static const char *const ours[] = {"ipamV4Config", "ipamV4Info", "ipamV6Config",
					   "ipamV6Info", NULL};
	static const char *const ours_generic[] = {
	    "com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6",
	    "com.docker.network.generic", "com.docker.network.internal", NULL};
	struct error ignored = ERROR_INIT;
	auto_json *old = n->record ? json_parse(n->record, strlen(n->record), &ignored) : NULL;
	auto_json *new = NULL;

	print_record(n, out);
	if (!old)
		return;
	new = json_parse(str_cstr(out), out->len, &ignored);
	keep_unknown(new, old, ours);
	keep_unknown(json_get(new, "generic"), json_get(old, "generic"), ours_generic);
	str_reset(out);
	json_print(new, out);
}

/* Is the record on disk the same but for its counter? */
static bool unchanged(const struct net *n, const struct str *text)
{
	auto_free char *key = xasprintf(PREFIX "network/%s/", n->id);
	size_t len;
	const char *there = bolt_get(db, BUCKET, key, &len);

	return there && len == text->len + 8 && !memcmp(there + 8, text->p, text->len);
}

int store_put(const struct net *n, struct error *err)
{
	auto_str text = STR_INIT;
	LOCK_SCOPE(&lock);

	print_whole(n, &text);
	if (unchanged(n, &text))
		return 0;
	put("network", n->id, str_cstr(&text), text.len);
	put("endpoint_count", n->id, "{\"Count\":0}", 11);
	if (n->driver_record)
		put(n->record_kind, n->id, n->driver_record, strlen(n->driver_record));
	if (held)
		return 0;
	if (bolt_commit(db, err) < 0)
		return -1;
	FAULT("network.store.put");
	return 0;
}

void store_hold(void)
{
	LOCK_SCOPE(&lock);
	held = true;
}

int store_release(struct error *err)
{
	LOCK_SCOPE(&lock);
	held = false;
	return bolt_commit(db, err);
}

/* ---- deleting ----------------------------------------------------------------------------------------------------------------------- */

/* Out of the store, and remembered as it was. */
static void take(struct store_kept *kept, const char *key)
{
	struct kept_record *r;
	size_t len;
	const char *value = bolt_get(db, BUCKET, key, &len);

	if (!value)
		return;
	kept->v = xreallocarray(kept->v, kept->n + 1, sizeof(*kept->v));
	r = &kept->v[kept->n++];
	*r = (struct kept_record){xstrdup(key), xcalloc(1, len + 1), len};
	memcpy(r->value, value, len);
	bolt_del(db, BUCKET, key);
}

/* What the driver has kept, of whatever kind: by key, for it may have been another daemon's, or not been opened in this one. */
static void take_driver_records(const struct net *n, struct store_kept *kept)
{
	auto_free char *plain = xasprintf(PREFIX "%s/%s/", n->driver_name, n->id),
		       *kinds = xasprintf(PREFIX "%s/", n->driver_name);
	auto_strlist keys = STRLIST_INIT;

	if (!*n->driver_name)
		return;
	take(kept, plain);
	bolt_keys(db, BUCKET, kinds, &keys);
	for (size_t i = 0; i < keys.n; i++) {
		const char *id = strchr(keys.v[i] + strlen(kinds), '/');

		if (id && str_after(id + 1, n->id) && streq(id + 1 + strlen(n->id), "/"))
			take(kept, keys.v[i]);
	}
}

int store_delete(const struct net *n, struct store_kept *kept, struct error *err)
{
	auto_free char *network = xasprintf(PREFIX "network/%s/", n->id),
		       *count = xasprintf(PREFIX "endpoint_count/%s/", n->id);
	LOCK_SCOPE(&lock);

	take(kept, network);
	take(kept, count);
	take_driver_records(n, kept);
	if (bolt_commit(db, err) < 0)
		return -1;
	FAULT("network.store.deleted");
	return 0;
}

int store_put_back(const struct store_kept *kept, struct error *err)
{
	LOCK_SCOPE(&lock);

	for (size_t i = 0; i < kept->n; i++)
		bolt_put(db, BUCKET, kept->v[i].key, kept->v[i].value, kept->v[i].len);
	return bolt_commit(db, err);
}

void store_kept_free(struct store_kept *kept)
{
	for (size_t i = 0; i < kept->n; i++) {
		free(kept->v[i].key);
		free(kept->v[i].value);
	}
	free(kept->v);
	*kept = (struct store_kept){0};
}

/* ---- unfinished ---------------------------------------------------------------------------------------------------------------------- */

static char *unfinished_path(const char *id)
{
	return xasprintf("%s/unfinished/%s", room.state_dir, id);
}

int store_begin(const struct net *n, struct error *err)
{
	auto_free char *dir = xasprintf("%s/unfinished", room.state_dir);
	auto_free char *path = unfinished_path(n->id);
	auto_str text = STR_INIT;

	print_whole(n, &text);
	return dir_make_all(AT_FDCWD, dir, 0700, err) < 0
		   ? -1
		   : file_write_atomic(AT_FDCWD, path, text.p, text.len, 0600, false, err);
}

void store_end(const struct net *n)
{
	auto_free char *path = unfinished_path(n->id);

	unlink(path);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

static json *inner(const json *j, const char *name)
{
	const char *text = json_get_str(j, name, "");
	struct error err = ERROR_INIT;

	return *text ? json_parse(text, strlen(text), &err) : NULL;
}

/* What was asked for and what it has, of one subnet; either may be missing. */
static int read_subnet(const json *asked, const json *info, struct net *n, struct error *err)
{
	auto_json *data = inner(info, "IPAMData");
	const char *range = json_get_str(asked, "SubPool", ""),
		   *pool = json_get_str(data, "Pool", json_get_str(asked, "PreferredPool", "")),
		   *gateway = json_get_str(data, "Gateway", json_get_str(asked, "Gateway", ""));
	auto_free char *bare = xstrndup(gateway, strcspn(gateway, "/"));
	struct ipam_prefix p;
	struct net_subnet *s;

	if (!*pool)
		return 0;
	if (ipam_parse(pool, &p, err) < 0)
		return -1;
	s = net_add_subnet(n, p);
	s->asked = *json_get_str(asked, "PreferredPool", "") != '\0';
	s->gateway_asked = *json_get_str(asked, "Gateway", "") != '\0';
	if (*bare && ip_parse(bare, &s->gateway, err) < 0)
		return -1;
	if (n->ipam_driver && !n->config_only)
		s->pool_id = xstrdup(json_get_str(info, "PoolID", ""));
	s->has_range = *range != '\0';
	if (s->has_range && ipam_parse(range, &s->range, err) < 0)
		return -1;
	if (json_pairs(json_get(asked, "AuxAddresses"), &s->auxiliary) < 0)
		return -1;
	s->claimed = s->pool_id ? s->auxiliary.n : 0;
	return 0;
}

static int read_addresses(const json *j, struct net *n, bool ipv6, struct error *err)
{
	auto_json *config = inner(j, ipv6 ? "ipamV6Config" : "ipamV4Config"),
		  *info = inner(j, ipv6 ? "ipamV6Info" : "ipamV4Info");
	const json *c = json_first(config), *i = json_first(info);

	for (; c || i; c = c ? json_next(c) : NULL, i = i ? json_next(i) : NULL)
		if (read_subnet(c, i, n, err) < 0)
			return -1;
	return 0;
}

static struct net *read_record(const json *j, struct error *err)
{
	const json *generic = json_get(j, "generic");
	const char *id = json_get_str(j, "id", ""), *ipam = json_get_str(j, "ipamType", "");
	struct net *n;

	if (strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64) {
		error_set(err, ERR_INVALID, "it has no id");
		return NULL;
	}
	if (!streq(json_get_str(j, "scope", ""), "local")) {
		error_set(err, ERR_NOT_IMPLEMENTED, "networks of other scopes are not supported");
		return NULL;
	}
	if (streq(ipam, "null") && !net_is_builtin(json_get_str(j, "name", ""))) {
		error_set(err, ERR_NOT_IMPLEMENTED,
			  "networks with the IPAM driver \"null\" are not supported");
		return NULL;
	}
	n = net_new(json_get_str(j, "name", ""), json_get_str(j, "networkType", ""), err);
	memcpy(n->id, id, sizeof(n->id));
	clock_parse(json_get_str(j, "created", ""), &n->created);
	n->ipv4 = json_get_bool(j, "enableIPv4", true);
	n->ipv6 = json_get_bool(j, "enableIPv6", false);
	n->no_gateway[0] = json_get_bool(j, "skipGwAllocIPv4", false);
	n->no_gateway[1] = json_get_bool(j, "skipGwAllocIPv6", false);
	n->internal = json_get_bool(j, "internal", false);
	n->attachable = json_get_bool(j, "attachable", false);
	n->config_only = json_get_bool(j, "configOnly", false);
	free(n->config_from);
	n->config_from = xstrdup(json_get_str(j, "configFrom", ""));
	if (*ipam && !streq(ipam, "default") && !streq(ipam, "null")) {
		n->ipam_driver = xstrdup(ipam);
		n->address_space = xstrdup(json_get_str(j, "addrSpace", ""));
	}
	n->ipam_options_given = json_type(json_get(j, "ipamOptions")) == JSON_OBJECT;
	if (json_pairs(json_get(generic, "com.docker.network.generic"), &n->options) < 0 ||
	    json_pairs(json_get(j, "labels"), &n->labels) < 0 ||
	    json_pairs(json_get(j, "ipamOptions"), &n->ipam_options) < 0 ||
	    read_addresses(j, n, false, err) < 0 || read_addresses(j, n, true, err) < 0) {
		if (!err->kind)
			error_set(err, ERR_INVALID, "options or labels are no texts");
		net_unref(n);
		return NULL;
	}
	return n;
}

int store_load(void (*found)(void *ctx, struct net *n), void *ctx, struct error *err)
{
	auto_strlist keys = STRLIST_INIT;

	(void)err;
	bolt_keys(db, BUCKET, PREFIX "network/", &keys);
	for (size_t i = 0; i < keys.n; i++) {
		struct error bad = ERROR_INIT;
		auto_json *j = NULL;
		size_t len;
		const char *value = bolt_get(db, BUCKET, keys.v[i], &len);
		struct net *n = NULL;

		if (len > 8)
			j = json_parse(value + 8, len - 8, &bad);
		if (j)
			n = read_record(j, &bad);
		if (n) {
			n->record = xstrndup(value + 8, len - 8);
			found(ctx, n);
		} else {
			log_warn("network on disk is left alone", "network",
				 json_get_str(j, "name", keys.v[i]), "reason", bad.text);
		}
	}
	return 0;
}

void store_unfinished(int (*found)(struct net *n))
{
	auto_free char *dir = xasprintf("%s/unfinished", room.state_dir);
	auto_dir DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_free char *path = unfinished_path(e->d_name);
		struct error err = ERROR_INIT;
		auto_str text = STR_INIT;
		auto_json *j = NULL;
		struct net *n;

		if (e->d_name[0] == '.' || file_read_at(AT_FDCWD, path, 1 << 20, &text, &err) < 0)
			continue;
		j = json_parse(str_cstr(&text), text.len, &err);
		n = j ? read_record(j, &err) : NULL;
		if (!n)
			log_warn("record of an unfinished network is dropped", "network", e->d_name,
				 "reason", err.text);
		if (!n || found(n) == 0)
			unlink(path);
	}
}

int store_open(const char *data_root, struct error *err)
{
	auto_free char *dir = xasprintf("%s/network/files", data_root);
	auto_free char *path = xasprintf("%s/local-kv.db", dir);

	if (dir_make_all(AT_FDCWD, dir, 0750, err) < 0)
		return -1;
	return bolt_open(path, &db, err);
}

void store_close(void)
{
	held = false;
	bolt_close(db);
	db = NULL;
}
