# SPDX-License-Identifier: Apache-2.0
# The daemon's side of the shim protocol; also what the tests of exec drivers drive.
noinst_LIBRARIES += libshimclient.a
libshimclient_a_SOURCES = core/container/shim_call.h core/container/shim_client.c core/container/shim_client.h \
	core/container/shim_launch.c

# Logs stand apart: tests drive them without the rest of the room.
noinst_LIBRARIES += liblogs.a
liblogs_a_SOURCES = core/container/log_reader.c core/container/log_reader.h core/container/logd_client.c core/container/logd_client.h
