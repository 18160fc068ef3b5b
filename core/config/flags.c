/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, read as pflag does: --x=y, --x y, bool --x, -Dl debug, -Hunix://, "--". */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "config/value.h"

#define SEE "\nSee 'dockerd --help'."

struct args {
	struct config *c;
	char **v;
	size_t n, at;
};

static int give(struct args *a, int index, const char *value, struct error *err)
{
	const struct option *o = &option_table[index];
	struct error why = ERROR_INIT;

	if (value_from_flag(o, &a->c->values[index], value, &why) == 0)
		return 0;
	if (o->letter)
		return error_set(err, why.kind,
				 "invalid argument \"%s\" for \"-%c, --%s\" flag: %s" SEE, value,
				 o->letter, o->flag, why.text);
	return error_set(err, why.kind, "invalid argument \"%s\" for \"--%s\" flag: %s" SEE, value,
			 o->flag, why.text);
}

static int long_flag(struct args *a, const char *arg, struct error *err)
{
	const char *name = arg + 2, *eq = strchrnul(name, '=');
	int i;

	if (*name == '-' || *name == '=')
		return error_set(err, ERR_INVALID, "bad flag syntax: %s" SEE, arg);
	i = option_by_flag(name, (size_t)(eq - name));
	if (i < 0)
		return error_set(err, ERR_INVALID, "unknown flag: --%.*s" SEE, (int)(eq - name),
				 name);
	if (*eq)
		return give(a, i, eq + 1, err);
	if (option_table[i].type == OPT_BOOL)
		return give(a, i, "true", err);
	if (a->at == a->n)
		return error_set(err, ERR_INVALID, "flag needs an argument: --%s" SEE, name);
	return give(a, i, a->v[a->at++], err);
}

static int short_flags(struct args *a, const char *arg, struct error *err)
{
	for (const char *p = arg + 1; *p; p++) {
		int i = option_by_letter(*p);

		if (*p == 'h' && i < 0) {
			strlist_add(&a->c->notes,
				    "Flag shorthand -h has been deprecated, please use --help");
			i = option_by_flag("help", 4);
		}
		if (i < 0)
			return error_set(err, ERR_INVALID,
					 "unknown shorthand flag: '%c' in -%s" SEE, *p, p);
		if (p[1] == '=' && p[2])
			return give(a, i, p + 2, err);
		if (option_table[i].type == OPT_BOOL) {
			if (give(a, i, "true", err) < 0)
				return -1;
			continue;
		}
		if (p[1])
			return give(a, i, p + 1, err);
		if (a->at == a->n)
			return error_set(err, ERR_INVALID,
					 "flag needs an argument: '%c' in -%s" SEE, *p, p);
		return give(a, i, a->v[a->at++], err);
	}
	return 0;
}

static void choose_action(struct config *c)
{
	static const struct {
		const char *flag;
		enum config_action action;
	} actions[] = {
	    {"validate", CONFIG_VALIDATE},         {"dump-config", CONFIG_DUMP_CONFIG},
	    {"dump-options", CONFIG_DUMP_OPTIONS}, {"dump-plugin", CONFIG_DUMP_PLUGIN},
	    {"dump-routes", CONFIG_DUMP_ROUTES},   {"list-plugins", CONFIG_LIST_PLUGINS},
	    {"version", CONFIG_VERSION},           {"help", CONFIG_HELP},
	};

	c->action = CONFIG_RUN;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		const struct value *v =
		    &c->values[option_by_flag(actions[i].flag, strlen(actions[i].flag))];

		if (v->source == FROM_FLAG && (v->num || !str_empty(v->text)))
			c->action = actions[i].action;
	}
}

int flags_parse(struct config *c, struct error *err)
{
	struct args a = {.c = c, .v = c->argv.v, .n = c->argv.n, .at = 1};
	bool words = false;

	if (a.n > 1 && streq(a.v[1], "daemon"))
		a.at++; /* the classic spelling: docker daemon [OPTIONS] */
	while (a.at < a.n) {
		const char *arg = a.v[a.at++];

		if (streq(arg, "--")) {
			words |= a.at < a.n;
			break;
		}
		if (*arg != '-' || !arg[1]) {
			words = true;
			continue;
		}
		if ((arg[1] == '-' ? long_flag(&a, arg, err) : short_flags(&a, arg, err)) < 0)
			return -1;
	}
	choose_action(c);
	if (words && c->action != CONFIG_HELP)
		return error_set(err, ERR_INVALID, "\"dockerd\" accepts no arguments." SEE);
	for (size_t i = 0; i < option_count; i++)
		if (value_flags_done(&option_table[i], &c->values[i], err) < 0)
			return error_wrap(err, "--%s", option_table[i].flag);
	return 0;
}
