/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storage driver that is another one (-DINNER, a file) but for one sin (-DSIN). Built as a shared object by test_bad_drivers.sh. TROUBLE is no sin of
 * its own: while there is a file "crash" below its root, create_rw ends the process; while there is a FIFO "hang", it waits for a byte (test_hang).
 */
#include <dockerd/storage.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONE, WRITABLE, NO_UNMOUNT, LOST_CHANGE, FORGETS, LIMITLESS, TROUBLE };

#ifndef INNER
#define INNER getenv("DOCKERD_TEST_INNER")
#endif

static const struct dockerd_storage_ops *inner;
static char root[4096];
static int rounds;

static int32_t load(struct dockerd_error *err)
{
	void *lib = dlopen(INNER, RTLD_NOW | RTLD_LOCAL);
	const struct dockerd_driver *d = lib ? dlsym(lib, DOCKERD_DRIVER_SYMBOL) : NULL;

	if (!d)
		return dockerd_fail(err, DOCKERD_ERR_SYSTEM, "%s", dlerror());
	inner = (const struct dockerd_storage_ops *)d->ops;
	return 0;
}

/* Its options are not ours: it gets its defaults. */
static int32_t w_probe(const struct dockerd_open *args, struct dockerd_error *err)
{
	struct dockerd_open a = *args;

	a.options = NULL;
	return load(err) < 0 ? -1 : inner->common.probe(&a, err);
}

static int32_t w_open(const struct dockerd_open *args, void **self, struct dockerd_error *err)
{
	struct dockerd_open a = *args;

	a.options = NULL;
	snprintf(root, sizeof(root), "%s", args->root);
	rounds++;
	return load(err) < 0 ? -1 : inner->common.open(&a, self, err);
}

static void w_close(void *self)
{
	inner->common.close(self);
}

#define FORWARD(op)                                                      \
	static int32_t w_##op(void *self, const struct dockerd_layer *l, \
			      struct dockerd_error *err)                 \
	{                                                                \
		return inner->op(self, l, err);                          \
	}
FORWARD(commit)

static void trouble(void)
{
	char path[4200], byte;
	int fd;

	snprintf(path, sizeof(path), "%s/crash", root);
	if (access(path, F_OK) == 0)
		abort();
	snprintf(path, sizeof(path), "%s/hang", root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, &byte, 1) < 0)
		abort();
	close(fd);
}

static int32_t w_create_rw(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	if (SIN == TROUBLE)
		trouble();
	if (SIN == LIMITLESS) {
		struct dockerd_layer all = *l;

		all.options = NULL;
		return inner->create_rw(self, &all, err);
	}
	return inner->create_rw(self, l, err);
}

static int32_t w_prepare(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			 struct dockerd_error *err)
{
	return inner->prepare(self, l, out, err);
}

/* A layer of an image gets a writable one above it. */
static int32_t mount_writable(void *self, const struct dockerd_layer *l,
			      struct dockerd_layer_dir *out, struct dockerd_error *err)
{
	char id[256];
	struct dockerd_layer above = *l;

	snprintf(id, sizeof(id), "above-%s", l->id);
	above.id = id;
	above.parent = l->id;
	return inner->create_rw(self, &above, err) < 0 ? -1 : inner->mount(self, &above, out, err);
}

static int32_t w_mount(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
		       struct dockerd_error *err)
{
	if (SIN == WRITABLE && !strcmp(l->id, "base"))
		return mount_writable(self, l, out, err);
	return inner->mount(self, l, out, err);
}

static int32_t w_unmount(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return SIN == NO_UNMOUNT ? 0 : inner->unmount(self, l, err);
}

static int32_t w_remove(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return inner->remove(self, l, err);
}

static int32_t w_exists(void *self, const struct dockerd_layer *l, struct dockerd_error *err)
{
	return SIN == FORGETS && rounds > 1 ? 0 : inner->exists(self, l, err);
}

/* Additions are there, deletions are not. */
static int32_t w_diff_dir(void *self, const struct dockerd_layer *l, struct dockerd_layer_dir *out,
			  struct dockerd_error *err)
{
	int32_t r = inner->diff_dir(self, l, out, err);

	if (r == 0 && SIN == LOST_CHANGE)
		unlinkat(out->fd, "new", 0);
	return r;
}

static int32_t w_list(void *self, const struct dockerd_emit *to, struct dockerd_error *err)
{
	return inner->list(self, to, err);
}

static const struct dockerd_storage_ops ops = {
    .common = {.size = sizeof(ops), .probe = w_probe, .open = w_open, .close = w_close},
    .prepare = w_prepare,
    .commit = w_commit,
    .create_rw = w_create_rw,
    .mount = w_mount,
    .unmount = w_unmount,
    .remove = w_remove,
    .exists = w_exists,
    .diff_dir = w_diff_dir,
    .list = w_list,
};

static const struct dockerd_option options[] = {
    {.key = "size", .type = DOCKERD_OPT_SIZE, .scope = DOCKERD_SCOPE_CONTAINER, .help = "a limit"},
};

DOCKERD_DRIVER(.kind = DOCKERD_KIND_STORAGE, .name = NAME_TEXT, .version = "1.0",
	       .description = "another driver with a sin", .concurrency = DOCKERD_PER_OBJECT,
	       .capabilities = DOCKERD_STORAGE_CAP_NATIVE_DIFF |
			       (SIN == LIMITLESS ? DOCKERD_STORAGE_CAP_QUOTA : 0),
	       DOCKERD_OPTIONS(options), .ops = &ops.common);
