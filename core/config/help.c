/* SPDX-License-Identifier: Apache-2.0 */
/* What the table says to people: --help in pflag's layout, and the lists that the manuals are made from. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/table.h"

static const char *metavar(const struct option *o)
{
	static const char *const names[] = {"", "string", "int", "bytes", "list", "map", "json"};

	return o->metavar ? o->metavar : names[o->type];
}

/* The default as --help shows it, or "" for the zero value. malloc'ed. */
static char *shown_default(const struct option *o)
{
	if (o->shown)
		return xstrdup(o->shown);
	if (!o->def)
		return xstrdup("");
	return o->type == OPT_STRING ? xasprintf("\"%s\"", o->def) : xstrdup(o->def);
}

static void left_side(const struct option *o, struct str *s)
{
	if (o->letter)
		str_printf(s, "  -%c, --%s", o->letter, o->flag);
	else
		str_printf(s, "      --%s", o->flag);
	if (*metavar(o))
		str_printf(s, " %s", metavar(o));
}

/*
 * One line of at most `width` bytes of text, cut at its last blank, but up to `slop` longer if that is the end: returns where the next begins.
 */
static const char *take_line(const char *text, size_t width, size_t slop, FILE *out)
{
	size_t len = strlen(text), cut = width;

	if (width + slop > len)
		cut = len;
	else
		while (cut > 0 && text[cut - 1] != ' ')
			cut--;
	if (cut == len || cut <= 1) {
		fputs(text, out);
		return "";
	}
	fwrite(text, 1, cut - 1, out);
	return text + cut;
}

static void wrapped(const char *text, size_t indent, size_t columns, FILE *out)
{
	const size_t slop = 5;
	size_t width = columns > indent ? columns - indent : 0;

	if (width < 24) {
		indent = 16;
		width = columns > indent ? columns - indent : 0;
		fprintf(out, "\n%*s", (int)indent, "");
	}
	if (width < 24) {
		fprintf(out, "%s\n", text);
		return;
	}
	width -= slop;
	text = take_line(text, width, slop, out);
	while (*text) {
		fprintf(out, "\n%*s", (int)indent, "");
		text = take_line(text, width, slop, out);
	}
	fputc('\n', out);
}

static bool shows(const struct option *o)
{
	return o->flag && !(o->flags & OPTF_HIDDEN);
}

void config_help(FILE *out)
{
	struct winsize size = {0};
	size_t columns = 80, left = 0;

	if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		columns = size.ws_col;
	fputs("\nUsage:\tdockerd [OPTIONS]\n\nA self-sufficient runtime for "
	      "containers.\n\nOptions:\n",
	      out);
	for (size_t i = 0; i < option_count; i++) {
		auto_str s = STR_INIT;

		if (!shows(&option_table[i]))
			continue;
		left_side(&option_table[i], &s);
		if (s.len > left)
			left = s.len;
	}
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];
		auto_str s = STR_INIT, text = STR_INIT;
		auto_free char *def = shown_default(o);

		if (!shows(o))
			continue;
		left_side(o, &s);
		str_puts(&text, o->help);
		if (*def)
			str_printf(&text, " (default %s)", def);
		fprintf(out, "%-*s   ", (int)left, str_cstr(&s));
		wrapped(text.p, left + 3, columns, out);
	}
}

static void mdoc_text(const char *s, FILE *out)
{
	for (bool start = true; *s; s++, start = false) {
		if (*s == '\\' || (start && (*s == '.' || *s == '\'')))
			fputs(*s == '\\' ? "\\e" : "\\&", out);
		if (*s != '\\')
			fputc(*s, out);
	}
}

static void state_text(const struct option *o, FILE *out)
{
	if (o->state == OPT_WORKS && !o->why)
		return;
	fputs(o->state == OPT_NOT_YET   ? "Not supported yet, only its default is accepted: "
	      : o->state == OPT_IGNORED ? "Accepted and ignored: "
					: "For now ",
	      out);
	mdoc_text(o->why, out);
	fputs(".\n", out);
}

static void mdoc_item(const struct option *o, bool keys, FILE *out)
{
	auto_free char *def = shown_default(o);

	if (keys) {
		fprintf(out, ".It Cm %s Pq %s\n", option_key(o),
			o->type == OPT_JSON ? "object" : option_gotype(o));
	} else {
		fputs(".It ", out);
		if (o->letter)
			fprintf(out, "Fl %c , ", o->letter);
		fprintf(out, "Fl -%s", o->flag);
		if (*metavar(o))
			fprintf(out, " Ar %s", metavar(o));
		fputc('\n', out);
	}
	mdoc_text(o->help, out);
	fputs(".\n", out);
	if (*def && strcmp(def, "[]") && strcmp(def, "map[]"))
		fprintf(out, "Default: %s.\n", def);
	if (o->aliases)
		fprintf(out, "Also spelled %s.\n", o->aliases);
	if (keys && o->flags & OPTF_RELOAD)
		fputs("Takes effect on SIGHUP.\n", out);
	state_text(o, out);
}

static void states_table(FILE *out)
{
	fputs("| option | daemon.json | state | what to know |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		if (o->state == OPT_WORKS)
			continue;
		fprintf(out, "| %s%s%s | `%s` | %s | %s |\n", o->flag ? "`--" : "",
			o->flag ? o->flag : "-", o->flag ? "`" : "", option_key(o),
			o->state == OPT_NOT_YET ? "not yet" : "ignored", o->why);
	}
}

int config_dump_options(const char *what, FILE *out, struct error *err)
{
	bool keys = streq(what, "keys");

	if (streq(what, "help")) {
		config_help(out);
		return 0;
	}
	if (streq(what, "states")) {
		states_table(out);
		return 0;
	}
	if (!keys && !streq(what, "flags"))
		return error_set(
		    err, ERR_INVALID,
		    "--dump-options %s: say \"flags\", \"keys\", \"states\" or \"help\"", what);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		if (keys ? !(o->flags & OPTF_ACTION) && !streq(option_key(o), "config-file")
			 : shows(o))
			mdoc_item(o, keys, out);
	}
	return 0;
}
