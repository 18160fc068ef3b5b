# SPDX-License-Identifier: Apache-2.0
pkglibexec_PROGRAMS += dockerd-netd
dockerd_netd_SOURCES = servers/netd/netd.c servers/netd/netd.h servers/netd/answer.c servers/netd/dns.c servers/netd/dns.h servers/netd/forward.c \
	servers/netd/names.c servers/netd/sockets.c servers/netd/tcp.c servers/netd/udp.c core/proto/netd.h
dockerd_netd_LDADD = libbase.a $(CJSON_LIBS)
