# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libplugin.a
libplugin_a_SOURCES = core/plugin/plugin.h core/plugin/find.c core/plugin/load.c core/plugin/options.c \
	core/plugin/host.c core/plugin/mounts.c core/plugin/guard.c core/plugin/describe.c core/plugin/module.c core/plugin/module.h core/plugin/dump.c core/plugin/plugin_int.h \
	core/plugin/remote/remote.h core/plugin/remote/remote_int.h core/plugin/remote/remote.c core/plugin/remote/discover.c core/plugin/remote/http.c
