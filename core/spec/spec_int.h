/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share among themselves; nobody else includes it. */
#ifndef SPEC_SPEC_INT_H
#define SPEC_SPEC_INT_H

#include "spec/spec.h"

#define IS_SET(s) (!str_empty(s))

/* ---- caps.c ---- */
/* CAP_* names, upper-case with prefix, sorted as moby prints them. HostConfig's CapAdd, CapDrop and Privileged laid over the defaults. */
int caps_resolve(const json *host_config, bool privileged, struct strlist *out, struct error *err);
/* "net_admin" -> "CAP_NET_ADMIN", "all" -> "ALL"; malloc'ed. ERR_INVALID: unknown capability: "CAP_X" */
int caps_normalise(const char *name, char **out, struct error *err);
/* Bit set of the names; unknown ones are left out. */
uint64_t caps_mask(const struct strlist *caps);

/* ---- seccomp.c ---- */
/* The resolved linux.seccomp text for a profile text (NULL: the built-in one), and its SHA-256. */
int seccomp_resolve(const char *profile, const struct strlist *caps, struct str *out,
		    char digest[65], struct error *err);
/* The same for any machine, for tests: architecture as Go names it, kernel as two numbers. Not cached. */
int seccomp_resolve_for(const json *profile, const struct strlist *caps, const char *goarch,
			int major, int minor, struct str *out, struct error *err);
/* True from that kernel version on. */
bool kernel_at_least(int major, int minor);

/* ---- devices.c ---- */
/* Value of linux.resources.devices, and of linux.devices (left empty if there is none). */
int devices_print(const json *host_config, struct str *rules, struct str *nodes, struct error *err);
/* "c 1:3 rwm" with "*" for any number. */
struct device_rule {
	char type;
	int64_t major, minor; /* -1: any */
	char access[4];
};
int device_rule_parse(const char *text, struct device_rule *out, struct error *err);
/* "rwm", in any order, each at most once. */
bool device_access_ok(const char *access);

/* ---- user.c ---- */
struct spec_user {
	uint32_t uid, gid;
	uint32_t *extra; /* supplementary groups */
	size_t extra_count;
	char *home; /* of the passwd entry; "/" if there is none */
};
void spec_user_free(struct spec_user *u);
/* "name|uid[:group|gid]" looked up below the root; `add` are HostConfig.GroupAdd. */
int spec_user_find(int rootfs_fd, const char *user, const json *add, struct spec_user *out,
		   struct error *err);

/* ---- process.c ---- */
/* Daemon's variables and links, then each list over them; a name without "=" takes the variable away. */
void env_build(const struct spec_input *in, bool tty, struct strlist *out);
void env_overlay(struct strlist *env, const char *assignment);
int process_print(const struct spec_input *in, const struct spec_exec *e, struct str *out,
		  struct error *err);
/* The "--init" wish, after the daemon's default; never with the host's or another one's pid namespace. */
bool process_wants_init(const struct spec_input *in);

/* ---- resources.c ---- */
/* `devices`: text for the devices member, or NULL. */
int resources_print(const json *host_config, const char *devices, struct str *out,
		    struct error *err);

/* ---- oci_mounts.c ---- */
int oci_mounts_print(const struct spec_input *in, struct jw *w, const char **rootfs_propagation,
		     struct error *err);

/* ---- security.c ---- */
struct security_opts {
	const char *apparmor; /* NULL: default */
	const char *seccomp;  /* NULL: default; "unconfined", "builtin" or a profile's text */
	bool no_new_privileges, no_new_privileges_set;
	bool writable_cgroups, writable_cgroups_set;
};
/* Borrow from the tree. Errors as moby's: ERR_SYSTEM `invalid --security-opt 1: "foo"`. */
int security_parse(const json *host_config, struct security_opts *out, struct error *err);

/* ---- mounts.c ---- */
/* Data of a tmpfs mount laid over defaults; conflicting flags: the last wins. ERR_INVALID names an unknown option. */
int tmpfs_merge(const char *data, struct strlist *out, struct error *err);

/* "container:ID" -> "ID", else NULL */
static inline const char *mode_container(const char *mode)
{
	return str_after(mode, "container:");
}

/* sysctl.c: ERR_INVALID in runc's words unless the setting belongs to a namespace that is the container's own. */
int check_sysctl(const char *name, bool own_net, bool own_ipc, bool own_uts, struct error *err);

#endif
