/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userns-remap: whose ranges of /etc/subuid and /etc/subgid containers get as their ids. "default" is the user dockremap, who is made if he is not
 * there. Rules and words are moby's; the ranges of both files are looked for by the user, also if a group is named.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/idmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "main/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_USER "dockremap"
#define NO_ENTRY "getent unable to find entry \"%s\" in %s database"

static bool parse_id(const char *text, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return *text && !*end && !errno && *out >= 0 && *out <= INT32_MAX;
}

/* ---- Who ------------------------------------------------------------------------------------------------------------------------------ */

static int no_entry(struct error *err, const char *what, const char *name, const char *base)
{
	return error_set(err, ERR_INVALID, "%s for \"%s\": " NO_ENTRY, what, name, name, base);
}

static int check_group(const char *name, struct error *err)
{
	long gid;

	if (!parse_id(name, &gid))
		return getgrnam(name)
			   ? 0
			   : no_entry(err, "Error during groupname lookup", name, "group");
	return getgrgid((gid_t)gid)
		   ? 0
		   : error_set(err, ERR_INVALID, "Gid %ld has no entry in /etc/passwd: " NO_ENTRY,
			       gid, name, "group");
}

/* Name of the user, malloc'ed; NULL with err, or without if it is the default one that has yet to be made. */
static char *user_of(const char *given, bool has_group, struct error *err)
{
	const struct passwd *pw;
	long uid;

	if (parse_id(given, &uid)) {
		pw = getpwuid((uid_t)uid);
		if (!pw)
			error_set(err, ERR_INVALID,
				  "Uid %ld has no entry in /etc/passwd: " NO_ENTRY, uid, given,
				  "passwd");
		else if (!has_group && !getgrgid((gid_t)uid))
			error_set(err, ERR_INVALID, "Gid %ld has no entry in /etc/group: " NO_ENTRY,
				  uid, given, "group");
		return err->kind ? NULL : xstrdup(pw->pw_name);
	}
	if (streq(given, "default"))
		return getpwnam(DEFAULT_USER) ? xstrdup(DEFAULT_USER) : NULL;
	if (!getpwnam(given))
		no_entry(err, "Error during uid lookup", given, "passwd");
	else if (!has_group && !getgrnam(given))
		no_entry(err, "Error during gid lookup", given, "group");
	return err->kind ? NULL : xstrdup(given);
}

static int resolve(const char *spec, char **user, struct error *err)
{
	auto_strlist parts = STRLIST_INIT;

	strlist_split(&parts, spec, ':');
	if (parts.n > 2)
		return error_set(err, ERR_INVALID,
				 "Invalid user/group specification in --userns-remap: \"%s\"",
				 spec);
	*user = user_of(parts.v[0], parts.n > 1, err);
	if (err->kind)
		return -1;
	return parts.n > 1 ? check_group(parts.v[1], err) : 0;
}

int userns_check(const struct config *c, struct error *err)
{
	const char *spec = config_str(c, "userns-remap");
	auto_free char *user = NULL;

	return *spec ? resolve(spec, &user, err) : 0;
}

/* ---- Ranges --------------------------------------------------------------------------------------------------------------------------- */

/* Lines "NAME-OR-UID:FIRST:COUNT": one behind the other from the container's 0 on. subuid(5) */
static int read_ranges(const char *file, const char *user, uid_t uid, struct id_range *out,
		       uint32_t *n, struct error *err)
{
	auto_strlist lines = STRLIST_INIT;
	auto_str text = STR_INIT;
	char number[16];
	uint32_t next = 0;

	snprintf(number, sizeof(number), "%u", uid);
	if (file_read_at(AT_FDCWD, file, 1 << 20, &text, err) < 0)
		return -1;
	strlist_split(&lines, str_cstr(&text), '\n');
	*n = 0;
	for (size_t i = 0; i < lines.n; i++) {
		auto_strlist f = STRLIST_INIT;
		long first, count;

		strlist_split(&f, lines.v[i], ':');
		if (f.n < 3 || (!streq(f.v[0], user) && !streq(f.v[0], number)))
			continue;
		if (!parse_id(f.v[1], &first) || !parse_id(f.v[2], &count) || !count)
			return error_set(err, ERR_INVALID, "%s: '%s' is no range", file,
					 lines.v[i]);
		if (*n == IDMAP_MAX)
			return error_set(err, ERR_INVALID, "%s: more than %d ranges for user %s",
					 file, IDMAP_MAX, user);
		out[(*n)++] = (struct id_range){next, (uint32_t)first, (uint32_t)count};
		next += (uint32_t)count;
	}
	return 0;
}

