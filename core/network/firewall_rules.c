/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules are ours, on record and in the kernel, and changing them. All of it belongs to one family's worker thread: no locks here.
 *
 * Normal work trusts the list. When the coprocess ended with a complaint (somebody flushed a chain, or a rule is bad), the caller lists the
 * kernel's rules and puts back what is missing (fw_rules_retry).
 */
#include "network/firewall.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* A rule of ours. */
struct fw_rule {
	char verb;    /* how it went in: A or I */
	bool claimed; /* asked for in this daemon's life */
};

/* ---- record on disk ------------------------------------------------------------------------------------------------------------------- */

/* One line per change: "+A TABLE CHAIN SPEC" before a rule goes in, "- TABLE CHAIN SPEC" after it went out. One write(2) each: a kill leaves it whole. */
static void record(struct fw_rules *f, const struct str *lines)
{
	if (lines->len && f->journal >= 0 && fd_write_all(f->journal, lines->p, lines->len) < 0)
		log_warn("firewall record not written", "error", strerror(errno));
}

static void rule_put(struct fw_rules *f, const char *rule, char verb, bool claimed)
{
	struct fw_rule *r = map_get(&f->rules, rule);

	if (!r) {
		char value[2] = {verb, 0};

		r = xnew(struct fw_rule);
		map_set(&f->rules, rule, r);
		pairs_set(&f->order, rule, value);
	}
	*r = (struct fw_rule){.verb = verb, .claimed = claimed};
}

static void rule_drop(struct fw_rules *f, const char *rule)
{
	free(map_del(&f->rules, rule));
	pairs_del(&f->order, rule);
}

/* Rules of an earlier daemon, then a fresh file with what is left of them. */
void fw_rules_load(struct fw_rules *f)
{
	auto_free char *path = xasprintf("%s/firewall%d.rules", f->dir, f->family);
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT, kept = STR_INIT;
	auto_strlist lines = STRLIST_INIT;

	if (file_read_at(AT_FDCWD, path, 64 << 20, &text, &err) < 0 && err.kind != ERR_NOT_FOUND)
		log_warn("firewall record not read", "error", err.text);
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *l = lines.v[i];

		if (l[0] == '+' && (l[1] == 'A' || l[1] == 'I') && l[2] == ' ')
			rule_put(f, l + 3, l[1], false);
		else if (l[0] == '-' && l[1] == ' ')
			rule_drop(f, l + 2);
	}
	for (size_t i = 0; i < f->order.n; i++)
		str_printf(&kept, "+%s %s\n", f->order.v[i].value, f->order.v[i].key);
	if (file_write_atomic(AT_FDCWD, path, str_cstr(&kept), kept.len, 0600, false, &err) < 0)
		log_warn("firewall record not written", "error", err.text);
	f->journal = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* ---- applying --------------------------------------------------------------------------------------------------------------------------- */

static int apply(struct fw_rules *f, const struct fw_ops *ops, struct error *err)
{
	auto_str text = STR_INIT;

	if (!ops->n)
		return 0;
	fw_print(ops, &text);
	return fw_proc_batch(&f->proc, str_cstr(&text), err);
}

/* What of the kernel's rules misses of the base and of ours goes back in. `present` receives the kernel's rules as they are then. */
int fw_rules_heal(struct fw_rules *f, struct map *present, struct error *err)
{
	auto_fw_ops ops = {0};
	static char here[] = "";

	f->listed = false;
	map_free(&f->found, NULL); /* of an earlier look */
	if (fw_proc_list(&f->proc, present, err) < 0)
		return -1;
	fw_base(f->family, f->userland_proxy, present, &ops);
	for (size_t i = 0; i < f->order.n; i++) {
		const struct fw_rule *r = map_get(&f->rules, f->order.v[i].key);

		if (!map_get(present, f->order.v[i].key) && r->claimed)
			fw_ops_add(&ops, r->verb, f->order.v[i].key);
	}
	if (apply(f, &ops, err) < 0)
		return error_wrap(err, "restore the firewall rules");
	for (size_t i = 0; i < ops.n; i++)
		if (ops.v[i].verb != 'P')
			map_set(present, ops.v[i].rule, here);
	f->listed = true;
	return 0;
}

/*
 * First use: an earlier daemon's rules that a reboot or flush took away are no longer ours. What is there and on no record (the record was lost, or
 * it is another daemon's, or moby's) becomes ours when it is asked for (adopt), as with moby, which adds no rule that is there.
 */
int fw_rules_ready(struct fw_rules *f, struct error *err)
{
	struct map present = MAP_INIT;
	auto_str gone = STR_INIT;
	int r;

	if (f->listed)
		return 0;
	r = fw_rules_heal(f, &present, err);

	for (size_t i = f->order.n; r == 0 && i-- > 0;) {
		auto_free char *rule = xstrdup(f->order.v[i].key);

		if (map_get(&present, rule))
			continue;
		str_printf(&gone, "- %s\n", rule);
		rule_drop(f, rule);
	}
	record(f, &gone);
	if (r == 0 && !f->settled)
		f->found = present;
	else
		map_free(&present, NULL);
	return r;
}

static bool adopt(struct fw_rules *f, const struct fw_op *op)
{
	auto_str line = STR_INIT;

	if ((op->verb != 'A' && op->verb != 'I') || !map_get(&f->found, op->rule))
		return false;
	map_del(&f->found, op->rule);
	str_printf(&line, "+%c %s\n", op->verb, op->rule);
	record(f, &line);
	rule_put(f, op->rule, op->verb, true);
	return true;
}

