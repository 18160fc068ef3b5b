/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and links in the container's /dev. runtime-spec config-linux.md, "Default Devices". */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct node {
	const char *path;
	mode_t mode; /* with type */
	dev_t dev;
	uid_t uid;
	gid_t gid;
};

/* Inside a user namespace nodes can't be made: the host's one of the same path is bound. */
static int bind_node(int parent, const char *base, const struct node *n)
{
	auto_close made = openat(parent, base, O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0666);
	auto_close at = openat(parent, base, O_PATH | O_NOFOLLOW | O_CLOEXEC),
		   tree = tree_open(AT_FDCWD, n->path, false);

	return made < 0 || at < 0 || tree < 0 ? -1 : tree_attach(tree, at);
}

static bool is_node(int parent, const char *base, const struct node *n)
{
	struct stat st;

	return fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == (n->mode & S_IFMT) &&
	       ((n->mode & S_IFMT) == S_IFIFO || st.st_rdev == n->dev);
}

/* What the user has mounted there is wanted: /dev/urandom on /dev/random. */
static bool is_mounted(const struct launch *l, const struct node *n)
{
	for (size_t i = 0; i < l->mounts.n; i++)
		if (streq(l->mounts.v[i].target, n->path))
			return true;
	return false;
}

static int make_node(struct launch *l, int dev, const struct node *n, struct error *err)
{
	const char *base = path_base(n->path);
	auto_free char *dir = xstrndup(n->path, (size_t)(base - n->path));
	auto_close other = -1;
	int parent = dev, r;

	if (!streq(dir, "/dev/")) {
		other = root_target(l->root_tree, dir, true, err);
		if (other < 0)
			return -1;
		parent = other;
	}
	r = mknodat(parent, base, n->mode, n->dev);
	if (r < 0 && errno == EEXIST) {
		if (is_node(parent, base, n) || is_mounted(l, n))
			return 0;
		/* of the image or a volume, and not what its name says */
		r = unlinkat(parent, base, 0);
		r = r < 0 ? r : mknodat(parent, base, n->mode, n->dev);
	}
	if (r < 0) {
		if (errno != EPERM || bind_node(parent, base, n) < 0)
			return error_sys(err, errno, "error creating device nodes: mknod %s",
					 n->path);
		return 0;
	}
	if ((n->uid || n->gid) && fchownat(parent, base, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, errno, "chown %s", n->path);
	return 0;
}

static int parse_node(struct node *n, const json *j, struct error *err)
{
	const char *type = json_get_str(j, "type", "");
	static const struct {
		const char *name;
		mode_t mode;
	} types[] = {{"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};

	*n = (struct node){.path = json_get_str(j, "path", "")};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (streq(type, types[i].name))
			n->mode = types[i].mode;
	if (!n->mode || n->path[0] != '/')
		return error_set(err, ERR_INVALID, "device '%s' of type '%s'", n->path, type);
	n->mode |= (mode_t)json_get_i64(j, "fileMode", 0666) & 07777;
	n->dev = makedev((unsigned int)json_get_i64(j, "major", 0),
			 (unsigned int)json_get_i64(j, "minor", 0));
	n->uid = (uid_t)json_get_i64(j, "uid", 0);
	n->gid = (gid_t)json_get_i64(j, "gid", 0);
	return 0;
}

static int make_links(int dev, struct error *err)
{
	static const char *const links[][2] = {
	    {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"},
	    {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
	    {"/proc/kcore", "core"},       {"pts/ptmx", "ptmx"}};

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		if (streq(links[i][1], "core") && access(links[i][0], F_OK) < 0)
			continue;
		if (symlinkat(links[i][0], dev, links[i][1]) < 0 && errno != EEXIST &&
		    errno != EROFS)
			return error_sys(err, errno, "link /dev/%s", links[i][1]);
	}
	return 0;
}

/* A whole /dev of the host bound into the container must stay as it is. */
static bool dev_is_bound(const struct launch *l)
{
	for (size_t i = 0; i < l->mounts.n; i++)
		if (l->mounts.v[i].tree >= 0 && streq(l->mounts.v[i].target, "/dev"))
			return true;
	return false;
}

/*
 * What the runtime allows behind any list, as runc does: making nodes is harmless where opening them is denied, and without ptmx and pts there
 * are no terminals.
 */
json *devices_default_rules(struct error *err)
{
	static const char text[] =
	    "[{\"allow\":true,\"type\":\"c\",\"access\":\"m\"},"
	    "{\"allow\":true,\"type\":\"b\",\"access\":\"m\"},"
	    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3},"    /* null */
	    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":5},"    /* zero */
	    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":7},"    /* full */
	    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":8},"    /* random */
	    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":9},"    /* urandom */
	    "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":0},"    /* tty */
	    "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":2},"    /* ptmx */
	    "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":200}," /* net/tun */
	    "{\"allow\":true,\"type\":\"c\",\"major\":136}]";             /* pts */

	return json_parse(text, sizeof(text) - 1, err);
}

int devices_make(struct launch *l, struct error *err)
{
	const struct node defaults[] = {{"/dev/null", S_IFCHR | 0666, makedev(1, 3), 0, 0},
					{"/dev/zero", S_IFCHR | 0666, makedev(1, 5), 0, 0},
					{"/dev/full", S_IFCHR | 0666, makedev(1, 7), 0, 0},
					{"/dev/random", S_IFCHR | 0666, makedev(1, 8), 0, 0},
					{"/dev/urandom", S_IFCHR | 0666, makedev(1, 9), 0, 0},
					{"/dev/tty", S_IFCHR | 0666, makedev(5, 0), 0, 0}};
	auto_close dev = -1;

	if (dev_is_bound(l))
		return 0;
	dev = root_target(l->root_tree, "/dev", true, err);
	if (dev < 0)
		return -1;
	/* The spec's own come first: an equal path there has the wanted owner and mode. */
	for (json *j = json_first(l->spec.devices); j; j = json_next(j)) {
		struct node n;

		if (parse_node(&n, j, err) < 0 || make_node(l, dev, &n, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (make_node(l, dev, &defaults[i], err) < 0)
			return -1;
	return make_links(dev, err);
}
