/* SPDX-License-Identifier: Apache-2.0 */
/* Firewall batches as text: splitting, printing, and the chains and rules that every host gets. Pure functions. */
#include "network/firewall.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

static const char *const tables[] = {"raw", "nat", "filter"};

void fw_ops_free(struct fw_ops *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].rule);
	free(o->v);
	*o = (struct fw_ops){0};
}

void fw_ops_add(struct fw_ops *o, char verb, const char *rule)
{
	if (o->n == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 16;
		o->v = xreallocarray(o->v, o->cap, sizeof(*o->v));
	}
	o->v[o->n++] = (struct fw_op){.verb = verb, .rule = xstrdup(rule)};
}

static bool known_table(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (streq(tables[i], name))
			return true;
	return false;
}

static int parse_line(const char *line, char table[16], struct fw_ops *out, struct error *err)
{
	auto_str rule = STR_INIT;

	if (line[0] == '*') {
		if (!known_table(line + 1))
			return error_set(err, ERR_INVALID,
					 "firewall table '%s' is none of raw, nat, filter",
					 line + 1);
		memcpy(table, line + 1, strlen(line + 1) + 1);
		return 0;
	}
	if (streq(line, "COMMIT")) {
		table[0] = '\0';
		return 0;
	}
	if (!table[0])
		return error_set(err, ERR_INVALID, "firewall rule '%s' stands outside of a table",
				 line);
	if (line[0] != '-' || !line[1] || !strchr("AIDNP", line[1]) || line[2] != ' ' || !line[3])
		return error_set(err, ERR_INVALID,
				 "firewall line '%s' is none of -A, -I, -D, -N, -P CHAIN ...",
				 line);
	str_printf(&rule, "%s %s", table, line + 3);
	fw_ops_add(out, line[1], str_cstr(&rule));
	return 0;
}

int fw_parse(const char *text, struct fw_ops *out, struct error *err)
{
	auto_strlist lines = STRLIST_INIT;
	char table[16] = "";

	strlist_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		if (!lines.v[i][0] || lines.v[i][0] == '#')
			continue;
		if (parse_line(lines.v[i], table, out, err) < 0)
			return -1;
	}
	return table[0] ? error_set(err, ERR_INVALID, "firewall batch ends without COMMIT") : 0;
}

void fw_print(const struct fw_ops *ops, struct str *out)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		bool open = false;

		for (size_t i = 0; i < ops->n; i++) {
			const char *rest = str_after(ops->v[i].rule, tables[t]);

			if (!rest || *rest != ' ')
				continue;
			if (!open)
				str_printf(out, "*%s\n", tables[t]);
			open = true;
			str_printf(out, "-%c%s\n", ops->v[i].verb, rest);
		}
		if (open)
			str_puts(out, "COMMIT\n");
	}
}

static void want_chain(const struct map *present, struct fw_ops *out, const char *chain)
{
	if (!map_get(present, chain))
		fw_ops_add(out, 'N', chain);
}

static void want_rule(const struct map *present, struct fw_ops *out, const char *rule)
{
	if (!map_get(present, rule))
		fw_ops_add(out, 'A', rule);
}

/*
 * Moby's chains. DOCKER-USER is the operator's: it is made if missing and never touched again. FORWARD goes to it before it goes to ours.
 */
void fw_base(int family, bool userland_proxy, const struct map *present, struct fw_ops *out)
{
	static const char *const chains[] = {"nat DOCKER",
					     "filter DOCKER",
					     "filter DOCKER-BRIDGE",
					     "filter DOCKER-CT",
					     "filter DOCKER-FORWARD",
					     "filter DOCKER-ISOLATION-STAGE-1",
					     "filter DOCKER-ISOLATION-STAGE-2",
					     "filter DOCKER-USER"};
	static const char user[] = "filter FORWARD -j DOCKER-USER";
	static const char ours[] = "filter FORWARD -j DOCKER-FORWARD";
	bool has_user = map_get(present, user), has_ours = map_get(present, ours);

	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		want_chain(present, out, chains[i]);
	want_rule(present, out, "nat PREROUTING -m addrtype --dst-type LOCAL -j DOCKER");
	/* Without a proxy, connections to 127.0.0.1 are redirected as well. */
	want_rule(present, out,
		  !userland_proxy ? "nat OUTPUT -m addrtype --dst-type LOCAL -j DOCKER"
		  : family == 6
		      ? "nat OUTPUT ! -d ::1/128 -m addrtype --dst-type LOCAL -j DOCKER"
		      : "nat OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER");
	want_rule(present, out, "filter DOCKER-FORWARD -j DOCKER-CT");
	want_rule(present, out, "filter DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1");
	want_rule(present, out, "filter DOCKER-FORWARD -j DOCKER-BRIDGE");
	if (has_user && has_ours)
		return;
	if (has_user)
		fw_ops_add(out, 'D', user);
	if (has_ours)
		fw_ops_add(out, 'D', ours);
	fw_ops_add(out, 'I', ours);
	fw_ops_add(out, 'I', user);
}
