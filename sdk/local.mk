# SPDX-License-Identifier: Apache-2.0
sdkincludedir = $(includedir)/dockerd
sdkinclude_HEADERS = sdk/include/dockerd/driver.h sdk/include/dockerd/storage.h sdk/include/dockerd/exec.h \
	sdk/include/dockerd/log.h sdk/include/dockerd/authz.h sdk/include/dockerd/network.h
pkgconfig_DATA = sdk/dockerd-sdk.pc

bin_PROGRAMS += dockerd-driver-test
dockerd_driver_test_SOURCES = sdk/tester/cell.c sdk/tester/cell.h sdk/tester/common.c sdk/tester/elf.c sdk/tester/host.c \
	sdk/tester/kit.c sdk/tester/kit.h sdk/tester/main.c sdk/tester/sent.c sdk/tester/snapshot.c sdk/tester/storage_suite.c \
	sdk/tester/storage_suite.h sdk/tester/suite_authz.c sdk/tester/suite_exec.c sdk/tester/suite_log.c \
	sdk/tester/suite_network.c sdk/tester/storage_rough.c sdk/tester/suite_storage.c sdk/tester/suite_storage.h
dockerd_driver_test_LDADD = libplugin.a libbase.a $(CJSON_LIBS) -lpthread -ldl

# Tests of the SDK: the kit on every driver of ours; a driver per sin, which the loader or the kit must catch.
dist_check_SCRIPTS += tests/drivers/test_kit.sh
TESTS += tests/drivers/test_kit.sh
EXTRA_DIST += tests/bad-drivers/bad.c
dist_check_SCRIPTS += tests/bad-drivers/test_bad_drivers.sh
EXTRA_DIST += tests/bad-drivers/bad_storage.c
TESTS += tests/bad-drivers/test_bad_drivers.sh
# A stranger's driver, built from installed files only.
EXTRA_DIST += sdk/example/tee-file.c sdk/example/reflink.c sdk/example/Makefile
dist_check_SCRIPTS += tests/drivers/test_example.sh
TESTS += tests/drivers/test_example.sh
# Frozen headers, and what must load with them.
EXTRA_DIST += sdk/abi/print.c sdk/abi/tiny.c sdk/abi/0.1.txt sdk/abi/0.1/dockerd/driver.h sdk/abi/0.1/dockerd/storage.h \
	sdk/abi/0.1/dockerd/exec.h sdk/abi/0.1/dockerd/log.h sdk/abi/0.1/dockerd/authz.h sdk/abi/0.1/dockerd/network.h \
	sdk/abi/0.2.txt sdk/abi/0.2/dockerd/driver.h sdk/abi/0.2/dockerd/storage.h sdk/abi/0.2/dockerd/exec.h \
	sdk/abi/0.2/dockerd/log.h sdk/abi/0.2/dockerd/authz.h sdk/abi/0.2/dockerd/network.h \
	sdk/abi/0.3.txt sdk/abi/0.3/dockerd/driver.h sdk/abi/0.3/dockerd/storage.h sdk/abi/0.3/dockerd/exec.h \
	sdk/abi/0.3/dockerd/log.h sdk/abi/0.3/dockerd/authz.h sdk/abi/0.3/dockerd/network.h
dist_check_SCRIPTS += sdk/abi/test_abi.sh
TESTS += sdk/abi/test_abi.sh
