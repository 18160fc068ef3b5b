# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libtls.a
libtls_a_SOURCES = core/tls/module.h core/tls/tls.c core/tls/tls.h

# What is heavy: loaded when a listener speaks TLS, and else never.
if TLS_MODULE
module_LTLIBRARIES += core/tls/tls.la
core_tls_tls_la_SOURCES = core/tls/identity.c core/tls/relay.c core/tls/session.c core/tls/relay.h core/tls/module.h \
	core/base/error.c core/base/mem.c core/base/str.c
core_tls_tls_la_CFLAGS = $(DRIVER_CFLAGS)
core_tls_tls_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
core_tls_tls_la_LIBADD = $(MBEDTLS_LIBS)
endif
