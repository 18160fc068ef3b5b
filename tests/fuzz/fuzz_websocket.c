/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a websocket's client: however they are cut, the same comes out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_in whole = {0}, cut = {0};
	auto_str a = STR_INIT, b = STR_INIT, ra = STR_INIT, rb = STR_INIT;
	bool on = ws_feed(&whole, data, size, &a, &ra), still = true;

	for (size_t i = 0; i < size && still; i++)
		still = ws_feed(&cut, data + i, 1, &b, &rb);
	if (on != still || a.len != b.len || ra.len != rb.len ||
	    memcmp(str_cstr(&a), str_cstr(&b), a.len) != 0 ||
	    memcmp(str_cstr(&ra), str_cstr(&rb), ra.len) != 0 || a.len > size)
		abort();
	return 0;
}
