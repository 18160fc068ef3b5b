# SPDX-License-Identifier: Apache-2.0
pkglibexec_PROGRAMS += dockerd-exec
dockerd_exec_SOURCES = servers/exec/config.c servers/exec/driver.c servers/exec/exec.h servers/exec/main.c servers/exec/oom.c
dockerd_exec_LDADD = libplugin.a libbase.a $(CJSON_LIBS)
