# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libvolume.a
libvolume_a_SOURCES = core/volume/fill.c core/volume/held.c core/volume/list.c core/volume/lookup.c core/volume/meta.c core/volume/mount.c core/volume/options.c core/volume/plugins.c core/volume/volume.c \
	core/volume/volume.h core/volume/volume_int.h
