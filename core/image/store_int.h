/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the records in memory, and the steps that more than one of them takes. */
#ifndef IMAGE_STORE_INT_H
#define IMAGE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "image/image.h"
#include "image/reference.h"
#include "image/stack.h"
#include "base/sha256.h"

/* A read-only layer. All but refs and draft is constant once it is in the map. */
struct layer {
	char chain[DIGEST_TEXT], diff[DIGEST_TEXT];
	char *cache_id;       /* the driver's id */
	struct layer *parent; /* holds a reference */
	uint64_t size;
	char *
	    draft; /* its directory in layerdb/tmp until an image is made of it; NULL: it is in layerdb/sha256 */
	unsigned refs; /* images, container layers, child layers, and work under way */
	struct init_plan
	    *plan; /* what an init layer on top needs; NULL: not looked at yet (init.c) */
	atomic_bool has_init; /* init_model is there */
};

struct image_record {
	char id[DIGEST_TEXT];
	char parent[DIGEST_TEXT]; /* or "" */
	struct layer *top;        /* NULL: no layers */
	int64_t created, last_tag;
};

struct rw_layer {
	char *mount_id, *init_id;
	struct layer *parent; /* NULL: empty root */
	char *mount_label;
	bool ready; /* false while it is being made or removed */
};

/* reaper.c: a thread and what waits for it; guarded by the store's lock. */
enum { REAP_CONTAINERS, REAP_LAYERS, REAPERS };
struct reaper {
	struct image_store *s;
	struct job *jobs, **end;
	pthread_cond_t work;
	pthread_t thread;
	bool started, running, stop; /* the thread: to be joined, still there, to end */
	uint64_t done;               /* jobs ever */
};

struct image_store {
	struct plugin_instance *storage;
	char *path; /* data-root/image/DRIVER */
	char *tmp;  /* data-root/tmp */
	int dir;    /* the former */
	int layerdb, imagedb;
	pthread_mutex_t lock; /* guards all below; never held over driver calls or long I/O */
	pthread_cond_t changed;
	struct map layers;         /* chain -> struct layer */
	struct map images;         /* id -> struct image_record */
	struct map rws;            /* container id -> struct rw_layer */
	struct map held;           /* container.image -> struct layer (held.c) */
	struct map mounts;         /* driver's layer id -> struct mount_count (mounts.c) */
	struct map tags;           /* full reference string -> id (struct tag) */
	pthread_mutex_t tags_file; /* one writer of repositories.json; taken before `lock` */
	struct reaper reapers[REAPERS];
	void (*users)(void *ctx, const char *image_id, struct image_users *out);
	void *users_ctx;
	void (*event)(void *ctx, const char *action, const char *id, const char *name);
	void *event_ctx;
};

