# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += dockerd
dockerd_SOURCES = core/main/main.c core/main/daemon.h core/main/current.c core/main/listeners.c core/main/notify.c core/main/pidfile.c core/main/places.c \
	core/main/signals.c core/main/storage.c core/main/userns.c
dockerd_LDADD = libapi.a libregistry.a libtls.a libcontainer.a libshimclient.a liblogs.a libimage.a libnetwork.a libvolume.a libauthz.a libspec.a libevents.a libhttp.a libconfig.a \
	libplugin.a libbase.a $(CJSON_LIBS) $(HTTP_PARSER_LIBS) $(ZLIB_LIBS) -lpthread
