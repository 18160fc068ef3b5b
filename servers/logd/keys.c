/* SPDX-License-Identifier: Apache-2.0 */
/* The detach sequence in a client's input. Pure. */
#include "logd.h"

bool keys_pass(struct keys *k, const char *in, size_t n, char *out, size_t *out_n)
{
	size_t m = 0;

	if (!k->n) {
		memcpy(out, in, n);
		*out_n = n;
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		/* a mismatch releases the longest held beginning that can't go on, and looks at the byte again */
		while (k->held && in[i] != k->keys[k->held]) {
			size_t shift = 1;

			while (shift < k->held &&
			       memcmp(k->keys, k->keys + shift, k->held - shift) != 0)
				shift++;
			memcpy(out + m, k->keys, shift);
			m += shift;
			k->held -= shift;
		}
		if (in[i] != k->keys[k->held]) {
			out[m++] = in[i];
			continue;
		}
		if (++k->held == k->n) {
			k->held = 0;
			*out_n = m;
			return true;
		}
	}
	*out_n = m;
	return false;
}
