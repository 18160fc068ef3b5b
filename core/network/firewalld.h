/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts whose packet filter firewalld manages. It rejects what is forwarded between links of zones it knows nothing about, so bridges join its zone
 * "docker", as with moby; and it may flush others' rules when it is reloaded, after which ours go back in. Hosts without it pay nothing: the module
 * that speaks to it over D-Bus is loaded where it is installed, and only there.
 *
 * firewalld.c: the daemon's side; firewalld_bus.c: the module firewalld.so. firewalld.dbus(5).
 */
#ifndef NETWORK_FIREWALLD_H
#define NETWORK_FIREWALLD_H

#include <stdbool.h>

#include "base/error.h"

/* Starts to watch for it, if it is installed. rules_gone: called whenever rules may have been flushed; by a thread of this file. Once. */
void firewalld_init(void (*rules_gone)(void));
/* A link of ours that containers' packets go through is there, or is gone. Any thread; remembered, for it may be started later. */
void firewalld_link(const char *ifname, bool there);
void firewalld_shutdown(void);

/* ---- the module ---------------------------------------------------------------------------------------------------------------------------- */

#define FIREWALLD_ZONE "docker"

struct firewalld_hooks {
	void (*up)(void);   /* it runs, has been started again, or was reloaded */
	void (*gone)(void); /* it does not run any more */
};

struct firewalld_module {
	const char *build; /* FIREWALLD_MODULE_BUILD */
	/* Calls hooks, also for what is the case at first, until stop_fd is readable (0) or the bus is lost (-1). */
	int (*watch)(int stop_fd, const struct firewalld_hooks *hooks, struct error *err);
	/* 0: the zone and the policy that lets it be reached are there. 1: they were made, and are in force when `up` is called again. Any thread, as the next one. */
	int (*prepare)(struct error *err);
	/* A link joins the zone, unless the operator has put it into another one; or leaves it. */
	int (*link)(const char *ifname, bool there, struct error *err);
};

#define FIREWALLD_MODULE_SYMBOL "dockerd_firewalld_module"
/* Whatever changes here changes the size or must change the number. */
#define FIREWALLD_MODULE_BUILD PACKAGE_STRING " firewalld module 1"

#endif
