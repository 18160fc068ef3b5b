/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: one packet of the protocol between our processes, as any of them may receive it; what was understood is said again. */
#include "base/str.h"
#include "proto/msg.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_msg m = {0}, again = {0};
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	if (msg_parse(&m, data, size, &err) < 0)
		return 0;
	for (uint16_t tag = 0; tag < 80; tag++) {
		const char *s = msg_get_str(&m, tag);
		const void *p;
		size_t pos = 0, n;

		if (s && strlen(s) > size)
			abort();
		while (msg_next(&m, tag, &pos, &p, &n))
			if (n > size)
				abort();
		msg_get_u32(&m, tag, 0);
		msg_get_u64(&m, tag, 0);
		if (msg_take_fd(&m, tag) >= 0)
			abort(); /* none came */
	}
	msg_encode(&m, &out);
	if (msg_parse(&again, out.p, out.len, &err) < 0 || again.type != m.type ||
	    again.body.len != m.body.len)
		abort();
	return 0;
}
