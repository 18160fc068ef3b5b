/* SPDX-License-Identifier: Apache-2.0 */
/* One option's value, and the configuration as a row of them beside the table. Private to this room. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"
#include "config/table.h"

enum value_source { FROM_DEFAULT, FROM_FLAG, FROM_FILE };

struct value {
	enum value_source source;
	int64_t num; /* BOOL, INT, SIZE */
	char *text;  /* STRING; INT and SIZE: as given */
	struct strlist list;
	struct pairs map;
	json *tree;
	struct str
	    members; /* OPT_JSON while flags are read: finished members or elements, comma-separated */
	bool is_array;
};

struct config {
	struct value *values; /* option_count of them, in the table's order */
	enum config_action action;
	char *file; /* that was read */
	struct strlist notes, argv;
	char *tmpdir;
	bool ramdisk;
};

/* One argument of a flag; repeated lists and maps grow. */
int value_from_flag(const struct option *o, struct value *v, const char *arg, struct error *err);
/* After the last flag: structured values become trees. */
int value_flags_done(const struct option *o, struct value *v, struct error *err);
/* A member of daemon.json. */
int value_from_json(const struct option *o, struct value *v, const json *j, struct error *err);
void value_default(const struct option *o, struct value *v);
void value_copy(const struct option *o, struct value *to, const struct value *from);
void value_free(struct value *v);
bool value_equal(const struct option *o, const struct value *a, const struct value *b);
/* As Go prints it in messages: true, 5, text, [a b], map[k:v]. */
void value_format(const struct option *o, const struct value *v, struct str *out);
void value_print(const struct option *o, const struct value *v, struct jw *w);

/* Flags of argv into c->values; sets c->action. */
int flags_parse(struct config *c, struct error *err);
/* Read c's --config-file, if there is one, into c->values. */
int file_parse(struct config *c, struct error *err);
/* Go's encoding/json words for what is no JSON; 0 if it is. */
int syntax_check(const char *text, size_t len, struct error *err);

#endif
