/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images and layers: the only header of this room that others include.
 *
 * On disk as moby has it (docs/storage-on-disk.md). In memory: one record per layer, image, tag and container layer, guarded by one lock that is
 * never held over a driver call or long I/O. Everything handed out is a copy. All functions may be called from any thread, without locks held.
 *
 * Names of images: whatever a client may write: "busybox", "busybox:1", "repo@sha256:...", a full or short id.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"
#include "plugin/plugin.h"

struct image_store;

/*
 * Reads the store below data_root, sweeps what a killed daemon left half-done. The instance is borrowed and must outlive the store.
 * Damaged images are logged and left out, as moby does. `tmp`: where archives lie while they are read, for others also (DOCKER_TMPDIR); NULL:
 * data_root/tmp.
 */
int image_store_open(const char *data_root, const char *tmp, struct plugin_instance *storage,
		     struct image_store **out, struct error *err);
/* Unmounts nothing: containers may go on. */
void image_store_close(struct image_store *s);

/*
 * Who uses an image: asked when one is removed and for the Containers column. Called without locks; fills `out` (strings are copied by the
 * caller of the hook). Set once, before the first request; without it no image is in use.
 */
struct image_user {
	char *container_id;
	bool running;
};
struct image_users {
	struct image_user *v;
	size_t n, cap;
};
void image_users_add(struct image_users *u, const char *container_id, bool running);
void image_users_free(struct image_users *u);
void image_store_set_users(struct image_store *s,
			   void (*users)(void *ctx, const char *image_id, struct image_users *out),
			   void *ctx);

/* What happened to images, for the events stream: "tag", "untag", "delete", "import", "load". id is the image's, name the reference or id. */
void image_store_set_events(struct image_store *s,
			    void (*event)(void *ctx, const char *action, const char *id,
					  const char *name),
			    void *ctx);

/* ---- Looking -------------------------------------------------------------------------------------------------------------------- */

struct image_layer_info {
	char *diff_id, *chain_id;
	uint64_t size;
};

/* One image with all that `GET /images/{name}/json` prints. */
struct image {
	char *id;         /* "sha256:..." */
	char *parent;     /* id, or "" */
	struct str text;  /* configuration document, byte for byte */
	json *config;     /* the same, parsed: "architecture", "os", "config", "history", ... */
	int64_t created;  /* ns, CLOCK_ZERO if not given */
	int64_t last_tag; /* ns, CLOCK_ZERO if never */
	uint64_t size;    /* of all layers */
	struct strlist tags, digests; /* familiar: "busybox:latest", "busybox@sha256:..." */
	struct image_layer_info *layers;
	size_t n_layers;
	struct pairs driver_data; /* GraphDriver.Data */
};

/* NULL with err: ERR_NOT_FOUND "No such image: x:latest", ERR_INVALID "invalid reference format". Free with image_free. */
struct image *image_get(struct image_store *s, const char *name, struct error *err);
/* The same without layers and driver data: cheaper, for container creation. */
struct image *image_get_config(struct image_store *s, const char *name, struct error *err);
void image_free(struct image *i);
/* Id only; malloc'ed "sha256:...". */
char *image_resolve(struct image_store *s, const char *name, struct error *err);
/* Name of the storage driver. */
const char *image_store_driver(const struct image_store *s);
/* Rows of `docker info` -> DriverStatus. */
int image_store_status(struct image_store *s, struct pairs *rows, struct error *err);
void image_store_count(struct image_store *s, size_t *images, size_t *layers);

/* GET /images/json. Filters as the client sent them: name -> list of values, each "key=value" or "value". */
struct image_filter {
	bool all, shared_size;
	bool containers; /* count them */
	struct strlist dangling, label, reference, before, since, until, unknown;
};
struct image_summary {
	char *id, *parent;
	struct strlist tags, digests;
	int64_t created; /* seconds */
	uint64_t size;
	int64_t shared_size; /* -1: not asked for */
	int64_t containers;  /* -1: not asked for */
	struct pairs labels;
};
struct image_list {
	struct image_summary *v;
	size_t n, cap;
};
int image_list_get(struct image_store *s, const struct image_filter *f, struct image_list *out,
		   struct error *err);
void image_list_free(struct image_list *l);
void image_filter_free(struct image_filter *f);

struct image_history_row {
	char *id; /* or "<missing>" */
	char *created_by, *comment;
	int64_t created; /* seconds */
	uint64_t size;
	struct strlist tags;
};
struct image_history {
	struct image_history_row *v;
	size_t n;
};
int image_history_get(struct image_store *s, const char *name, struct image_history *out,
		      struct error *err);
void image_history_free(struct image_history *h);

/* Bytes of all layers (each once), for `docker system df`. */
uint64_t image_store_layers_size(struct image_store *s);

/* ---- Changing ------------------------------------------------------------------------------------------------------------------- */

int image_tag(struct image_store *s, const char *name, const char *repo, const char *tag,
	      struct error *err);

struct image_deleted {
	char *untagged, *deleted; /* one of them */
};
struct image_deletions {
	struct image_deleted *v;
	size_t n, cap;
	uint64_t reclaimed; /* bytes of removed layers */
};
/* DELETE /images/{name}: moby's rules and conflict texts. prune_parents: !noprune. */
int image_delete(struct image_store *s, const char *name, bool force, bool prune_parents,
		 struct image_deletions *out, struct error *err);
