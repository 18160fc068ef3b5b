/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance kit's frame. Every check runs in a process of its own, which loads the driver afresh, in mount namespace, home and state
 * directory of its own: a crash or a hang is a failed check, and nothing that a check leaves can reach the next. The parent never loads
 * the driver.
 *
 * What is watched in every check, without its doing: after each operation, descriptors that are not close-on-exec and what a driver shares with
 * the daemon (umask, directory, environment, locale, signals); after close, descriptors, threads, mounts and host memory; whatever is printed to
 * stdout or stderr, flushed or not.
 *
 * `struct kit` is owned by the running check; `shared` is memory that parent and checks see alike.
 */
#ifndef TESTER_KIT_H
#define TESTER_KIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "plugin/plugin.h"

/* Results of a check, in memory shared with the parent. */
struct kit_shared {
	char message[3000]; /* why it failed, or why it was skipped */
	bool finished;      /* the check came to its end */
	/* Host services that may fail, counted from 1; `fail_at` fails, 0: none. */
	atomic_uint calls;
	uint32_t fail_at;
	bool unfailing; /* the sequence for faults runs without one: nothing may fail */
	char failed_service[32];
	atomic_int live_allocs;
	/* what the driver said of itself, from the first check */
	char name[80], version[64];
	uint32_t kind;
	uint64_t capabilities;
};

struct kit {
	const char *path;
	const struct pairs *options; /* --opt */
	const char *root, *state;    /* of this check */
	const struct plugin *plugin;
	struct plugin_instance instance;
	bool opened, watched;          /* watched: by kit_clean, against `before` */
	bool discards;                 /* --discards: the driver means to drop what it is given */
	const struct snapshot *before; /* of this check */
	struct kit_shared *shared;
};

struct kit_check {
	const char *name;
	void (*run)(struct kit *k);
	uint64_t needs; /* capability bits without which the check is skipped */
};

/* Checks of a kind. `faults` is run once for each host service call that it makes: it goes on after clean errors and leaves nothing. */
struct kit_suite {
	const char *name;
	const struct kit_check *checks;
	size_t n;
	void (*faults)(struct kit *k);
	bool own_network; /* checks run in a network namespace of their own */
};

extern const struct kit_suite suite_common, suite_storage, suite_exec, suite_log, suite_authz,
    suite_network;

/* End the check: failed, or skipped. */
_Noreturn void kit_fail(struct kit *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void kit_skip(struct kit *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define KIT_CHECK(k, cond, ...)                   \
	do {                                      \
		if (!(cond))                      \
			kit_fail(k, __VA_ARGS__); \
	} while (0)

/* Load (any suitable kind), without running code of the driver beyond its constructors. */
void kit_load(struct kit *k);
/* load, probe (unsuitable: skip), open. Fails the check when that fails. */
void kit_open(struct kit *k);
/* The same, but an error is given back: its text is judged. */
int kit_try_open(struct kit *k, struct dockerd_error *err);
void kit_close(struct kit *k);
/* An op's result: -1 must come with a category and a text. Returns r. */
int kit_clean(struct kit *k, const char *op, int32_t r, const struct dockerd_error *err);
/* It must have succeeded. */
void kit_must(struct kit *k, const char *op, int32_t r, const struct dockerd_error *err);
/* Call an op of a kind: KIT_MUST(k, log, write, stream, &m, 1, &done) */
#define KIT_CALL(k, kindname, op, ...)                                                        \
	({                                                                                    \
		struct dockerd_error e_ = {.size = sizeof(e_)};                               \
		kit_clean(k, #op,                                                             \
			  (k)->plugin->ops.kindname.op((k)->instance.self, __VA_ARGS__, &e_), \
			  &e_);                                                               \
	})
#define KIT_MUST(k, kindname, op, ...)                                                           \
	({                                                                                       \
		struct dockerd_error e_ = {.size = sizeof(e_)};                                  \
		int32_t r_ = (k)->plugin->ops.kindname.op((k)->instance.self, __VA_ARGS__, &e_); \
		kit_must(k, #op, r_, &e_);                                                       \
		r_;                                                                              \
	})
/* Daemon-scope and container-scope options of the driver's table with --opt values and defaults. */
struct dockerd_options *kit_options(struct kit *k, uint32_t scope, const struct pairs *more);

/* ---- snapshot.c: what a process holds ------------------------------------------------------------------------------------------------ */

struct snapshot {
	struct strlist fds, mounts;
	struct pairs process; /* umask and the like: what it is, in words -> its value */
	unsigned int threads;
};
void snapshot_take(struct snapshot *s);
void snapshot_free(struct snapshot *s);
/* Fail unless things are as they were; waits for threads that are on their way out. `what` names the moment. */
void snapshot_compare(struct kit *k, const struct snapshot *before, const char *what);
/* Fail if a descriptor that was not there before would survive exec, or if what the driver shares with the daemon is another. */
void snapshot_running(struct kit *k, const struct snapshot *before, const char *what);
/* Bytes that this process has given to write(2), send(2) and their kin. */
uint64_t bytes_sent(void);
/* Names below a directory, sorted, with types and sizes of files. */
void tree_list(const char *dir, struct strlist *out);

/* ---- host.c: the tester's host services ------------------------------------------------------------------------------------------------ */

void host_setup(struct kit *k);
/* Proxies that are started and not stopped. */
unsigned int host_proxies(void);

/* ---- elf.c ------------------------------------------------------------------------------------------------------------------------------ */

/* Names that the file's dynamic symbol table defines, besides what linkers and sanitizers add. -1 with err: no ELF object of ours. */
int elf_exports(const char *path, struct strlist *out, struct error *err);

#endif
