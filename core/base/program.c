/* SPDX-License-Identifier: Apache-2.0 */
/* See program.h. */
#include "base/program.h"
#include "base/file.h"

#include <stdlib.h>

char *program_path(const char *name)
{
	const char *dir = secure_getenv("DOCKERD_LIBEXECDIR");

	return path_join(dir && *dir == '/' ? dir : PKGLIBEXECDIR, name);
}
