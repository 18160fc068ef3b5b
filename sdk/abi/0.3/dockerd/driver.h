/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerd driver SDK: what every driver has in common. See dockerd-driver(3).
 *
 * A driver is one shared object that exports one constant, `dockerd_driver_v0`, made by DOCKERD_DRIVER(). It is data, so the daemon
 * judges it before it runs any of the driver's code. A driver links against nothing of the daemon's; all that it may ask of the
 * daemon comes as a table of functions (struct dockerd_host).
 *
 * Rules that hold on both sides of the line:
 *  - Only fixed-width integers, pointers and structs that begin with their own size cross it. Fields are only appended.
 *    Each side reads min(its size, the other's size) and takes the rest as zero: test with DOCKERD_HAS().
 *  - An op returns 0, or -1 and fills `err` (dockerd_fail). An op that is NULL means the documented generic way.
 *  - Arrays of sized structs are walked with DOCKERD_AT(). struct dockerd_key_value has no size: it never changes. Character arrays in
 *    structs never change their length.
 *  - Out members younger than ABI 0.1 are written only under DOCKERD_HAS_FIELD().
 *  - An op has at least 128 KiB of stack, and must leave umask, working directory, environment and signal dispositions of the process alone;
 *    it waits only for children of its own (never waitpid(-1)).
 *  - Memory is never freed across the line. Arguments are valid for the call only; results go through the host's emit functions or
 *    into buffers of the caller.
 *  - File descriptors passed in are borrowed; descriptors passed out belong to the receiver. All are close-on-exec.
 *  - Strings are NUL-terminated bytes; a path is absolute unless a directory descriptor stands beside it.
 *
 * Promise: while the ABI is 0.x, every driver built with any 0.x header loads in every later 0.x daemon.
 *
 * This header is plain C99 and C++11; DOCKERD_DRIVER() needs designated initialisers, so C99 or C++20.
 */
#ifndef DOCKERD_DRIVER_H
#define DOCKERD_DRIVER_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOCKERD_ABI_MAJOR 0
#define DOCKERD_ABI_MINOR 3
#define DOCKERD_DRIVER_MAGIC UINT32_C(0x64727632) /* "drv2" */
#define DOCKERD_DRIVER_SYMBOL "dockerd_driver_v0"

/* Kinds of drivers. */
#define DOCKERD_KIND_STORAGE UINT32_C(1)
#define DOCKERD_KIND_EXEC UINT32_C(2)
#define DOCKERD_KIND_LOG UINT32_C(3)
#define DOCKERD_KIND_AUTHZ UINT32_C(4)
#define DOCKERD_KIND_NETWORK UINT32_C(5)

/* ---- Errors ------------------------------------------------------------------------------------------------------------------- */

/* What went wrong, for the daemon to act on; each maps to one HTTP status. */
#define DOCKERD_ERR_NONE UINT32_C(0)
#define DOCKERD_ERR_SYSTEM UINT32_C(1)        /* 500 a system call or tool failed */
#define DOCKERD_ERR_INVALID UINT32_C(2)       /* 400 a value from the user is wrong */
#define DOCKERD_ERR_DENIED UINT32_C(3)        /* 403 */
#define DOCKERD_ERR_NOT_FOUND UINT32_C(4)     /* 404 */
#define DOCKERD_ERR_CONFLICT UINT32_C(5)      /* 409 */
#define DOCKERD_ERR_UNAVAILABLE UINT32_C(6)   /* 503 may work later */
#define DOCKERD_ERR_UNSUITABLE UINT32_C(7)    /* probe only: this host can't run the driver, try the next */
#define DOCKERD_ERR_NOT_IMPLEMENTED UINT32_C(8) /* 501 */
#define DOCKERD_ERR_NO_COMMAND UINT32_C(9)    /* exec only: program not found (exit code 127) */
#define DOCKERD_ERR_NO_PERMISSION UINT32_C(10) /* exec only: program can't be run (exit code 126) */
#define DOCKERD_ERR_CANCELLED UINT32_C(11)

/* Filled by the driver in storage of the caller: works when memory is gone, and nobody has to free it. */
struct dockerd_error {
	uint32_t size;     /* set by the caller */
	uint32_t category; /* DOCKERD_ERR_* */
	int32_t sys_errno; /* errno behind it, or 0 */
	uint32_t reserved;
	char text[1008]; /* for people: what was wrong, with which value, what to do */
};

#if defined(__GNUC__)
#define DOCKERD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define DOCKERD_EXPORT __attribute__((visibility("default")))
#define DOCKERD_UNUSED __attribute__((unused))
#else
#define DOCKERD_PRINTF(fmt, args)
#define DOCKERD_EXPORT
#define DOCKERD_UNUSED
#endif

/* Fill err and return -1: `return dockerd_fail(err, DOCKERD_ERR_NOT_FOUND, "layer %s does not exist", id);` */
static int dockerd_fail(struct dockerd_error *err, uint32_t category, const char *fmt, ...) DOCKERD_PRINTF(3, 4) DOCKERD_UNUSED;
static int dockerd_fail(struct dockerd_error *err, uint32_t category, const char *fmt, ...)
{
	va_list ap;

	err->category = category;
	err->sys_errno = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

/* The same with an errno: category SYSTEM (NOT_FOUND for ENOENT), text "<fmt>: <strerror>". */
static int dockerd_fail_errno(struct dockerd_error *err, int errnum, const char *fmt, ...) DOCKERD_PRINTF(3, 4) DOCKERD_UNUSED;
static int dockerd_fail_errno(struct dockerd_error *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	err->category = errnum == ENOENT ? DOCKERD_ERR_NOT_FOUND : DOCKERD_ERR_SYSTEM;
	err->sys_errno = errnum;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(errnum));
	return -1;
}

/* ---- Options ------------------------------------------------------------------------------------------------------------------ */

#define DOCKERD_OPT_STRING UINT32_C(1)
#define DOCKERD_OPT_BOOL UINT32_C(2)     /* number: 0 or 1 */
#define DOCKERD_OPT_INT UINT32_C(3)      /* number */
#define DOCKERD_OPT_SIZE UINT32_C(4)     /* number: bytes; "10m", "1.5g" */
#define DOCKERD_OPT_DURATION UINT32_C(5) /* number: nanoseconds; "10s" */
#define DOCKERD_OPT_PATH UINT32_C(6)     /* absolute path */
#define DOCKERD_OPT_CHOICE UINT32_C(7)   /* one of `choices`, separated by | */
#define DOCKERD_OPT_LIST UINT32_C(8)     /* comma-separated strings */

/* Where an option may be given. */
#define DOCKERD_SCOPE_DAEMON UINT32_C(1)    /* --storage-opt, --exec-opt, --log-opt, daemon.json */
#define DOCKERD_SCOPE_CONTAINER UINT32_C(2) /* docker run --log-opt, --storage-opt */
#define DOCKERD_SCOPE_NETWORK UINT32_C(4)   /* docker network create -o */
#define DOCKERD_SCOPE_ENDPOINT UINT32_C(8)  /* docker network connect --driver-opt */

#define DOCKERD_OPTF_DEPRECATED UINT32_C(1) /* accepted with a warning */
#define DOCKERD_OPTF_REPEAT UINT32_C(2)     /* may be given several times; each is passed on */

/* The daemon parses, range-checks, and suggests near misses; the driver sees typed values only. */
struct dockerd_option {
	const char *key;           /* full name as users type it: "overlay2.size", "max-file"; "label.*": any that begins so, "*": any */
	const char *alias;         /* second spelling, or NULL */
	const char *default_value; /* as a user would type it, or NULL: not set */
	const char *help;          /* one line */
	const char *choices;       /* CHOICE: "ext4|xfs"; else NULL */
	int64_t min, max;          /* INT, SIZE, DURATION: allowed range; both 0: any */
	uint32_t type;             /* DOCKERD_OPT_* */
	uint32_t scope;            /* bit set of DOCKERD_SCOPE_* */
	uint32_t flags;            /* bit set of DOCKERD_OPTF_* */
	uint32_t reserved;
};

/* A checked option as it reaches the driver. */
struct dockerd_value {
	const char *key;  /* canonical key (never the alias); as given where the row's key ends with an asterisk */
	const char *text; /* as given */
	int64_t number;   /* BOOL, INT, SIZE, DURATION */
};

struct dockerd_options {
	uint32_t size;
	uint32_t count;
	const struct dockerd_value *values; /* defaults included, in table order; walk with dockerd_option_at */
	uint32_t value_size;		    /* bytes from one value to the next */
	uint32_t reserved;
};

/* Value i of the table. */
static const struct dockerd_value *dockerd_option_at(const struct dockerd_options *o, uint32_t i) DOCKERD_UNUSED;
static const struct dockerd_value *dockerd_option_at(const struct dockerd_options *o, uint32_t i)
{
	return (const struct dockerd_value *)(const void *)((const char *)o->values + (size_t)i * o->value_size);
}

/* Value by key, or NULL if not set. */
static const struct dockerd_value *dockerd_option_get(const struct dockerd_options *o, const char *key) DOCKERD_UNUSED;
static const struct dockerd_value *dockerd_option_get(const struct dockerd_options *o, const char *key)
{
	uint32_t i;

	for (i = 0; o && i < o->count; i++)
		if (strcmp(dockerd_option_at(o, i)->key, key) == 0)
			return dockerd_option_at(o, i);
	return NULL;
}

/* ---- Host services ------------------------------------------------------------------------------------------------------------ */

#define DOCKERD_LOG_ERROR UINT32_C(1)
#define DOCKERD_LOG_WARN UINT32_C(2)
#define DOCKERD_LOG_INFO UINT32_C(3)
#define DOCKERD_LOG_DEBUG UINT32_C(4)

struct dockerd_key_value {
	const char *key, *value;
};

/*
 * Services of the process that loaded the driver. Any function pointer may be missing in a smaller host: ask with DOCKERD_HAS().
 * `host` is passed back as first argument. Every function may be called from any thread.
 */
struct dockerd_host {
	uint32_t size;
	uint32_t abi_minor; /* of the daemon */
	/* One line into the daemon's log, tagged with the driver's kind and name. */
	void (*log)(const struct dockerd_host *host, uint32_t level, const char *message);
	/* 1 if the daemon has the named behaviour, see the list in dockerd-driver(3); else 0. */
	int32_t (*has_extension)(const struct dockerd_host *host, const char *name);
	/*
	 * mount(2), umount2(2), on record (under exec-root) before the mount is made: one that a killed daemon left, and that
	 * no container uses when the next has found its containers again, is unmounted there. Mounts that a driver makes
	 * outside these calls are lost in that case. fstype, flags and data as in mount(2); target is an absolute path.
	 */
	int32_t (*mount)(const struct dockerd_host *host, const char *source, const char *target, const char *fstype, uint64_t flags,
			 const char *data, struct dockerd_error *err);
	int32_t (*unmount)(const struct dockerd_host *host, const char *target, uint64_t flags, struct dockerd_error *err);
	/*
	 * Run a program to its end without a shell, stdin from /dev/null; its output (at most output_size-1 bytes, NUL-terminated) goes
	 * to `output`. *status is the wait status. -1: it could not be started, or was killed at the deadline.
	 */
	int32_t (*run)(const struct dockerd_host *host, const char *const *argv, uint32_t deadline_ms, char *output,
		       uint32_t output_size, int32_t *status, struct dockerd_error *err);
	/*
	 * Firewall (network drivers): lines in the language of iptables-restore --noflush ("*nat", "-A ...", "COMMIT"), applied as one
	 * batch; family is 4 or 6. Rules are written as iptables-save prints them. -A or -I of a rule that the daemon has put there already, and -D of
	 * one that is gone, are left out, so a batch may be repeated. The daemon remembers the rules: they come back after a flush,
	 * and go after a crash when nobody asks for them again. It returns when the rules are in; one of deletions alone is only queued.
	 * Missing when the daemon must not touch the firewall (--iptables=false). See dockerd-driver(3) for the chains the daemon provides.
	 */
	int32_t (*firewall)(const struct dockerd_host *host, uint32_t family, const char *rules, struct dockerd_error *err);
	/* 1 if the current request was cancelled by the client: a long operation may stop with DOCKERD_ERR_CANCELLED. */
	int32_t (*cancelled)(const struct dockerd_host *host);
	/* Allocation that the daemon counts and can make fail in tests; release with `free`. NULL when memory is gone. */
	void *(*alloc)(const struct dockerd_host *host, size_t size);
	void (*free)(const struct dockerd_host *host, void *p);
	/*
	 * Published ports (network drivers): the userland proxy. Start forwarding from host address to container address inside the
	 * daemon's proxy process (container_ip NULL: only hold the address, so that nobody else takes it); `proto` is "tcp", "udp" or "sctp". The listening socket is bound before this returns, so an address in
	 * use is reported here. proxy_stop: the same values.
	 */
	int32_t (*proxy_start)(const struct dockerd_host *host, const char *proto, const char *host_ip, uint32_t host_port,
			       const char *container_ip, uint32_t container_port, struct dockerd_error *err);
	int32_t (*proxy_stop)(const struct dockerd_host *host, const char *proto, const char *host_ip, uint32_t host_port,
			      struct dockerd_error *err);
	void *reserved; /* the daemon's own */
	/*
	 * Since ABI 0.3. The same as `firewall`, as part of one call: `batch` is the `batch` of the network that the call is about. The rules may go in while
	 * the driver goes on; the daemon waits for them before anything runs behind them, and calls leave or network_delete if they failed.
	 */
	int32_t (*firewall_batch)(const struct dockerd_host *host, void *batch, uint32_t family, const char *rules,
				  struct dockerd_error *err);
};

/* Receives rows: `docker info` status, GraphDriver.Data of inspect, what a network driver chose. Strings are copied. */
struct dockerd_emit {
	uint32_t size;
	uint32_t reserved;
	void (*row)(const struct dockerd_emit *to, const char *key, const char *value);
	void *ctx; /* the daemon's */
};

/* Is the member inside the struct that the other side made? Required before an out member that is younger than ABI 0.1 is written. */
#define DOCKERD_HAS_FIELD(p, member)                                                               \
	((p) != NULL && (p)->size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member))

