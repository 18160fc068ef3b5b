/* SPDX-License-Identifier: Apache-2.0 */
/* See changes.h. */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

/* The members that instructions can change; the rest of `base` does not travel (it is the container's, not the image's). */
struct config {
	struct strlist env, cmd, entrypoint, onbuild, shell;
	bool has_env, has_cmd, has_entrypoint, has_onbuild, has_shell;
	struct pairs labels;
	struct strlist ports, volumes;
	char *user, *workdir, *stop_signal;
	bool cmd_said;          /* by an instruction before */
	struct str healthcheck; /* JSON object, or empty */
};

static void config_free(struct config *c)
{
	strlist_free(&c->env);
	strlist_free(&c->cmd);
	strlist_free(&c->entrypoint);
	strlist_free(&c->onbuild);
	strlist_free(&c->shell);
	pairs_free(&c->labels);
	strlist_free(&c->ports);
	strlist_free(&c->volumes);
	free(c->user);
	free(c->workdir);
	free(c->stop_signal);
	str_free(&c->healthcheck);
}

static void names_of(const json *j, struct strlist *out)
{
	for (json *c = json_first(j); c; c = json_next(c))
		strlist_add(out, json_name(c));
}

static void load_list(const json *base, const char *name, struct strlist *out, bool *has)
{
	*has = json_type(json_get(base, name)) == JSON_ARRAY;
	if (*has)
		json_strlist(json_get(base, name), out);
}

static void config_load(struct config *c, const json *base)
{
	*c = (struct config){0};
	load_list(base, "Env", &c->env, &c->has_env);
	load_list(base, "Cmd", &c->cmd, &c->has_cmd);
	load_list(base, "Entrypoint", &c->entrypoint, &c->has_entrypoint);
	load_list(base, "OnBuild", &c->onbuild, &c->has_onbuild);
	load_list(base, "Shell", &c->shell, &c->has_shell);
	json_pairs(json_get(base, "Labels"), &c->labels);
	names_of(json_get(base, "ExposedPorts"), &c->ports);
	names_of(json_get(base, "Volumes"), &c->volumes);
	c->user = xstrdup(json_get_str(base, "User", ""));
	c->workdir = xstrdup(json_get_str(base, "WorkingDir", ""));
	c->stop_signal = xstrdup(json_get_str(base, "StopSignal", ""));
	if (json_type(json_get(base, "Healthcheck")) == JSON_OBJECT)
		json_print(json_get(base, "Healthcheck"), &c->healthcheck);
}

static void print_set(struct jw *w, const char *name, struct strlist *l, bool null_if_empty)
{
	if (!l->n) {
		if (null_if_empty)
			jw_knull(w, name);
		return;
	}
	strlist_sort(l);
	jw_kobj(w, name);
	for (size_t i = 0; i < l->n; i++) {
		jw_kobj(w, l->v[i]);
		jw_end(w);
	}
	jw_end(w);
}

static void config_print(struct config *c, struct str *out)
{
	struct jw w = jw_to(out);

	jw_obj(&w);
	jw_kstr(&w, "Hostname", "");
	jw_kstr(&w, "Domainname", "");
	jw_kstr(&w, "User", c->user);
	jw_kbool(&w, "AttachStdin", false);
	jw_kbool(&w, "AttachStdout", false);
	jw_kbool(&w, "AttachStderr", false);
	print_set(&w, "ExposedPorts", &c->ports, false);
	jw_kbool(&w, "Tty", false);
	jw_kbool(&w, "OpenStdin", false);
	jw_kbool(&w, "StdinOnce", false);
	jw_kstrlist(&w, "Env", &c->env, !c->has_env);
	jw_kstrlist(&w, "Cmd", &c->cmd, !c->has_cmd);
	if (c->healthcheck.len) {
		jw_key(&w, "Healthcheck");
		jw_raw(&w, c->healthcheck.p, c->healthcheck.len);
	}
	jw_kstr(&w, "Image", "");
	print_set(&w, "Volumes", &c->volumes, true);
	jw_kstr(&w, "WorkingDir", c->workdir);
	jw_kstrlist(&w, "Entrypoint", &c->entrypoint, !c->has_entrypoint);
	jw_kstrlist(&w, "OnBuild", &c->onbuild, !c->has_onbuild);
	jw_kpairs(&w, "Labels", &c->labels, true);
	if (*c->stop_signal)
		jw_kstr(&w, "StopSignal", c->stop_signal);
	if (c->has_shell)
		jw_kstrlist(&w, "Shell", &c->shell, false);
	jw_end(&w);
}

/* ---- words ---------------------------------------------------------------------------------------------------------------------- */

/* Words of a line with quotes and backslashes as a Dockerfile has them. */
static int split_words(const char *p, struct strlist *out, struct error *err)
{
	const char *line = p;

	for (;;) {
		auto_str word = STR_INIT;
		char quote = 0;

		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			return 0;
		for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
			if (quote ? *p == quote : *p == '\'' || *p == '"')
				quote = quote ? 0 : *p;
			else if (*p == '\\' && quote != '\'' && p[1])
				str_putc(&word, *++p);
			else
				str_putc(&word, *p);
		}
		if (quote)
			return error_set(
			    err, ERR_INVALID,
			    "unexpected end of statement while looking for matching %s in: %s",
			    quote == '"' ? "double-quote" : "single-quote", line);
		strlist_add(out, str_cstr(&word));
	}
}

