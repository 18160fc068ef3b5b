/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: heavy parts of the daemon itself (registry.so, tls.so) that are loaded when they are first needed. A module is ours and no driver:
 * it must be of exactly this build, and carries no promise. It is never unloaded.
 */
#ifndef PLUGIN_MODULE_H
#define PLUGIN_MODULE_H

#include "base/error.h"

/*
 * The object that `symbol` names in the module FILE (beside our programs). Its first member is the text of its build, which must equal
 * `build`. NULL with err. Any thread; the caller keeps the result.
 */
const void *module_load(const char *file, const char *symbol, const char *build, struct error *err);

#endif
