/* SPDX-License-Identifier: Apache-2.0 */
/* What an image runs on: "linux/arm64/v8" and its other spellings, as containerd's platforms package and the OCI image index have them. */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include "base/error.h"

struct platform {
	char os[32], arch[32], variant[32];
};

/* "os[/arch[/variant]]" as clients write it, with the usual other names made ours; "" gives this machine. ERR_INVALID in moby's words. */
int platform_parse(const char *text, struct platform *out, struct error *err);
/* "linux/arm64/v8"; buf of 100. */
const char *platform_text(const struct platform *p, char *buf);
/* This machine's: "amd64". */
const char *platform_arch(void);
/* Does an image for `has` run where `want` is asked? 0: no; the higher the better. */
int platform_score(const struct platform *want, const struct platform *has);

#endif
