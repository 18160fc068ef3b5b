/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of options. Private to this room: everything about an option that code, help and manuals need is said in its row. */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

enum option_type { OPT_BOOL, OPT_STRING, OPT_INT, OPT_SIZE, OPT_LIST, OPT_MAP, OPT_JSON };

enum option_state {
	OPT_WORKS,
	OPT_IGNORED, /* any value is accepted and means nothing here: one line in the log says so */
	OPT_NOT_YET, /* only its default is accepted */
};

enum {
	OPTF_RELOAD = 1,  /* takes effect on SIGHUP */
	OPTF_HIDDEN = 2,  /* left out of --help */
	OPTF_ACTION = 4,  /* asks for something to be printed; not in daemon.json */
	OPTF_CLASSIC = 8, /* of the classic manual or ours: moby 28 doesn't have it */
	OPTF_MERGE = 16,  /* may be given both as flag and in the file */
	OPTF_RESET = 32,  /* reload without the key: back to the default (else the value stays) */
	OPTF_EARLY =
	    64, /* checked as the flag is read: the error names the argument; else when all is merged */
	OPTF_ADDRESS = 128, /* an IP address: checked as it is read, also from the file */
	OPTF_COMMA = 256,   /* list whose arguments may hold several elements */
};

struct option {
	const char *flag; /* long name without dashes; NULL: daemon.json only */
	const char
	    *key; /* in daemon.json ("object.member": inside of that object); NULL: as the flag */
	const char *aliases; /* further spellings, blank-separated: "--graph -g", "graph" (key) */
	const char *def;     /* default as a user would type it; NULL: false, 0, empty */
	const char *metavar; /* as --help shows the type; NULL: by type */
	const char *shown;   /* default as --help shows it; NULL: by type */
	const char *gotype;  /* daemon.json's type in Go's words, for errors; NULL: by type */
	const char *help;
	const char *why; /* states other than works: what to know */
	/* One given value (element of a list, "key=value" of a map, argument of a structured flag); from_file: daemon.json's words. */
	int (*check)(const char *value, bool from_file, struct error *err);
	/* Structured (OPT_JSON): an argument of the flag becomes a member or element written to w. */
	int (*flag_json)(const char *arg, struct str *name, struct jw *w, struct error *err);
	/* Structured: the value in daemon.json. */
	int (*check_json)(const json *j, struct error *err);
	int type, state, flags;
	char letter; /* short flag */
};

extern const struct option option_table[];
extern const size_t option_count;

/* Key under which the value is kept: key, or the flag's name. */
const char *option_key(const struct option *o);
/* -1: none. By flag (without dashes), by letter, by daemon.json key; aliases included. */
int option_by_flag(const char *name, size_t len);
int option_by_letter(char letter);
int option_by_key(const char *key);
/* Go's name of the type in daemon.json. */
const char *option_gotype(const struct option *o);

#endif
