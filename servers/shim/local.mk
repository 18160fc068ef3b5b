# SPDX-License-Identifier: Apache-2.0
# Static and without threads: a container costs some tens of KiB here.
pkglibexec_PROGRAMS += dockerd-shim
dockerd_shim_SOURCES = servers/shim/cgroup.c servers/shim/journal.c servers/shim/main.c servers/shim/op.c servers/shim/proc.c servers/shim/request.c \
	servers/shim/shim.h
dockerd_shim_LDADD = libbase.a
dockerd_shim_LDFLAGS = $(AM_LDFLAGS) $(STATIC_LDFLAGS)
