/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages: reading a question, writing an answer. Pure but for names_find and names_of. RFC 1035, section 4; RFC 6891 (OPT). */
#include "dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HEAD 12
#define TTL 600
#define MANY 64 /* addresses of one name that are given out */
enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, CLASS_IN = 1 };
#define EDNS_SIZE 1232

static uint16_t get16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(unsigned char *p, unsigned int v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* Name at `at` without pointers (a question has none before it). Its end, or 0. */
static size_t parse_name(const unsigned char *q, size_t n, size_t at, char out[256])
{
	size_t len = 0;

	while (at < n && q[at]) {
		size_t label = q[at++];

		if (label > 63 || label > n - at || len + label + 2 > 256)
			return 0;
		if (len)
			out[len++] = '.';
		for (size_t i = 0; i < label; i++)
			out[len++] = q[at + i] ? (char)tolower(q[at + i]) : '?';
		at += label;
	}
	out[len] = '\0';
	return at < n ? at + 1 : 0;
}

bool dns_parse(const unsigned char *q, size_t n, struct dns_query *out)
{
	size_t at;

	*out = (struct dns_query){.max = 512};
	if (n < HEAD || q[2] & 0x80 || q[2] >> 3 & 0xf || get16(q + 4) != 1)
		return false;
	at = parse_name(q, n, HEAD, out->name);
	if (!at || n - at < 4 || get16(q + at + 2) != CLASS_IN)
		return false;
	out->type = get16(q + at);
	out->question_end = at + 4;
	/* the one further record that a resolver sends: OPT, of the root */
	at += 4;
	if (get16(q + 10) && n - at >= 11 && !q[at] && get16(q + at + 1) == TYPE_OPT) {
		out->edns = true;
		if (get16(q + at + 3) > out->max)
			out->max = get16(q + at + 3);
	}
	return true;
}

static size_t put_opt(unsigned char *out)
{
	memset(out, 0, 11);
	put16(out + 1, TYPE_OPT);
	put16(out + 3, EDNS_SIZE);
	return 11;
}

size_t dns_reply(const unsigned char *q, const struct dns_query *query, int rcode,
		 unsigned char *out)
{
	size_t n = query->question_end;

	memcpy(out, q, n);
	out[2] = (unsigned char)(0x80 | (q[2] & 0x79)); /* an answer; opcode and RD as asked */
	out[3] = (unsigned char)(0x80 | rcode);         /* recursion is to be had */
	put16(out + 6, 0);
	put16(out + 8, 0);
	put16(out + 10, query->edns);
	return n + (query->edns ? put_opt(out + n) : 0);
}

/* The record's head for the name of the question. */
static size_t put_record(unsigned char *p, unsigned int type, unsigned int length)
{
	put16(p, 0xc00c);
	put16(p + 2, type);
	put16(p + 4, CLASS_IN);
	put16(p + 6, TTL >> 16);
	put16(p + 8, TTL & 0xffff);
	put16(p + 10, length);
	return 12;
}

static size_t finish(const struct dns_query *query, unsigned int records, bool cut,
		     unsigned char *out, size_t n)
{
	put16(out + 6, records);
	if (cut)
		out[2] |= 2;
	return n + (query->edns ? put_opt(out + n) : 0);
}

static size_t addresses(const unsigned char *q, const struct dns_query *query,
			const struct dns_ip *ips, size_t count, unsigned int turn,
			unsigned char *out, size_t limit)
{
	unsigned int len = query->type == TYPE_A ? 4 : 16;
	size_t n, done = 0;

	dns_reply(q, query, 0, out);
	n = query->question_end;
	for (; done < count && n + 12 + len + 11 <= limit; done++) {
		n += put_record(out + n, query->type, len);
		memcpy(out + n, ips[(done + turn) % count].b, len);
		n += len;
	}
	return finish(query, (unsigned int)done, done < count, out, n);
}

/* "4.3.2.1.in-addr.arpa" */
static bool reverse_v4(const char *name, struct dns_ip *out)
{
	unsigned int b[4];
	char rest[16] = "";

	if (sscanf(name, "%3u.%3u.%3u.%3u.%15s", &b[0], &b[1], &b[2], &b[3], rest) != 5 ||
	    strcmp(rest, "in-addr.arpa") != 0 || b[0] > 255 || b[1] > 255 || b[2] > 255 ||
	    b[3] > 255)
		return false;
	*out = (struct dns_ip){.len = 4};
	for (int i = 0; i < 4; i++)
		out->b[i] = (unsigned char)b[3 - i];
	return true;
}

/* "2.0.0.0. ... .d.f.ip6.arpa": 32 digits, the last one first. */
static bool reverse_v6(const char *name, struct dns_ip *out)
{
	*out = (struct dns_ip){.len = 16};
	if (strlen(name) != 64 + strlen("ip6.arpa") || strcmp(name + 64, "ip6.arpa") != 0)
		return false;
	for (int i = 0; i < 32; i++) {
		char c = name[2 * i];

		if (!isxdigit((unsigned char)c) || name[2 * i + 1] != '.')
			return false;
		c = (char)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
		out->b[15 - i / 2] |= (unsigned char)(i % 2 ? c << 4 : c);
	}
	return true;
}

static size_t pointer(const unsigned char *q, const struct dns_query *query, const char *name,
		      unsigned char *out, size_t limit)
{
	size_t n, start;

	dns_reply(q, query, 0, out);
	n = query->question_end;
	if (n + 12 + strlen(name) + 2 + 11 > limit)
		return finish(query, 0, true, out, n);
	start = n + put_record(out + n, TYPE_PTR, (unsigned int)strlen(name) + 2);
	n = start;
	while (*name) {
		size_t label = strcspn(name, ".");

		if (label > 63 || !label)
			return 0;
		out[n++] = (unsigned char)label;
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	out[n++] = 0;
	return finish(query, 1, false, out, n);
}

size_t dns_local(const char *sandbox, const unsigned char *q, const struct dns_query *query,
		 unsigned int turn, unsigned char *out, size_t limit)
{
	struct dns_ip ips[MANY], a;
	char name[512];
	size_t n;

	if (query->type == TYPE_PTR)
		return (reverse_v4(query->name, &a) || reverse_v6(query->name, &a)) &&
			       names_of(sandbox, &a, name)
			   ? pointer(q, query, name, out, limit)
			   : 0;
	if (query->type != TYPE_A && query->type != TYPE_AAAA)
		return 0;
	return names_find(sandbox, query->name, query->type == TYPE_A ? 4 : 16, ips, MANY, &n)
		   ? addresses(q, query, ips, n, turn, out, limit)
		   : 0;
}
