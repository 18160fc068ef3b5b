# SPDX-License-Identifier: Apache-2.0
# What drivers that work by rtnetlink compile in.
NETWORK_NETLINK = plugins/network/common/netlink.c plugins/network/common/netlink.h plugins/network/common/inside.c
NETWORK_SUBLINK = plugins/network/common/sublink.c plugins/network/common/sublink.h plugins/network/common/sublink_int.h \
	plugins/network/common/sublink_join.c plugins/network/common/sublink_network.c plugins/network/common/links.c $(NETWORK_NETLINK)
if NETWORK_BRIDGE
drvnetwork_LTLIBRARIES += plugins/network/bridge/bridge.la
plugins_network_bridge_bridge_la_SOURCES = plugins/network/bridge/bridge.c plugins/network/bridge/bridge.h \
	plugins/network/bridge/endpoint.c plugins/network/bridge/link.c plugins/network/bridge/options.c plugins/network/bridge/ports.c plugins/network/bridge/reaper.c plugins/network/bridge/rules.c \
	$(NETWORK_NETLINK)
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
if NETWORK_MACVLAN
drvnetwork_LTLIBRARIES += plugins/network/macvlan/macvlan.la
plugins_network_macvlan_macvlan_la_SOURCES = plugins/network/macvlan/macvlan.c $(NETWORK_SUBLINK)
plugins_network_macvlan_macvlan_la_CFLAGS = $(DRIVER_CFLAGS) $(NL_CFLAGS)
plugins_network_macvlan_macvlan_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_network_macvlan_macvlan_la_LIBADD = $(NL_LIBS)
dist_man_MANS += plugins/network/macvlan/dockerd-network-macvlan.8
endif
if NETWORK_IPVLAN
drvnetwork_LTLIBRARIES += plugins/network/ipvlan/ipvlan.la
plugins_network_ipvlan_ipvlan_la_SOURCES = plugins/network/ipvlan/ipvlan.c $(NETWORK_SUBLINK)
plugins_network_ipvlan_ipvlan_la_CFLAGS = $(DRIVER_CFLAGS) $(NL_CFLAGS)
plugins_network_ipvlan_ipvlan_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_network_ipvlan_ipvlan_la_LIBADD = $(NL_LIBS)
dist_man_MANS += plugins/network/ipvlan/dockerd-network-ipvlan.8
endif
if NETWORK_REMOTE
drvnetwork_LTLIBRARIES += plugins/network/remote/remote.la
plugins_network_remote_remote_la_SOURCES = plugins/network/remote/remote.c plugins/network/remote/remote.h plugins/network/remote/place.c plugins/network/remote/wire.c \
	plugins/network/common/links.c $(NETWORK_NETLINK) core/plugin/remote/remote.c core/plugin/remote/discover.c core/plugin/remote/http.c \
	core/base/clock.c core/base/error.c core/base/fault.c core/base/file.c core/base/json_parse.c core/base/json_write.c core/base/log.c core/base/map.c \
	core/base/mem.c core/base/str.c core/base/thread.c
plugins_network_remote_remote_la_CFLAGS = $(DRIVER_CFLAGS) $(NL_CFLAGS)
plugins_network_remote_remote_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_network_remote_remote_la_LIBADD = $(NL_LIBS) $(CJSON_LIBS) $(HTTP_PARSER_LIBS)
dist_man_MANS += plugins/network/remote/dockerd-network-remote.8
endif
