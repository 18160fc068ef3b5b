# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libnetwork.a
libnetwork_a_SOURCES = core/network/network.h core/network/network_int.h core/network/networks.c core/network/init.c core/network/drivers.c core/network/default.c core/network/create.c core/network/store.c core/network/traits.c core/network/dns.c core/network/endpoints.c core/network/endpoint_table.c core/network/endpoint_view.c core/network/sysctls.c core/network/endpoints.h core/network/adopt.c \
	core/network/ipam.c core/network/pools.c core/network/subnets.c core/network/ipam.h core/network/firewall.c core/network/firewall.h core/network/firewall_text.c \
	core/network/firewall_proc.c core/network/firewall_rules.c core/network/proxy.c core/network/files.c core/network/print.c core/proto/netd.h
