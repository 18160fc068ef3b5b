# SPDX-License-Identifier: Apache-2.0
# Sources that each storage driver compiles in for itself: walks of trees in plain libc, and (tests) the fault points.
STORAGE_COMMON = plugins/storage/common/tree.c plugins/storage/common/tree.h \
	core/base/fault.c core/base/fault.h core/base/error.c core/base/error.h
STORAGE_PLAIN = plugins/storage/common/plain.c plugins/storage/common/plain.h
STORAGE_OVERLAYFS = plugins/storage/common/overlayfs.c plugins/storage/common/overlayfs.h
STORAGE_STACKED = plugins/storage/common/stacked.c plugins/storage/common/stacked.h
STORAGE_LIMIT = plugins/storage/common/limit.c plugins/storage/common/limit.h \
	core/base/quota.c core/base/quota.h core/base/id.c core/base/id.h core/base/str.c core/base/str.h core/base/mem.c core/base/mem.h
STORAGE_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -pthread

if STORAGE_OVERLAY2
drvstorage_LTLIBRARIES += plugins/storage/overlay2/overlay2.la
plugins_storage_overlay2_overlay2_la_SOURCES = plugins/storage/overlay2/overlay2.c plugins/storage/overlay2/overlay2.h \
	plugins/storage/overlay2/mount.c $(STORAGE_OVERLAYFS) $(STORAGE_STACKED) $(STORAGE_LIMIT) $(STORAGE_COMMON)
plugins_storage_overlay2_overlay2_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_storage_overlay2_overlay2_la_LDFLAGS = $(STORAGE_LDFLAGS)
dist_man_MANS += plugins/storage/overlay2/dockerd-storage-overlay2.8
endif

if STORAGE_OVERLAY
drvstorage_LTLIBRARIES += plugins/storage/overlay/overlay.la
plugins_storage_overlay_overlay_la_SOURCES = plugins/storage/overlay/overlay.c plugins/storage/common/copy.c $(STORAGE_OVERLAYFS) $(STORAGE_COMMON)
plugins_storage_overlay_overlay_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_storage_overlay_overlay_la_LDFLAGS = $(STORAGE_LDFLAGS)
dist_man_MANS += plugins/storage/overlay/dockerd-storage-overlay.8
endif

if STORAGE_FUSE_OVERLAYFS
drvstorage_LTLIBRARIES += plugins/storage/fuse-overlayfs/fuse-overlayfs.la
plugins_storage_fuse_overlayfs_fuse_overlayfs_la_SOURCES = plugins/storage/fuse-overlayfs/fuse-overlayfs.c $(STORAGE_STACKED) $(STORAGE_COMMON)
plugins_storage_fuse_overlayfs_fuse_overlayfs_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_storage_fuse_overlayfs_fuse_overlayfs_la_LDFLAGS = $(STORAGE_LDFLAGS)
dist_man_MANS += plugins/storage/fuse-overlayfs/dockerd-storage-fuse-overlayfs.8
endif

if STORAGE_VFS
drvstorage_LTLIBRARIES += plugins/storage/vfs/vfs.la
plugins_storage_vfs_vfs_la_SOURCES = plugins/storage/vfs/vfs.c plugins/storage/common/copy.c $(STORAGE_PLAIN) $(STORAGE_LIMIT) $(STORAGE_COMMON)
plugins_storage_vfs_vfs_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_storage_vfs_vfs_la_LDFLAGS = $(STORAGE_LDFLAGS)
dist_man_MANS += plugins/storage/vfs/dockerd-storage-vfs.8
endif

if STORAGE_BTRFS
drvstorage_LTLIBRARIES += plugins/storage/btrfs/btrfs.la
plugins_storage_btrfs_btrfs_la_SOURCES = plugins/storage/btrfs/btrfs.c $(STORAGE_PLAIN) $(STORAGE_COMMON)
plugins_storage_btrfs_btrfs_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_storage_btrfs_btrfs_la_LDFLAGS = $(STORAGE_LDFLAGS)
dist_man_MANS += plugins/storage/btrfs/dockerd-storage-btrfs.8
plugins_storage_btrfs_btrfs_la_LIBADD = $(BTRFS_LIBS)
endif

if STORAGE_DEVICEMAPPER
drvstorage_LTLIBRARIES += plugins/storage/devicemapper/devicemapper.la
plugins_storage_devicemapper_devicemapper_la_SOURCES = plugins/storage/devicemapper/devicemapper.c plugins/storage/devicemapper/devicemapper.h \
	plugins/storage/devicemapper/pool.c plugins/storage/devicemapper/task.c $(STORAGE_COMMON)
plugins_storage_devicemapper_devicemapper_la_CFLAGS = $(DRIVER_CFLAGS) $(DEVMAPPER_CFLAGS)
plugins_storage_devicemapper_devicemapper_la_LDFLAGS = $(STORAGE_LDFLAGS)
plugins_storage_devicemapper_devicemapper_la_LIBADD = $(DEVMAPPER_LIBS)
dist_man_MANS += plugins/storage/devicemapper/dockerd-storage-devicemapper.8
endif
# built on demand only, but part of every tarball
EXTRA_DIST += plugins/storage/devicemapper/dockerd-storage-devicemapper.8
