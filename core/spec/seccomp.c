/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp profiles: moby's profile language (rules with conditions on capabilities, architecture and kernel) resolved into the OCI linux.seccomp
 * object. The compiling into a filter is the exec driver's.
 *
 * Results for the built-in profile are kept by capability set, under `lock`: nearly all containers share one.
 */
#include "spec/spec_int.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/thread.h"

static const char builtin_profile[] =
#include "core/spec/seccomp_default.inc"
    ;

#if defined(__x86_64__)
#define GOARCH "amd64"
#elif defined(__aarch64__)
#define GOARCH "arm64"
#elif defined(__riscv) && __riscv_xlen == 64
#define GOARCH "riscv64"
#elif defined(__s390x__)
#define GOARCH "s390x"
#elif defined(__powerpc64__)
#define GOARCH "ppc64le"
#elif defined(__arm__)
#define GOARCH "arm"
#else
#define GOARCH "386"
#endif

static const struct {
	const char *go, *scmp;
} arches[] = {
    {"386", "SCMP_ARCH_X86"},         {"amd64", "SCMP_ARCH_X86_64"},
    {"arm", "SCMP_ARCH_ARM"},         {"arm64", "SCMP_ARCH_AARCH64"},
    {"ppc64le", "SCMP_ARCH_PPC64LE"}, {"riscv64", "SCMP_ARCH_RISCV64"},
    {"s390x", "SCMP_ARCH_S390X"},
};

struct machine {
	const char *goarch;
	int major, minor;
	const struct strlist *caps;
};

/* "4.8" or "4.8.1" reached by this kernel; malformed: not reached. */
static bool kernel_reached(const struct machine *m, const char *version)
{
	int major, minor;

	if (sscanf(version, "%d.%d", &major, &minor) != 2)
		return false;
	return m->major > major || (m->major == major && m->minor >= minor);
}

static bool list_has(const json *list, const char *s)
{
	for (json *c = json_first(list); c; c = json_next(c))
		if (streq(json_str(c, ""), s))
			return true;
	return false;
}

static bool excluded(const json *rule, const struct machine *m)
{
	const json *ex = json_get(rule, "excludes");
	const char *kernel = json_get_str(ex, "minKernel", "");

	for (json *c = json_first(json_get(ex, "caps")); c; c = json_next(c))
		if (strlist_has(m->caps, json_str(c, "")))
			return true;
	return list_has(json_get(ex, "arches"), m->goarch) ||
	       (*kernel && kernel_reached(m, kernel));
}

static bool included(const json *rule, const struct machine *m)
{
	const json *in = json_get(rule, "includes");
	const char *kernel = json_get_str(in, "minKernel", "");

	for (json *c = json_first(json_get(in, "caps")); c; c = json_next(c))
		if (!strlist_has(m->caps, json_str(c, "")))
			return false;
	if (json_count(json_get(in, "arches")) && !list_has(json_get(in, "arches"), m->goarch))
		return false;
	return !*kernel || kernel_reached(m, kernel);
}

static void print_args(struct jw *w, const json *args)
{
	if (json_count(args) == 0)
		return;
	jw_karr(w, "args");
	for (json *a = json_first(args); a; a = json_next(a)) {
		jw_obj(w);
		jw_ku64(w, "index", json_u64(json_get(a, "index"), 0));
		jw_ku64(w, "value", json_u64(json_get(a, "value"), 0));
		if (json_u64(json_get(a, "valueTwo"), 0))
			jw_ku64(w, "valueTwo", json_u64(json_get(a, "valueTwo"), 0));
		jw_kstr(w, "op", json_get_str(a, "op", ""));
		jw_end(w);
	}
	jw_end(w);
}

static int print_rule(struct jw *w, const json *rule, struct error *err)
{
	const json *names = json_get(rule, "names");
	const char *name = json_get_str(rule, "name", "");

	if (*name && json_count(names))
		return error_set(err, ERR_INVALID,
				 "'name' and 'names' were specified in the seccomp profile, use "
				 "either 'name' or 'names'");
	jw_obj(w);
	jw_karr(w, "names");
	if (*name)
		jw_str(w, name);
	for (json *c = json_first(names); c; c = json_next(c))
		jw_str(w, json_str(c, ""));
	jw_end(w);
	jw_kstr(w, "action", json_get_str(rule, "action", ""));
	if (json_type(json_get(rule, "errnoRet")) == JSON_NUMBER)
		jw_ku64(w, "errnoRet", json_u64(json_get(rule, "errnoRet"), 0));
	print_args(w, json_get(rule, "args"));
	jw_end(w);
	return 0;
}

static int print_architectures(struct jw *w, const json *profile, const char *goarch,
			       struct error *err)
{
	const json *plain = json_get(profile, "architectures"), *map = json_get(profile, "archMap");
	const char *native = "";

