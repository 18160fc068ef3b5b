/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about images share. */
#ifndef API_IMAGES_H
#define API_IMAGES_H

#include "http/http.h"

/* POST /images/create?fromImage=... */
void api_image_pull(struct http_exchange *x);

#endif
