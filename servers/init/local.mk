# SPDX-License-Identifier: Apache-2.0
# Static: it runs inside containers, whatever their C library.
pkglibexec_PROGRAMS += docker-init
docker_init_SOURCES = servers/init/main.c
docker_init_CFLAGS = $(inside_cflags)
docker_init_LDFLAGS = $(inside_ldflags)
