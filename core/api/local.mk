# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libapi.a
libapi_a_SOURCES = core/api/api.c core/api/api.h core/api/absent.c core/api/containers.c core/api/image_show.c core/api/images.c core/api/images.h core/api/metrics.c core/api/networks.c core/api/pipe.c core/api/pipe.h core/api/files.c \
	core/api/registry.c core/api/system.c core/api/volumes.c