/* Call an op of the storage driver: STORAGE(s, err, mount, layer_id, &layer, &out). */
#define STORAGE(s, err, op, object, ...)                                                  \
	({                                                                                \
		struct plugin_call call_;                                                 \
		struct dockerd_error derr_ = plugin_error_init();                         \
		int ret_ = plugin_enter((s)->storage, #op, object, &call_, err);          \
                                                                                          \
		if (ret_ == 0)                                                            \
			ret_ = plugin_leave(&call_,                                       \
					    (s)->storage->plugin->ops.storage.op(         \
						(s)->storage->self, __VA_ARGS__, &derr_), \
					    &derr_, err);                                 \
		ret_;                                                                     \
	})
/* An op of a layer of which the id and perhaps the parent (NULL) are known: STORAGE_ID(s, err, remove, id, parent). */
#define STORAGE_ID(s, err, op, name, below)                               \
	({                                                                \
		struct dockerd_layer layer_ = storage_layer(name, below); \
                                                                          \
		STORAGE(s, err, op, layer_.id, &layer_);                  \
	})
#define STORAGE_HAS(s, op) ((s)->storage->plugin->ops.storage.op != NULL)

static inline struct dockerd_layer storage_layer(const char *id, const char *parent)
{
	return (struct dockerd_layer){
	    .size = sizeof(struct dockerd_layer), .id = id, .parent = parent};
}
static inline struct dockerd_layer_dir storage_dir(void)
{
	return (struct dockerd_layer_dir){.size = sizeof(struct dockerd_layer_dir), .fd = -1};
}

/* 64 random hexadecimal digits; malloc'ed. */
char *random_id(void);
const char *digest_hex(const char *digest); /* behind "sha256:" */
void emit_event(struct image_store *s, const char *action, const char *id, const char *name);

/* ---- layers.c ---- */
void chain_id(const char *parent_chain, const char *diff, char out[DIGEST_TEXT]);
int layers_read(struct image_store *s, struct error *err);
/* Leftovers of a killed daemon: layerdb/tmp. Before layers are in use. */
int layers_sweep(struct image_store *s, struct error *err);
void layer_free(void *layer);
/* Reference to a layer by chain, or NULL. */
struct layer *layer_ref(struct image_store *s, const char *chain);
struct layer *layer_ref_locked(struct image_store *s, const char *chain);
/* Gives a reference back; a layer that nobody holds is removed from disk, and its parents likewise. Each is told to `deleted` (may be NULL). */
void layer_unref(struct image_store *s, struct layer *l, struct image_deletions *deleted);
/*
 * A layer from an archive on fd, on top of parent (reference stays the caller's). If want_diff is given the archive must have that digest. The result
 * is a reference; an equal layer that exists already is taken instead of the new one. on_disk: fd is a file we may read twice.
 */
struct layer *layer_add(struct image_store *s, struct layer *parent, int fd, const char *want_diff,
			struct error *err);
/* The same with a check of where it came from. */
struct layer *layer_add_from(struct image_store *s, struct layer *parent,
			     const struct layer_source *from, struct error *err);
/* Before an image names it: the layer and all below it are on disk for good. */
int layers_commit(struct image_store *s, const struct layer *top, struct error *err);
/* Note on disk that no image counts on the layer / that one counts on it and all below it. Best effort: what it is for is a crash. */
void layer_set_pending(struct image_store *s, const struct layer *l, bool pending);
/* At start, once images and containers hold theirs. */
void layers_release_pending(struct image_store *s);
uint64_t layer_chain_size(const struct layer *l);
size_t layer_depth(const struct layer *l);
/* The layer's archive to fd, identical to what it came from. */
/* moby's descriptor.json of a layer that is not to be distributed. */
bool layer_foreign(struct image_store *s, const struct layer *l, struct str *descriptor);
/* A layer of the driver's, with its entry below layerdb/tmp. */
int layer_erase_all(struct image_store *s, const char *cache_id, const char *dir,
		    struct error *err);
int layer_write_tar(struct image_store *s, const struct layer *l, int fd, uint64_t *size,
		    struct error *err);
/* gzip and counter: see image_stack_write. */
int layer_write_tar_as(struct image_store *s, const struct layer *l, int fd, bool gzip, int counter,
		       uint64_t *size, struct error *err);

/* ---- mounts.c: counted mounts ---- */
/* Each mount_get needs its mount_put. path may be NULL; else malloc'ed. */
int mount_get(struct image_store *s, const struct dockerd_layer *layer, int *fd, char **path,
	      struct error *err);
int mount_put(struct image_store *s, const char *id, struct error *err);
/* The unmount that the last mount_put asked for, unless somebody has mounted the layer again since. */
void mount_end(struct image_store *s, const char *id);
void mount_count_free(void *count);
/* Forget all mounts of a layer that is about to be removed. */
void mount_forget(struct image_store *s, const char *id);

/* ---- reaper.c ---- */
int reaper_start(struct image_store *s, struct error *err);
/* Finishes what is queued. False: the storage driver hangs in some of it, and the store must stay. */
bool reaper_stop(struct image_store *s);
/* Until no container's removal is queued, or none has ended for some seconds: before the layers of images are counted. */
void reaper_drain(struct image_store *s);
/* Until nothing is queued at all: what was removed has left the disk. */
void reaper_settle(struct image_store *s);
/* A layer that is nobody's any more. dir: its entry below layerdb, moved into tmp. */
void reaper_erase(struct image_store *s, const char *dir, const char *cache_id);
void reaper_unmount(struct image_store *s, const char *id);
/* dir: the container's entry below layerdb, moved into tmp. Takes the reference. */
void reaper_remove(struct image_store *s, const char *dir, const char *mount_id,
		   const char *init_id, struct layer *parent);
/* Gives a reference back, behind what is queued already. */
void reaper_unref(struct image_store *s, struct layer *l);

/* ---- diff.c ---- */
/* Differences of tree `fd` to `parent` (-1: all is new): kinds of layer_rw_changes; size: of what was added or modified. */
typedef void diff_fn(void *ctx, const char *path, int kind, uint64_t size);
int diff_trees(int fd, int parent, diff_fn *fn, void *ctx, struct error *err);
/* The same from a directory of changes with overlay whiteouts. */
int diff_overlay(int changes, int parent, diff_fn *fn, void *ctx, struct error *err);

/* ---- held.c ---- */
int held_read(struct image_store *s, struct error *err);
void held_close(struct image_store *s);

/* ---- rw.c, init.c ---- */
int rws_read(struct image_store *s, struct error *err);
void rw_free(void *rw);
/* Both driver layers of a container and the directory (below layerdb) that names them; each may be gone. */
int rw_erase(struct image_store *s, const char *dir, const char *mount_id, const char *init_id,
	     struct error *err);
/* The container's changes as a layer archive in an unlinked file of data-root/tmp, rewound; a reference to the layer below, or NULL. */
int rw_pack_changes(struct image_store *s, const char *cid, int *fd, struct layer **parent,
		    struct error *err);
struct init_plan;
void init_plan_free(struct init_plan *p);
/* Driver's id (malloc) of the layer that the init layers of containers on a layer share, if the driver can share. */
char *init_model(const char *cache_id);
/* Init layer for a container on `parent` (may be NULL): ready in the driver under init_id. */
int init_layer_create(struct image_store *s, struct layer *parent, const char *init_id,
		      struct error *err);

/* ---- images.c ---- */
int images_read(struct image_store *s, struct error *err);
/*
 * Make an image of a configuration document; takes over the reference `top`. An image that is there already stays. out: its id.
 */
int image_put(struct image_store *s, const char *config, size_t len, const char *parent,
	      struct layer *top, char out[DIGEST_TEXT], struct error *err);
struct image_record *image_find_locked(struct image_store *s, const char *name, struct error *err);
int image_read_config(struct image_store *s, const char *id, struct str *text, struct error *err);
bool image_has_children_locked(struct image_store *s, const char *id);
int image_not_found(const char *name, struct error *err);
/* lastUpdated: the image was tagged or untagged now. */
void image_touch(struct image_store *s, const char *id);
const char *json_created(const json *config);

/* ---- tags.c ---- */
int tags_read(struct image_store *s, struct error *err);
/* Point ref (with tag or digest) to id. */
int tag_set(struct image_store *s, const struct reference *ref, const char *id, struct error *err);
/* The same without noting that it was tagged now: what is pulled keeps its time. */
int tag_point(struct image_store *s, const struct reference *ref, const char *id,
	      struct error *err);
/* Remove; absent: success. Only if it points to `id` (NULL: whatever it points to). */
int tag_remove(struct image_store *s, const char *full, const char *id, struct error *err);
const char *tag_get_locked(struct image_store *s, const char *full);
/* Full strings of all references to id, sorted. */
void tags_of_locked(struct image_store *s, const char *id, struct strlist *out);
/* The same as familiar tags and digests. */
void tags_familiar_locked(struct image_store *s, const char *id, struct strlist *tags,
			  struct strlist *digests);
/* repo + optional tag of an API request -> reference that may be set. */
int tag_parse(const char *repo, const char *tag, struct reference *out, struct error *err);

/* ---- load.c ---- */
/* Spools of a killed daemon. */
void load_sweep(struct image_store *s);

/* ---- delete.c ---- */
void deletions_add(struct image_deletions *d, const char *untagged, const char *deleted);

#endif
