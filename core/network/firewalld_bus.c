/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module firewalld.so: what is said to firewalld, over the system bus by sd-bus. Each call has a connection of its own, since one must not be
 * shared between threads. firewalld.dbus(5), sd-bus(3).
 */
#include "network/firewalld.h"

#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define NAME "org.fedoraproject.FirewallD1"
#define PATH "/org/fedoraproject/FirewallD1"
#define CONFIG_PATH PATH "/config"
#define POLICY "docker-forwarding"

static void close_bus(sd_bus **b)
{
	sd_bus_flush_close_unref(*b);
}
#define auto_bus __attribute__((cleanup(close_bus))) sd_bus
#define auto_bus_error __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
static void drop_message(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}
#define auto_bus_message __attribute__((cleanup(drop_message))) sd_bus_message

static int fail(struct error *err, int r, const sd_bus_error *e, const char *what)
{
	return e && e->message ? error_set(err, ERR_SYSTEM, "%s: %s", what, e->message)
			       : error_sys(err, -r, "%s", what);
}

static int open_bus(sd_bus **b, struct error *err)
{
	int r = sd_bus_open_system(b);

	return r < 0 ? fail(err, r, NULL, "D-Bus") : 0;
}

/* ---- zone and policy ------------------------------------------------------------------------------------------------------------------------ */

/* 1: the list that the method returns has the name; 0: not; or -errno. */
static int has(sd_bus *b, const char *interface, const char *method, const char *name,
	       sd_bus_error *e)
{
	auto_bus_message *reply = NULL;
	const char *one;
	int r = sd_bus_call_method(b, NAME, PATH, interface, method, e, &reply, "");

	if (r < 0 || (r = sd_bus_message_enter_container(reply, 'a', "s")) < 0)
		return r;
	while ((r = sd_bus_message_read(reply, "s", &one)) > 0)
		if (streq(one, name))
			return 1;
	return r;
}

static int add_zone(sd_bus *b, sd_bus_error *e)
{
	return sd_bus_call_method(b, NAME, CONFIG_PATH, NAME ".config", "addZone2", e, NULL,
				  "sa{sv}", FIREWALLD_ZONE, 4, "version", "s", "1.0", "short", "s",
				  FIREWALLD_ZONE, "description", "s",
				  "Bridges of containers; their packets are filtered by dockerd",
				  "target", "s", "ACCEPT");
}

static int add_policy(sd_bus *b, sd_bus_error *e)
{
	return sd_bus_call_method(b, NAME, CONFIG_PATH, NAME ".config", "addPolicy", e, NULL,
				  "sa{sv}", POLICY, 5, "version", "s", "1.0", "description", "s",
				  "Let packets be forwarded to containers", "ingress_zones", "as",
				  1, "ANY", "egress_zones", "as", 1, FIREWALLD_ZONE, "target", "s",
				  "ACCEPT");
}

/* What is added is permanent, and in force after a reload, which is told as such. */
static int prepare(struct error *err)
{
	auto_bus *b = NULL;
	auto_bus_error e = SD_BUS_ERROR_NULL;
	bool added = false;
	int r;

	if (open_bus(&b, err) < 0)
		return -1;
	r = has(b, NAME ".zone", "getZones", FIREWALLD_ZONE, &e);
	if (r == 0) {
		r = add_zone(b, &e);
		added = true;
	}
	if (r < 0)
		return fail(err, r, &e, "zone " FIREWALLD_ZONE);
	r = has(b, NAME ".policy", "getPolicies", POLICY, &e);
	if (r == 0) {
		r = add_policy(b, &e);
		added = true;
	}
	if (r < 0 && sd_bus_error_has_name(&e, SD_BUS_ERROR_UNKNOWN_METHOD)) {
		sd_bus_error_free(&e); /* before 0.9 there are no policies, and no need of one */
		r = 0;
	}
	if (r < 0)
		return fail(err, r, &e, "policy " POLICY);
	r = added ? sd_bus_call_method(b, NAME, PATH, NAME, "reload", &e, NULL, "") : 0;
	return r < 0 ? fail(err, r, &e, "reload") : added;
}

/* ---- links ------------------------------------------------------------------------------------------------------------------------------------ */