	if (json_count(plain) && json_count(map))
		return error_set(err, ERR_INVALID,
				 "both 'architectures' and 'archMap' are specified in the seccomp "
				 "profile, use either 'architectures' or 'archMap'");
	for (size_t i = 0; i < ARRAY_LEN(arches); i++)
		if (streq(arches[i].go, goarch))
			native = arches[i].scmp;
	if (json_count(plain)) {
		jw_kjson(w, "architectures", plain);
		return 0;
	}
	for (json *c = json_first(map); c; c = json_next(c)) {
		if (!streq(json_get_str(c, "architecture", "?"), native))
			continue;
		jw_karr(w, "architectures");
		jw_str(w, native);
		for (json *s = json_first(json_get(c, "subArchitectures")); s; s = json_next(s))
			jw_str(w, json_str(s, ""));
		jw_end(w);
		break;
	}
	return 0;
}

int seccomp_resolve_for(const json *profile, const struct strlist *caps, const char *goarch,
			int major, int minor, struct str *out, struct error *err)
{
	struct machine m = {.goarch = goarch, .major = major, .minor = minor, .caps = caps};
	struct jw w = jw_to(out);
	const char *action = json_get_str(profile, "defaultAction", "");

	if (!*action && json_count(json_get(profile, "syscalls")) == 0)
		return 0; /* an empty profile confines nothing */
	if (!*action)
		return error_set(err, ERR_INVALID, "seccomp profile has no 'defaultAction'");
	jw_obj(&w);
	jw_kstr(&w, "defaultAction", action);
	if (json_type(json_get(profile, "defaultErrnoRet")) == JSON_NUMBER)
		jw_ku64(&w, "defaultErrnoRet", json_u64(json_get(profile, "defaultErrnoRet"), 0));
	if (print_architectures(&w, profile, goarch, err) < 0)
		return -1;
	if (json_count(json_get(profile, "flags")))
		jw_kjson(&w, "flags", json_get(profile, "flags"));
	if (*json_get_str(profile, "listenerPath", ""))
		jw_kstr(&w, "listenerPath", json_get_str(profile, "listenerPath", ""));
	if (*json_get_str(profile, "listenerMetadata", ""))
		jw_kstr(&w, "listenerMetadata", json_get_str(profile, "listenerMetadata", ""));
	jw_karr(&w, "syscalls");
	for (json *c = json_first(json_get(profile, "syscalls")); c; c = json_next(c))
		if (!excluded(c, &m) && included(c, &m) && print_rule(&w, c, err) < 0)
			return -1;
	jw_end(&w);
	jw_end(&w);
	return 0;
}

static void running_kernel(int *major, int *minor)
{
	struct utsname u;

	*major = *minor = 0;
	if (uname(&u) == 0 && sscanf(u.release, "%d.%d", major, minor) != 2)
		*major = *minor = 0;
}

bool kernel_at_least(int major, int minor)
{
	int have_major, have_minor;

	running_kernel(&have_major, &have_minor);
	return have_major > major || (have_major == major && have_minor >= minor);
}

static void digest_of(const struct str *text, char out[65])
{
	char digest[DIGEST_TEXT];

	sha256_digest(str_cstr(text), text->len, digest);
	memcpy(out, digest + strlen("sha256:"), 65);
}

static int resolve_text(const char *profile, size_t len, const struct strlist *caps,
			struct str *out, char digest[65], struct error *err)
{
	auto_json *tree = json_parse(profile, len, err);
	int major, minor;

	if (!tree)
		return error_wrap(err, "Decoding seccomp profile failed");
	if (json_type(tree) != JSON_OBJECT)
		return error_set(err, ERR_INVALID,
				 "Decoding seccomp profile failed: not a JSON object");
	running_kernel(&major, &minor);
	if (seccomp_resolve_for(tree, caps, GOARCH, major, minor, out, err) < 0)
		return -1;
	if (out->len)
		digest_of(out, digest);
	return 0;
}

/* ---- Results kept ------------------------------------------------------------------------------------------------------------------- */

#define KEPT 16
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t caps;
	struct str text;
	char digest[65];
} kept[KEPT];
static size_t kept_next, kept_count; /* a ring: the oldest gives way */

int seccomp_resolve(const char *profile, const struct strlist *caps, struct str *out,
		    char digest[65], struct error *err)
{
	uint64_t mask = caps_mask(caps);

	if (profile)
		return resolve_text(profile, strlen(profile), caps, out, digest, err);
	LOCK_SCOPE(&lock);
	for (size_t i = 0; i < kept_count; i++) {
		if (kept[i].caps != mask)
			continue;
		str_add(out, kept[i].text.p, kept[i].text.len);
		memcpy(digest, kept[i].digest, sizeof(kept[i].digest));
		return 0;
	}
	str_reset(&kept[kept_next].text);
	kept[kept_next].caps = UINT64_MAX; /* matches nothing, should this fail */
	if (resolve_text(builtin_profile, sizeof(builtin_profile) - 1, caps, &kept[kept_next].text,
			 kept[kept_next].digest, err) < 0)
		return -1;
	kept[kept_next].caps = mask;
	str_add(out, kept[kept_next].text.p, kept[kept_next].text.len);
	memcpy(digest, kept[kept_next].digest, sizeof(kept[kept_next].digest));
	kept_next = (kept_next + 1) % KEPT;
	if (kept_count < KEPT)
		kept_count++;
	return 0;
}