/* Add what of a request is not there yet to the batch. `present`: the kernel's rules if they were just listed, else our list is believed. */
void fw_rules_select(struct fw_rules *f, const struct fw_ops *from, const struct map *present,
		     struct fw_ops *to)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct fw_op *op = &from->v[i];
		struct fw_rule *r = map_get(&f->rules, op->rule);
		bool there = present ? map_get(present, op->rule) != NULL : r != NULL;

		if (op->verb == 'D' ? !there : op->verb != 'P' && there) {
			if (r && op->verb != 'D')
				r->claimed = true;
			continue;
		}
		if (present || !adopt(f, op))
			fw_ops_add(to, op->verb, op->rule);
	}
}

/* Write down before: what goes in. */
static void note_before(struct fw_rules *f, const struct fw_ops *ops)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == 'A' || ops->v[i].verb == 'I')
			str_printf(&text, "+%c %s\n", ops->v[i].verb, ops->v[i].rule);
	record(f, &text);
}

/* After: what is in or out now. */
static void note_after(struct fw_rules *f, const struct fw_ops *ops)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == 'A' || ops->v[i].verb == 'I') {
			rule_put(f, ops->v[i].rule, ops->v[i].verb, true);
		} else if (ops->v[i].verb == 'D') {
			rule_drop(f, ops->v[i].rule);
			map_del(&f->found, ops->v[i].rule);
			str_printf(&text, "- %s\n", ops->v[i].rule);
		}
	record(f, &text);
}

int fw_rules_run(struct fw_rules *f, const struct fw_ops *ops, struct error *err)
{
	if (fw_rules_ready(f, err) < 0)
		return -1;
	note_before(f, ops);
	FAULT("network.firewall.recorded");
	if (apply(f, ops, err) < 0)
		return -1;
	FAULT("network.firewall.applied");
	note_after(f, ops);
	return 0;
}

/* Take back what a failed request has put in: tables are committed one by one. */
static void roll_back(struct fw_rules *f, const struct fw_ops *ops)
{
	struct map present = MAP_INIT;
	struct error err = ERROR_INIT;
	auto_fw_ops undo = {0};
	auto_str text = STR_INIT;

	if (fw_rules_heal(f, &present, &err) == 0) {
		for (size_t i = ops->n; i-- > 0;)
			if ((ops->v[i].verb == 'A' || ops->v[i].verb == 'I') &&
			    map_get(&present, ops->v[i].rule))
				fw_ops_add(&undo, 'D', ops->v[i].rule);
		apply(f, &undo, &err);
	}
	if (err.kind)
		log_error("firewall rules of a failed change may be left over", "error", err.text);
	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].verb == 'A' || ops->v[i].verb == 'I')
			str_printf(&text, "- %s\n", ops->v[i].rule);
	record(f, &text);
	map_free(&present, NULL);
}

/* The common batch that failed may have put some of the request's rules in: they count as ours from now on. */
static void claim_present(struct fw_rules *f, const struct fw_ops *ops, const struct map *present)
{
	auto_str text = STR_INIT;

	for (size_t i = 0; i < ops->n; i++) {
		const struct fw_op *op = &ops->v[i];

		if ((op->verb != 'A' && op->verb != 'I') || !map_get(present, op->rule))
			continue;
		str_printf(&text, "+%c %s\n", op->verb, op->rule);
		rule_put(f, op->rule, op->verb, true);
	}
	record(f, &text);
}

/* One request by itself, after the common batch failed. */
int fw_rules_retry(struct fw_rules *f, const struct fw_ops *wanted, struct error *err)
{
	struct map present = MAP_INIT;
	auto_fw_ops ops = {0}, fresh = {0};
	int r;

	for (size_t i = 0; i < wanted->n; i++) /* what it would add to what we had before */
		if (!map_get(&f->rules, wanted->v[i].rule))
			fw_ops_add(&fresh, wanted->v[i].verb, wanted->v[i].rule);
	r = fw_rules_heal(f, &present, err);
	if (r == 0) {
		fw_rules_select(f, wanted, &present, &ops);
		r = fw_rules_run(f, &ops, err);
		if (r < 0)
			roll_back(f, &fresh);
		else
			claim_present(f, wanted, &present);
	}
	/* Deletions that were skipped because somebody else did them. */
	for (size_t i = 0; i < wanted->n; i++)
		if (wanted->v[i].verb == 'D' && map_get(&f->rules, wanted->v[i].rule) &&
		    !map_get(&present, wanted->v[i].rule))
			rule_drop(f, wanted->v[i].rule);
	map_free(&present, NULL);
	return r;
}

/* Rules of an earlier daemon that nobody wanted back. */
int fw_rules_sweep(struct fw_rules *f, struct error *err)
{
	auto_fw_ops ops = {0};

	if (fw_rules_ready(f, err) < 0)
		return -1;
	for (size_t i = 0; i < f->order.n; i++) {
		const struct fw_rule *r = map_get(&f->rules, f->order.v[i].key);

		if (!r->claimed)
			fw_ops_add(&ops, 'D', f->order.v[i].key);
	}
	map_free(&f->found, NULL); /* from now on it is old */
	f->settled = true;
	return fw_rules_run(f, &ops, err);
}

void fw_rules_free(struct fw_rules *f)
{
	fw_proc_end(&f->proc);
	fd_close(&f->journal);
	map_free(&f->rules, free);
	map_free(&f->found, NULL);
	pairs_free(&f->order);
	free(f->proc.program);
	free(f->dir);
	*f = (struct fw_rules){.journal = -1};
}
