/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime-spec text (version 1.2) of a container, in moby's shape. */
#include "spec/spec_int.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"

#define OCI_VERSION "1.2.1"

void spec_output_free(struct spec_output *o)
{
	str_free(&o->oci);
	str_free(&o->seccomp);
	o->seccomp_digest[0] = '\0';
}

char *spec_cgroup_path(const json *host_config, const struct spec_host *h, const char *id)
{
	const char *parent = json_get_str(host_config, "CgroupParent", "");
	auto_str path = STR_INIT;

	if (!*parent)
		parent = IS_SET(h->cgroup_parent) ? h->cgroup_parent : "/docker";
	str_printf(&path, "/%s/%s", parent, id); /* cleaned as absolute: ".." ends at the root */
	return path_clean(str_cstr(&path));
}

/* Ours are made unless the host's (left out) or another container's (a path) is asked for. */
static void print_namespace(struct jw *w, const char *type, bool host, const char *joined)
{
	if (host)
		return;
	jw_obj(w);
	jw_kstr(w, "type", type);
	if (joined)
		jw_kstr(w, "path", joined);
	jw_end(w);
}

static bool host_mode(const json *host_config, const char *name)
{
	return streq(json_get_str(host_config, name, ""), "host");
}

bool spec_remapped(const json *host_config, const struct spec_host *h)
{
	return h->ids && !host_mode(host_config, "UsernsMode");
}

static void print_map(struct jw *w, const char *name, const struct id_range *r, uint32_t n)
{
	jw_karr(w, name);
	for (uint32_t i = 0; i < n; i++) {
		jw_obj(w);
		jw_ku64(w, "containerID", r[i].container);
		jw_ku64(w, "hostID", r[i].host);
		jw_ku64(w, "size", r[i].size);
		jw_end(w);
	}
	jw_end(w);
}

/* Also of a user namespace that is joined, which has its map already: as moby, since runc insists. */
static void print_maps(struct jw *w, const struct spec_input *in)
{
	const struct idmap *m = in->host->ids;

	if (!spec_remapped(in->host_config, in->host))
		return;
	print_map(w, "uidMappings", m->uids, m->n_uids);
	print_map(w, "gidMappings", m->gids, m->n_gids);
}

static void print_namespaces(struct jw *w, const struct spec_input *in)
{
	const json *h = in->host_config;

	jw_karr(w, "namespaces");
	print_namespace(w, "user", !spec_remapped(h, in->host), in->user_ns);
	print_namespace(w, "mount", false, NULL);
	print_namespace(w, "network", in->host_network || host_mode(h, "NetworkMode"), in->net_ns);
	print_namespace(w, "uts", host_mode(h, "UTSMode"), NULL);
	print_namespace(w, "pid", host_mode(h, "PidMode"), in->pid_ns);
	print_namespace(w, "ipc", host_mode(h, "IpcMode"), in->ipc_ns);
	print_namespace(w, "cgroup", !streq(json_get_str(h, "CgroupnsMode", ""), "private"), NULL);
	jw_end(w);
}

/* Container's own over the defaults of moby: low ports and ping for everyone, in a network namespace of ours. */
static void print_sysctls(struct jw *w, const struct spec_input *in)
{
	auto_pairs all = PAIRS_INIT;
	const char *domain = json_get_str(in->config, "Domainname", "");

	if (!in->host_network && !host_mode(in->host_config, "NetworkMode")) {
		pairs_set(&all, "net.ipv4.ip_unprivileged_port_start", "0");
		if (!spec_remapped(in->host_config, in->host)) /* the groups must be in its map */
			pairs_set(&all, "net.ipv4.ping_group_range", "0 2147483647");
	}
	if (*domain && !host_mode(in->host_config, "UTSMode"))
		pairs_set(&all, "kernel.domainname", domain);
	json_pairs(json_get(in->host_config, "Sysctls"), &all);
	if (all.n) {
		pairs_sort(&all);
		jw_kpairs(w, "sysctl", &all, false);
	}
}

static void print_paths(struct jw *w, const json *host_config, const char *from, const char *to)
{
	const json *list = json_get(host_config, from);

	if (json_count(list) && !json_get_bool(host_config, "Privileged", false))
		jw_kjson(w, to, list);
}