/* JSON array, or a line for the shell. */
static int exec_form(const char *rest, bool shell_form, struct strlist *out, struct error *err)
{
	struct error not_json = ERROR_INIT;
	auto_json *j = *rest == '[' ? json_parse(rest, strlen(rest), &not_json) : NULL;

	strlist_free(out);
	if (j && json_type(j) == JSON_ARRAY && json_strlist(j, out) == 0)
		return 0;
	strlist_free(out);
	if (!shell_form)
		return split_words(rest, out, err);
	strlist_add(out, "/bin/sh");
	strlist_add(out, "-c");
	strlist_add(out, rest);
	return 0;
}

static void set_env(struct strlist *env, const char *key, const char *value)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], key, n) && env->v[i][n] == '=') {
			free(env->v[i]);
			env->v[i] = xasprintf("%s=%s", key, value);
			return;
		}
	strlist_printf(env, "%s=%s", key, value);
}

/* "a=b c=d", or the old "a value with spaces". */
static int key_values(const char *name, const char *rest,
		      void (*set)(struct config *, const char *, const char *), struct config *c,
		      struct error *err)
{
	auto_strlist words = STRLIST_INIT;

	if (split_words(rest, &words, err) < 0)
		return -1;
	if (words.n && !strchr(words.v[0], '=')) {
		size_t n = strcspn(rest, " \t");

		if (!rest[n])
			return error_set(err, ERR_INVALID, "%s must have two arguments", name);
		set(c, words.v[0], rest + n + strspn(rest + n, " \t"));
		return 0;
	}
	for (size_t i = 0; i < words.n; i++) {
		char *eq = strchr(words.v[i], '=');

		if (!eq || eq == words.v[i])
			return error_set(err, ERR_INVALID,
					 "Syntax error - can't find = in \"%s\". Must be of the "
					 "form: name=value",
					 words.v[i]);
		*eq = '\0';
		set(c, words.v[i], eq + 1);
	}
	return 0;
}

static void env_set(struct config *c, const char *k, const char *v)
{
	set_env(&c->env, k, v);
	c->has_env = true;
}

static void label_set(struct config *c, const char *k, const char *v)
{
	pairs_set(&c->labels, k, v);
}

static int add_ports(struct config *c, const char *rest, struct error *err)
{
	auto_strlist words = STRLIST_INIT;

	if (split_words(rest, &words, err) < 0)
		return -1;
	for (size_t i = 0; i < words.n; i++) {
		char *end;
		const char *slash = strchr(words.v[i], '/');
		unsigned long port = strtoul(words.v[i], &end, 10), last = port;
		const char *proto = slash ? slash + 1 : "tcp";

		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (!isdigit((unsigned char)words.v[i][0]) || (*end && *end != '/') ||
		    last < port || last > 65535 ||
		    (strcasecmp(proto, "tcp") && strcasecmp(proto, "udp") &&
		     strcasecmp(proto, "sctp")))
			return error_set(err, ERR_INVALID, "Invalid containerPort: %s", words.v[i]);
		for (; port <= last; port++) {
			auto_free char *text = xasprintf("%lu/%s", port, proto);

			for (char *p = text; *p; p++)
				*p = (char)tolower((unsigned char)*p);
			if (!strlist_has(&c->ports, text))
				strlist_add(&c->ports, text);
		}
	}
	return 0;
}

/* HEALTHCHECK NONE | [--interval=D] [--timeout=D] [--start-period=D] [--start-interval=D] [--retries=N] CMD ... */
static int health(struct config *c, const char *rest, struct error *err)
{
	static const struct {
		const char *flag, *member;
	} flags[] = {{"--interval=", "Interval"},
		     {"--timeout=", "Timeout"},
		     {"--start-period=", "StartPeriod"},
		     {"--start-interval=", "StartInterval"},
		     {"--retries=", "Retries"}};
	auto_strlist test = STRLIST_INIT, cmd = STRLIST_INIT;
	struct jw w = jw_to(&c->healthcheck);
	int64_t values[ARRAY_LEN(flags)] = {0};

	str_reset(&c->healthcheck);
	while (*rest == '-') {
		size_t n = strcspn(rest, " \t"), i = 0;
		auto_free char *word = xstrndup(rest, n);
		const char *v = NULL;

		for (; i < ARRAY_LEN(flags) && !v; i++)
			v = str_after(word, flags[i].flag);
		if (!v || (i < ARRAY_LEN(flags) ? !clock_parse_duration(v, &values[i - 1])
						: (values[i - 1] = strtol(v, NULL, 10)) < 0))
			return error_set(err, ERR_INVALID, "HEALTHCHECK: invalid flag %s", word);
		rest += n + strspn(rest + n, " \t");
	}
	if (!strcasecmp(rest, "NONE")) {
		strlist_add(&test, "NONE");
	} else if (!strncasecmp(rest, "CMD", 3) && isspace((unsigned char)rest[3])) {
		rest += 3 + strspn(rest + 3, " \t");
		exec_form(rest, true, &cmd, err);
		strlist_add(&test, *rest == '[' ? "CMD" : "CMD-SHELL");
		if (*rest == '[')
			strlist_copy(&test, &cmd);
		else
			strlist_add(&test, rest);
	} else {
		return error_set(err, ERR_INVALID,
				 "Unknown type \"%.20s\" in HEALTHCHECK (try CMD)", rest);
	}
	jw_obj(&w);
	jw_kstrlist(&w, "Test", &test, false);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (values[i])
			jw_ki64(&w, flags[i].member, values[i]);
	jw_end(&w);
	return 0;
}

