# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libvolume.a
libvolume_a_SOURCES = core/volume/volume.h core/volume/volume.c
