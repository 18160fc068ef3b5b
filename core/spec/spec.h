/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user asked for -> what is to be run. Config, HostConfig and the image become one internal specification: the OCI runtime-spec text
 * that every exec driver gets (sdk/include/dockerd/exec.h). No setting is interpreted anywhere else.
 *
 * Pure functions, but for what they are handed as descriptors (the root for /etc/passwd, host devices by stat): tested without root.
 *
 * Config and HostConfig live as *normalised JSON text*: every member that moby prints, in its order, with its defaults and nulls, types checked.
 * That text is what inspect prints and what config.v2.json and hostconfig.json hold.
 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/idmap.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

/* ---- Versions of the API (versions.c) --------------------------------------------------------------------------------------------- */

/*
 * Change the body of a create request of API 1.`version` into what it means today. ERR_INVALID, in moby's words, for what the version did not have.
 * cgroup2: of the host.
 */
int spec_from_version(json *body, int version, bool cgroup2, struct error *err);

/* ---- Normalising (schema.c) ------------------------------------------------------------------------------------------------------- */

/*
 * Print `in` (an object, or NULL for all defaults) as moby's Go struct would, appended to out. Unknown members are dropped, names match
 * case-insensitively, a value of another type is ERR_INVALID in Go's words
 * ("invalid JSON: json: cannot unmarshal number into Go value of type string").
 */
int spec_normalise_config(const json *in, struct str *out, struct error *err);
int spec_normalise_host_config(const json *in, struct str *out, struct error *err);
/* One EndpointSettings object as kept and as inspect prints it (same members). */
int spec_normalise_endpoint(const json *in, struct str *out, struct error *err);

/*
 * Lay a container's Config over its image's (the "config" object of the image): Env by name, ExposedPorts, Volumes, Labels merged;
 * Cmd, Entrypoint (which resets Cmd), WorkingDir, User, StopSignal, Healthcheck, OnBuild, Shell where unset. Appends normalised text.
 * ERR_INVALID "no command specified" if neither gives a command.
 */
int spec_merge_image(const json *config, const json *image_config, struct str *out,
		     struct error *err);

/* ---- Checking (validate.c) -------------------------------------------------------------------------------------------------------- */

/* What the daemon's configuration and this host say. All borrowed. */
struct spec_host {
	int64_t memory_total; /* bytes */
	int cpus;
	const char *cgroup_version;  /* "1", "2" */
	const char *const *runtimes; /* names that --runtime may take, NULL-terminated */
	const char *default_runtime;
	const struct pairs *ulimits; /* default-ulimits: name -> "soft:hard" */
	int64_t shm_size;            /* default-shm-size */
	const char *ipc_mode;        /* default-ipc-mode */
	const char *cgroupns_mode;   /* default-cgroupns-mode */
	const char *cgroup_parent;   /* "" : /docker */
	const char *log_driver;
	const struct pairs *log_opts;
	const char *
	    seccomp_profile; /* daemon's default: "" or "builtin", "unconfined", or the text of a profile */
	bool no_new_privileges, init, swap_accounting, ipv6;
	const char *apparmor_profile; /* "" if the kernel has none */
	const struct idmap *ids;      /* userns-remap; NULL: containers have no user namespace */
};

/* True if the container gets a user namespace: userns-remap, and it was not asked for the host's. */
bool spec_remapped(const json *host_config, const struct spec_host *h);
/* Fill in what moby fills in at create: LogConfig, ShmSize, IpcMode, CgroupnsMode, Runtime, MaskedPaths, ReadonlyPaths, MemorySwap, ... Appends
 * normalised text. */
int spec_adapt_host_config(const json *host_config, const struct spec_host *h, struct str *out,
			   struct error *err);
/* Refuse what moby refuses, with its words and kinds; warnings as it gives them. Before and after adapt both work. */
int spec_validate(const json *config, const json *host_config, const struct spec_host *h,
		  struct strlist *warnings, struct error *err);
/* Not built yet, but would change behaviour or security: refused clearly (ERR_NOT_IMPLEMENTED, names the field). */
int spec_refuse_missing(const json *host_config, struct error *err);

/* "SIGTERM", "TERM", "15", "RTMIN+3" -> number; -1 if unknown. */
int spec_signal(const char *name);
/* Detach keys "ctrl-p,ctrl-q" -> bytes. */
int spec_detach_keys(const char *names, struct str *bytes, struct error *err);
/* "io.containerd.NAME.vN": the name of a containerd shim, which --runtime takes as it is. */
bool spec_runtime_is_shim(const char *name);
/* Container name as moby allows it (without the slash). */
bool spec_name_ok(const char *name);

/* ---- Mounts (mounts.c) ------------------------------------------------------------------------------------------------------------ */

enum spec_mount_type { SPEC_MOUNT_BIND, SPEC_MOUNT_VOLUME, SPEC_MOUNT_TMPFS, SPEC_MOUNT_IMAGE };