static int print_linux(struct jw *w, const struct spec_input *in, const char *rootfs_propagation,
		       struct error *err)
{
	auto_str rules = STR_INIT, nodes = STR_INIT, resources = STR_INIT;
	char *cgroup;

	if (devices_print(in->host_config, &rules, &nodes, err) < 0 ||
	    resources_print(in->host_config, str_cstr(&rules), &resources, err) < 0)
		return -1;
	jw_kobj(w, "linux");
	print_maps(w, in);
	print_sysctls(w, in);
	jw_key(w, "resources");
	jw_raw(w, resources.p, resources.len);
	cgroup = spec_cgroup_path(in->host_config, in->host, in->id);
	jw_kstr(w, "cgroupsPath", cgroup);
	cleanup_freep(&cgroup);
	print_namespaces(w, in);
	if (nodes.len) {
		jw_key(w, "devices");
		jw_raw(w, nodes.p, nodes.len);
	}
	if (rootfs_propagation)
		jw_kstr(w, "rootfsPropagation", rootfs_propagation);
	print_paths(w, in->host_config, "MaskedPaths", "maskedPaths");
	print_paths(w, in->host_config, "ReadonlyPaths", "readonlyPaths");
	jw_end(w);
	return 0;
}

/* Which profile: the container's, else none if privileged, else the daemon's. NULL: unconfined; "": built-in. */
static const char *choose_profile(const struct spec_input *in, const struct security_opts *opts)
{
	const char *profile = opts->seccomp;

	if (!profile) {
		if (json_get_bool(in->host_config, "Privileged", false))
			return NULL;
		profile = IS_SET(in->host->seccomp_profile) ? in->host->seccomp_profile : "";
	}
	if (streq(profile, "unconfined"))
		return NULL;
	return streq(profile, "builtin") ? "" : profile;
}

static int build_seccomp(const struct spec_input *in, struct spec_output *out, struct error *err)
{
	auto_strlist caps = STRLIST_INIT;
	struct security_opts opts;
	const char *profile;

	if (security_parse(in->host_config, &opts, err) < 0)
		return -1;
	profile = choose_profile(in, &opts);
	if (!profile)
		return 0;
	if (caps_resolve(in->host_config, json_get_bool(in->host_config, "Privileged", false),
			 &caps, err) < 0)
		return -1;
	return seccomp_resolve(*profile ? profile : NULL, &caps, &out->seccomp, out->seccomp_digest,
			       err);
}

static int check_sysctls(const struct spec_input *in, struct error *err)
{
	const json *h = in->host_config;
	bool own_net = !in->host_network && !host_mode(h, "NetworkMode") && !in->net_ns;
	bool own_ipc = !host_mode(h, "IpcMode") && !in->ipc_ns;
	bool own_uts = !host_mode(h, "UTSMode");

	for (json *s = json_first(json_get(h, "Sysctls")); s; s = json_next(s))
		if (check_sysctl(json_name(s), own_net, own_ipc, own_uts, err) < 0)
			return -1;
	return 0;
}

int spec_build(const struct spec_input *in, struct spec_output *out, struct error *err)
{
	const json *annotations = json_get(in->host_config, "Annotations");
	const char *rootfs_propagation = NULL;
	auto_str process = STR_INIT;
	struct jw w = jw_to(&out->oci);

	if (check_sysctls(in, err) < 0)
		return -1;
	if (process_print(in, NULL, &process, err) < 0 || build_seccomp(in, out, err) < 0)
		return -1;
	jw_obj(&w);
	jw_kstr(&w, "ociVersion", OCI_VERSION);
	jw_key(&w, "process");
	jw_raw(&w, process.p, process.len);
	jw_kobj(&w, "root");
	jw_kstr(&w, "path", "rootfs");
	if (json_get_bool(in->host_config, "ReadonlyRootfs", false))
		jw_kbool(&w, "readonly", true);
	jw_end(&w);
	if (!host_mode(in->host_config, "UTSMode"))
		jw_kstr(&w, "hostname", json_get_str(in->config, "Hostname", ""));
	jw_karr(&w, "mounts");
	if (oci_mounts_print(in, &w, &rootfs_propagation, err) < 0)
		return -1;
	jw_end(&w);
	if (json_count(annotations))
		jw_kjson(&w, "annotations", annotations);
	if (print_linux(&w, in, rootfs_propagation, err) < 0)
		return -1;
	jw_end(&w);
	return 0;
}
