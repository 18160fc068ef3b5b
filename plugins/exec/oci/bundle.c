/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: the daemon's specification as the config.json that a runtime reads. It is OCI text already; what the daemon hands over beside it is put
 * in: the root's path, the seccomp filter, a network namespace to join, the init program.
 */
#include "../common/cgroup.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "oci.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INIT "/sbin/docker-init"
#define OCI_VERSION "1.0.2" /* all that it uses; crun, before 1.9, takes no other */

static json *network_of(json *spec)
{
	for (json *n = json_first(json_get(json_get(spec, "linux"), "namespaces")); n;
	     n = json_next(n))
		if (streq(json_get_str(n, "type", ""), "network"))
			return n;
	return NULL;
}

static int put_seccomp(json *spec, const struct dockerd_container *c, struct error *err)
{
	json *filter;

	if (!c->seccomp)
		return 0;
	filter = json_parse(c->seccomp, strlen(c->seccomp), err);
	if (!filter)
		return error_wrap(err, "seccomp profile");
	json_set(json_get(spec, "linux"), "seccomp", filter);
	return 0;
}

/* By our descriptor, which lives until the container is made. */
static int put_network(json *spec, const struct dockerd_container *c, struct error *err)
{
	json *network = network_of(spec);
	char path[64];

	if (c->netns_fd < 0)
		return 0;
	if (!network)
		return error_set(
		    err, ERR_INVALID,
		    "a network namespace to join, and none in the container's specification");
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), c->netns_fd);
	json_set_str(network, "path", path);
	return 0;
}

/* Specifications name it among the mounts by themselves; this is for those that do not. */
static void put_init(json *spec, const struct dockerd_container *c)
{
	const char *first = json_str(json_first(json_get(json_get(spec, "process"), "args")), "");
	json *mounts = json_take(spec, "mounts");
	auto_str text = STR_INIT;
	struct jw w = jw_to(&text);
	struct error ignored;
	bool there = false;

	jw_arr(&w);
	for (json *m = json_first(mounts); m; m = json_next(m)) {
		there = there || streq(json_get_str(m, "destination", ""), INIT);
		jw_json(&w, m);
	}
	if (c->init_path && streq(first, INIT) && !there) {
		jw_obj(&w);
		jw_kstr(&w, "destination", INIT);
		jw_kstr(&w, "type", "bind");
		jw_kstr(&w, "source", c->init_path);
		jw_karr(&w, "options");
		jw_str(&w, "bind");
		jw_str(&w, "ro");
		jw_end(&w);
		jw_end(&w);
	}
	jw_end(&w);
	json_free(mounts);
	json_set(spec, "mounts", json_parse(text.p, text.len, &ignored));
}

static int record_cgroup(const json *spec, const struct dockerd_container *c, struct error *err)
{
	struct cgroup g;
	int r = cgroup_find(&g, json_get_str(json_get(spec, "linux"), "cgroupsPath", ""), err);

	if (r == 0)
		r = cgroup_record(&g, c->state_fd, err);
	cgroup_close(&g);
	return r;
}

static int check(const json *spec, struct error *err)
{
	if (json_type(json_get(spec, "linux")) != JSON_OBJECT ||
	    json_type(json_get(spec, "root")) != JSON_OBJECT ||
	    json_count(json_get(json_get(spec, "process"), "args")) == 0)
		return error_set(err, ERR_INVALID,
				 "container spec: process.args, root and linux are needed");
	return 0;
}

int bundle_write(const struct dockerd_container *c, struct error *err)
{
	auto_json *spec = json_parse(c->spec, (size_t)c->spec_length, err);
	auto_str text = STR_INIT;

	if (!spec)
		return error_wrap(err, "container spec");
	if (check(spec, err) < 0 || put_seccomp(spec, c, err) < 0 || put_network(spec, c, err) < 0)
		return -1;
	json_set_str(spec, "ociVersion", OCI_VERSION);
	json_set_str(json_get(spec, "root"), "path", c->rootfs_path);
	put_init(spec, c);
	if (record_cgroup(spec, c, err) < 0 || FAULT_ERR("oci.create.recorded", err))
		return -1;
	json_print(spec, &text);
	return file_write_atomic(c->state_fd, "config.json", text.p, text.len, 0600, false, err);
}

bool bundle_has_network(const struct dockerd_container *c)
{
	struct error ignored;
	auto_json *spec = json_parse(c->spec, (size_t)c->spec_length, &ignored);
	const json *network = network_of(spec);

	return network && c->netns_fd < 0 && !*json_get_str(network, "path", "");
}