static int set_link(const char *ifname, bool there, struct error *err)
{
	auto_bus *b = NULL;
	auto_bus_error e = SD_BUS_ERROR_NULL;
	auto_bus_message *reply = NULL;
	const char *zone = "";
	int r;

	if (open_bus(&b, err) < 0)
		return -1;
	r = sd_bus_call_method(b, NAME, PATH, NAME ".zone", "getZoneOfInterface", &e, &reply, "s",
			       ifname);
	if (r < 0 || (r = sd_bus_message_read(reply, "s", &zone)) < 0)
		return fail(err, r, &e, "getZoneOfInterface");
	if (there ? *zone != '\0' : !streq(zone, FIREWALLD_ZONE))
		return 0;
	r = sd_bus_call_method(b, NAME, PATH, NAME ".zone",
			       there ? "addInterface" : "removeInterface", &e, NULL, "ss",
			       FIREWALLD_ZONE, ifname);
	return r < 0 ? fail(err, r, &e, there ? "addInterface" : "removeInterface") : 0;
}

/* ---- news --------------------------------------------------------------------------------------------------------------------------------------- */

struct news {
	bool up, gone;
};

static int on_owner(sd_bus_message *m, void *arg, sd_bus_error *e)
{
	struct news *n = arg;
	const char *name, *was, *is;

	(void)e;
	if (sd_bus_message_read(m, "sss", &name, &was, &is) > 0)
		*n = (struct news){.up = *is, .gone = !*is};
	return 0;
}

static int on_reload(sd_bus_message *m, void *arg, sd_bus_error *e)
{
	struct news *n = arg;

	(void)m;
	(void)e;
	n->up = true;
	return 0;
}

static int subscribe(sd_bus *b, struct news *n, struct error *err)
{
	int r = sd_bus_add_match(b, NULL,
				 "type='signal',sender='org.freedesktop.DBus',member='"
				 "NameOwnerChanged',arg0='" NAME "'",
				 on_owner, n);

	if (r >= 0)
		r = sd_bus_add_match(b, NULL,
				     "type='signal',sender='" NAME "',interface='" NAME
				     "',member='Reloaded'",
				     on_reload, n);
	if (r >= 0) /* behind the subscription: a start in between is told twice, not missed */
		r = sd_bus_get_name_creds(b, NAME, 0, NULL);
	n->up |= r >= 0;
	return r < 0 && r != -ENXIO ? fail(err, r, NULL, "D-Bus") : 0;
}

/* Until there is something to process: 1; or to stop: 0. */
static int wait_for(sd_bus *b, int stop_fd)
{
	struct pollfd p[2] = {{.fd = sd_bus_get_fd(b)}, {.fd = stop_fd, .events = POLLIN}};
	int events = sd_bus_get_events(b), ms = -1;
	uint64_t until;

	if (p[0].fd < 0 || events < 0)
		return -ENOTCONN;
	if (sd_bus_get_timeout(b, &until) >= 0 && until != UINT64_MAX) {
		struct timespec t;
		uint64_t now;

		clock_gettime(CLOCK_MONOTONIC, &t);
		now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
		ms = until > now ? (int)((until - now) / 1000 + 1) : 0;
	}
	p[0].events = (short)events;
	if (poll(p, 2, ms) < 0 && errno != EINTR)
		return -errno;
	return p[1].revents == 0;
}

static int watch(int stop_fd, const struct firewalld_hooks *hooks, struct error *err)
{
	auto_bus *b = NULL;
	struct news n = {0};
	int r;

	if (open_bus(&b, err) < 0 || subscribe(b, &n, err) < 0)
		return -1;
	for (;;) {
		r = sd_bus_process(b, NULL);
		if (r < 0)
			return fail(err, r, NULL, "D-Bus");
		if (r > 0)
			continue;
		if (n.gone)
			hooks->gone();
		if (n.up)
			hooks->up();
		if (n.up || n.gone) {
			n = (struct news){0};
			continue; /* the hooks take their time */
		}
		r = wait_for(b, stop_fd);
		if (r <= 0)
			return r < 0 ? fail(err, r, NULL, "D-Bus") : 0;
	}
}

extern const struct firewalld_module dockerd_firewalld_module;
__attribute__((visibility("default"))) const struct firewalld_module dockerd_firewalld_module = {
    .build = FIREWALLD_MODULE_BUILD, .watch = watch, .prepare = prepare, .link = set_link};