/* One mount point of a container, from Binds, Mounts, Tmpfs or the image's Volumes. */
struct spec_mount {
	enum spec_mount_type type;
	char *
	    source; /* BIND: host path; VOLUME: its directory once resolved by the container room, else NULL */
	char *destination; /* clean, absolute */
	char *name;        /* VOLUME: its name; NULL: anonymous. IMAGE: as the client names it */
	char *driver;      /* VOLUME: "" = local */
	char *mode;        /* as given behind the second colon: "ro,z" */
	char *propagation; /* "rprivate", ... or "" */
	char *tmpfs_options;
	bool read_only, no_copy, from_image, create_source,
	    from_mounts /* given in Mounts, not Binds */, non_recursive;
	bool read_only_non_recursive, read_only_force_recursive;
	char *subpath;
	char *labels, *options; /* VOLUME: JSON text, or NULL */
	int source_fd; /* holds what source names, if that is a name of it (/proc/PID/fd/N); 0: none */
};
struct spec_mounts {
	struct spec_mount *v;
	size_t n;
};
void spec_mounts_free(struct spec_mounts *m);
void spec_mounts_remove(struct spec_mounts *m, size_t i);
/* All mount points, duplicates refused ("Duplicate mount point: /x"), in moby's words. Config supplies Volumes. */
int spec_parse_mounts(const json *config, const json *host_config, struct spec_mounts *out,
		      struct error *err);

/* ---- Ports (ports.c) -------------------------------------------------------------------------------------------------------------- */

struct spec_port {
	uint16_t container_port;
	char proto[5]; /* tcp, udp, sctp */
	char host_ip[46];
	uint16_t host_start, host_end; /* 0: ephemeral */
	uint32_t place;                /* while sorting */
	bool published;                /* has a binding; else only exposed */
	bool named;                    /* stands in ExposedPorts by itself, not in a range */
};
struct spec_ports {
	struct spec_port *v;
	size_t n;
};
void spec_ports_free(struct spec_ports *p);
/* ExposedPorts + PortBindings (+ PublishAllPorts), sorted as moby prints them. */
int spec_parse_ports(const json *config, const json *host_config, struct spec_ports *out,
		     struct error *err);

/* ---- OCI (oci.c, process.c, seccomp.c, caps.c, devices.c) ---------------------------------------------------------------------- */

struct spec_input {
	const char *id;
	const json *config, *host_config;
	const char *path;                 /* program */
	const struct strlist *args;       /* its arguments (without the program) */
	int rootfs_fd;                    /* to look up users and groups; RESOLVE_IN_ROOT only */
	const struct spec_mounts *mounts; /* sources resolved */
	const char *hostname_path, *hosts_path,
	    *resolv_conf_path; /* host files bound over /etc/...; NULL: none */
	const char *shm_path;  /* IpcMode container:ID: that one's /dev/shm; NULL: make our own */
	const struct strlist *extra_env; /* links */
	const char *pid_ns, *ipc_ns, *net_ns,
	    *user_ns; /* paths of namespaces that are joined (container:ID); NULL: none */
	bool host_network;
	const char *
	    init_path; /* --init: host path of the init program, bound at /sbin/docker-init; NULL: none */
	const struct spec_host *host;
};

struct spec_output {
	struct str oci;     /* config.json text, without linux.seccomp */
	struct str seccomp; /* linux.seccomp text; empty: unconfined */
	char seccomp_digest[65];
};
void spec_output_free(struct spec_output *o);
/* The AppArmor profile of the container's processes, borrowed; "" where the kernel has no AppArmor. */
const char *spec_apparmor(const json *host_config, const struct spec_host *h);
int spec_build(const struct spec_input *in, struct spec_output *out, struct error *err);

struct spec_exec {
	const struct strlist *cmd, *env;
	const char *user, *working_dir; /* "" : the container's */
	bool tty, privileged;
};
/* OCI process object for an exec session. */
int spec_build_exec(const struct spec_input *in, const struct spec_exec *e, struct str *process,
		    struct error *err);
/* OCI linux.resources object from a HostConfig (update). */
int spec_build_resources(const json *host_config, const struct spec_host *h, struct str *out,
			 struct error *err);
/* The body of an update as a HostConfig of which only the limits and the restart policy mean anything; NULL: nothing. */
/* ExecOptions of POST /containers/X/exec: every member there and of its type. */
int spec_normalise_exec(const json *in, struct str *out, struct error *err);
int spec_normalise_update(const json *in, struct str *out, struct error *err);
/* What it changes goes from `update` into host_config. ERR_CONFLICT in moby's words; then host_config may be changed in part. */
int spec_apply_update(json *host_config, json *update, struct error *err);
/* Ids of a "user[:group]" as /etc/passwd and /etc/group below the root have them: uid << 32 | gid. */
int spec_user_ids(int rootfs_fd, const char *user, uint64_t *ids, struct error *err);
/* cgroup path below each hierarchy: "/docker/ID" or the parent's. */
char *spec_cgroup_path(const json *host_config, const struct spec_host *h, const char *id);

#endif
