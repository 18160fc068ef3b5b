# SPDX-License-Identifier: Apache-2.0
sdkincludedir = $(includedir)/dockerd
sdkinclude_HEADERS = sdk/include/dockerd/driver.h sdk/include/dockerd/storage.h sdk/include/dockerd/exec.h \
	sdk/include/dockerd/log.h sdk/include/dockerd/authz.h sdk/include/dockerd/network.h
pkgconfig_DATA = sdk/dockerd-sdk.pc
