# SPDX-License-Identifier: Apache-2.0
pkglibexec_PROGRAMS += dockerd-logd
dockerd_logd_SOURCES = servers/logd/client.c servers/logd/control.c servers/logd/keys.c servers/logd/logd.h servers/logd/loop.c \
	servers/logd/main.c servers/logd/sink.c servers/logd/sink.h servers/logd/sink_driver.c servers/logd/split.c servers/logd/stream.c core/proto/logd.h
dockerd_logd_LDADD = libplugin.a libbase.a $(CJSON_LIBS) -lpthread -ldl
