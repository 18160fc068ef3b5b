/* SPDX-License-Identifier: Apache-2.0 */
/* See log.h. */
#include "base/log.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_bool json_lines;

static const char *const names[] = {"fatal", "error", "warning", "info", "debug", "trace"};

void log_setup(enum log_level level, bool json_format, bool raw)
{
	(void)raw; /* raw only drops colours, which we never print */
	current_level = (int)level;
	json_lines = json_format;
}

void log_set_level(enum log_level level)
{
	current_level = (int)level;
}

enum log_level log_get_level(void)
{
	return (enum log_level)current_level;
}

int log_parse_level(const char *name, enum log_level *out)
{
	static const struct {
		const char *name;
		enum log_level level;
	} table[] = {{"panic", LOG_LEVEL_FATAL},  {"fatal", LOG_LEVEL_FATAL},
		     {"error", LOG_LEVEL_ERROR},  {"warn", LOG_LEVEL_WARN},
		     {"warning", LOG_LEVEL_WARN}, {"info", LOG_LEVEL_INFO},
		     {"debug", LOG_LEVEL_DEBUG},  {"trace", LOG_LEVEL_TRACE}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcasecmp(name, table[i].name)) {
			*out = table[i].level;
			return 0;
		}
	return -1;
}

/* logrus quotes a value unless it is made of these only. */
static bool needs_quotes(const char *v)
{
	if (!*v)
		return true;
	for (; *v; v++)
		if (!((*v >= 'a' && *v <= 'z') || (*v >= 'A' && *v <= 'Z') ||
		      (*v >= '0' && *v <= '9') || strchr("-._/@^+", *v)))
			return true;
	return false;
}

static void add_text(struct str *line, const char *name, const char *value)
{
	if (line->len)
		str_putc(line, ' ');
	str_printf(line, "%s=", name);
	if (needs_quotes(value))
		json_quote(line, value, strlen(value));
	else
		str_puts(line, value);
}

void log_fields(enum log_level level, const char *msg, ...)
{
	auto_str line = STR_INIT;
	struct jw w = jw_to(&line);
	char now[CLOCK_TEXT];
	const char *name;
	va_list ap;

	if ((int)level > current_level)
		return;
	clock_format_fixed(clock_wall_ns(), now);
	if (json_lines) {
		jw_obj(&w);
	} else {
		add_text(&line, "time", now);
		add_text(&line, "level", names[level]);
		add_text(&line, "msg", msg);
	}
	va_start(ap, msg);
	while ((name = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (!value)
			value = "";
		if (json_lines)
			jw_kstr(&w, name, value);
		else
			add_text(&line, name, value);
	}
	va_end(ap);
	if (json_lines) {
		jw_kstr(&w, "level", names[level]);
		jw_kstr(&w, "msg", msg);
		jw_kstr(&w, "time", now);
		jw_end(&w);
	}
	str_putc(&line, '\n');
	if (write(STDERR_FILENO, line.p, line.len) < 0)
		return; /* nowhere left to complain */
}
