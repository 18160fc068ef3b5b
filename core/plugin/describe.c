/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver says of itself, without loading it here: a short-lived process (this program, --dump-plugin) loads, judges and prints it. For
 * drivers that run elsewhere, so that a wrong one is refused when the daemon starts or a container is made, and can't harm the daemon.
 *
 * Both answers are kept for as long as the file is the same. `lock` guards the tables and is not held while a process runs.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/thread.h"
#include "plugin/plugin_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERDICTS_MAX 256 /* option sets whose verdict is remembered */
#define SAID_MAX (1 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map descriptors = MAP_INIT; /* identity -> struct plugin without ops; never freed */
static struct map verdicts =
    MAP_INIT; /* identity and options -> text of the refusal, "" for none */
static char *reader;

void plugin_set_reader(const char *program)
{
	free(reader);
	reader = xstrdup(program);
}

/* Kind, path and what changes with the file. NULL with err. */
static char *identity(uint32_t kind, const char *name, struct error *err)
{
	auto_free char *path = plugin_find(kind, name, err);
	struct stat st;

	if (!path)
		return NULL;
	if (stat(path, &st) < 0) {
		error_sys(err, errno, "driver %s", path);
		return NULL;
	}
	return xasprintf("%s %s %ju:%ju %jd.%09ld %jd", plugin_kind_name(kind), path,
			 (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_ctim.tv_sec,
			 st.st_ctim.tv_nsec, (intmax_t)st.st_size);
}

/* What is in `fd`, without the line's end. */
static void read_words(int fd, struct str *out)
{
	struct error ignored = ERROR_INIT;

	if (lseek(fd, 0, SEEK_SET) < 0 || file_read_fd(fd, SAID_MAX, out, &ignored) < 0)
		str_reset(out);
	while (out->len && out->p[out->len - 1] == '\n')
		out->p[--out->len] = '\0';
}

/* Run "--dump-plugin WHAT:KIND/NAME"; what it prints. ERR_INVALID with its refusal. */
static int ask(const char *what, uint32_t kind, const char *name, const struct str *input,
	       struct str *out, struct error *err)
{
	auto_free char *arg = xasprintf("%s:%s/%s", what, plugin_kind_name(kind), name);
	const char *argv[] = {"dockerd", "--dump-plugin", arg, NULL};
	auto_close in = memfd_from("options", str_cstr(input), input->len, err),
		   printed = memfd_create("descriptor", MFD_CLOEXEC),
		   said = memfd_create("refusal", MFD_CLOEXEC);
	auto_str words = STR_INIT;
	int fds[3] = {in, printed, said}, status = 0;
	pid_t pid;

	if (in < 0)
		return -1;
	if (printed < 0 || said < 0)
		return error_sys(err, errno, "memfd_create");
	pid = spawn_program(
	    &(struct spawn){
		.path = reader ? reader : "/proc/self/exe", .argv = argv, .fds = fds, .n_fds = 3},
	    err);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "wait for the reader of a driver");
	if (WIFSIGNALED(status))
		return error_set(err, ERR_INVALID,
				 "%s driver %s crashed while it was loaded (signal %d)",
				 plugin_kind_name(kind), name, WTERMSIG(status));
	if (WEXITSTATUS(status)) {
		read_words(said, &words);
		return error_set(err, ERR_INVALID, "%s",
				 words.len ? words.p : "driver was refused without a reason");
	}
	read_words(printed, out);
	return 0;
}

/* ---- The descriptor ----------------------------------------------------------------------------------------------------------- */

static const char *dup_member(const json *j, const char *name)
{
	const char *text = json_get_str(j, name, NULL);

	return text && *text ? xstrdup(text) : NULL; /* what was NULL is printed as "" */
}

static void take_option(const json *j, struct dockerd_option *o)
{
	const json *scope = json_get(j, "scope");

	*o = (struct dockerd_option){
	    .key = dup_member(j, "key"),
	    .alias = dup_member(j, "alias"),
	    .default_value = dup_member(j, "default"),
	    .help = dup_member(j, "help"),
	    .choices = dup_member(j, "choices"),
	    .min = json_i64(json_get(j, "min"), 0),
	    .max = json_i64(json_get(j, "max"), 0),
	    .type = plugin_option_type_parse(json_get_str(j, "type", "")),
	    .flags = (json_get_bool(j, "deprecated", false) ? DOCKERD_OPTF_DEPRECATED : 0) |
		     (json_get_bool(j, "repeat", false) ? DOCKERD_OPTF_REPEAT : 0)};
	for (json *s = json_first(scope); s; s = json_next(s))
		o->scope |= streq(json_str(s, ""), "daemon") ? DOCKERD_SCOPE_DAEMON
							     : DOCKERD_SCOPE_CONTAINER;
}