static int add_volumes(struct config *c, const char *rest, struct error *err)
{
	auto_strlist words = STRLIST_INIT;

	if (exec_form(rest, false, &words, err) < 0)
		return -1;
	for (size_t i = 0; i < words.n; i++)
		if (!strlist_has(&c->volumes, words.v[i]))
			strlist_add(&c->volumes, words.v[i]);
	return 0;
}

static int set_text(char **to, const char *rest)
{
	free(*to);
	*to = xstrdup(rest);
	return 0;
}

static bool is_change(const char *word)
{
	static const char *const words[] = {"CMD",        "ENTRYPOINT",  "ENV",     "LABEL",
					    "EXPOSE",     "VOLUME",      "USER",    "WORKDIR",
					    "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "SHELL"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (streq(words[i], word))
			return true;
	return false;
}

/* Arguments of before belonged to another program. */
static int set_entrypoint(struct config *c, const char *rest, struct error *err)
{
	if (!c->cmd_said) {
		strlist_free(&c->cmd);
		c->has_cmd = false;
	}
	c->has_entrypoint = true;
	return exec_form(rest, true, &c->entrypoint, err);
}

/* From where the last one led. */
static int set_workdir(struct config *c, const char *rest)
{
	auto_free char *whole =
	    *rest == '/' ? xstrdup(rest) : xasprintf("/%s/%s", c->workdir ? c->workdir : "", rest);

	free(c->workdir);
	c->workdir = path_clean(whole);
	return 0;
}

static int apply_one(struct config *c, const char *line, struct error *err)
{
	size_t n = strcspn(line, " \t");
	auto_free char *word = xstrndup(line, n);
	const char *rest = line + n + strspn(line + n, " \t");

	for (char *p = word; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (!is_change(word))
		return error_set(err, ERR_INVALID, "%s is not a valid change command", word);
	if (!*rest)
		return error_set(err, ERR_INVALID, "%s requires at least one argument", word);
	if (!strcasecmp(word, "CMD"))
		return c->has_cmd = c->cmd_said = true, exec_form(rest, true, &c->cmd, err);
	if (!strcasecmp(word, "ENTRYPOINT"))
		return set_entrypoint(c, rest, err);
	if (!strcasecmp(word, "ENV"))
		return key_values("ENV", rest, env_set, c, err);
	if (!strcasecmp(word, "LABEL"))
		return key_values("LABEL", rest, label_set, c, err);
	if (!strcasecmp(word, "EXPOSE"))
		return add_ports(c, rest, err);
	if (!strcasecmp(word, "VOLUME"))
		return add_volumes(c, rest, err);
	if (!strcasecmp(word, "USER"))
		return set_text(&c->user, rest);
	if (!strcasecmp(word, "WORKDIR"))
		return set_workdir(c, rest);
	if (!strcasecmp(word, "STOPSIGNAL"))
		return set_text(&c->stop_signal, rest);
	if (!strcasecmp(word, "HEALTHCHECK"))
		return health(c, rest, err);
	if (!strcasecmp(word, "ONBUILD"))
		return c->has_onbuild = true, strlist_add(&c->onbuild, rest), 0;
	if (!strcasecmp(word, "SHELL"))
		return c->has_shell = true, exec_form(rest, true, &c->shell, err);
	return error_set(err, ERR_INVALID, "%s is not a valid change command", word);
}

/* One change, or several of them, a line each. */
static int apply_lines(struct config *c, const char *text, struct error *err)
{
	auto_strlist lines = STRLIST_INIT;

	strlist_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		char *line = lines.v[i] + strspn(lines.v[i], " \t\r");
		size_t n = strlen(line);

		while (n && isspace((unsigned char)line[n - 1]))
			line[--n] = '\0';
		if (*line && *line != '#' && apply_one(c, line, err) < 0)
			return -1;
	}
	return 0;
}

int changes_apply(const json *base, const struct strlist *changes, struct str *out,
		  struct error *err)
{
	struct config c;
	int r = 0;

	config_load(&c, base);
	for (size_t i = 0; changes && i < changes->n && r == 0; i++)
		r = apply_lines(&c, changes->v[i], err);
	if (r == 0)
		config_print(&c, out);
	config_free(&c);
	return r;
}

void changes_empty_container(struct str *out)
{
	struct config c;

	config_load(&c, NULL);
	config_print(&c, out);
	config_free(&c);
}
