/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of main/ share: the steps of the daemon's start and end, one file per job. */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include "base/error.h"
#include "config/config.h"
#include "plugin/plugin.h"

/* The configuration in force; replaced by SIGHUP, the old one is kept (readers may still look at it). */
const struct config *daemon_config(void);
void daemon_config_set(struct config *c);

/* ---- pidfile.c: ERR_CONFLICT if the process in it lives ("process with PID 12 is still running"). */
int pidfile_write(const char *path, struct error *err);
void pidfile_remove(const char *path);

/* ---- places.c */
struct places {
	char *data_root, *exec_root; /* real paths */
	struct bolt *
	    volumes_db; /* volumes/metadata.db; with it moby's lock on the data root, held for life */
	char id[37];    /* engine-id */
};
/* Make the directories, take the lock (another daemon, ours or moby, on the same directory is ERR_CONFLICT), read or make engine-id. */
int places_open(const struct config *c, struct places *out, struct error *err);

/* ---- userns.c */
/* userns-remap: is it well said? Changes nothing. */
int userns_check(const struct config *c, struct error *err);
/* Sets the map (base/idmap.h), before the places are opened. The user of "default" is made if need be. */
int userns_open(const struct config *c, struct error *err);

/* ---- listeners.c: -H values, TLS. Bound early, so that clients queue instead of failing while the rooms open. */
struct http_server;
int listeners_bind(struct http_server *server, struct error *err);
/* The server behind --metrics-addr, started; NULL without one. */
int listeners_metrics(struct http_server **out, struct error *err);
/* Everything is there: the log says where, and systemd gets READY=1. */
void listeners_announce(void);

/* ---- storage.c: prior state on disk wins, then the priority list, by probe. */
/* storage-opts against the drivers' typed tables; nothing is loaded or touched. */
int storage_check(const struct config *c, struct error *err);
int storage_select(const struct config *c, const struct places *p, struct plugin_instance *out,
		   struct error *err);

/* ---- signals.c */
/* Block what the loop handles; before any thread starts. */
void signals_block(void);
/* Handle SIGHUP (reload), SIGUSR1 (dump threads) until SIGTERM, SIGINT or SIGQUIT comes. */
void signals_loop(void (*reload)(void));

/* ---- notify.c: sd_notify(3): "READY=1", "STOPPING=1". Nothing without NOTIFY_SOCKET. */
void notify_systemd(const char *state);

#endif
