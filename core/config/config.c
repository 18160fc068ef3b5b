/* SPDX-License-Identifier: Apache-2.0 */
/* See config.h: making a configuration out of flags, file, environment and the table; asking it; making the next one at a reload. */
#include "config/config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/units.h"
#include "config/value.h"

static struct config *config_new(void)
{
	struct config *c = xnew(struct config);

	c->values = xcalloc(option_count, sizeof(*c->values));
	for (size_t i = 0; i < option_count; i++)
		value_default(&option_table[i], &c->values[i]);
	return c;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < option_count; i++)
		value_free(&c->values[i]);
	free(c->values);
	free(c->file);
	free(c->tmpdir);
	strlist_free(&c->notes);
	strlist_free(&c->argv);
	free(c);
}

static struct value *value_of(const struct config *c, const char *key, int type, int other_type)
{
	int i = option_by_key(key);

	if (i < 0 || (option_table[i].type != type && option_table[i].type != other_type)) {
		log_fields(LOG_LEVEL_FATAL,
			   "no such option or not of this type: a fault of the program", "key", key,
			   (char *)0);
		abort();
	}
	return &c->values[i];
}

/* ---- checks of the whole ------------------------------------------------------------------------------------------------------- */

static int check_value(const struct option *o, const struct value *v, struct error *err)
{
	if (!o->check || v->source == FROM_DEFAULT)
		return 0;
	if (o->type == OPT_LIST) {
		for (size_t i = 0; i < v->list.n; i++)
			if (o->check(v->list.v[i], v->source == FROM_FILE, err) < 0)
				return -1;
		return 0;
	}
	return o->check(v->text ? v->text : "", v->source == FROM_FILE, err);
}

static int check_values(const struct config *c, struct error *err)
{
	for (size_t i = 0; i < option_count; i++)
		if (check_value(&option_table[i], &c->values[i], err) < 0)
			return -1;
	return 0;
}

static int check_not_yet(const struct config *c, struct error *err)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];
		struct value def = {0};
		bool same;

		if (o->state != OPT_NOT_YET || c->values[i].source == FROM_DEFAULT)
			continue;
		value_default(o, &def);
		same = value_equal(o, &c->values[i], &def);
		/* null and the empty list or object say nothing either */
		if (o->type == OPT_JSON && !json_count(c->values[i].tree))
			same = true;
		value_free(&def);
		if (!same)
			return error_set(
			    err, ERR_NOT_IMPLEMENTED,
			    "not supported yet: %s%s: %s; only its default is accepted",
			    c->values[i].source == FROM_FLAG ? "--" : "",
			    c->values[i].source == FROM_FLAG ? o->flag : option_key(o), o->why);
	}
	return 0;
}

/* moby refuses two values of one label, but not the same pair twice. */
static int check_label_conflict(const struct config *c, struct error *err)
{
	const struct strlist *l = config_list(c, "labels");

	for (size_t i = 0; i < l->n; i++) {
		size_t key = strcspn(l->v[i], "=");

		for (size_t k = 0; k < i; k++)
			if (strcspn(l->v[k], "=") == key && !strncmp(l->v[k], l->v[i], key) &&
			    !streq(l->v[k], l->v[i]))
				return error_set(err, ERR_INVALID, "conflict labels for %s and %s",
						 l->v[i], l->v[k]);
	}
	return 0;
}

static int check_host_gateways(const struct config *c, struct error *err)
{
	const struct strlist *l = config_list(c, "host-gateway-ips");
	size_t n[2] = {0, 0};

	for (size_t i = 0; i < l->n; i++) {
		bool v6 = strchr(l->v[i], ':') != NULL;

		if (++n[v6] > 1)
			return error_set(err, ERR_INVALID,
					 "only one IPv%d host gateway IP address can be specified",
					 v6 ? 6 : 4);
	}
	return 0;
}