/*
 * Element i of an array of sized structs (log messages, ports). Its spacing is that of the side that made it, which may know a longer
 * struct than this header does: never index such an array by [].
 */
#define DOCKERD_AT(array, i)                                                                       \
	((__typeof__(&*(array)))(uintptr_t)((const char *)(array) + (size_t)(i) * (array)->size))

/* Does the sized struct behind p hold a non-NULL member? */
#define DOCKERD_HAS(p, member)                                                                                                     \
	((p) != NULL && (p)->size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member) && (p)->member)

/* ---- Descriptor --------------------------------------------------------------------------------------------------------------- */

/* How much parallelism the driver stands; the daemon does the locking. */
#define DOCKERD_SERIAL UINT32_C(1)     /* one call at a time */
#define DOCKERD_PER_OBJECT UINT32_C(2) /* one call at a time per layer, container, log stream, network */
#define DOCKERD_PARALLEL UINT32_C(3)   /* any calls at any time */

/* What open() gets. Valid during open only, except host, which lives as long as the instance. */
struct dockerd_open {
	uint32_t size;
	uint32_t reserved;
	const struct dockerd_host *host;
	const struct dockerd_options *options; /* daemon scope */
	const char *root;                      /* directory of the driver's own on disk (data-root/<name> for storage), exists, 0700-0711 */
	const char *state;                     /* directory of its own under exec-root (gone after reboot) */
};

