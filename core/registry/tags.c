/* SPDX-License-Identifier: Apache-2.0 */
/* All tags of a repository, page by page, for `docker pull --all-tags`. Source: OCI distribution specification, listing tags. */
#include "registry/client.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define TAGS_MAX 50000 /* of one repository; registries page by a hundred or a thousand */
#define PAGES_MAX 1000
#define TAG_LEN 128 /* docs.docker.com/reference/cli/docker/image/tag */

/* URL of the next page: Link: <...>; rel="next". Only of our own registry. malloc'ed or NULL. */
static char *next_page(const struct client *c, const char *link)
{
	const char *end;
	char *url;

	if (!link || *link != '<' || !(end = strchr(link, '>')) || !strstr(end, "next"))
		return NULL;
	url = link[1] == '/' ? xasprintf("%s%.*s", c->ep.url, (int)(end - link - 1), link + 1)
			     : xstrndup(link + 1, (size_t)(end - link - 1));
	if (!same_origin(url, c->ep.url)) {
		free(url);
		return NULL;
	}
	return url;
}

/* What a registry says is kept only as far as it can be a list of tags. */
static int take_tags(const json *list, struct strlist *tags, struct error *err)
{
	for (const json *t = json_first(list); t; t = json_next(t)) {
		const char *tag = json_str(t, "");

		if (!*tag || strlen(tag) > TAG_LEN)
			return error_set(err, ERR_INVALID,
					 "the registry's list of tags is malformed");
		if (tags->n >= TAGS_MAX)
			return error_set(err, ERR_INVALID,
					 "the registry lists more than %d tags: pull one by name",
					 TAGS_MAX);
		strlist_add(tags, tag);
	}
	return 0;
}

int client_tags(struct client *c, int cancel_fd, struct strlist *tags, struct answer *a,
		struct error *err)
{
	auto_free char *url = client_url(c, "tags/list");

	for (int page = 0; url; page++) {
		struct call q = {.method = "GET", .url = url, .cancel_fd = cancel_fd};
		auto_json *j = NULL;
		char *next;

		if (page == PAGES_MAX)
			return error_set(err, ERR_INVALID,
					 "the registry's list of tags has no end");
		answer_free(a);
		*a = (struct answer){.code = ""};
		if (client_call(c, &q, a, err) < 0)
			return -1;
		j = json_parse(str_cstr(&a->body), a->body.len, err);
		if (!j)
			return error_set(err, ERR_INVALID,
					 "the registry's list of tags is malformed");
		if (take_tags(json_get(j, "tags"), tags, err) < 0)
			return -1;
		next = next_page(c, answer_header(a, "link"));
		free(url);
		url = next;
	}
	return 0;
}
