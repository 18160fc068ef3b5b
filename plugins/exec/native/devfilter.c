/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules on v2: a BPF_PROG_TYPE_CGROUP_DEVICE program. The last matching rule of the spec decides, so the rules are
 * compiled last to first, each ending the program when it matches; behind all of them everything is denied. bpf(2).
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSNS_PER_RULE 8
#define MAX_RULES 500 /* 4096 instructions */

struct program {
	struct bpf_insn *v;
	int n;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	p->v[p->n++] = (struct bpf_insn){
	    .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

/* r2 = type, r3 = access, r4 = major, r5 = minor */
static void emit_head(struct program *p)
{
	emit(p, BPF_LDX | BPF_W | BPF_MEM, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type),
	     0);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	emit(p, BPF_LDX | BPF_W | BPF_MEM, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(p, BPF_LDX | BPF_W | BPF_MEM, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

/* True if the rule matches everything: what stands before it in the spec has no effect. */
static bool emit_rule(struct program *p, const json *rule)
{
	const char *type = json_get_str(rule, "type", "a"),
		   *access = json_get_str(rule, "access", "rwm");
	int64_t major = json_get_i64(rule, "major", -1), minor = json_get_i64(rule, "minor", -1);
	int32_t wanted = (strchr(access, 'r') ? BPF_DEVCG_ACC_READ : 0) |
			 (strchr(access, 'w') ? BPF_DEVCG_ACC_WRITE : 0) |
			 (strchr(access, 'm') ? BPF_DEVCG_ACC_MKNOD : 0);
	int jumps[4], n = 0, start = p->n;

	if (*type == 'a') { /* in v1 an "a" rule is about all devices, whatever else it says */
		major = minor = -1;
		wanted = 7;
	} else {
		jumps[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
		     *type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (wanted != 7) { /* only if nothing but these is asked for */
		emit(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, ~wanted & 7);
		jumps[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0, 0);
	}
	if (major >= 0) {
		jumps[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)major);
	}
	if (minor >= 0) {
		jumps[n++] = p->n;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)minor);
	}
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, json_get_bool(rule, "allow", false));
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (int i = 0; i < n; i++)
		p->v[jumps[i]].off = (int16_t)(p->n - jumps[i] - 1);
	return p->n == start + 2;
}

static void build(struct program *p, const json *rules, const json *defaults)
{
	size_t n = json_count(rules) + json_count(defaults), i = 0;
	auto_free const json **list = xcalloc(n + 1, sizeof(*list));

	for (json *j = json_first(rules); j; j = json_next(j))
		list[i++] = j;
	for (json *j = json_first(defaults); j; j = json_next(j))
		list[i++] = j;
	emit_head(p);
	while (i)
		if (emit_rule(p, list[--i]))
			return;
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

int devfilter_attach(int cgroup_dir, const json *rules, struct error *err)
{
	size_t n = json_count(rules);
	auto_json *defaults = NULL;
	auto_free struct bpf_insn *code = NULL;
	struct program p = {0};
	auto_close prog = -1, dir = -1;
	union bpf_attr a = {0};

	if (!n)
		return 0;
	if (n > MAX_RULES)
		return error_set(err, ERR_INVALID, "%zu device rules are too many (at most %d)", n,
				 MAX_RULES);
	defaults = devices_default_rules(err);
	if (!defaults)
		return -1;
	n += json_count(defaults);
	p.v = code = xcalloc(n * INSNS_PER_RULE + 16, sizeof(*code));
	build(&p, rules, defaults);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uint64_t)(uintptr_t)p.v;
	a.insn_cnt = (uint32_t)p.n;
	a.license = (uint64_t)(uintptr_t) "Apache";
	prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
	if (prog < 0)
		return error_sys(err, errno, "load the device filter");
	/* bpf wants a real descriptor of the directory, not an O_PATH one */
	dir = openat(cgroup_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	if (dir < 0 || syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof(a)) < 0)
		return error_sys(err, errno, "attach the device filter");
	return 0;
}
