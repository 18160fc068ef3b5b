/* SPDX-License-Identifier: Apache-2.0 */
/* docker login: are these credentials good, and does the registry give a token to keep instead of the password? */
#include "registry/client.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

/* Domain of what people give: a host, or the classic URL of the Hub's index. malloc'ed. */
static char *domain_of(const char *server)
{
	const char *at = server ? strstr(server, "://") : NULL, *host = at ? at + 3 : server;
	char *domain = xstrndup(host ? host : "", host ? strcspn(host, "/") : 0);

	if (!*domain || streq(domain, "index.docker.io") || streq(domain, "registry-1.docker.io")) {
		free(domain);
		return xstrdup("docker.io");
	}
	return domain;
}

static const char *reason(int status)
{
	return status == 401   ? "Unauthorized"
	       : status == 403 ? "Forbidden"
	       : status == 404 ? "Not Found"
	       : status == 500 ? "Internal Server Error"
			       : "";
}

static int log_in(struct client *c, int cancel_fd, char **token, struct error *err)
{
	auto_free char *url = xasprintf("%s/v2/", c->ep.url), *value = NULL;
	struct call q = {.method = "GET", .url = url, .cancel_fd = cancel_fd};
	auto_answer a = {.code = ""};

	if (client_login_token(c, cancel_fd, token, err) < 0 ||
	    client_authorize(c, NULL, cancel_fd, &value, err) < 0)
		return err->kind == ERR_CANCELLED ? -1 : error_wrap(err, "Get \"%s\"", url);
	if (client_exchange(c, &q, value, &a, err) < 0)
		return -1;
	if (a.r.status != 200)
		return error_set(err, ERR_SYSTEM, "login attempt to %s failed with status: %d %s",
				 url, a.r.status, reason(a.r.status));
	return 0;
}

int registry_login(const struct registry_settings *s, const struct registry_auth *auth,
		   int cancel_fd, char **token, struct error *err)
{
	auto_free char *domain = domain_of(auth->server);
	__attribute__((cleanup(endpoints_free))) struct endpoints e = {NULL, 0};
	int r = -1;

	*token = NULL;
	if (endpoints_of(s, domain, false, &e, err) < 0)
		return -1;
	for (size_t i = 0; i < e.n && r < 0; i++) {
		struct client *c;
		bool reached;

		error_clear(err);
		c = client_new(s, &e.v[i], auth, "", "", err);
		reached = c && client_ping(c, cancel_fd, NULL, err) == 0;
		if (reached)
			r = log_in(c, cancel_fd, token, err);
		client_unref(c);
		if (reached || err->kind == ERR_CANCELLED)
			break;
	}
	if (r == 0 && !*token)
		*token = xstrdup("");
	return r;
}
