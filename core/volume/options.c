/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of the local driver: type, o, device are those of mount(8); size is a project quota of the file system that holds the volumes, with which
 * the volume's directory is marked when it is mounted first.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/quota.h"
#include "base/thread.h"
#include "config/units.h"
#include "volume/volume_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

static int check_needs(const json *options, const char *given, const char *needed,
		       struct error *err)
{
	if (json_get(options, given) && !json_get(options, needed))
		return error_set(err, ERR_INVALID, "missing required option: \"%s\"", needed);
	return 0;
}

static bool can_limit(void)
{
	struct error ignored = ERROR_INIT;
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, &ignored);

	return root >= 0 && quota_supported(root);
}

static int check_size(const char *text, uint64_t *quota, struct error *err)
{
	int64_t bytes;

	if (size_parse(text, &bytes, err) < 0)
		return -1;
	if (bytes > 0 && !can_limit())
		return error_set(err, ERR_INVALID, "quota size requested but no quota support");
	*quota = bytes > 0 ? (uint64_t)bytes : 0;
	return 0;
}

int options_check(const json *options, uint64_t *quota, struct error *err)
{
	static const char *const known[] = {"type", "o", "device", "size"};
	const json *size = json_get(options, "size");

	for (json *o = json_first(options); o; o = json_next(o)) {
		bool ok = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			ok = ok || streq(json_name(o), known[i]);
		if (!ok)
			return error_set(err, ERR_INVALID, "invalid option: \"%s\"", json_name(o));
	}
	if (check_needs(options, "device", "type", err) < 0 ||
	    check_needs(options, "type", "device", err) < 0 ||
	    check_needs(options, "o", "device", err) < 0 ||
	    check_needs(options, "o", "type", err) < 0)
		return -1;
	*quota = 0;
	return size ? check_size(json_str(size, ""), quota, err) : 0;
}

static const char *option(const struct volume *v, const char *key)
{
	const char *value = pairs_get(&v->kept, key);

	return value ? value : "";
}

bool options_mount_needed(const struct volume *v)
{
	return *option(v, "type") || *option(v, "device");
}

/* mount(8)'s words for flags; cleared: what the word takes away. */
static const struct {
	const char *name;
	unsigned long set, cleared;
} words[] = {{"async", 0, MS_SYNCHRONOUS},
	     {"atime", 0, MS_NOATIME},
	     {"bind", MS_BIND, 0},
	     {"defaults", 0, 0},
	     {"dev", 0, MS_NODEV},
	     {"diratime", 0, MS_NODIRATIME},
	     {"dirsync", MS_DIRSYNC, 0},
	     {"exec", 0, MS_NOEXEC},
	     {"mand", MS_MANDLOCK, 0},
	     {"noatime", MS_NOATIME, 0},
	     {"nodev", MS_NODEV, 0},
	     {"nodiratime", MS_NODIRATIME, 0},
	     {"noexec", MS_NOEXEC, 0},
	     {"nomand", 0, MS_MANDLOCK},
	     {"norelatime", 0, MS_RELATIME},
	     {"nostrictatime", 0, MS_STRICTATIME},
	     {"nosuid", MS_NOSUID, 0},
	     {"rbind", MS_BIND | MS_REC, 0},
	     {"relatime", MS_RELATIME, 0},
	     {"remount", MS_REMOUNT, 0},
	     {"ro", MS_RDONLY, 0},
	     {"rw", 0, MS_RDONLY},
	     {"strictatime", MS_STRICTATIME, 0},
	     {"suid", 0, MS_NOSUID},
	     {"sync", MS_SYNCHRONOUS, 0},
	     {"private", MS_PRIVATE, 0},
	     {"rprivate", MS_PRIVATE | MS_REC, 0},
	     {"shared", MS_SHARED, 0},
	     {"rshared", MS_SHARED | MS_REC, 0},
	     {"slave", MS_SLAVE, 0},
	     {"rslave", MS_SLAVE | MS_REC, 0},
	     {"unbindable", MS_UNBINDABLE, 0},
	     {"runbindable", MS_UNBINDABLE | MS_REC, 0}};
#define PROPAGATION ((unsigned long)(MS_PRIVATE | MS_SHARED | MS_SLAVE | MS_UNBINDABLE))

struct mount_words {
	unsigned long flags, propagation;
	struct str data;
};

static void parse_words(const char *text, struct mount_words *m)
{
	auto_strlist list = STRLIST_INIT;

	strlist_split(&list, text, ',');
	for (size_t i = 0; i < list.n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(words) && !streq(words[k].name, list.v[i]))
			k++;
		if (k == ARRAY_LEN(words)) {
			if (*list.v[i])
				str_printf(&m->data, "%s%s", m->data.len ? "," : "", list.v[i]);
		} else if (words[k].set & PROPAGATION) {
			m->propagation = words[k].set;
		} else {
			m->flags = (m->flags & ~words[k].cleared) | words[k].set;
		}
	}
}

