/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syslog driver inside: each message becomes a datagram, or a line of a connection, in moby's formats.
 *
 * address.c  where to, format.c  what: both pure, but for the look at a socket's path; syslog.c  connecting, sending, options.
 */
#ifndef LOG_SYSLOG_H
#define LOG_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dockerd/log.h>

enum transport { TO_LOCAL, TO_UDP, TO_TCP, TO_UNIX, TO_UNIXGRAM };

struct address {
	enum transport to;
	char host[256], port[8]; /* UDP, TCP; an empty host is this one */
	char path[108];          /* UNIX, UNIXGRAM */
};
/* "udp://host[:port]", "tcp://...", "unix://path", "unixgram://path"; NULL or "": the socket of this machine's syslog. Errors in moby's words. */
int address_parse(const char *text, struct address *out, struct dockerd_error *err);

enum format { FORMAT_UNIX, FORMAT_3164, FORMAT_5424, FORMAT_5424_MICRO };

/* What is the same in all lines of a stream. */
struct header {
	enum format format;
	int facility; /* 0 to 23 */
	int pid;
	const char *hostname, *tag;
};
int facility_parse(const char *text, int *out,
		   struct dockerd_error *err); /* name or number; NULL or "": daemon */
int format_parse(const char *text, enum format *out, struct dockerd_error *err);
#define HEADER_MAX 1024 /* bytes of a line besides the message; hostname and tag are cut for it */
/* The whole line, newline included, into out (HEADER_MAX + m->length bytes); its length. Times are local, as moby's. */
size_t format_line(const struct header *h, const struct dockerd_log_message *m, char *out);

#endif
