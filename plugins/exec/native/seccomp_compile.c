/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI linux.seccomp -> BPF, by libseccomp: one context per architecture, merged, because a context with several refuses syscalls that
 * the library does not know by name. Those (newer than the library) are added by number to the native architecture.
 *
 * In front of the program goes a stub that answers ENOSYS to syscalls newer than anything the profile mentions: a C library
 * falls back to an older call on ENOSYS, but takes EPERM for an answer. runc does the same.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_ARCHES 16
#define X32_BIT UINT32_C(0x40000000)
#define MAX_ARGS 6

/* Numbers shared by all architectures that libseccomp 2.5 may not know. */
static const struct {
	const char *name;
	int number;
} newer[] = {
    {"cachestat", 451},         {"fchmodat2", 452},        {"map_shadow_stack", 453},
    {"futex_wake", 454},        {"futex_wait", 455},       {"futex_requeue", 456},
    {"statmount", 457},         {"listmount", 458},        {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},       {"listxattrat", 465},
    {"removexattrat", 466},     {"open_tree_attr", 467},   {"file_getattr", 468},
    {"file_setattr", 469},
#ifdef __x86_64__
    {"uretprobe", 335},         {"uprobe", 336},
#endif
};

static int newer_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(newer); i++)
		if (streq(name, newer[i].name))
			return newer[i].number;
	return -1;
}

static int parse_action(const char *name, int64_t errno_ret, uint32_t *out, struct error *err)
{
	uint32_t value = errno_ret >= 0 ? (uint32_t)errno_ret & 0xffff : EPERM;

	if (streq(name, "SCMP_ACT_ALLOW"))
		*out = SCMP_ACT_ALLOW;
	else if (streq(name, "SCMP_ACT_ERRNO"))
		*out = SCMP_ACT_ERRNO(value);
	else if (streq(name, "SCMP_ACT_KILL") || streq(name, "SCMP_ACT_KILL_THREAD"))
		*out = SCMP_ACT_KILL_THREAD;
	else if (streq(name, "SCMP_ACT_KILL_PROCESS"))
		*out = SCMP_ACT_KILL_PROCESS;
	else if (streq(name, "SCMP_ACT_TRAP"))
		*out = SCMP_ACT_TRAP;
	else if (streq(name, "SCMP_ACT_LOG"))
		*out = SCMP_ACT_LOG;
	else if (streq(name, "SCMP_ACT_TRACE"))
		*out = SCMP_ACT_TRACE(value);
	else if (streq(name, "SCMP_ACT_NOTIFY"))
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "action SCMP_ACT_NOTIFY needs a listener, which is not supported");
	else
		return error_set(err, ERR_INVALID, "unknown action '%s'", name);
	return 0;
}

