/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values. A function that can fail takes a `struct error *err` last and returns 0 or -1.
 * The error is set where the fault happens, wrapped where it gains meaning, and logged once at the edge
 * (the API reply or a background loop). `err` is never NULL; a caller that does not care passes its own.
 *
 * The kind is what a caller may branch on; it maps once to an HTTP status (error_http_status).
 * The text is for people: what was wrong, with which value, what to do.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

enum error_kind {
	ERR_NONE = 0,
	ERR_SYSTEM,          /* 500: something below us failed */
	ERR_INVALID,         /* 400: the request is wrong */
	ERR_UNAUTHORIZED,    /* 401 */
	ERR_DENIED,          /* 403 */
	ERR_NOT_FOUND,       /* 404 */
	ERR_CONFLICT,        /* 409 */
	ERR_NOT_MODIFIED,    /* 304: already in the wanted state */
	ERR_TOO_LARGE,       /* 413 */
	ERR_NOT_IMPLEMENTED, /* 501: not built yet, or declined */
	ERR_UNAVAILABLE,     /* 503: stuck driver, shutting down */
	ERR_UNSUITABLE,      /* a driver's probe: try the next one */
	ERR_CANCELLED,       /* the peer went away */
	ERR_NO_COMMAND,      /* exec: command not found; exit code 127, HTTP 400 */
	ERR_NO_PERMISSION,   /* exec: command not runnable; exit code 126, HTTP 400 */
	ERR_TOO_MANY,        /* 429: somebody else's limit */
	ERR_KINDS
};

struct error {
	enum error_kind kind;
	int sys; /* errno of the failing call, 0 if none */
	char text[1016];
};

#define ERROR_INIT                                        \
	{                                                 \
		.kind = ERR_NONE, .sys = 0, .text = { 0 } \
	}

/* Set kind and text; always returns -1, so that `return error_set(err, ...)` reads well. */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int error_vset(struct error *err, enum error_kind kind, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
/* Set kind from an errno (ENOENT: not found, ...: system) and text "<fmt>: <strerror>"; returns -1. */
int error_sys(struct error *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Put "<fmt>: " in front of the text, keep the kind; returns -1. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* HTTP status of a kind (moby's errdefs mapping). */
int error_http_status(enum error_kind kind);
static inline void error_clear(struct error *err)
{
	err->kind = ERR_NONE;
	err->sys = 0;
	err->text[0] = '\0';
}

#endif
