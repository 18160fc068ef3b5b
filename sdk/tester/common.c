/* SPDX-License-Identifier: Apache-2.0 */
/* What every driver must bear, whatever its kind. */
#include "kit.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 100

static void check_symbols(struct kit *k)
{
	auto_strlist names = STRLIST_INIT;
	auto_free char *joined = NULL;
	struct error err = ERROR_INIT;

	if (elf_exports(k->path, &names, &err) < 0)
		kit_fail(k, "%s", err.text);
	joined = strlist_join(&names, ", ");
	KIT_CHECK(k, names.n == 1 && streq(names.v[0], DOCKERD_DRIVER_SYMBOL),
		  "it exports %zu symbols (%.1000s), expected just %s: build with "
		  "-fvisibility=hidden",
		  names.n, joined, DOCKERD_DRIVER_SYMBOL);
}

/* The descriptor itself, not the loader's judged copy. */
static const struct dockerd_driver *descriptor(struct kit *k)
{
	void *lib = dlopen(k->path, RTLD_NOW | RTLD_NOLOAD);
	const struct dockerd_driver *d = lib ? dlsym(lib, DOCKERD_DRIVER_SYMBOL) : NULL;

	KIT_CHECK(k, d, "%s is gone from %s", DOCKERD_DRIVER_SYMBOL, k->path);
	return d;
}

static bool one_line(const char *s)
{
	return *s && !strpbrk(s, "\r\n\t") && s[strlen(s) - 1] != ' ';
}

static void check_header(struct kit *k)
{
	const struct dockerd_driver *d;

	kit_load(k);
	d = descriptor(k);
	KIT_CHECK(k, one_line(d->description), "description '%s' is not one line", d->description);
	KIT_CHECK(k, one_line(d->version) && !strchr(d->version, ' '),
		  "version '%s' is not one word", d->version);
	KIT_CHECK(k, d->min_host_minor <= d->abi_minor,
		  "it wants a daemon of ABI %u.%u, and was built with %u.%u", d->abi_major,
		  d->min_host_minor, d->abi_major, d->abi_minor);
	KIT_CHECK(k,
		  d->abi_minor != DOCKERD_ABI_MINOR || d->capabilities == k->plugin->capabilities,
		  "capabilities are %#llx, of which ABI %u.%u knows %#llx",
		  (unsigned long long)d->capabilities, d->abi_major, d->abi_minor,
		  (unsigned long long)k->plugin->capabilities);
	KIT_CHECK(k, !d->reserved, "reserved field of the descriptor is not 0");
}

static int parse(struct kit *k, uint32_t scope, const char *key, const char *value,
		 struct error *err)
{
	auto_pairs given = PAIRS_INIT;
	struct dockerd_options *o = NULL;
	int r;

	pairs_set(&given, key, value);
	error_clear(err);
	r = plugin_options_parse(k->plugin, scope, &given, &o, err);
	plugin_options_free(o);
	return r;
}

/* --storage-opt, --exec-opt and --authz-opt are one list for all drivers of their kind. */
static void check_prefix(struct kit *k, const struct dockerd_option *o)
{
	const char *rest = str_after(o->key, k->plugin->name);

	if (k->plugin->kind == DOCKERD_KIND_LOG || k->plugin->kind == DOCKERD_KIND_NETWORK ||
	    !(o->scope & DOCKERD_SCOPE_DAEMON))
		return;
	KIT_CHECK(
	    k, rest && *rest == '.' && rest[1],
	    "option '%s' of the daemon's scope does not begin with '%s.', as dockerd-driver(3) "
	    "wants it: users give the options of all drivers in one list",
	    o->key, k->plugin->name);
}