/* moby's words; its shims of containerd pass, and fail when a container starts. */
static int check_default_runtime(const struct config *c, struct error *err)
{
	const char *name = config_str(c, "default-runtime");

	if (!*name || streq(name, "runc") || str_after(name, "io.containerd."))
		return 0;
	for (json *r = json_first(config_json(c, "runtimes")); r; r = json_next(r))
		if (streq(json_name(r), name))
			return 0;
	return error_set(err, ERR_INVALID, "specified default runtime '%s' does not exist", name);
}

static int check_together(struct config *c, struct error *err)
{
	if (check_label_conflict(c, err) < 0 || check_host_gateways(c, err) < 0 ||
	    check_default_runtime(c, err) < 0)
		return -1;
	/* -b and --bip together are no conflict here: the bridge is made then (docs/compat-choices.md). */
	if (!config_bool(c, "icc") && !config_bool(c, "iptables"))
		return error_set(err, ERR_INVALID,
				 "You specified --iptables=false with --icc=false. ICC=false uses "
				 "iptables to function. Please set "
				 "--icc or --iptables to true");
	if (config_bool(c, "obey-host-firewall") && !config_bool(c, "userland-proxy"))
		return error_set(
		    err, ERR_INVALID,
		    "You specified --userland-proxy=false with --obey-host-firewall. "
		    "Published ports pass the host's packet filter on their way to the "
		    "proxy. Please set one of the two to its default");
	if (!config_bool(c, "iptables"))
		c->values[option_by_key("ip-masq")].num = 0; /* there is nothing to do it with */
	if (streq(config_str(c, "containerd-namespace"),
		  config_str(c, "containerd-plugin-namespace")))
		return error_set(err, ERR_INVALID,
				 "containers namespace and plugins namespace cannot be the same");
	return 0;
}

static void note_ignored(struct config *c)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		if (o->state == OPT_IGNORED && c->values[i].source != FROM_DEFAULT)
			strlist_printf(
			    &c->notes, "option %s%s means nothing here and is ignored: %s",
			    c->values[i].source == FROM_FLAG ? "--" : "",
			    c->values[i].source == FROM_FLAG ? o->flag : option_key(o), o->why);
	}
}

/* ---- making ---------------------------------------------------------------------------------------------------------------------- */

static void read_environment(struct config *c)
{
	struct error ignored = ERROR_INIT;
	const char *driver = getenv("DOCKER_DRIVER"), *verify = getenv("DOCKER_TLS_VERIFY");
	struct value *storage = &c->values[option_by_key("storage-driver")];
	struct value *tlsverify = &c->values[option_by_key("tlsverify")];

	c->tmpdir = str_empty(getenv("DOCKER_TMPDIR")) ? NULL : xstrdup(getenv("DOCKER_TMPDIR"));
	c->ramdisk = !str_empty(getenv("DOCKER_RAMDISK"));
	/* moby lets the variable win over the file */
	if (!str_empty(driver) && storage->source != FROM_FLAG) {
		value_from_flag(&option_table[storage - c->values], storage, driver, &ignored);
		strlist_printf(
		    &c->notes,
		    "Setting the storage driver from the $DOCKER_DRIVER environment variable (%s)",
		    driver);
	}
	if (!str_empty(verify) && tlsverify->source == FROM_DEFAULT)
		value_from_flag(&option_table[tlsverify - c->values], tlsverify, "true", &ignored);
}

static int make(struct config *c, struct error *err)
{
	if (flags_parse(c, err) < 0)
		return -1;
	if (c->action == CONFIG_HELP || c->action == CONFIG_VERSION ||
	    c->action == CONFIG_DUMP_OPTIONS)
		return 0;
	if (file_parse(c, err) < 0)
		return -1;
	if (check_values(c, err) < 0) {
		if (!c->file)
			return -1;
		error_wrap(
		    err, "merged configuration validation from file and command line flags failed");
		return error_wrap(err, "unable to configure the Docker daemon with file %s",
				  c->file);
	}
	read_environment(c);
	if (check_not_yet(c, err) < 0 || check_together(c, err) < 0)
		return -1;
	note_ignored(c);
	return 0;
}

