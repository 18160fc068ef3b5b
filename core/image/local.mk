# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libimage.a
libimage_a_SOURCES = \
	core/image/changes.c core/image/delete.c core/image/diff.c core/image/distribution.c core/image/image.h core/image/held.c core/image/images.c \
	core/image/import.c core/image/init.c core/image/layers.c core/image/list.c core/image/load.c core/image/mounts.c \
	core/image/reaper.c core/image/reference.c core/image/reference.h core/image/rw.c core/image/save.c \
	core/image/stack.c core/image/stack.h core/image/store.c core/image/store_int.h core/image/tags.c
