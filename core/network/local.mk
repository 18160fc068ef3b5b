# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libnetwork.a
libnetwork_a_SOURCES = core/network/network.h core/network/network_int.h core/network/networks.c core/network/init.c core/network/drivers.c core/network/default.c core/network/create.c core/network/store.c core/network/traits.c core/network/dns.c core/network/endpoints.c core/network/endpoint_table.c core/network/endpoint_view.c core/network/sysctls.c core/network/firewalld.c core/network/firewalld.h core/network/endpoints.h core/network/adopt.c \
	core/network/ipam.c core/network/ipam_remote.c core/network/ipam_remote.h core/network/pools.c core/network/subnets.c core/network/ipam.h core/network/firewall.c core/network/firewall.h core/network/firewall_text.c \
	core/network/firewall_proc.c core/network/firewall_rules.c core/network/proxy.c core/network/files.c core/network/print.c core/proto/netd.h

# What is heavy: loaded where firewalld is installed, and nowhere else.
if FIREWALLD_MODULE
module_LTLIBRARIES += core/network/firewalld.la
core_network_firewalld_la_SOURCES = core/network/firewalld_bus.c core/network/firewalld.h core/base/error.c core/base/mem.c core/base/str.c
core_network_firewalld_la_CFLAGS = $(DRIVER_CFLAGS) $(SYSTEMD_CFLAGS)
core_network_firewalld_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
core_network_firewalld_la_LIBADD = $(SYSTEMD_LIBS)
endif
