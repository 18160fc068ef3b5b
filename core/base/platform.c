/* SPDX-License-Identifier: Apache-2.0 */
/* See platform.h. */
#include "base/platform.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#define OUR_ARCH "amd64"
#define OUR_VARIANT ""
#elif defined(__aarch64__)
#define OUR_ARCH "arm64"
#define OUR_VARIANT ""
#else
#define OUR_ARCH "unknown"
#define OUR_VARIANT ""
#endif

const char *platform_arch(void)
{
	return OUR_ARCH;
}

/* Other names for the same, as containerd's platforms package has them. */
static void normalise(struct platform *p)
{
	static const struct {
		const char *from, *arch, *variant;
	} names[] = {{"x86_64", "amd64", ""},  {"x86-64", "amd64", ""}, {"i386", "386", ""},
		     {"aarch64", "arm64", ""}, {"armhf", "arm", "v7"},  {"armel", "arm", "v6"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (streq(p->arch, names[i].from)) {
			snprintf(p->arch, sizeof(p->arch), "%s", names[i].arch);
			if (*names[i].variant)
				snprintf(p->variant, sizeof(p->variant), "%s", names[i].variant);
		}
	if (streq(p->arch, "amd64") && streq(p->variant, "v1"))
		p->variant[0] = '\0';
	if (streq(p->arch, "386"))
		p->variant[0] = '\0';
	if (streq(p->arch, "arm64") && (streq(p->variant, "8") || streq(p->variant, "v8")))
		p->variant[0] = '\0';
	if (streq(p->arch, "arm")) {
		if (!*p->variant)
			snprintf(p->variant, sizeof(p->variant), "v7");
		else if (p->variant[0] >= '5' && p->variant[0] <= '8' && !p->variant[1])
			snprintf(p->variant, sizeof(p->variant), "v%c", p->variant[0]);
	}
}

static bool component_good(const char *c)
{
	return *c &&
	       strspn(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
		   strlen(c);
}

static void lower_into(char *to, size_t n, const char *from)
{
	snprintf(to, n, "%s", from);
	for (; *to; to++)
		if (*to >= 'A' && *to <= 'Z')
			*to += 'a' - 'A';
}

int platform_parse(const char *text, struct platform *p, struct error *err)
{
	static const char *const systems[] = {"linux", "windows", "darwin", "freebsd"};
	auto_strlist parts = STRLIST_INIT;
	bool is_os = false;

	*p = (struct platform){.os = "linux", .arch = OUR_ARCH, .variant = OUR_VARIANT};
	if (str_empty(text))
		return 0;
	strlist_split(&parts, text, '/');
	for (size_t i = 0; i < parts.n; i++)
		if (!component_good(parts.v[i]) || strlen(parts.v[i]) >= sizeof(p->os))
			return error_set(err, ERR_INVALID,
					 "\"%s\" is an invalid component of \"%s\": platform "
					 "specifier component must match \"^[A-Za-z0-9_.-]+$\": "
					 "invalid argument",
					 parts.v[i], text);
	if (parts.n > 3)
		return error_set(err, ERR_INVALID,
				 "\"%s\": cannot parse platform specifier: invalid argument", text);
	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		is_os |= streq(parts.v[0], systems[i]);
	if (parts.n == 1 && is_os) {
		lower_into(p->os, sizeof(p->os), parts.v[0]);
		return 0;
	}
	p->variant[0] = '\0';
	if (parts.n > 1)
		lower_into(p->os, sizeof(p->os), parts.v[0]);
	lower_into(p->arch, sizeof(p->arch), parts.v[parts.n > 1 ? 1 : 0]);
	if (parts.n > 2)
		lower_into(p->variant, sizeof(p->variant), parts.v[2]);
	normalise(p);
	return 0;
}

const char *platform_text(const struct platform *p, char *buf)
{
	snprintf(buf, 100, "%s/%s%s%s", p->os, p->arch, *p->variant ? "/" : "", p->variant);
	return buf;
}

/* "v7" -> 7; 0: none. */
static int variant_number(const char *v)
{
	return v[0] == 'v' && v[1] >= '1' && v[1] <= '9' && !v[2] ? v[1] - '0' : 0;
}

int platform_score(const struct platform *want, const struct platform *has)
{
	struct platform w = *want, h = *has;
	int a, b;

	normalise(&w);
	normalise(&h);
	if (!streq(w.os, h.os))
		return 0;
	if (!streq(w.arch, h.arch)) {
		/* What the processor runs as well, when there is nothing better. */
		if (streq(w.arch, "amd64") && streq(h.arch, "386"))
			return 1;
		if (streq(w.arch, "arm64") && streq(h.arch, "arm")) {
			a = variant_number(h.variant);
			return a >= 5 && a <= 8 ? a - 3 : 0;
		}
		return 0;
	}
	if (streq(w.variant, h.variant))
		return 100;
	a = variant_number(w.variant);
	b = variant_number(h.variant);
	if (streq(w.arch, "amd64") || streq(w.arch, "arm64")) {
		int plain = streq(w.arch, "amd64") ? 1 : 8;

		a = a ? a : plain;
		b = b ? b : plain;
	}
	return a && b && b < a ? 50 + b : 0;
}
