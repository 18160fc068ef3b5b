/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about images share. */
#ifndef API_IMAGES_H
#define API_IMAGES_H

#include "http/http.h"
#include "image/image.h"

/* POST /images/create?fromImage=... */
void api_image_pull(struct http_exchange *x);

/* POST /images/create?fromSrc=URL; the rest of what an import is told is borrowed during the call. */
void api_image_import_url(struct http_exchange *x, const char *url, const struct image_import *o);

/* image_show.c: one row of a list; all of one image. */
void api_image_print_summary(struct jw *w, const struct image_summary *i, int version);
void api_image_print(struct jw *w, const struct image *i, int version);

#endif