static void check_row(struct kit *k, const struct dockerd_option *o)
{
	static const char *const wrong[] = {
	    [DOCKERD_OPT_BOOL] = "perhaps",      [DOCKERD_OPT_INT] = "twelve",
	    [DOCKERD_OPT_SIZE] = "huge",         [DOCKERD_OPT_DURATION] = "a while",
	    [DOCKERD_OPT_PATH] = "not/absolute", [DOCKERD_OPT_CHOICE] = "no such choice"};
	struct error err = ERROR_INIT;
	uint32_t scope = o->scope & -o->scope; /* any: the lowest */
	uint32_t known = k->plugin->kind == DOCKERD_KIND_NETWORK
			     ? DOCKERD_SCOPE_DAEMON | DOCKERD_SCOPE_NETWORK | DOCKERD_SCOPE_ENDPOINT
			     : DOCKERD_SCOPE_DAEMON | DOCKERD_SCOPE_CONTAINER;

	check_prefix(k, o);
	KIT_CHECK(k, one_line(o->help), "help of option %s is not one line", o->key);
	KIT_CHECK(k, o->min <= o->max, "option %s: range ends before it begins", o->key);
	KIT_CHECK(k, !(o->scope & ~known), "option %s has scope %#x, which its kind does not know",
		  o->key, o->scope);
	if (o->default_value && parse(k, scope, o->key, o->default_value, &err) < 0)
		kit_fail(k, "default '%s' of option %s is refused: %s", o->default_value, o->key,
			 err.text);
	if (o->type < ARRAY_LEN(wrong) && wrong[o->type])
		KIT_CHECK(k, parse(k, scope, o->key, wrong[o->type], &err) < 0 && err.text[0],
			  "option %s takes '%s'", o->key, wrong[o->type]);
}

static void check_options(struct kit *k)
{
	struct error err = ERROR_INIT;
	bool takes_all = false;

	kit_load(k);
	for (uint32_t i = 0; i < k->plugin->option_count; i++) {
		const struct dockerd_option *o = &k->plugin->options[i];

		check_row(k, o);
		takes_all |= streq(o->key, "*") && o->scope & DOCKERD_SCOPE_DAEMON;
		for (uint32_t j = 0; j < i; j++)
			KIT_CHECK(k,
				  !streq(k->plugin->options[j].key, o->key) ||
				      !(k->plugin->options[j].scope & o->scope),
				  "option %s stands twice in the table", o->key);
	}
	KIT_CHECK(k,
		  takes_all || (parse(k, DOCKERD_SCOPE_DAEMON, "no-such-option", "1", &err) < 0 &&
				strstr(err.text, "no-such-option")),
		  "an unknown option is not refused by name: %s", err.text);
}

static void check_probe(struct kit *k)
{
	auto_strlist root = STRLIST_INIT, state = STRLIST_INIT, after = STRLIST_INIT;
	struct dockerd_options *o;
	struct error err = ERROR_INIT;
	struct snapshot before;
	auto_free char *was = NULL, *is = NULL;

	kit_load(k);
	tree_list(k->root, &root);
	tree_list(k->state, &state);
	snapshot_take(&before);
	o = kit_options(k, DOCKERD_SCOPE_DAEMON, NULL);
	if (plugin_probe(k->plugin, k->root, k->state, o, &err) < 0)
		KIT_CHECK(k, !strstr(err.text, "without saying why"), "%s", err.text);
	plugin_options_free(o);
	snapshot_compare(k, &before, "after probe");
	snapshot_free(&before);
	was = strlist_join(&root, ", ");
	tree_list(k->root, &after);
	is = strlist_join(&after, ", ");
	KIT_CHECK(k, streq(was, is), "probe left files in root: %s", is);
	strlist_free(&after);
	tree_list(k->state, &after);
	KIT_CHECK(k, after.n == state.n, "probe left files in its state directory: %s",
		  after.n ? after.v[0] : "");
}

static void check_open_close(struct kit *k)
{
	struct snapshot before;

	kit_load(k);
	snapshot_take(&before);
	for (int i = 0; i < ROUNDS; i++) {
		kit_open(k);
		snapshot_running(k, &before, "after open");
		kit_close(k);
	}
	snapshot_compare(k, &before, "after 100 times open and close");
	snapshot_free(&before);
}

/* Two at once must not meet: the daemon opens one, but tools may look while it runs. */
static void check_two_instances(struct kit *k)
{
	struct plugin_instance first;

	kit_open(k);
	first = k->instance;
	kit_open(k);
	kit_close(k);
	k->instance = first;
	k->opened = true;
}

static const struct kit_check checks[] = {
    {"one exported symbol", check_symbols, 0},
    {"descriptor is sane", check_header, 0},
    {"option table: defaults fit, wrong values and unknown keys are refused", check_options, 0},
    {"probe leaves nothing", check_probe, 0},
    {"open and close, 100 times", check_open_close, 0},
    {"a second instance beside the first", check_two_instances, 0},
};

const struct kit_suite suite_common = {
    .name = "common", .checks = checks, .n = ARRAY_LEN(checks), .own_network = true};