/* The kernel's nfs and cifs take an address, users give a name: "addr=NAME". */
static int resolve_address(struct str *data, struct error *err)
{
	auto_strlist list = STRLIST_INIT;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char bytes[16];

	strlist_split(&list, str_cstr(data), ',');
	str_reset(data);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = str_after(list.v[i], "addr=");
		int r;

		if (name && inet_pton(AF_INET, name, bytes) != 1 &&
		    inet_pton(AF_INET6, name, bytes) != 1) {
			r = getaddrinfo(name, NULL, &hints, &found);
			if (r != 0)
				return error_set(
				    err, ERR_SYSTEM,
				    "error resolving passed in network volume address: %s: %s",
				    name, gai_strerror(r));
			getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
				    NI_NUMERICHOST);
			freeaddrinfo(found);
			str_printf(data, "%saddr=%s", i ? "," : "", text);
		} else {
			str_printf(data, "%s%s", i ? "," : "", list.v[i]);
		}
	}
	return 0;
}

static int failed(const struct volume *v, const char *path, const struct mount_words *m, int why,
		  struct error *err)
{
	auto_str text = STR_INIT;
	const char *data = str_cstr(&m->data);

	str_printf(&text, "mount %s:%s", option(v, "device"), path);
	if (m->flags)
		str_printf(&text, ", flags: 0x%lx", m->flags);
	if (*data && !strstr(data, "password=") && !strstr(data, "pass="))
		str_printf(&text, ", data: %s", data);
	error_sys(err, why, "failed to mount local volume: %s", str_cstr(&text));
	err->kind = ERR_SYSTEM;
	/* Go's names of errors begin in lower case */
	for (char *p = strrchr(err->text, ':'); p && p[1] == ' ' && p[2]; p = NULL)
		p[2] = (char)tolower((unsigned char)p[2]);
	return -1;
}

static int do_mount(const struct volume *v, const char *path, struct mount_words *m,
		    struct error *err)
{
	const char *device = option(v, "device"), *type = option(v, "type");
	unsigned long remount = MS_BIND | MS_REMOUNT | MS_RDONLY;

	if ((streq(type, "nfs") || streq(type, "cifs")) && resolve_address(&m->data, err) < 0)
		return -1;
	if (mount(device, path, type, m->flags, m->data.len ? str_cstr(&m->data) : NULL) < 0)
		return failed(v, path, m, errno, err);
	/* a bind takes no flags at first */
	if ((m->flags & MS_BIND && m->flags & MS_RDONLY &&
	     mount("", path, "", m->flags | remount, NULL) < 0) ||
	    (m->propagation && mount("", path, "", m->propagation, NULL) < 0)) {
		int why = errno;

		umount2(path, MNT_DETACH);
		return failed(v, path, m, why, err);
	}
	return 0;
}

int options_mount(const struct volume *v, const char *path, struct error *err)
{
	struct mount_words m = {.data = STR_INIT};
	int r;

	if (!*option(v, "device"))
		return error_set(err, ERR_SYSTEM, "missing device in volume options");
	if (!*option(v, "type"))
		return error_set(err, ERR_SYSTEM, "missing type in volume options");
	parse_words(option(v, "o"), &m);
	r = do_mount(v, path, &m, err);
	str_free(&m.data);
	return r;
}

/* ---- Quota -------------------------------------------------------------------------------------------------------------------------- */

/*
 * The project of a volume is that of its own directory, where no container is; _data, which containers have, is made to follow. Root in a container can
 * give _data the number of another volume's project: that must not be what is limited, or freed, then.
 */
static uint32_t project_of(int root, const char *name)
{
	auto_close fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? 0 : quota_project(fd);
}

/* The largest project id that a volume has: what is new gets one beyond it. */
static uint32_t largest_project(int root)
{
	int again = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	uint32_t largest = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		uint32_t project = *e->d_name == '.' ? 0 : project_of(root, e->d_name);

		if (project > largest)
			largest = project;
	}
	return largest;
}

int options_limit(const struct volume *v, const char *path, struct error *err)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* no two get the same id */
	auto_close root = v->quota ? dir_open_at(AT_FDCWD, volumes.root, err) : -1,
		   own = root >= 0 ? dir_open_at(root, v->name, err) : -1,
		   data = own >= 0 ? dir_open_at(AT_FDCWD, path, err) : -1;
	LOCK_SCOPE(&one);

	if (!v->quota)
		return 0;
	if (data < 0 || quota_limit(root, own, quota_project(own) ? 0 : largest_project(root),
				    v->quota, err) < 0)
		return -1;
	return quota_join(data, quota_project(own), err);
}

uint32_t options_project(const struct volume *v)
{
	struct error ignored = ERROR_INIT;
	auto_close root = dir_open_at(AT_FDCWD, volumes.root, &ignored);

	return root < 0 ? 0 : project_of(root, v->name);
}

void options_unlimit(uint32_t project)
{
	struct error ignored = ERROR_INIT;
	auto_close root = project ? dir_open_at(AT_FDCWD, volumes.root, &ignored) : -1;

	if (root >= 0)
		quota_release(root, project);
}
