/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the plugin room share among themselves. */
#ifndef PLUGIN_PLUGIN_INT_H
#define PLUGIN_PLUGIN_INT_H

#include "plugin/plugin.h"

/* Folders that hold <kind>/<name>.so, in search order. */
void plugin_search_path(struct strlist *dirs);
/* Load without the once-per-path table. `path` is the file itself; `named` the name it was asked for by (maybe a link): its stem counts. */
struct plugin *plugin_load_file(uint32_t kind, const char *path, const char *named,
				struct error *err);
/* The table that a driver sees, with its name for log lines. Owned by the caller (free). */
struct dockerd_host *plugin_host_new(const struct plugin *p);
const char *plugin_option_type_name(uint32_t type);
/* 0: unknown */
uint32_t plugin_option_type_parse(const char *name);

#endif
