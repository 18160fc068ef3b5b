/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies that two readers may understand in two ways. */
#ifndef AUTHZ_AMBIGUOUS_H
#define AUTHZ_AMBIGUOUS_H

#include "base/error.h"
#include "base/json.h"

/*
 * An authorization plugin reads the body with a decoder of its own. Of members that are there twice one takes the first, one the last, one merges them;
 * Go also takes "privileged" and "Privileged" for one (and letters that fold to ASCII: U+017F, U+212A). Whoever reads otherwise than we do would allow
 * what is not done. 0, or -1 with ERR_INVALID that names the member. In members that are maps of the client's own (labels, sysctls, ...) a name that
 * differs in its case is another name; the same name twice is refused there as well.
 */
int authz_unambiguous(const json *body, struct error *err);

#endif
