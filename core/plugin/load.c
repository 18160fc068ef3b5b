/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlopen(3) and the judgement of a descriptor. A driver's data is judged before any of its functions run; only its ELF constructors
 * can come before, which is why the ownership of the file is checked first.
 *
 * The table of loaded drivers is guarded by `lock` and only grows: nothing is ever unloaded.
 */
#include "plugin/plugin_int.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/thread.h"

/* Sizes of ABI 0.1, the oldest that loads: a smaller struct is a mistake. */
#define MIN_DRIVER_SIZE (offsetof(struct dockerd_driver, ops) + sizeof(void *))
#define MIN_OPTION_SIZE (offsetof(struct dockerd_option, reserved) + sizeof(uint32_t))

struct loaded {
	struct loaded *next;
	dev_t dev;
	ino_t ino;
	struct plugin *plugin;
};

static struct loaded *loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct op_rule {
	size_t offset;
	const char *name;
	uint64_t only_with; /* capability that makes it required; 0: always required */
};

#define REQUIRED(kind, op)                                        \
	{                                                         \
		offsetof(struct dockerd_##kind##_ops, op), #op, 0 \
	}
#define REQUIRED_WITH(kind, op, cap)                                \
	{                                                           \
		offsetof(struct dockerd_##kind##_ops, op), #op, cap \
	}

static const struct op_rule storage_rules[] = {
    REQUIRED(storage, prepare),
    REQUIRED(storage, commit),
    REQUIRED(storage, create_rw),
    REQUIRED(storage, mount),
    REQUIRED(storage, unmount),
    REQUIRED(storage, remove),
    REQUIRED(storage, exists),
    REQUIRED(storage, list),
    REQUIRED_WITH(storage, diff_dir, DOCKERD_STORAGE_CAP_NATIVE_DIFF),
};
static const struct op_rule exec_rules[] = {
    REQUIRED(exec, create),
    REQUIRED(exec, start),
    REQUIRED(exec, destroy),
    REQUIRED_WITH(exec, exec, DOCKERD_EXEC_CAP_EXEC),
    REQUIRED_WITH(exec, pause, DOCKERD_EXEC_CAP_PAUSE),
    REQUIRED_WITH(exec, resume, DOCKERD_EXEC_CAP_PAUSE),
    REQUIRED_WITH(exec, update, DOCKERD_EXEC_CAP_UPDATE),
};
static const struct op_rule log_rules[] = {
    REQUIRED(log, stream_open),
    REQUIRED(log, write),
    REQUIRED(log, stream_close),
    REQUIRED_WITH(log, read_open, DOCKERD_LOG_CAP_READ),
    REQUIRED_WITH(log, read_next, DOCKERD_LOG_CAP_READ),
    REQUIRED_WITH(log, read_close, DOCKERD_LOG_CAP_READ),
};
static const struct op_rule authz_rules[] = {REQUIRED(authz, request)};
/* A network driver may have nothing to do anywhere (null, host). */
static const struct op_rule network_rules[] = {
    REQUIRED_WITH(network, join, DOCKERD_NETWORK_CAP_PORTS),
    REQUIRED_WITH(network, join, DOCKERD_NETWORK_CAP_ADDRESSES),
};

static const struct kind_rule {
	const struct op_rule *ops;
	size_t n_ops, size;
	uint64_t known_capabilities;
} kinds[] = {
    [DOCKERD_KIND_STORAGE] = {storage_rules, ARRAY_LEN(storage_rules),
			      sizeof(struct dockerd_storage_ops),
			      DOCKERD_STORAGE_CAP_QUOTA | DOCKERD_STORAGE_CAP_NATIVE_DIFF |
				  DOCKERD_STORAGE_CAP_SHARED_PAGES |
				  DOCKERD_STORAGE_CAP_LAST_RESORT | DOCKERD_STORAGE_CAP_LIKE},
    [DOCKERD_KIND_EXEC] = {exec_rules, ARRAY_LEN(exec_rules), sizeof(struct dockerd_exec_ops),
			   DOCKERD_EXEC_CAP_PAUSE | DOCKERD_EXEC_CAP_UPDATE |
			       DOCKERD_EXEC_CAP_EXEC | DOCKERD_EXEC_CAP_CGROUP},
    [DOCKERD_KIND_LOG] = {log_rules, ARRAY_LEN(log_rules), sizeof(struct dockerd_log_ops),
			  DOCKERD_LOG_CAP_READ | DOCKERD_LOG_CAP_LOCAL | DOCKERD_LOG_CAP_PATH |
			      DOCKERD_LOG_CAP_NO_COPY | DOCKERD_LOG_CAP_DISCARDS},
    [DOCKERD_KIND_AUTHZ] = {authz_rules, ARRAY_LEN(authz_rules), sizeof(struct dockerd_authz_ops),
			    0},
    [DOCKERD_KIND_NETWORK] = {network_rules, ARRAY_LEN(network_rules),
			      sizeof(struct dockerd_network_ops),
			      DOCKERD_NETWORK_CAP_PORTS | DOCKERD_NETWORK_CAP_ADDRESSES |
				  DOCKERD_NETWORK_CAP_SINGLETON | DOCKERD_NETWORK_CAP_HOST |
				  DOCKERD_NETWORK_CAP_IPV6 | DOCKERD_NETWORK_CAP_NO_GATEWAY},
};

static int refuse(struct error *err, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(struct error *err, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_vset(err, ERR_INVALID, fmt, ap);
	va_end(ap);
	return error_wrap(err, "driver %s refused", path);
}

static int check_header(const struct dockerd_driver *d, uint32_t kind, const char *path,
			struct error *err)
{
	if (d->magic != DOCKERD_DRIVER_MAGIC)
		return refuse(err, path, "magic is %08x, expected %08x", d->magic,
			      DOCKERD_DRIVER_MAGIC);
	if (d->size < MIN_DRIVER_SIZE)
		return refuse(err, path, "descriptor has %u bytes, expected at least %zu", d->size,
			      MIN_DRIVER_SIZE);
	if (d->abi_major != DOCKERD_ABI_MAJOR)
		return refuse(err, path, "ABI major is %u, expected %u", d->abi_major,
			      DOCKERD_ABI_MAJOR);
	if (d->min_host_minor > DOCKERD_ABI_MINOR)
		return refuse(err, path, "it needs a daemon with ABI %u.%u, this one has %u.%u",
			      d->abi_major, d->min_host_minor, DOCKERD_ABI_MAJOR,
			      DOCKERD_ABI_MINOR);
	if (!plugin_kind_name(d->kind) || (kind && d->kind != kind))
		return refuse(
		    err, path, "it is a driver of kind %s (%u), expected %s",
		    plugin_kind_name(d->kind) ? plugin_kind_name(d->kind) : "unknown", d->kind,
		    kind ? plugin_kind_name(kind) : "storage, exec, log, authz or network");
	if (!d->name || !d->version || !d->description)
		return refuse(err, path, "name, version or description is missing");
	if (d->concurrency < DOCKERD_SERIAL || d->concurrency > DOCKERD_PARALLEL)
		return refuse(err, path, "concurrency is %u, expected 1 to 3", d->concurrency);
	if (!d->ops)
		return refuse(err, path, "ops table is missing");
	if (d->option_count && (!d->options || d->option_size < MIN_OPTION_SIZE))
		return refuse(err, path, "option rows have %u bytes, expected at least %zu",
			      d->option_size, MIN_OPTION_SIZE);
	return 0;
}

static int check_name(const struct dockerd_driver *d, const char *path, struct error *err)
{
	const char *base = path_base(path);
	size_t len = strlen(base);

	if (len < 4 || strcmp(base + len - 3, ".so") != 0 || strlen(d->name) != len - 3 ||
	    memcmp(base, d->name, len - 3) != 0)
		return refuse(err, path, "it calls itself '%s', so the file must be named %s.so",
			      d->name, d->name);
	return 0;
}

static int check_ops(const struct plugin *p, struct error *err)
{
	const struct kind_rule *k = &kinds[p->kind];

	if (!p->ops.common.open || !p->ops.common.close)
		return refuse(err, p->path, "required op '%s' is missing",
			      p->ops.common.open ? "close" : "open");
	for (size_t i = 0; i < k->n_ops; i++) {
		const struct op_rule *r = &k->ops[i];
		void *op;

		memcpy(&op, (const char *)&p->ops + r->offset, sizeof(op));
		if (!op && !r->only_with)
			return refuse(err, p->path, "required op '%s' is missing", r->name);
		if (!op && p->capabilities & r->only_with)
			return refuse(err, p->path,
				      "it claims a capability (%#llx) without the op '%s'",
				      (unsigned long long)r->only_with, r->name);
	}
	return 0;
}

/* Rows of their size -> rows of ours; strings stay the driver's (it is never unloaded). */
static int copy_options(struct plugin *p, const struct dockerd_driver *d, struct error *err)
{
	struct dockerd_option *rows = xcalloc(d->option_count, sizeof(*rows));
	size_t size = d->option_size < sizeof(*rows) ? d->option_size : sizeof(*rows);

	p->options = rows;
	p->option_count = d->option_count;
	for (uint32_t i = 0; i < d->option_count; i++) {
		memcpy(&rows[i], (const char *)d->options + (size_t)i * d->option_size, size);
		if (!rows[i].key || !rows[i].help)
			return refuse(err, p->path, "option %u has no key or no help text", i);
		if (!plugin_option_type_name(rows[i].type))
			return refuse(err, p->path, "option %s has the unknown type %u",
				      rows[i].key, rows[i].type);
		if (!rows[i].scope)
			return refuse(err, p->path, "option %s has no scope", rows[i].key);
		if (rows[i].type == DOCKERD_OPT_CHOICE && !rows[i].choices)
			return refuse(err, p->path, "option %s has no choices", rows[i].key);
		if (rows[i].min > rows[i].max)
			return refuse(err, p->path, "option %s has a range from %lld to %lld",
				      rows[i].key, (long long)rows[i].min, (long long)rows[i].max);
		for (uint32_t k = 0; k < i; k++)
			if (streq(rows[k].key, rows[i].key))
				return refuse(err, p->path, "option %s stands twice in the table",
					      rows[i].key);
	}
	return 0;
}

static int fill(struct plugin *p, const struct dockerd_driver *theirs, uint32_t kind,
		const char *named, struct error *err)
{
	struct dockerd_driver d = {0};

	/* magic and size decide how much of the rest may be read */
	if (theirs->magic == DOCKERD_DRIVER_MAGIC)
		memcpy(&d, theirs, theirs->size < sizeof(d) ? theirs->size : sizeof(d));
	else
		d.magic = theirs->magic;
	if (check_header(&d, kind, p->path, err) < 0 || check_name(&d, named, err) < 0)
		return -1;
	kind = d.kind;
	if (d.ops->size < sizeof(struct dockerd_common_ops))
		return refuse(err, p->path, "ops table has %u bytes, expected at least %zu",
			      d.ops->size, sizeof(struct dockerd_common_ops));
	p->kind = kind;
	p->abi_minor = d.abi_minor;
	p->concurrency = d.concurrency;
	p->capabilities = d.capabilities & kinds[kind].known_capabilities;
	p->name = xstrdup(d.name);
	p->version = xstrdup(d.version);
	p->description = xstrdup(d.description);
	memcpy(&p->ops, d.ops, d.ops->size < kinds[kind].size ? d.ops->size : kinds[kind].size);
	p->checks_options = kind == DOCKERD_KIND_LOG && p->ops.log.validate;
	if (copy_options(p, &d, err) < 0)
		return -1;
	return check_ops(p, err);
}

static void free_plugin(struct plugin *p)
{
	free((void *)(uintptr_t)p->options);
	free(p->path);
	free(p->name);
	free(p->version);
	free(p->description);
	free(p);
}

struct plugin *plugin_load_file(uint32_t kind, const char *path, const char *named,
				struct error *err)
{
	const struct dockerd_driver *d;
	struct plugin *p;
	void *lib;

	if (plugin_check_ownership(path, err) < 0) {
		error_wrap(err, "driver %s refused", path);
		return NULL;
	}
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!lib) {
		error_set(err, ERR_INVALID, "driver %s can't be loaded: %s", path, dlerror());
		return NULL;
	}
	d = dlsym(lib, DOCKERD_DRIVER_SYMBOL);
	if (!d) {
		refuse(err, path,
		       "it does not export %s: it is no driver, or one of another ABI major",
		       DOCKERD_DRIVER_SYMBOL);
		return NULL;
	}
	p = xnew(struct plugin);
	p->path = xstrdup(path);
	if (fill(p, d, kind, named, err) < 0) {
		free_plugin(p);
		return NULL;
	}
	return p;
}

const struct plugin *plugin_load(uint32_t kind, const char *name, struct error *err)
{
	auto_free char *found = plugin_find(kind, name, err);
	auto_free char *path = found ? realpath(found, NULL) : NULL;
	struct loaded *l;
	struct stat st;
	LOCK_SCOPE(&lock);

	if (!found)
		return NULL;
	if (!path) {
		error_sys(err, errno, "driver %s", found);
		return NULL;
	}
	/* from here on the file itself: a link that changes meanwhile changes nothing of what is judged, loaded and recorded */
	if (stat(path, &st) < 0) {
		error_sys(err, errno, "driver %s", path);
		return NULL;
	}
	for (l = loaded; l; l = l->next)
		if (l->dev == st.st_dev && l->ino == st.st_ino &&
		    (!kind || l->plugin->kind == kind))
			return l->plugin;
	l = xnew(struct loaded);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->plugin = plugin_load_file(kind, path, found, err);
	if (!l->plugin) {
		free(l);
		return NULL;
	}
	l->next = loaded;
	loaded = l;
	return l->plugin;
}

static struct dockerd_open open_args(const char *root, const char *state,
				     const struct dockerd_options *o,
				     const struct dockerd_host *host)
{
	return (struct dockerd_open){.size = sizeof(struct dockerd_open),
				     .reserved = 0,
				     .host = host,
				     .options = o,
				     .root = root,
				     .state = state};
}

static bool watch; /* see plugin_watch */

void plugin_watch(void)
{
	watch = true;
}

static int enter(const struct plugin_instance *i, const char *op, struct plugin_call *call,
		 struct error *err)
{
	return watch ? plugin_enter(i, op, "", call, err) : 0;
}

static int leave(const struct plugin_instance *i, struct plugin_call *call, int32_t r,
		 const struct dockerd_error *derr, struct error *err)
{
	if (watch)
		return plugin_leave(call, r, derr, err);
	return r < 0 ? plugin_error(i->plugin, call->op, derr, err) : r;
}

int plugin_probe(const struct plugin *p, const char *root, const char *state,
		 const struct dockerd_options *o, struct error *err)
{
	struct dockerd_error derr = plugin_error_init();
	const struct plugin_instance watched = {.plugin = p};
	struct plugin_call call = {.op = "probe"};
	struct dockerd_host *host;
	struct dockerd_open args;
	int32_t r;

	if (!p->ops.common.probe)
		return 0;
	host = plugin_host_new(p);
	args = open_args(root, state, o, host);
	if (enter(&watched, "probe", &call, err) < 0) {
		free(host);
		return -1;
	}
	r = p->ops.common.probe(&args, &derr);
	free(host);
	return leave(&watched, &call, r == 0 ? 0 : -1, &derr, err);
}

int plugin_open(const struct plugin *p, const char *root, const char *state,
		const struct dockerd_options *o, struct plugin_instance *out, struct error *err)
{
	struct dockerd_error derr = plugin_error_init();
	struct plugin_call call = {.op = "open"};
	struct dockerd_open args;
	int32_t r;

	*out = (struct plugin_instance){.plugin = p, .self = NULL, .host = plugin_host_new(p)};
	args = open_args(root, state, o, out->host);
	r = enter(out, "open", &call, err);
	if (r == 0) {
		r = p->ops.common.open(&args, &out->self, &derr);
		r = leave(out, &call, r == 0 ? 0 : -1, &derr, err);
	}
	if (r < 0) {
		free(out->host);
		out->host = NULL;
	}
	return r;
}

void plugin_close(struct plugin_instance *i)
{
	struct dockerd_error none = plugin_error_init();
	struct plugin_call call = {.op = "close"};
	struct error err = ERROR_INIT;

	if (!i->plugin || !i->host)
		return;
	if (enter(i, "close", &call, &err) < 0) { /* its calls still use what close would free */
		log_warn("driver not closed", "driver", i->plugin->name, "error", err.text);
		return;
	}
	i->plugin->ops.common.close(i->self);
	leave(i, &call, 0, &none, &err);
	free(i->host);
	*i = (struct plugin_instance){0};
}

int plugin_error(const struct plugin *p, const char *op, const struct dockerd_error *from,
		 struct error *to)
{
	static const enum error_kind kind_of[] = {
	    [DOCKERD_ERR_NONE] = ERR_SYSTEM,
	    [DOCKERD_ERR_SYSTEM] = ERR_SYSTEM,
	    [DOCKERD_ERR_INVALID] = ERR_INVALID,
	    [DOCKERD_ERR_DENIED] = ERR_DENIED,
	    [DOCKERD_ERR_NOT_FOUND] = ERR_NOT_FOUND,
	    [DOCKERD_ERR_CONFLICT] = ERR_CONFLICT,
	    [DOCKERD_ERR_UNAVAILABLE] = ERR_UNAVAILABLE,
	    [DOCKERD_ERR_UNSUITABLE] = ERR_UNSUITABLE,
	    [DOCKERD_ERR_NOT_IMPLEMENTED] = ERR_NOT_IMPLEMENTED,
	    [DOCKERD_ERR_NO_COMMAND] = ERR_NO_COMMAND,
	    [DOCKERD_ERR_NO_PERMISSION] = ERR_NO_PERMISSION,
	    [DOCKERD_ERR_CANCELLED] = ERR_CANCELLED,
	};

	/* The text need not end: the driver owned that storage for a while. */
	if (!from->text[0] || from->category == DOCKERD_ERR_NONE ||
	    from->category >= ARRAY_LEN(kind_of))
		error_set(to, ERR_SYSTEM,
			  "%s driver %s failed in '%s' without saying why (category %u): a fault "
			  "of the driver",
			  plugin_kind_name(p->kind), p->name, op, from->category);
	else
		error_set(to, kind_of[from->category], "%.*s", (int)sizeof(from->text) - 1,
			  from->text);
	to->sys = from->sys_errno;
	return -1;
}
