/* SPDX-License-Identifier: Apache-2.0 */
/* See id.h. getrandom(2). */
#include "base/id.h"
#include "base/str.h"

#include <stdlib.h>
#include <sys/random.h>

void id_random(char out[ID_LEN + 1])
{
	unsigned char b[ID_LEN / 2];

	do {
		if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
			abort(); /* never for so few bytes */
		hex_encode(b, sizeof(b), out);
	} while (strspn(out, "0123456789") >= 12);
}
