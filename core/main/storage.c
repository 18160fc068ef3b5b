/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which storage driver: the one asked for; else the one whose state is on disk (a failing one is an error: falling back would hide all
 * images); else the first of the priority list whose probe does not say "unsuitable". Source: moby's graphdriver.New.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool has_state(const char *data_root, const char *name)
{
	auto_free char *path = path_join(data_root, name);
	auto_dir DIR *d = opendir(path);
	struct dirent *e;

	/* what a driver makes before it has a layer is no state */
	while (d && (e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && !streq(e->d_name, "l") &&
		    !streq(e->d_name, "backingFsBlockDev"))
			return true;
	return false;
}

/* Options "overlay2.size=10G" -> pairs; those of other drivers are refused by the driver's table. */
static void split_options(const struct strlist *given, struct pairs *out)
{
	for (size_t i = 0; i < given->n; i++) {
		const char *eq = strchrnul(given->v[i], '=');
		auto_free char *key = xstrndup(given->v[i], (size_t)(eq - given->v[i]));

		pairs_add(out, key, *eq ? eq + 1 : "");
	}
}

static int check_for(const char *driver, const struct pairs *given, struct error *err)
{
	const struct plugin *p = plugin_describe(DOCKERD_KIND_STORAGE, driver, err);
	struct dockerd_options *parsed = NULL;
	int r = p ? plugin_options_parse(p, DOCKERD_SCOPE_DAEMON, given, &parsed, err) : -1;

	plugin_options_free(parsed);
	return r < 0 ? error_wrap(err, "storage driver %s", driver) : 0;
}

/* Of the driver that is named; if none is, any installed one may be taken, and each option says by its key for which it is. */
int storage_check(const struct config *c, struct error *err)
{
	const char *name = config_str(c, "storage-driver");
	auto_strlist installed = STRLIST_INIT;
	auto_pairs given = PAIRS_INIT;

	split_options(config_list(c, "storage-opts"), &given);
	if (*name)
		return check_for(name, &given, err);
	plugin_list(DOCKERD_KIND_STORAGE, &installed);
	for (size_t i = 0; i < given.n; i++) {
		auto_free char *of = xstrndup(given.v[i].key, strcspn(given.v[i].key, "."));
		auto_pairs one = PAIRS_INIT;

		if (!strlist_has(&installed, of))
			return error_set(err, ERR_INVALID,
					 "storage option %s: no storage driver '%s' is installed",
					 given.v[i].key, of);
		pairs_set(&one, given.v[i].key, given.v[i].value);
		if (check_for(of, &one, err) < 0)
			return -1;
	}
	return 0;
}

static int open_driver(const char *name, const struct config *c, const struct places *p,
		       struct plugin_instance *out, struct error *err)
{
	const struct plugin *plugin = plugin_load(DOCKERD_KIND_STORAGE, name, err);
	auto_free char *root = NULL, *state = NULL;
	struct dockerd_options *options = NULL;
	auto_pairs given = PAIRS_INIT;
	bool made;
	int r;

	if (!plugin)
		return -1;
	split_options(config_list(c, "storage-opts"), &given);
	if (plugin_options_parse(plugin, DOCKERD_SCOPE_DAEMON, &given, &options, err) < 0)
		return -1;
	root = path_join(p->data_root, plugin->name);
	state = xasprintf("%s/storage-%s", p->exec_root, plugin->name);
	made = !file_exists_at(AT_FDCWD, root);
	r = dir_make_all(AT_FDCWD, root, 0710, err);
	if (r == 0)
		r = dir_make_all(AT_FDCWD, state, 0700, err);
	if (r == 0)
		r = plugin_probe(plugin, root, state, options, err);
	if (r == 0)
		r = plugin_open(plugin, root, state, options, out, err);
	plugin_options_free(options);
	if (r < 0 && made)
		rmdir(root); /* an empty directory would look like state */
	return r < 0 ? error_wrap(err, "storage driver %s", name) : 0;
}

/* Such a driver leaves a directory behind in tests and fallbacks. Loaded to be asked: this is rare. */
static bool is_last_resort(const char *name)
{
	struct error ignored = ERROR_INIT;
	const struct plugin *p = plugin_load(DOCKERD_KIND_STORAGE, name, &ignored);

	return p && p->capabilities & DOCKERD_STORAGE_CAP_LAST_RESORT;
}

static int open_prior(const struct config *c, const struct places *p, bool *found,
		      struct plugin_instance *out, struct error *err)
{
	auto_strlist installed = STRLIST_INIT, prior = STRLIST_INIT;

	plugin_list(DOCKERD_KIND_STORAGE, &installed);
	for (size_t i = 0; i < installed.n; i++)
		if (has_state(p->data_root, installed.v[i]))
			strlist_add(&prior, installed.v[i]);
	for (size_t i = prior.n; prior.n > 1 && i-- > 0;)
		if (is_last_resort(prior.v[i]))
			strlist_remove(&prior, i);
	*found = prior.n > 0;
	if (prior.n > 1) {
		auto_free char *names = strlist_join(&prior, ", ");

		return error_set(err, ERR_INVALID,
				 "%s contains several valid graphdrivers: %s; cleanup or "
				 "explicitly choose storage driver (-s <DRIVER>)",
				 p->data_root, names);
	}
	if (prior.n == 0)
		return 0;
	log_info("[graphdriver] using prior storage driver", "storage-driver", prior.v[0]);
	return open_driver(prior.v[0], c, p, out, err);
}

int storage_select(const struct config *c, const struct places *p, struct plugin_instance *out,
		   struct error *err)
{
	const char *wanted = config_str(c, "storage-driver");
	auto_strlist priority = STRLIST_INIT;
	bool found = false;

	if (*wanted)
		return open_driver(wanted, c, p, out, err);
	if (open_prior(c, p, &found, out, err) < 0 || found)
		return found && err->kind == ERR_NONE ? 0 : -1;
	strlist_split(&priority, STORAGE_PRIORITY, ',');
	for (size_t i = 0; i < priority.n; i++) {
		struct error why = ERROR_INIT;

		if (open_driver(priority.v[i], c, p, out, &why) == 0)
			return 0;
		if (why.kind != ERR_UNSUITABLE && why.kind != ERR_NOT_FOUND) {
			*err = why;
			return -1;
		}
		log_debug("storage driver passed over", "driver", priority.v[i], "reason",
			  why.text);
	}
	return error_set(err, ERR_SYSTEM,
			 "no storage driver fits this host (tried %s): see --list-plugins",
			 STORAGE_PRIORITY);
}
