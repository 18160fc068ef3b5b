/* SPDX-License-Identifier: Apache-2.0 */
/* Where drivers are looked for, and whether their files can be trusted. Loads nothing. */
#include "plugin/plugin_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kind_names[] = {NULL, "storage", "exec", "log", "authz", "network"};

const char *plugin_kind_name(uint32_t kind)
{
	return kind < ARRAY_LEN(kind_names) ? kind_names[kind] : NULL; /* 0: NULL too */
}

uint32_t plugin_kind_parse(const char *name)
{
	for (uint32_t i = 1; i < ARRAY_LEN(kind_names); i++)
		if (streq(kind_names[i], name))
			return i;
	return 0;
}

void plugin_search_path(struct strlist *dirs)
{
	const char *env = secure_getenv("DOCKERD_DRIVER_PATH");

	if (env)
		strlist_split(dirs, env, ':');
	strlist_add(dirs, DRIVERDIR);
}

static int check_one(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, errno, "%s", path);
	/* A build tree run by an unprivileged developer (tests of pure parts) is its user's own. */
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return error_set(err, ERR_DENIED,
				 "%s is owned by uid %u, expected root: chown root it", path,
				 st.st_uid);
	if (st.st_mode & S_IWOTH && !(S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX))
		return error_set(err, ERR_DENIED,
				 "%s is writable by others (mode %04o): chmod o-w it", path,
				 st.st_mode & 07777);
	if (st.st_mode & S_IWGRP && st.st_gid != 0)
		return error_set(err, ERR_DENIED,
				 "%s is writable by group %u (mode %04o): chmod g-w it", path,
				 st.st_gid, st.st_mode & 07777);
	return 0;
}

int plugin_check_ownership(const char *path, struct error *err)
{
	auto_free char *real = realpath(path, NULL);

	if (!real)
		return error_sys(err, errno, "%s", path);
	for (;;) {
		char *slash;

		if (check_one(real, err) < 0)
			return -1;
		slash = strrchr(real, '/');
		if (!slash || slash == real)
			return check_one("/", err);
		*slash = '\0';
	}
}

/* "overlay2", "overlay2.so": no slash. The name goes into a path, so it is checked. */
static bool good_name(const char *name)
{
	if (!*name || *name == '.' || strlen(name) > 64)
		return false;
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || *name == '-' || *name == '_' ||
		      *name == '.'))
			return false;
	return true;
}

char *plugin_find(uint32_t kind, const char *name, struct error *err)
{
	auto_strlist dirs = STRLIST_INIT;
	auto_free char *looked = NULL;

	if (strchr(name, '/')) {
		if (access(name, F_OK) == 0)
			return xstrdup(name);
		error_sys(err, errno, "%s driver %s", kind ? plugin_kind_name(kind) : "any", name);
		return NULL;
	}
	if (!good_name(name)) {
		error_set(err, ERR_INVALID, "'%s' is no name of a %s driver", name,
			  plugin_kind_name(kind));
		return NULL;
	}
	plugin_search_path(&dirs);
	for (size_t i = 0; i < dirs.n; i++) {
		char *path = xasprintf("%s/%s/%s.so", dirs.v[i], plugin_kind_name(kind), name);

		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	looked = strlist_join(&dirs, ", ");
	error_set(err, ERR_NOT_FOUND, "%s driver %s is not installed: there is no %s/%s.so in %s",
		  plugin_kind_name(kind), name, plugin_kind_name(kind), name, looked);
	return NULL;
}

void plugin_list(uint32_t kind, struct strlist *names)
{
	auto_strlist dirs = STRLIST_INIT;

	plugin_search_path(&dirs);
	for (size_t i = 0; i < dirs.n; i++) {
		auto_free char *path = path_join(dirs.v[i], plugin_kind_name(kind));
		auto_dir DIR *d = opendir(path);
		struct dirent *e;

		while (d && (e = readdir(d))) {
			size_t len = strlen(e->d_name);
			auto_free char *stem = NULL;

			if (len < 4 || !str_ends(e->d_name, ".so"))
				continue;
			stem = xstrndup(e->d_name, len - 3);
			if (good_name(stem) && !strlist_has(names, stem))
				strlist_add(names, stem);
		}
	}
	strlist_sort(names);
}
