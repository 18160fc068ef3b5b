/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How users write sizes, ulimits, addresses and hosts, as the Docker CLI and daemon read them. Pure functions; any thread.
 * Durations are base/clock.h's clock_parse_duration.
 */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* "10m", "1.5GiB", "64M", "512": bytes, powers of 1024 (go-units RAMInBytes). ERR_INVALID "invalid size: 'x'". */
int size_parse(const char *text, int64_t *bytes, struct error *err);
/* The inverse for people: "64MiB", four significant digits (go-units BytesSize). */
void size_format(int64_t bytes, char out[32]);

struct ulimit {
	const char *name;   /* static */
	int64_t soft, hard; /* -1: unlimited */
};
/* "nofile=1024:2048" (go-units ParseUlimit). */
int ulimit_parse(const char *text, struct ulimit *u, struct error *err);
/* Resource number for setrlimit(2) by its name ("nofile"), -1 if unknown. */
int ulimit_resource(const char *name);

bool ip_valid(const char *text);
bool ip4_valid(const char *text);
/* ADDRESS/BITS of either family; *family gets AF_INET or AF_INET6. Host bits may be set. */
int cidr_parse(const char *text, int *family, unsigned char addr[16], unsigned int *bits,
	       struct error *err);

/* -H: whatever may be left out is filled in: "" -> unix:///var/run/docker.sock, "foo" -> tcp://foo:2375. malloc'ed, NULL with err. */
char *host_parse(const char *text, struct error *err);

#endif
