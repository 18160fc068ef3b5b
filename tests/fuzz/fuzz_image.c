/* SPDX-License-Identifier: Apache-2.0 */
/* Image references (a reference that parses must parse again, the same, in both its forms) and instructions of import and commit. */
#include "base/str.h"
#include "image/image.h"
#include "image/reference.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct reference *r, char *text)
{
	auto_reference again = {0};
	struct error err = ERROR_INIT;
	char *a, *b;

	if (reference_parse(text, &again, &err) < 0)
		abort();
	a = reference_string(r);
	b = reference_string(&again);
	if (!streq(a, b))
		abort();
	free(a);
	free(b);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_strlist changes = STRLIST_INIT;
	auto_str text = STR_INIT, out = STR_INIT;
	auto_reference r = {0};
	struct error err = ERROR_INIT;

	str_add(&text, data, size);
	if (reference_parse(str_cstr(&text), &r, &err) == 0) {
		same_again(&r, reference_string(&r));
		same_again(&r, reference_familiar(&r));
	}
	strlist_split(&changes, str_cstr(&text), '\n');
	changes_apply(NULL, &changes, &out, &err);
	return 0;
}
