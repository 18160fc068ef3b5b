/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's packet filter, shared with operators and other daemons: rules go in and out by exact text, through one
 * iptables-restore coprocess per family that ends after some idle seconds. Chains and base rules are moby's (firewall.c).
 *
 * Every rule that was put in is recorded in <exec-root>/network/firewall<family>.rules before it is applied. After a crash
 * the next daemon reads the record; what nobody asks for again until firewall_sweep is taken out.
 */
#ifndef NETWORK_FIREWALL_H
#define NETWORK_FIREWALL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

/* state_dir: <exec-root>/network, exists. Fails if iptables is not installed. Family 4's base rules are set up at the first use. */
int firewall_init(const char *state_dir, bool userland_proxy, struct error *err);
/* What is on its way, of one piece of work: links are made while rules go in. One thread's; firewall_wait ends it. */
struct fw_batch {
	struct fw_request *first;
};
/*
 * Apply rules in the language of iptables-restore --noflush; undone whole on failure. batch NULL: waits until they are in the kernel; else they
 * are queued, and firewall_wait waits. Deletions alone are only queued; a policy is waited for even in a batch: who sets one opens something
 * behind it. Any thread.
 */
int firewall_apply(struct fw_batch *batch, int family, const char *rules, struct error *err);
/* All of the batch is in; -1 with one of the failures. */
int firewall_wait(struct fw_batch *batch, struct error *err);
/* Somebody flushed: put back what is missing. */
void firewall_refresh(void);
/* Remove recorded rules of an earlier daemon that nobody asked for since firewall_init. */
void firewall_sweep(void);
/* Wait until all queued batches are in the kernel. */
void firewall_flush(void);
/* End the coprocesses; rules stay. */
void firewall_shutdown(void);

/* ---- text (firewall_text.c), pure ---------------------------------------------------------------------------------------------------- */

struct fw_op {
	char verb;  /* A, I, D, N, P */
	char *rule; /* "TABLE CHAIN SPEC"; N: "TABLE CHAIN" */
};
struct fw_ops {
	struct fw_op *v;
	size_t n, cap;
};
void fw_ops_free(struct fw_ops *o);
#define auto_fw_ops __attribute__((cleanup(fw_ops_free))) struct fw_ops
void fw_ops_add(struct fw_ops *o, char verb, const char *rule);
/* Split a batch into operations. Chain declarations (":CHAIN") are refused: they would flush the chain. */
int fw_parse(const char *text, struct fw_ops *out, struct error *err);
/* Operations as a batch: table by table in the order raw, nat, filter, so that a batch cut in the middle exposes nothing. */
void fw_print(const struct fw_ops *ops, struct str *out);
/* Rules and chains that a host should have whoever else uses it, compared with what it has ("TABLE CHAIN SPEC" as keys). */
void fw_base(int family, bool userland_proxy, const struct map *present, struct fw_ops *out);

/* ---- coprocess (firewall_proc.c) -------------------------------------------------------------------------------------------------------- */

struct fw_proc {
	char *program; /* path of iptables-restore */
	int pid, in, out, errs;
	size_t got;
	char line[4096];
};
/* Path of (ip6tables|iptables)-restore, malloc'ed, NULL if not installed. */
char *fw_proc_find(int family);
/* Write a batch and wait until it is done, starting the process if needed. -1: the process has ended, its complaint in err. */
int fw_proc_batch(struct fw_proc *p, const char *batch, struct error *err);
/* All rules and chains of the three tables into `present`. */
int fw_proc_list(struct fw_proc *p, struct map *present, struct error *err);
void fw_proc_end(struct fw_proc *p);

/* ---- our rules (firewall_rules.c): everything belongs to the worker ------------------------------------------------------------------------ */

struct fw_rules {
	int family;
	bool userland_proxy;
	char *dir; /* of the record */
	struct fw_proc proc;
	struct pairs order; /* our rules in the order they went in; value: the verb */
	struct map rules;   /* rule -> struct fw_rule, owned */
	struct map
	    found; /* what the kernel had at the first look; until the sweep, which ends the daemon's start */
	bool settled; /* the sweep is over: what is found from now on is not taken for ours */
	int journal;  /* O_APPEND; -1 until opened */
	bool listed;  /* base rules are known to be there */
};
/* Read the record of an earlier daemon and open it for more. */
void fw_rules_load(struct fw_rules *f);
void fw_rules_free(struct fw_rules *f);
/* Base rules in place, and the record compared with the kernel; done once. */
int fw_rules_ready(struct fw_rules *f, struct error *err);
/* Put back what is missing; `present` receives the kernel's rules as they are then. */
int fw_rules_heal(struct fw_rules *f, struct map *present, struct error *err);
/* Add what of a request is still to be done. `present`: the kernel's rules if they were just listed; NULL: our list is believed. */
void fw_rules_select(struct fw_rules *f, const struct fw_ops *from, const struct map *present,
		     struct fw_ops *to);
/* Record and apply. On failure some of it may be in. */
int fw_rules_run(struct fw_rules *f, const struct fw_ops *ops, struct error *err);
/* One request after a failure: heal, try again, take back whole if it fails again. */
int fw_rules_retry(struct fw_rules *f, const struct fw_ops *wanted, struct error *err);
/* Take out the rules of an earlier daemon that nobody wanted back. */
int fw_rules_sweep(struct fw_rules *f, struct error *err);

#endif
