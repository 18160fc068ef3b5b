# SPDX-License-Identifier: Apache-2.0
# The daemon's side of the shim protocol; also what the tests of exec drivers drive.
noinst_LIBRARIES += libshimclient.a
libshimclient_a_SOURCES = core/container/shim_call.h core/container/shim_client.c core/container/shim_client.h \
	core/container/shim_launch.c

# Logs stand apart: tests drive them without the rest of the room.
noinst_LIBRARIES += liblogs.a
liblogs_a_SOURCES = core/container/log_reader.c core/container/log_reader.h core/container/logd_client.c core/container/logd_client.h
noinst_LIBRARIES += libcontainer.a
libcontainer_a_SOURCES = core/container/apparmor.c core/container/apparmor.h core/container/attach.c core/container/connect.c core/container/commit.c core/container/files.c core/container/health.c core/container/health.h core/container/container.h core/container/container_int.h core/container/create.c \
	core/container/delete.c core/container/disk.c core/container/exec.c core/container/exec_int.h core/container/exec_probe.c core/container/exec_start.c core/container/image_use.c core/container/image_use.h \
	core/container/init.c core/container/life.c core/container/list_filter.c core/container/list_filter.h core/container/log_serve.h \
	core/container/logs.c core/container/monitor.c core/container/mounts.c core/container/networks.c core/container/networks.h core/container/networks_int.h core/container/networks_json.c core/container/print.c core/container/spec_host.c \
	core/container/start.c core/container/stats.c core/container/usage.c core/container/usage.h core/container/stop.c core/container/store.c core/container/streams.c core/container/top.c core/container/update.c core/container/wait.c
libcontainer_a_SOURCES += core/container/copy_up.c core/container/copy_up.h
libcontainer_a_SOURCES += core/container/etc_files.c core/container/join.c core/container/join.h core/container/links.c core/container/links_int.h core/container/links_tell.c core/container/links.h
libcontainer_a_SOURCES += core/container/runtimes.c core/container/runtimes.h
libcontainer_a_SOURCES += core/container/later.c core/container/shim_spare.c core/container/shutdown.c