/* POST /images/prune. dangling_only is the default; label and until filters as in lists ("label!=" in label_not). */
struct image_prune {
	bool dangling_only;
	struct strlist label, label_not, until;
};
int image_prune(struct image_store *s, const struct image_prune *p, struct image_deletions *out,
		struct error *err);
void image_deletions_free(struct image_deletions *d);

/* POST /images/create?fromSrc: a root file system as tar (plain or gzip) on fd. repo may be NULL or "". id: malloc'ed. */
struct image_import {
	const char *repo, *tag, *message, *platform; /* "os[/arch[/variant]]" or NULL */
	const struct strlist *changes;               /* Dockerfile instructions */
	/* After the archive's last byte, before anything is kept: was that all of it? NULL: yes. */
	int (*verify)(void *ctx, struct error *err);
	void *ctx;
};
/* What may be wrong with the request, before anything is read. */
int image_import_check(const struct image_import *o, struct error *err);
int image_import(struct image_store *s, int fd, const struct image_import *o, char **id,
		 struct error *err);

/* POST /images/load. `progress` gets each line that moby prints ("Loaded image: x:latest"), newline included. */
int image_load(struct image_store *s, int fd, void (*progress)(void *ctx, const char *line),
	       void *ctx, struct error *err);
/* GET /images/get: docker save format (with OCI layout) of the names to fd. */
int image_save(struct image_store *s, const struct strlist *names, int fd, struct error *err);

/* POST /commit. The document's rootfs and history are added here; `document` holds the rest (architecture, config, ...). id: malloc'ed. */
struct image_commit {
	const char *container_id;
	const char *parent;     /* image id, or "" */
	const char *repo, *tag; /* may be NULL */
	const char *author, *comment, *created_by;
	const char *config;           /* JSON object: config of the new image */
	const char *container_config; /* JSON object */
};
int image_commit(struct image_store *s, const struct image_commit *c, char **id, struct error *err);

/* ---- Layers of containers -------------------------------------------------------------------------------------------------------- */

/*
 * Read-write layer of a container on an image ("sha256:...", or NULL/"": empty root). Complete and crash-safe at return, and not synced: a
 * layer lost by power cut is reported by layer_rw_exists after restart.
 */
struct layer_rw_options {
	const char *image_id;
	const char *mount_label;         /* SELinux, or NULL */
	const struct pairs *storage_opt; /* --storage-opt of the container, or NULL */
};
int layer_rw_create(struct image_store *s, const char *container_id,
		    const struct layer_rw_options *o, struct error *err);
bool layer_rw_exists(struct image_store *s, const char *container_id);
/* Root directory of the container, mounted. Counted: each mount needs its unmount. *fd is the caller's; *path (may be NULL) malloc'ed. */
int layer_rw_mount(struct image_store *s, const char *container_id, int *fd, char **path,
		   struct error *err);
int layer_rw_unmount(struct image_store *s, const char *container_id, struct error *err);
/* Removes it, mounted or not. Unknown id: success. */
int layer_rw_remove(struct image_store *s, const char *container_id, struct error *err);
/* Bytes of the layer itself and of it with all its image's layers. */
int layer_rw_size(struct image_store *s, const char *container_id, uint64_t *rw, uint64_t *total,
		  struct error *err);
/* GraphDriver.Data rows. */
int layer_rw_driver_data(struct image_store *s, const char *container_id, struct pairs *out,
			 struct error *err);
/* Ids of all containers that have a layer: for the sweep of those that have no container any more. */
void layer_rw_list(struct image_store *s, struct strlist *out);

/* ---- Images mounted into containers ----------------------------------------------------------------------------------------------- */

/*
 * The container (by id) holds the image's layers until the release, whatever becomes of the image. Once is enough for several mounts of an image.
 * Crash-safe at return, and not synced.
 */
int image_hold(struct image_store *s, const char *container_id, const char *image_id,
	       struct error *err);
/* The image's files, read-only. Counted: each mount needs its unmount. *path (may not be NULL) malloc'ed. */
int image_hold_mount(struct image_store *s, const char *container_id, const char *image_id,
		     char **path, struct error *err);
int image_hold_unmount(struct image_store *s, const char *container_id, const char *image_id,
		       struct error *err);
/* All of the container's; none: fine. */
void image_hold_release(struct image_store *s, const char *container_id);
/* Containers that hold images: for the sweep. */
void image_hold_list(struct image_store *s, struct strlist *container_ids);

/* GET /containers/{id}/changes: kind 0 modified, 1 added, 2 deleted. */
int layer_rw_changes(struct image_store *s, const char *container_id,
		     void (*change)(void *ctx, const char *path, int kind), void *ctx,
		     struct error *err);
/* GET /containers/{id}/export: the whole tree as tar to fd. */
int layer_rw_export(struct image_store *s, const char *container_id, int fd, struct error *err);

/* ---- Dockerfile instructions given with import and commit ("CMD [...]", "ENV A=b"); pure ------------------------------------------ */

/* `base` (NULL: empty) with the changes, printed as moby's container config into out. ERR_INVALID for what is not allowed. */
int changes_apply(const json *base, const struct strlist *changes, struct str *out,
		  struct error *err);
/* The config of no container. */
void changes_empty_container(struct str *out);

#endif
