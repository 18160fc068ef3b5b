/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups of a container: its own /etc/passwd and /etc/group, opened below the root only, as regular files only, and read with
 * distrust: a line whose numbers are malformed or out of range is no line.
 */
#include "spec/spec_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define MAX_ID INT64_C(2147483647)
#define MAX_FILE (8 << 20)
#define MAX_LINE (256 * 1024)
#define MAX_FIELDS 64
#define MAX_GROUPS 1024 /* of the 65536 that Linux takes: each is compared with all */

void spec_user_free(struct spec_user *u)
{
	free(u->extra);
	free(u->home);
	*u = (struct spec_user){0};
}

/* Decimal digits only; -1 if not, or out of range of any integer we compare with. */
static int64_t number(const char *s)
{
	int64_t n = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s) || n > INT64_MAX / 10 - 10)
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

/* A number all the same, though no valid one: the error differs. */
static bool negative(const char *s)
{
	return *s == '-' && number(s + 1) >= 0;
}

static bool is_id(int64_t n)
{
	return n >= 0 && n <= MAX_ID;
}

/*
 * Opened without side effects first: a device or a pipe in an image must not be opened for reading. A missing file has no lines.
 */
static int read_file(int rootfs_fd, const char *path, struct str *text, struct error *err)
{
	auto_close place = open_in_root(rootfs_fd, path, O_PATH, 0);
	auto_close fd = -1;
	char self[40];
	struct stat st;

	if (place < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV
			   ? 0
			   : error_sys(err, errno, "open %s of the container", path);
	if (fstat(place, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, errno, "open %s of the container", path);
	return file_read_fd(fd, MAX_FILE, text, err) < 0
		   ? error_wrap(err, "%s of the container", path)
		   : 0;
}

/* Fields of a line, blanks around it cut; empty lines and comments give none. */
static void fields_of(const char *line, struct strlist *out)
{
	auto_free char *copy = NULL;
	size_t n;

	while (isspace((unsigned char)*line))
		line++;
	copy = xstrdup(line);
	n = strlen(copy);
	while (n && isspace((unsigned char)copy[n - 1]))
		copy[--n] = '\0';
	if (*copy && *copy != '#')
		strlist_split(out, copy, ':');
}

/*
 * The next entry with at least `min` fields, from *pos on; false at the end. A container writes these files: one line at a time is taken apart, and
 * what can't be an entry not at all.
 */
static bool next_entry(const struct str *text, size_t *pos, size_t min, struct strlist *out)
{
	while (*pos < text->len) {
		const char *line = text->p + *pos, *end = memchr(line, '\n', text->len - *pos);
		size_t n = end ? (size_t)(end - line) : text->len - *pos, colons = 0;
		auto_free char *copy = NULL;

		*pos += n + 1;
		for (size_t i = 0; i < n; i++)
			colons += line[i] == ':';
		if (n > MAX_LINE || colons + 1 < min || colons > MAX_FIELDS)
			continue;
		copy = xstrndup(line, n);
		strlist_free(out);
		*out = (struct strlist)STRLIST_INIT;
		fields_of(copy, out);
		if (out->n >= min)
			return true;
	}
	return false;
}

static void add_group(struct spec_user *u, uint32_t gid)
{
	if (u->extra_count >= MAX_GROUPS)
		return;
	for (size_t i = 0; i < u->extra_count; i++)
		if (u->extra[i] == gid)
			return;
	u->extra = xreallocarray(u->extra, u->extra_count + 1, sizeof(*u->extra));
	u->extra[u->extra_count++] = gid;
}

/* First entry whose name or number is `arg`. *name is set to its name, NULL if there is none. */
static void find_entry(const struct str *text, const char *arg, struct spec_user *u, char **name)
{
	int64_t wanted = number(arg), uid, gid;
	auto_strlist f = STRLIST_INIT;

	for (size_t pos = 0; next_entry(text, &pos, 4, &f);) {
		uid = number(f.v[2]);
		gid = number(f.v[3]);
		if (!is_id(uid) || !is_id(gid) || (!streq(f.v[0], arg) && uid != wanted))
			continue;
		u->uid = (uint32_t)uid;
		u->gid = (uint32_t)gid;
		*name = xstrdup(f.v[0]);
		u->home = xstrdup(f.n > 5 && *f.v[5] ? f.v[5] : "/");
		return;
	}
}

static int find_user(const struct str *text, const char *arg, struct spec_user *u, char **name,
		     struct error *err)
{
	int64_t n = number(arg);

	find_entry(text, arg, u, name);
	if (*name)
		return 0;
	u->home = xstrdup("/");
	if (n < 0 && !negative(arg))
		return error_set(err, ERR_SYSTEM,
				 "unable to find user %s: no matching entries in passwd file", arg);
	if (!is_id(n))
		return error_set(err, ERR_SYSTEM, "uids and gids must be in range 0-2147483647");
	u->uid = (uint32_t)n;
	return 0;
}

static int find_group(const struct str *text, const char *arg, uint32_t *gid, struct error *err)
{
	int64_t wanted = number(arg), n;
	auto_strlist f = STRLIST_INIT;

	for (size_t pos = 0; next_entry(text, &pos, 3, &f);) {
		n = number(f.v[2]);
		if (is_id(n) && (streq(f.v[0], arg) || n == wanted)) {
			*gid = (uint32_t)n;
			return 0;
		}
	}
	if (wanted < 0 && !negative(arg))
		return error_set(err, ERR_SYSTEM,
				 "unable to find group %s: no matching entries in group file", arg);
	if (!is_id(wanted))
		return error_set(err, ERR_SYSTEM, "uids and gids must be in range 0-2147483647");
	*gid = (uint32_t)wanted;
	return 0;
}

/* Groups that list the user as a member. */
static void add_memberships(const struct str *text, const char *name, struct spec_user *u)
{
	auto_strlist f = STRLIST_INIT;

	for (size_t pos = 0; next_entry(text, &pos, 4, &f);) {
		auto_strlist members = STRLIST_INIT;

		if (!is_id(number(f.v[2])))
			continue;
		strlist_split(&members, f.v[3], ',');
		if (strlist_has(&members, name))
			add_group(u, (uint32_t)number(f.v[2]));
	}
}

int spec_user_find(int rootfs_fd, const char *user, const json *add, struct spec_user *out,
		   struct error *err)
{
	auto_str passwd = STR_INIT, group = STR_INIT;
	const char *colon = strchr(user, ':'), *group_arg = colon ? colon + 1 : "";
	auto_free char *user_arg = colon ? xstrndup(user, (size_t)(colon - user)) : xstrdup(user);
	auto_free char *name = NULL;

	*out = (struct spec_user){0};
	if (read_file(rootfs_fd, "/etc/passwd", &passwd, err) < 0 ||
	    read_file(rootfs_fd, "/etc/group", &group, err) < 0)
		return -1;
	if (find_user(&passwd, *user_arg ? user_arg : "0", out, &name, err) < 0 ||
	    (*group_arg && find_group(&group, group_arg, &out->gid, err) < 0))
		goto fail;
	add_group(out, out->gid);
	if (!*group_arg && name)
		add_memberships(&group, name, out);
	for (json *c = json_first(add); c; c = json_next(c)) {
		uint32_t gid;

		if (find_group(&group, json_str(c, ""), &gid, err) < 0)
			goto fail;
		add_group(out, gid);
	}
	return 0;
fail:
	spec_user_free(out);
	return -1;
}

int spec_user_ids(int rootfs_fd, const char *user, uint64_t *ids, struct error *err)
{
	struct spec_user u;

	if (spec_user_find(rootfs_fd, user, NULL, &u, err) < 0)
		return -1;
	*ids = (uint64_t)u.uid << 32 | u.gid;
	spec_user_free(&u);
	return 0;
}