static int parse_flags(struct filter *f, const json *list, struct error *err)
{
	static const struct {
		const char *name;
		unsigned int flag;
	} flags[] = {{"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* we have one thread */
		     {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
		     {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW}};

	for (json *j = json_first(list); j; j = json_next(j)) {
		size_t i = 0;

		while (i < ARRAY_LEN(flags) && !streq(json_str(j, ""), flags[i].name))
			i++;
		if (i == ARRAY_LEN(flags))
			return error_set(err, ERR_INVALID, "unknown flag '%s'", json_str(j, ""));
		f->flags |= flags[i].flag;
	}
	return 0;
}

static int parse_argument(const json *a, struct scmp_arg_cmp *out, struct error *err)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
		   {"SCMP_CMP_LT", SCMP_CMP_LT},
		   {"SCMP_CMP_LE", SCMP_CMP_LE},
		   {"SCMP_CMP_EQ", SCMP_CMP_EQ},
		   {"SCMP_CMP_GE", SCMP_CMP_GE},
		   {"SCMP_CMP_GT", SCMP_CMP_GT},
		   {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
	const char *op = json_get_str(a, "op", "");
	int64_t index = json_get_i64(a, "index", -1);

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (streq(op, ops[i].name) && index >= 0 && index < MAX_ARGS) {
			*out = (struct scmp_arg_cmp){(unsigned int)index, ops[i].op,
						     json_u64(json_get(a, "value"), 0),
						     json_u64(json_get(a, "valueTwo"), 0)};
			return 0;
		}
	return error_set(err, ERR_INVALID, "argument %lld compared by '%s'", (long long)index, op);
}

/* Number for seccomp_rule_add in a context of `arch`; -1: not there, the rule is moot. */
static int resolve(uint32_t arch, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr != __NR_SCMP_ERROR)
		return nr;
	return arch == seccomp_arch_native() ? newer_number(name) : -1;
}

static int add_call(scmp_filter_ctx ctx, uint32_t arch, uint32_t action, const char *name,
		    const struct scmp_arg_cmp *args, unsigned int n, bool repeated,
		    struct error *err)
{
	int nr = resolve(arch, name), r = 0;

	if (nr == -1)
		return 0;
	if (!repeated) {
		r = seccomp_rule_add_array(ctx, action, nr, n, args);
	} else {
		/* Several conditions on one argument are alternatives: each becomes a rule. runtime-spec, runc. */
		for (unsigned int i = 0; i < n && !r; i++)
			r = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
	}
	/* EDOM, EFAULT: this architecture has no such call */
	if (r < 0 && r != -EDOM && r != -EFAULT && r != -EEXIST)
		return error_set(err, ERR_INVALID, "syscall %s: %s", name, strerror(-r));
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, uint32_t arch, uint32_t fallback, const json *rule,
		    struct error *err)
{
	struct scmp_arg_cmp args[MAX_ARGS * 2];
	unsigned int n = 0, seen = 0;
	bool repeated = false;
	uint32_t action;

	if (parse_action(json_get_str(rule, "action", ""), json_get_i64(rule, "errnoRet", -1),
			 &action, err) < 0)
		return -1;
	if (action == fallback)
		return 0; /* libseccomp refuses a rule that changes nothing */
	for (json *a = json_first(json_get(rule, "args")); a; a = json_next(a)) {
		if (n == ARRAY_LEN(args))
			return error_set(err, ERR_INVALID, "too many arguments in a rule");
		if (parse_argument(a, &args[n], err) < 0)
			return -1;
		repeated = repeated || seen & 1U << args[n].arg;
		seen |= 1U << args[n].arg;
		n++;
	}
	for (json *j = json_first(json_get(rule, "names")); j; j = json_next(j))
		if (add_call(ctx, arch, action, json_str(j, ""), args, n, repeated, err) < 0)
			return -1;
	return 0;
}

static scmp_filter_ctx build_one(const json *profile, uint32_t arch, uint32_t fallback,
				 struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(fallback);
	int r = 0;

	if (!ctx) {
		error_set(err, ERR_SYSTEM, "seccomp_init failed");
		return NULL;
	}
	if (arch != seccomp_arch_native()) {
		r = seccomp_arch_add(ctx, arch);
		if (!r)
			r = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
	}
	if (!r)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!r)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	if (r < 0)
		error_set(err, ERR_SYSTEM, "prepare architecture %08x: %s", arch, strerror(-r));
	for (json *j = json_first(json_get(profile, "syscalls")); j && !r; j = json_next(j))
		r = add_rule(ctx, arch, fallback, j, err);
	if (r < 0) {
		seccomp_release(ctx);
		return NULL;
	}
	return ctx;
}

static size_t parse_arches(const json *profile, uint32_t out[MAX_ARCHES])
{
	size_t n = 0;

	out[n++] = seccomp_arch_native();
	for (json *j = json_first(json_get(profile, "architectures")); j && n < MAX_ARCHES;
	     j = json_next(j)) {
		const char *name = str_after(json_str(j, ""), "SCMP_ARCH_");
		char lower[32] = "";
		uint32_t arch;

		for (size_t i = 0; name && name[i] && i < sizeof(lower) - 1; i++)
			lower[i] = (char)(name[i] | 0x20);
		arch = seccomp_arch_resolve_name(lower);
		if (arch && arch != out[0])
			out[n++] = arch;
	}
	return n;
}

/* The greatest number that the profile mentions on an architecture. */
static uint32_t greatest(const json *profile, uint32_t arch)
{
	uint32_t max = 0;

	for (json *r = json_first(json_get(profile, "syscalls")); r; r = json_next(r))
		for (json *j = json_first(json_get(r, "names")); j; j = json_next(j)) {
			int nr = seccomp_syscall_resolve_name_arch(arch, json_str(j, ""));

			if (nr == __NR_SCMP_ERROR && arch == seccomp_arch_native())
				nr = newer_number(json_str(j, ""));
			if (nr >= 0 && (uint32_t)nr > max)
				max = (uint32_t)nr;
		}
	return max;
}

