/* SPDX-License-Identifier: Apache-2.0 */
/* Where socket plugins are: sockets, and files that hold an address. Only reads directories; see remote.h for the order. */
#include "plugin/remote/remote_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_DEFAULT "/run/docker/plugins:/etc/docker/plugins:/usr/lib/docker/plugins"
#define FILE_MAX 65536

static void directories(struct strlist *out)
{
	const char *env = secure_getenv("DOCKERD_PLUGIN_PATH");

	strlist_split(out, str_empty(env) ? PATH_DEFAULT : env, ':');
}

bool remote_name_ok(const char *name)
{
	if (!isalnum((unsigned char)*name) || strlen(name) > 200)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static char *checked(const char *address, const char *path, struct error *err)
{
	const char *scheme = strstr(address, "://");

	if (!scheme || scheme == address) {
		error_set(err, ERR_SYSTEM, "Unknown protocol");
		return NULL;
	}
	if (str_after(address, "https://")) {
		error_set(err, ERR_NOT_IMPLEMENTED,
			  "%s: plugins are not asked over TLS: use a unix socket, or tcp:// on a "
			  "trusted network",
			  path);
		return NULL;
	}
	if (!str_after(address, "unix://") && !str_after(address, "tcp://") &&
	    !str_after(address, "http://")) {
		error_set(err, ERR_SYSTEM, "%s: protocol of '%s' is none of unix, tcp, http", path,
			  address);
		return NULL;
	}
	return xstrdup(address);
}

static char *from_spec(const char *path, const char *text, struct error *err)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	for (n = strlen(text); n && isspace((unsigned char)text[n - 1]);)
		n--;
	auto_free char *address = xstrndup(text, n);

	return checked(address, path, err);
}

static char *from_json(const char *path, const struct str *text, struct error *err)
{
	auto_json *j = json_parse(str_cstr(text), text->len, err);

	if (!j)
		return NULL;
	if (json_type(json_get(j, "TLSConfig")) == JSON_OBJECT) {
		error_set(err, ERR_NOT_IMPLEMENTED,
			  "%s: TLSConfig: plugins are not asked over TLS: use a unix socket, or "
			  "tcp:// on a trusted network",
			  path);
		return NULL;
	}
	return checked(json_get_str(j, "Addr", ""), path, err);
}

/* NULL without an error: there is no such file. */
static char *from_file(const char *path, bool is_json, struct error *err)
{
	auto_str text = STR_INIT;
	struct stat st;

	if (stat(path, &st) < 0)
		return NULL;
	if (file_read_at(AT_FDCWD, path, FILE_MAX, &text, err) < 0)
		return NULL;
	return is_json ? from_json(path, &text, err) : from_spec(path, str_cstr(&text), err);
}

static char *in_directory(const char *dir, const char *name, bool sockets, struct error *err)
{
	static const char *const kinds[] = {".sock", ".spec", ".json"};

	for (size_t kind = sockets ? 0 : 1; kind < (sockets ? 1U : ARRAY_LEN(kinds)); kind++) {
		for (int deep = 0; deep < 2; deep++) {
			auto_free char *path = xasprintf("%s/%s%s%s%s", dir, deep ? name : "",
							 deep ? "/" : "", name, kinds[kind]);
			char *address;

			if (!kind && is_socket(path))
				return xasprintf("unix://%s", path);
			if (!kind)
				continue;
			address = from_file(path, kind == 2, err);
			if (address || err->kind)
				return address;
		}
	}
	return NULL;
}

char *remote_address(const char *name, struct error *err)
{
	auto_strlist dirs = STRLIST_INIT;

	directories(&dirs);
	for (size_t i = 0; remote_name_ok(name) && i < dirs.n; i++) {
		char *address = in_directory(dirs.v[i], name, i == 0, err);

		if (address || err->kind)
			return address;
	}
	error_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", name);
	return NULL;
}

static void add(struct strlist *names, const char *file, const char *ending)
{
	size_t n = strlen(file), e = strlen(ending);
	auto_free char *name = n > e && str_ends(file, ending) ? xstrndup(file, n - e) : NULL;

	if (name && remote_name_ok(name) && !strlist_has(names, name))
		strlist_add(names, name);
}

static void scan(const char *path, bool sockets, struct strlist *names)
{
	auto_dir DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct error ignored = ERROR_INIT;
		auto_free char *address = NULL;

		if (sockets) {
			add(names, e->d_name, ".sock");
		} else {
			add(names, e->d_name, ".spec");
			add(names, e->d_name, ".json");
		}
		address = remote_name_ok(e->d_name) && !strlist_has(names, e->d_name)
			      ? in_directory(path, e->d_name, sockets, &ignored)
			      : NULL;
		if (address)
			strlist_add(names, e->d_name);
	}
}

void remote_scan(struct strlist *names)
{
	auto_strlist dirs = STRLIST_INIT;

	directories(&dirs);
	for (size_t i = 0; i < dirs.n; i++)
		scan(dirs.v[i], i == 0, names);
	strlist_sort(names);
}