static int run(const char *path, const char *const *argv, struct error *err)
{
	int fds[3] = {-1, -1, -1}, status;
	pid_t pid =
	    spawn_program(&(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 3}, err);

	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "wait for %s", path);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		   ? 0
		   : error_set(err, ERR_SYSTEM, "%s %s failed", path, argv[1]);
}

/* A system user gets no ranges by himself. Once in a host's life: by its own tools, which know where accounts are kept. */
static int make_default(struct error *err)
{
	const char *user[] = {"useradd",    "--system", "--user-group", "--shell", "/bin/false",
			      DEFAULT_USER, NULL};

	if (run("/usr/sbin/useradd", user, err) < 0)
		return error_wrap(err, "Error during \"%s\" user creation", DEFAULT_USER);
	return 0;
}

/* Above all ranges that are given. */
static long first_free(const char *file)
{
	auto_strlist lines = STRLIST_INIT;
	auto_str text = STR_INIT;
	struct error ignored;
	long next = 100000;

	if (file_read_at(AT_FDCWD, file, 1 << 20, &text, &ignored) < 0)
		return next;
	strlist_split(&lines, str_cstr(&text), '\n');
	for (size_t i = 0; i < lines.n; i++) {
		auto_strlist f = STRLIST_INIT;
		long first, count;

		strlist_split(&f, lines.v[i], ':');
		if (f.n >= 3 && parse_id(f.v[1], &first) && parse_id(f.v[2], &count) &&
		    first + count > next)
			next = first + count;
	}
	return next;
}

static int give_ranges(const char *flag, const char *file, struct error *err)
{
	long first = first_free(file);
	auto_free char *range = xasprintf("%ld-%ld", first, first + 65535);
	const char *argv[] = {"usermod", flag, range, DEFAULT_USER, NULL};

	return run("/usr/sbin/usermod", argv, err);
}

static int load(const char *user, struct idmap *m, struct error *err)
{
	const struct passwd *pw = getpwnam(user);

	if (!pw)
		return error_set(err, ERR_INVALID, "could not get user for username %s", user);
	if (read_ranges("/etc/subuid", user, pw->pw_uid, m->uids, &m->n_uids, err) < 0 ||
	    read_ranges("/etc/subgid", user, pw->pw_uid, m->gids, &m->n_gids, err) < 0)
		return -1;
	if (!m->n_uids || !m->n_gids)
		return error_set(err, ERR_NOT_FOUND, "no %s ranges found for user \"%s\"",
				 m->n_uids ? "subgid" : "subuid", user);
	return 0;
}

static int load_default(struct idmap *m, struct error *err)
{
	if (load(DEFAULT_USER, m, err) == 0 || err->kind != ERR_NOT_FOUND)
		return err->kind ? -1 : 0;
	error_clear(err);
	if ((!m->n_uids && give_ranges("--add-subuids", "/etc/subuid", err) < 0) ||
	    (!m->n_gids && give_ranges("--add-subgids", "/etc/subgid", err) < 0))
		return -1;
	return load(DEFAULT_USER, m, err);
}

int userns_open(const struct config *c, struct error *err)
{
	static struct idmap map;
	const char *spec = config_str(c, "userns-remap");
	auto_free char *user = NULL;
	int r;

	if (!*spec)
		return 0;
	if (resolve(spec, &user, err) < 0)
		return -1;
	if (!user && make_default(err) < 0)
		return -1;
	if (user && streq(user, "root")) {
		log_warn("User namespaces: root cannot be remapped with itself; user namespaces "
			 "are OFF");
		return 0;
	}
	log_info("User namespaces: ID ranges will be mapped to subuid/subgid ranges", "of",
		 user ? user : DEFAULT_USER);
	r = !user || streq(user, DEFAULT_USER) ? load_default(&map, err) : load(user, &map, err);
	if (r < 0)
		return error_wrap(err, "Can't create ID mappings");
	idmap_set(&map);
	return 0;
}