#define STUB_MAX 8 /* instructions per architecture */

/* "if arch and number > max: ENOSYS". x32 calls share x86_64's architecture and have a bit of their own. */
static size_t stub_for(struct sock_filter *to, uint32_t arch, uint32_t max, uint32_t max_x32)
{
	const struct sock_filter enosys = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	size_t n = 0;

	to[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, arch));
	to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0,
					       arch == AUDIT_ARCH_X86_64 ? 5 : 3);
	to[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr));
	if (arch == AUDIT_ARCH_X86_64) {
		to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 1, 0);
		to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, max, 1, 2);
		to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K,
						       max_x32 ? max_x32 : UINT32_MAX, 0, 1);
	} else {
		to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, max, 0, 1);
	}
	to[n++] = enosys;
	return n;
}

static size_t build_stub(struct sock_filter *to, const json *profile, const uint32_t *arches,
			 size_t n_arches)
{
	uint32_t max_x32 = 0;
	size_t n = 0;

	for (size_t i = 0; i < n_arches; i++)
		if (arches[i] == SCMP_ARCH_X32)
			max_x32 = greatest(profile, SCMP_ARCH_X32) | X32_BIT;
	for (size_t i = 0; i < n_arches; i++)
		if (arches[i] !=
		    SCMP_ARCH_X32) /* other SCMP_ARCH_* are the kernel's AUDIT_ARCH_* */
			n += stub_for(to + n, arches[i], greatest(profile, arches[i]), max_x32);
	return n;
}

static int export_program(struct filter *f, scmp_filter_ctx ctx, const json *profile,
			  const uint32_t *arches, size_t n_arches, uint32_t fallback,
			  struct error *err)
{
	auto_close fd = memfd_create("filter", MFD_CLOEXEC);
	bool stub = (fallback & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW &&
		    (fallback & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_LOG &&
		    fallback != SCMP_ACT_ERRNO(ENOSYS);
	size_t n, before;
	off_t size;
	int r;

	if (fd < 0)
		return error_sys(err, errno, "memfd_create");
	r = seccomp_export_bpf(ctx, fd);
	size = lseek(fd, 0, SEEK_END);
	if (r < 0 || size <= 0)
		return error_set(err, ERR_SYSTEM, "compile: %s", strerror(r < 0 ? -r : EIO));
	n = (size_t)size / sizeof(*f->code);
	f->code = xcalloc(n + n_arches * STUB_MAX, sizeof(*f->code));
	before = stub ? build_stub(f->code, profile, arches, n_arches) : 0;
	if (before + n > BPF_MAXINSNS)
		return error_set(err, ERR_INVALID,
				 "%zu instructions are more than the kernel takes", before + n);
	if (pread(fd, f->code + before, (size_t)size, 0) != size)
		return error_sys(err, errno, "read the compiled filter");
	f->n = (unsigned short)(before + n);
	return 0;
}

int filter_compile(struct filter *f, const char *text, struct error *err)
{
	auto_json *profile = json_parse(text, strlen(text), err);
	uint32_t arches[MAX_ARCHES], fallback;
	scmp_filter_ctx all = NULL;
	size_t n;
	int r = 0;

	if (!profile || parse_flags(f, json_get(profile, "flags"), err) < 0)
		return -1;
	if (parse_action(json_get_str(profile, "defaultAction", ""),
			 json_get_i64(profile, "defaultErrnoRet", -1), &fallback, err) < 0)
		return -1;
	n = parse_arches(profile, arches);
	for (size_t i = 0; i < n && !r; i++) {
		scmp_filter_ctx one = build_one(profile, arches[i], fallback, err);

		if (!one) {
			r = -1;
		} else if (!all) {
			all = one;
		} else if ((r = seccomp_merge(all, one)) < 0) {
			error_set(err, ERR_SYSTEM, "merge architectures: %s", strerror(-r));
			seccomp_release(one);
		}
	}
	if (r == 0)
		r = export_program(f, all, profile, arches, n, fallback, err);
	if (all)
		seccomp_release(all);
	return r < 0 ? -1 : 0;
}
