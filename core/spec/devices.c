/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of a container: nodes to make, and the rules of the device cgroup. Paths are the operator's own (host paths of HostConfig.Devices, /dev
 * if privileged), never the container's.
 */
#include "spec/spec_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define MAX_DEPTH 16

/* Deny all, then what every container may use; fuse is denied by name, as the runtime's own defaults would allow it. */
static const struct {
	bool allow;
	int major, minor;
} default_rules[] = {
    {true, 1, 5}, /* zero */
    {true, 1, 3}, /* null */
    {true, 1, 9}, /* urandom */
    {true, 1, 8}, /* random */
    {true, 5, 0}, /* tty */
    {true, 5, 1}, /* console */
    {false, 10, 229},
};

static void print_rule(struct jw *w, bool allow, char type, int64_t major, int64_t minor,
		       const char *access)
{
	jw_obj(w);
	jw_kbool(w, "allow", allow);
	if (type) {
		jw_kstr(w, "type", (char[]){type, '\0'});
		jw_ki64(w, "major", major);
		jw_ki64(w, "minor", minor);
	}
	jw_kstr(w, "access", access);
	jw_end(w);
}

bool device_access_ok(const char *access)
{
	for (const char *p = access; *p; p++)
		if (!strchr("rwm", *p) || strchr(p + 1, *p))
			return false;
	return *access != '\0';
}

/* Digits or "*"; returns what follows, NULL if malformed. */
static const char *rule_number(const char *p, int64_t *out)
{
	if (*p == '*') {
		*out = -1;
		return p + 1;
	}
	if (!isdigit((unsigned char)*p))
		return NULL;
	for (*out = 0; isdigit((unsigned char)*p); p++) {
		*out = *out * 10 + (*p - '0');
		if (*out > UINT32_MAX)
			return NULL;
	}
	return p;
}

int device_rule_parse(const char *text, struct device_rule *out, struct error *err)
{
	const char *p = text;

	if (!*p || !strchr("acb", *p) || p[1] != ' ')
		goto bad;
	out->type = *p;
	p = rule_number(p + 2, &out->major);
	if (!p || *p++ != ':')
		goto bad;
	p = rule_number(p, &out->minor);
	if (!p || *p++ != ' ')
		goto bad;
	if (!*p || strlen(p) > 3 || strspn(p, "rwm") != strlen(p))
		goto bad;
	memcpy(out->access, p, strlen(p) + 1);
	return 0;
bad:
	return error_set(err, ERR_INVALID, "invalid device cgroup rule format: '%s'", text);
}

struct devices {
	struct jw *rules, *nodes;
	const char *access; /* for the rules; NULL: everything is allowed already */
	size_t count;
};

static void add_node(struct devices *d, const char *path, const struct stat *st)
{
	char type = S_ISBLK(st->st_mode) ? 'b' : 'c';

	jw_obj(d->nodes);
	jw_kstr(d->nodes, "path", path);
	jw_kstr(d->nodes, "type", (char[]){type, '\0'});
	jw_ki64(d->nodes, "major", major(st->st_rdev));
	jw_ki64(d->nodes, "minor", minor(st->st_rdev));
	jw_ku64(d->nodes, "fileMode", st->st_mode & 07777);
	jw_ku64(d->nodes, "uid", st->st_uid);
	jw_ku64(d->nodes, "gid", st->st_gid);
	jw_end(d->nodes);
	d->count++;
	if (d->access)
		print_rule(d->rules, true, type, major(st->st_rdev), minor(st->st_rdev), d->access);
}

