/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays firewalld on the bus of $DBUS_SYSTEM_BUS_ADDRESS, as far as dockerd speaks to it. A line on stdout for each call that changes something, and
 * "ready" when it has its name. SIGHUP: it is reloaded. Options: "zone" and "policy" are there from the beginning; NAME=ZONE: a link is in a zone.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define NAME "org.fedoraproject.FirewallD1"
#define PATH "/org/fedoraproject/FirewallD1"

static bool zone, policy;
static char links[16][2][32]; /* name, zone */

static const char *zone_of(const char *link)
{
	for (int i = 0; i < 16; i++)
		if (!strcmp(links[i][0], link))
			return links[i][1];
	return "";
}

static void put(const char *link, const char *in)
{
	for (int i = 0; i < 16; i++)
		if (!strcmp(links[i][0], link) || !links[i][0][0]) {
			snprintf(links[i][0], 32, "%s", link);
			snprintf(links[i][1], 32, "%s", in);
			return;
		}
}

static int strings(sd_bus_message *m, const char *a, const char *b)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0 && (r = sd_bus_message_append(reply, "as", b ? 2 : 1, a, b)) >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

static int answer(sd_bus_message *m, void *arg, sd_bus_error *e)
{
	const char *a = "", *b = "";

	(void)arg;
	(void)e;
	if (sd_bus_message_is_method_call(m, NAME ".zone", "getZones") > 0)
		return strings(m, "public", zone ? "docker" : NULL);
	if (sd_bus_message_is_method_call(m, NAME ".policy", "getPolicies") > 0)
		return strings(m, "allow-host-ipv6", policy ? "docker-forwarding" : NULL);
	if (sd_bus_message_is_method_call(m, NAME ".zone", "getZoneOfInterface") > 0) {
		sd_bus_message_read(m, "s", &a);
		return sd_bus_reply_method_return(m, "s", zone_of(a));
	}
	if (sd_bus_message_is_method_call(m, NAME ".config", "addZone2") > 0 ||
	    sd_bus_message_is_method_call(m, NAME ".config", "addPolicy") > 0) {
		sd_bus_message_read(m, "s", &a);
		printf("%s %s\n", sd_bus_message_get_member(m), a);
		zone |= !strcmp(a, "docker");
		policy |= !strcmp(a, "docker-forwarding");
		return sd_bus_reply_method_return(m, "o", PATH "/config/zone/1");
	}
	if (sd_bus_message_is_method_call(m, NAME, "reload") > 0) {
		printf("reload\n");
		sd_bus_emit_signal(sd_bus_message_get_bus(m), PATH, NAME, "Reloaded", "");
		return sd_bus_reply_method_return(m, "");
	}
	if (sd_bus_message_is_method_call(m, NAME ".zone", "addInterface") > 0 ||
	    sd_bus_message_is_method_call(m, NAME ".zone", "removeInterface") > 0) {
		sd_bus_message_read(m, "ss", &a, &b);
		put(b, sd_bus_message_get_member(m)[0] == 'a' ? a : "");
		printf("%s %s %s\n", sd_bus_message_get_member(m), a, b);
		return sd_bus_reply_method_return(m, "s", a);
	}
	return 0;
}

static int reloaded(sd_event_source *s, const struct signalfd_siginfo *info, void *bus)
{
	(void)s;
	(void)info;
	return sd_bus_emit_signal(bus, PATH, NAME, "Reloaded", "");
}

int main(int argc, char **argv)
{
	sd_event *loop = NULL;
	sd_bus *bus = NULL;
	sigset_t hup;
	int r;

	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		char *eq = strchr(argv[i], '=');

		zone |= !strcmp(argv[i], "zone");
		policy |= !strcmp(argv[i], "policy");
		if (eq) {
			*eq = '\0';
			put(argv[i], eq + 1);
		}
	}
	if ((r = sd_event_default(&loop)) < 0 || (r = sd_bus_open_system(&bus)) < 0 ||
	    (r = sd_bus_add_filter(bus, NULL, answer, NULL)) < 0 ||
	    (r = sd_bus_attach_event(bus, loop, 0)) < 0 ||
	    (r = sd_event_add_signal(loop, NULL, SIGHUP, reloaded, bus)) < 0 ||
	    (r = sd_bus_request_name(bus, NAME, 0)) < 0) {
		fprintf(stderr, "fake-firewalld: %s\n", strerror(-r));
		return 1;
	}
	printf("ready\n");
	return sd_event_loop(loop) < 0;
}