/*
 * The first members of every ops table. `self` is what open() gave.
 *   probe     can this host run the driver, with this root? DOCKERD_ERR_UNSUITABLE with the reason: try the next. Must leave nothing.
 *   open      make an instance; threads of the driver may start here.
 *   close     end it; no threads, descriptors or mounts of the instance remain (except those that containers use).
 */
struct dockerd_common_ops {
	uint32_t size;
	uint32_t reserved;
	int32_t (*probe)(const struct dockerd_open *args, struct dockerd_error *err);
	int32_t (*open)(const struct dockerd_open *args, void **self, struct dockerd_error *err);
	void (*close)(void *self);
};

struct dockerd_driver {
	uint32_t magic; /* DOCKERD_DRIVER_MAGIC */
	uint32_t size;  /* of this struct */
	uint32_t abi_major;
	uint32_t abi_minor;      /* header it was built with */
	uint32_t min_host_minor; /* oldest daemon it can live with */
	uint32_t kind;
	uint32_t concurrency; /* DOCKERD_SERIAL, ... */
	uint32_t option_size; /* sizeof(struct dockerd_option) */
	uint32_t option_count;
	uint32_t reserved;
	uint64_t capabilities; /* DOCKERD_<KIND>_CAP_* */
	const char *name;      /* equals the file's stem: overlay2.so */
	const char *version;
	const char *description; /* one line */
	const struct dockerd_option *options;
	const struct dockerd_common_ops *ops; /* the kind's table, whose first member this is */
};

/*
 * DOCKERD_DRIVER(
 *	.kind = DOCKERD_KIND_LOG, .name = "mine", .version = "1.0", .description = "...",
 *	.concurrency = DOCKERD_PER_OBJECT, DOCKERD_OPTIONS(my_options), .ops = &my_ops.common);
 */
#define DOCKERD_OPTIONS(table) .options = (table), .option_count = (uint32_t)(sizeof(table) / sizeof((table)[0]))
#define DOCKERD_DRIVER(...)                                                                                                        \
	extern DOCKERD_EXPORT const struct dockerd_driver dockerd_driver_v0;                                                       \
	DOCKERD_EXPORT const struct dockerd_driver dockerd_driver_v0 = {.magic = DOCKERD_DRIVER_MAGIC,                             \
									 .size = (uint32_t)sizeof(struct dockerd_driver),          \
									 .abi_major = DOCKERD_ABI_MAJOR,                           \
									 .abi_minor = DOCKERD_ABI_MINOR,                           \
									 .option_size = (uint32_t)sizeof(struct dockerd_option),   \
									 __VA_ARGS__}

#ifdef __cplusplus
}
#endif

#endif