static bool left_out(const char *name)
{
	static const char *const names[] = {"pts",  "shm",         "fd",    "mqueue",
					    ".lxc", ".lxd-mounts", ".udev", "console"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (streq(names[i], name))
			return true;
	return false;
}

/* All device nodes below a directory, sorted; symbolic links are left out. What vanishes meanwhile was not there. */
static void add_directory(struct devices *d, int dirfd, const char *path, int depth)
{
	auto_strlist names = STRLIST_INIT;
	auto_dir DIR *dir = NULL;
	int copy = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);

	dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (!dir) {
		fd_close(&copy);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && !left_out(e->d_name))
			strlist_add(&names, e->d_name);
	strlist_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *below = path_join(path, names.v[i]);
		struct stat st;

		if (fstatat(dirfd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
			auto_close fd = openat(dirfd, names.v[i],
					       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (fd >= 0)
				add_directory(d, fd, below, depth + 1);
		} else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
			add_node(d, below, &st);
		}
	}
}

/* A node, or all nodes of a directory. */
static int add_mapping(struct devices *d, const json *mapping, struct error *err)
{
	const char *host = json_get_str(mapping, "PathOnHost", ""),
		   *inside = json_get_str(mapping, "PathInContainer", "");
	struct stat st;

	if (!*inside)
		inside = host;
	if (stat(host, &st) < 0)
		return error_set(
		    err, ERR_SYSTEM,
		    "error gathering device information while adding custom device \"%s\": %s",
		    host, errno == ENOENT ? "no such file or directory" : strerror(errno));
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		add_node(d, inside, &st);
		return 0;
	}
	if (S_ISDIR(st.st_mode)) {
		auto_close fd = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		size_t before = d->count;

		if (fd >= 0)
			add_directory(d, fd, inside, 0);
		if (d->count > before)
			return 0;
	}
	return error_set(err, ERR_SYSTEM,
			 "error gathering device information while adding custom device \"%s\": "
			 "not a device node",
			 host);
}

static int add_privileged(struct devices *d, const json *mappings, struct error *err)
{
	auto_close dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	print_rule(d->rules, true, 0, 0, 0, "rwm");
	if (dev >= 0)
		add_directory(d, dev, "/dev", 0);
	for (json *c = json_first(mappings); c; c = json_next(c))
		if (!streq(json_get_str(c, "PathOnHost", ""),
			   json_get_str(c, "PathInContainer", "")) &&
		    add_mapping(d, c, err) < 0)
			return -1;
	return 0;
}

static int add_requested(struct devices *d, const json *host_config, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(default_rules); i++)
		print_rule(d->rules, default_rules[i].allow, 'c', default_rules[i].major,
			   default_rules[i].minor, "rwm");
	for (json *c = json_first(json_get(host_config, "Devices")); c; c = json_next(c)) {
		d->access = json_get_str(c, "CgroupPermissions", "");
		if (!*d->access)
			d->access = "rwm";
		if (!device_access_ok(d->access))
			return error_set(err, ERR_INVALID, "invalid device mode: %s", d->access);
		if (add_mapping(d, c, err) < 0)
			return -1;
	}
	for (json *c = json_first(json_get(host_config, "DeviceCgroupRules")); c;
	     c = json_next(c)) {
		struct device_rule r;

		if (device_rule_parse(json_str(c, ""), &r, err) < 0)
			return -1;
		print_rule(d->rules, true, r.type, r.major, r.minor, r.access);
	}
	return 0;
}

int devices_print(const json *host_config, struct str *rules, struct str *nodes, struct error *err)
{
	struct jw r = jw_to(rules), n = jw_to(nodes);
	struct devices d = {.rules = &r, .nodes = &n, .access = NULL, .count = 0};
	size_t start = nodes->len;

	jw_arr(&r);
	jw_arr(&n);
	print_rule(&r, false, 0, 0, 0, "rwm");
	if ((json_get_bool(host_config, "Privileged", false)
		 ? add_privileged(&d, json_get(host_config, "Devices"), err)
		 : add_requested(&d, host_config, err)) < 0)
		return -1;
	jw_end(&n);
	jw_end(&r);
	if (!d.count)
		nodes->len = start;
	return 0;
}
