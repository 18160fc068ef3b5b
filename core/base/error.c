/* SPDX-License-Identifier: Apache-2.0 */
/* See error.h. Nothing here allocates: errors must work when memory is gone. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int error_vset(struct error *err, enum error_kind kind, const char *fmt, va_list ap)
{
	/* The old text may be among the arguments, so print beside it first. */
	char buf[sizeof(err->text)];

	vsnprintf(buf, sizeof(buf), fmt, ap);
	err->kind = kind;
	err->sys = 0;
	memcpy(err->text, buf, sizeof(buf));
	return -1;
}

int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_vset(err, kind, fmt, ap);
	va_end(ap);
	return -1;
}

int error_sys(struct error *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t len;
	char buf[128];

	va_start(ap, fmt);
	error_vset(err, errnum == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, fmt, ap);
	va_end(ap);
	err->sys = errnum;
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s",
		 strerror_r(errnum, buf, sizeof(buf)));
	return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char buf[sizeof(err->text)];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	len = strlen(buf);
	snprintf(buf + len, sizeof(buf) - len, ": %s", err->text);
	memcpy(err->text, buf, sizeof(buf));
	return -1;
}

int error_http_status(enum error_kind kind)
{
	switch (kind) {
	case ERR_NONE:
		return 200;
	case ERR_INVALID:
	case ERR_NO_COMMAND:
	case ERR_NO_PERMISSION:
		return 400;
	case ERR_UNAUTHORIZED:
		return 401;
	case ERR_DENIED:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
		return 409;
	case ERR_NOT_MODIFIED:
		return 304;
	case ERR_TOO_MANY:
		return 429;
	case ERR_TOO_LARGE:
		return 413;
	case ERR_NOT_IMPLEMENTED:
		return 501;
	case ERR_UNAVAILABLE:
		return 503;
	case ERR_SYSTEM:
	case ERR_UNSUITABLE:
	case ERR_CANCELLED:
	case ERR_KINDS:
		break;
	}
	return 500;
}
