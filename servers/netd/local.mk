# SPDX-License-Identifier: Apache-2.0
pkglibexec_PROGRAMS += dockerd-netd
dockerd_netd_SOURCES = servers/netd/netd.c servers/netd/netd.h servers/netd/tcp.c servers/netd/udp.c core/proto/netd.h
dockerd_netd_LDADD = libbase.a $(CJSON_LIBS)
