/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration: command line and daemon.json, merged and checked against the one table of options (table.c).
 *
 * A struct config is constant once made: threads read it freely, a reload makes a new one. Values are asked for by their daemon.json
 * key; asking for a key that the table doesn't have, or with the wrong type, is a fault of the program and aborts.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"

struct config;

/* What the command line asks the program to do. */
enum config_action {
	CONFIG_RUN,
	CONFIG_HELP,
	CONFIG_VERSION,
	CONFIG_VALIDATE, /* everything was checked: print "configuration OK" */
	CONFIG_LIST_PLUGINS,
	CONFIG_DUMP_PLUGIN, /* config_str(c, "dump-plugin"): KIND/NAME */
	CONFIG_DUMP_CONFIG,
	CONFIG_DUMP_ROUTES,
	CONFIG_DUMP_OPTIONS, /* config_str(c, "dump-options"): help, flags, keys or states */
};

/*
 * argv as main got it; a first word "daemon" (the classic spelling) is skipped. -1 with ERR_INVALID in moby's words; a program prints
 * the text and exits with 1, as moby does. Help and version are answered without reading the file. Not thread-safe (reads the environment).
 */
int config_parse(int argc, char *const argv[], struct config **out, struct error *err);
void config_free(struct config *c);
static inline void config_freep(struct config **c)
{
	config_free(*c);
	*c = NULL;
}
#define auto_config __attribute__((cleanup(config_freep))) struct config

enum config_action config_action(const struct config *c);

/* Values by daemon.json key; borrowed from c. */
const char *config_str(const struct config *c, const char *key); /* never NULL */
bool config_bool(const struct config *c, const char *key);
int64_t config_int(const struct config *c, const char *key); /* integers and sizes (bytes) */
const struct strlist *config_list(const struct config *c, const char *key);
const struct pairs *config_map(const struct config *c, const char *key);
const json *config_json(const struct config *c, const char *key); /* NULL: not given */
/* Given by the user, by flag or in the file (even if it equals the default). */
bool config_is_set(const struct config *c, const char *key);
/* The configuration file that was read, or NULL. */
const char *config_file(const struct config *c);
/* Lines for the log, one per option that is accepted and means nothing here, or is deprecated. */
const struct strlist *config_notes(const struct config *c);

/*
 * TLS of the TCP listeners. On if tls says so, or if tlsverify was given at all, with whatever value (moby); clients must show a certificate unless
 * tlsverify was given as false.
 */
bool config_tls(const struct config *c);
bool config_tls_verify(const struct config *c);

/* From the environment, read once at start. */
const char *config_tmpdir(const struct config *c); /* DOCKER_TMPDIR, or NULL */
bool config_ramdisk(const struct config *c);       /* DOCKER_RAMDISK: no pivot_root */

/*
 * SIGHUP: read the file again. A new configuration, in which the reloadable values of the file have taken effect, and in `changed` (may be
 * NULL) the keys whose value differs now; everything else keeps its value. NULL with err: the old one stays in force.
 */
struct config *config_reload(const struct config *old, struct strlist *changed, struct error *err);

/* --help, in moby's layout; wrapped at the terminal's width. */
void config_help(FILE *out);
/* --dump-config: the merged values as one JSON object, keys sorted. */
void config_dump(const struct config *c, struct str *out);
/* --dump-options WHAT: "flags" and "keys" as mdoc list items for dockerd(8) and daemon.json(5), "states" as the README's table. */
int config_dump_options(const char *what, FILE *out, struct error *err);

#endif