int config_parse(int argc, char *const argv[], struct config **out, struct error *err)
{
	auto_config *c = config_new();

	for (int i = 0; i < argc; i++)
		strlist_add(&c->argv, argv[i]);
	if (make(c, err) < 0)
		return -1;
	*out = steal_ptr(&c);
	return 0;
}

struct config *config_reload(const struct config *old, struct strlist *changed, struct error *err)
{
	auto_config *c = NULL;

	if (config_parse((int)old->argv.n, old->argv.v, &c, err) < 0)
		return NULL;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];
		bool take = o->flags & OPTF_RELOAD &&
			    (c->values[i].source == FROM_FILE || o->flags & OPTF_RESET);

		if (take) {
			if (changed && !value_equal(o, &old->values[i], &c->values[i]))
				strlist_add(changed, option_key(o));
			continue;
		}
		value_free(&c->values[i]);
		value_copy(o, &c->values[i], &old->values[i]);
	}
	return steal_ptr(&c);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------------------- */

enum config_action config_action(const struct config *c)
{
	return c->action;
}

const char *config_str(const struct config *c, const char *key)
{
	return value_of(c, key, OPT_STRING, OPT_STRING)->text;
}

bool config_bool(const struct config *c, const char *key)
{
	return value_of(c, key, OPT_BOOL, OPT_BOOL)->num != 0;
}

int64_t config_int(const struct config *c, const char *key)
{
	return value_of(c, key, OPT_INT, OPT_SIZE)->num;
}

const struct strlist *config_list(const struct config *c, const char *key)
{
	return &value_of(c, key, OPT_LIST, OPT_LIST)->list;
}

const struct pairs *config_map(const struct config *c, const char *key)
{
	return &value_of(c, key, OPT_MAP, OPT_MAP)->map;
}

const json *config_json(const struct config *c, const char *key)
{
	return value_of(c, key, OPT_JSON, OPT_JSON)->tree;
}

bool config_is_set(const struct config *c, const char *key)
{
	int i = option_by_key(key);

	return i >= 0 && c->values[i].source != FROM_DEFAULT;
}

bool config_tls(const struct config *c)
{
	return config_is_set(c, "tlsverify") || config_bool(c, "tls");
}

bool config_tls_verify(const struct config *c)
{
	return config_tls(c) && (!config_is_set(c, "tlsverify") || config_bool(c, "tlsverify"));
}

const char *config_file(const struct config *c)
{
	return c->file;
}

const struct strlist *config_notes(const struct config *c)
{
	return &c->notes;
}

const char *config_tmpdir(const struct config *c)
{
	return c->tmpdir;
}

bool config_ramdisk(const struct config *c)
{
	return c->ramdisk;
}

static int by_key(const void *a, const void *b)
{
	const struct option *x = &option_table[*(const size_t *)a],
			    *y = &option_table[*(const size_t *)b];

	return strcmp(option_key(x), option_key(y));
}

void config_dump(const struct config *c, struct str *out)
{
	auto_free size_t *order = xcalloc(option_count, sizeof(*order));
	struct jw w = jw_to(out);
	bool group = false;

	for (size_t i = 0; i < option_count; i++)
		order[i] = i;
	qsort(order, option_count, sizeof(*order), by_key);
	jw_obj(&w);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[order[i]];
		const char *member = str_after(option_key(o), "proxies.");

		if (o->flags & OPTF_ACTION)
			continue;
		if (!member && group)
			jw_end(&w);
		if (member && !group)
			jw_kobj(&w, "proxies");
		group = member != NULL;
		jw_key(&w, member ? member : option_key(o));
		value_print(o, &c->values[order[i]], &w);
	}
	jw_end(&w);
}
