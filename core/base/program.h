/* SPDX-License-Identifier: Apache-2.0 */
/* Where our own programs are: $DOCKERD_LIBEXECDIR when the build tree runs uninstalled, else the installed libexec directory. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* Absolute path of e.g. "dockerd-shim"; malloc'ed. */
char *program_path(const char *name);

#endif
