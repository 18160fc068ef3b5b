# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libregistry.a
libregistry_a_SOURCES = \
	core/registry/challenge.c core/registry/challenge.h core/registry/client.c core/registry/client.h core/registry/download.c core/registry/endpoint.c \
	core/registry/endpoint.h core/registry/fetch.c core/registry/fetch.h core/registry/inspect.c core/registry/login.c core/registry/manifest.c core/registry/manifest.h \
	core/registry/module.c core/registry/progress.c core/registry/pull.c core/registry/push.c core/registry/registry.h core/registry/schema1.c core/registry/search.c core/registry/tags.c \
	core/registry/tokens.c core/registry/transport.h core/registry/upload.c core/registry/upload.h

# What is heavy: loaded at the first pull, not before.
if REGISTRY_MODULE
module_LTLIBRARIES += core/registry/registry.la
core_registry_registry_la_SOURCES = core/registry/curl.c core/registry/transport.h core/base/map.c core/base/mem.c core/base/str.c
core_registry_registry_la_CFLAGS = $(DRIVER_CFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS)
core_registry_registry_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
core_registry_registry_la_LIBADD = $(CURL_LIBS) $(CRYPTO_LIBS)
endif