static struct plugin *parse(uint32_t kind, const struct str *text, struct error *err)
{
	auto_json *j = json_parse(str_cstr(text), text->len, err);
	const json *options = json_get(j, "options");
	struct dockerd_option *rows;
	struct plugin *p;

	if (!j)
		return NULL;
	p = xnew(struct plugin);
	*p = (struct plugin){.kind = kind,
			     .path = xstrdup(json_get_str(j, "path", "")),
			     .name = xstrdup(json_get_str(j, "name", "")),
			     .version = xstrdup(json_get_str(j, "version", "")),
			     .description = xstrdup(json_get_str(j, "description", "")),
			     .abi_minor = (uint32_t)json_u64(json_get(j, "abi_minor"), 0),
			     .capabilities = json_u64(json_get(j, "capabilities"), 0),
			     .checks_options = json_get_bool(j, "checks_options", false)};
	rows = xcalloc(json_count(options), sizeof(*rows));
	for (json *o = json_first(options); o; o = json_next(o))
		take_option(o, &rows[p->option_count++]);
	p->options = rows;
	return p;
}

const struct plugin *plugin_describe(uint32_t kind, const char *name, struct error *err)
{
	auto_free char *id = identity(kind, name, err);
	static const struct str nothing = STR_INIT;
	auto_str text = STR_INIT;
	struct plugin *p = NULL;

	if (!id)
		return NULL;
	pthread_mutex_lock(&lock);
	p = map_get(&descriptors, id);
	pthread_mutex_unlock(&lock);
	if (p || ask("json", kind, name, &nothing, &text, err) < 0)
		return p;
	p = parse(kind, &text, err);
	if (!p)
		return NULL;
	LOCK_SCOPE(&lock);
	if (!map_get(&descriptors,
		     id)) /* else two have asked at once: ours is as good, and stays */
		map_set(&descriptors, id, p);
	return p;
}

/* ---- Options ------------------------------------------------------------------------------------------------------------------ */

int plugin_check_options(uint32_t kind, const char *name, uint32_t scope, const struct pairs *given,
			 struct error *err)
{
	const struct plugin *p = plugin_describe(kind, name, err);
	auto_free char *id = p ? identity(kind, name, err) : NULL;
	auto_str input = STR_INIT, printed = STR_INIT, key = STR_INIT;
	struct dockerd_options *o = NULL;
	char *verdict;
	int r;

	if (!id || plugin_options_parse(p, scope, given, &o, err) < 0)
		return -1;
	plugin_options_free(o);
	/* a driver's own defaults suit it */
	if (!p->checks_options || !given->n)
		return 0;
	str_puts(&key, id);
	for (size_t i = 0; i < given->n; i++) {
		str_printf(&key, " %zu=%s %zu=%s", strlen(given->v[i].key), given->v[i].key,
			   strlen(given->v[i].value), given->v[i].value);
		str_add(&input, given->v[i].key, strlen(given->v[i].key) + 1);
		str_add(&input, given->v[i].value, strlen(given->v[i].value) + 1);
	}
	pthread_mutex_lock(&lock);
	verdict = map_get(&verdicts, str_cstr(&key));
	r = !verdict ? 1 : !*verdict ? 0 : error_set(err, ERR_INVALID, "%s", verdict);
	pthread_mutex_unlock(&lock);
	if (r <= 0)
		return r;
	r = ask("check", kind, name, &input, &printed, err);
	if (r < 0 && err->kind != ERR_INVALID)
		return -1; /* that says nothing of the options */
	LOCK_SCOPE(&lock);
	if (verdicts.n >= VERDICTS_MAX)
		map_free(&verdicts, free);
	free(map_set(&verdicts, str_cstr(&key), xstrdup(r < 0 ? err->text : "")));
	return r;
}
