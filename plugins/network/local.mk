# SPDX-License-Identifier: Apache-2.0
if NETWORK_BRIDGE
drvnetwork_LTLIBRARIES += plugins/network/bridge/bridge.la
plugins_network_bridge_bridge_la_SOURCES = plugins/network/bridge/bridge.c plugins/network/bridge/bridge.h \
	plugins/network/bridge/link.c plugins/network/bridge/ports.c plugins/network/bridge/reaper.c plugins/network/bridge/rules.c
plugins_network_bridge_bridge_la_CFLAGS = $(DRIVER_CFLAGS) $(NL_CFLAGS)
plugins_network_bridge_bridge_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_network_bridge_bridge_la_LIBADD = $(NL_LIBS)
dist_man_MANS += plugins/network/bridge/dockerd-network-bridge.8
endif
if NETWORK_HOST
drvnetwork_LTLIBRARIES += plugins/network/host/host.la
plugins_network_host_host_la_SOURCES = plugins/network/host/host.c
plugins_network_host_host_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_network_host_host_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
dist_man_MANS += plugins/network/host/dockerd-network-host.8
endif
if NETWORK_NULL
drvnetwork_LTLIBRARIES += plugins/network/null/null.la
plugins_network_null_null_la_SOURCES = plugins/network/null/null.c
plugins_network_null_null_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_network_null_null_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
dist_man_MANS += plugins/network/null/dockerd-network-null.8
endif
