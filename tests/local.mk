# SPDX-License-Identifier: Apache-2.0
# Drivers as the daemon uses them; root only. The built tree is used, not an installed one.
AM_TESTS_ENVIRONMENT = DOCKERD_LIBEXECDIR="$(abs_top_builddir)" DOCKERD_DRIVER_PATH="$(abs_top_builddir)/drivers"; \
	export DOCKERD_LIBEXECDIR DOCKERD_DRIVER_PATH;
if EXEC_NATIVE
exec_tests = tests/drivers/test_exec tests/drivers/test_exec_oci tests/drivers/test_exec_hold tests/drivers/test_exec_faults tests/drivers/test_exec_monitor
check_PROGRAMS += $(exec_tests)
TESTS += $(exec_tests)
exec_check = tests/drivers/exec_check.c tests/drivers/exec_check.h tests/drivers/exec_fixture.c tests/drivers/exec_fixture.h
tests_drivers_test_exec_SOURCES = $(exec_check) tests/drivers/test_exec.c
tests_drivers_test_exec_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
tests_drivers_test_exec_hold_SOURCES = $(exec_check) tests/drivers/test_exec_hold.c
tests_drivers_test_exec_hold_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
tests_drivers_test_exec_faults_SOURCES = $(exec_check) tests/drivers/test_exec_faults.c
tests_drivers_test_exec_faults_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
tests_drivers_test_exec_oci_SOURCES = $(exec_check) tests/drivers/test_exec_oci.c
tests_drivers_test_exec_oci_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
tests_drivers_test_exec_monitor_SOURCES = $(exec_check) tests/drivers/test_exec_monitor.c
tests_drivers_test_exec_monitor_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_DRIVER='"$(abs_top_builddir)/tests/drivers/.libs/monitored.so"'
tests_drivers_test_exec_monitor_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
check_LTLIBRARIES += tests/drivers/monitored.la
tests_drivers_monitored_la_SOURCES = tests/drivers/monitored.c core/base/error.c core/base/json_parse.c core/base/json_write.c \
	core/base/map.c core/base/mem.c core/base/str.c
tests_drivers_monitored_la_CFLAGS = $(DRIVER_CFLAGS)
tests_drivers_monitored_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -rpath /nowhere
tests_drivers_monitored_la_LIBADD = $(CJSON_LIBS)
endif
if HAVE_CMOCKA
if LOG_NONE
check_PROGRAMS += tests/drivers/test_handshake
TESTS += tests/drivers/test_handshake
tests_drivers_test_handshake_SOURCES = tests/drivers/test_handshake.c
tests_drivers_test_handshake_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_drivers_test_handshake_LDADD = libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS) -lpthread
endif
if LOG_JSON_FILE
log_tests = tests/drivers/test_log tests/drivers/test_log_attach tests/drivers/test_log_sinks
check_PROGRAMS += $(log_tests)
TESTS += $(log_tests)
LOG_FIXTURE = tests/drivers/log_fixture.c tests/drivers/log_fixture.h
tests_drivers_test_log_SOURCES = tests/drivers/test_log.c $(LOG_FIXTURE)
tests_drivers_test_log_attach_SOURCES = tests/drivers/test_log_attach.c $(LOG_FIXTURE)
tests_drivers_test_log_sinks_SOURCES = tests/drivers/test_log_sinks.c $(LOG_FIXTURE)
check_LTLIBRARIES += tests/drivers/slow_sink.la
tests_drivers_slow_sink_la_SOURCES = tests/drivers/slow_sink.c
tests_drivers_slow_sink_la_CFLAGS = $(DRIVER_CFLAGS)
tests_drivers_slow_sink_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -rpath /nowhere
LOG_LIBS = liblogs.a libplugin.a libconfig.a libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS) -lutil -lpthread -ldl
tests_drivers_test_log_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_drivers_test_log_LDADD = $(LOG_LIBS)
tests_drivers_test_log_attach_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_drivers_test_log_attach_LDADD = $(LOG_LIBS)
tests_drivers_test_log_sinks_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_drivers_test_log_sinks_LDADD = $(LOG_LIBS)
endif
endif
if NETWORK_BRIDGE
network_tests = tests/drivers/test_network_choice tests/drivers/test_network_v6 tests/drivers/test_network tests/drivers/test_network_kills tests/drivers/test_network_settings
check_PROGRAMS += $(network_tests)
TESTS += $(network_tests)
NETWORK_HOST = tests/drivers/network_host.c tests/drivers/network_host.h tests/drivers/network_box.c tests/drivers/network_box.h
NETWORK_TEST_LIBS = libnetwork.a libplugin.a libbase.a $(CJSON_LIBS) $(HTTP_PARSER_LIBS)
tests_drivers_test_network_choice_SOURCES = tests/drivers/test_network_choice.c $(NETWORK_HOST)
tests_drivers_test_network_choice_LDADD = $(NETWORK_TEST_LIBS)
tests_drivers_test_network_v6_SOURCES = tests/drivers/test_network_v6.c $(NETWORK_HOST)
tests_drivers_test_network_v6_LDADD = $(NETWORK_TEST_LIBS)
if NETWORK_MACVLAN
check_PROGRAMS += tests/drivers/test_network_links
TESTS += tests/drivers/test_network_links
tests_drivers_test_network_links_SOURCES = tests/drivers/test_network_links.c $(NETWORK_HOST)
tests_drivers_test_network_links_LDADD = $(NETWORK_TEST_LIBS)
endif
check_LTLIBRARIES += tests/drivers/choosing.la
tests_drivers_choosing_la_SOURCES = tests/drivers/choosing.c
tests_drivers_choosing_la_CFLAGS = $(DRIVER_CFLAGS)
tests_drivers_choosing_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -rpath /nowhere
tests_drivers_test_network_SOURCES = tests/drivers/test_network.c $(NETWORK_HOST)
tests_drivers_test_network_LDADD = $(NETWORK_TEST_LIBS)
tests_drivers_test_network_kills_SOURCES = tests/drivers/test_network_kills.c $(NETWORK_HOST)
tests_drivers_test_network_kills_LDADD = $(NETWORK_TEST_LIBS)
tests_drivers_test_network_settings_SOURCES = tests/drivers/test_network_settings.c $(NETWORK_HOST)
tests_drivers_test_network_settings_LDADD = $(NETWORK_TEST_LIBS)
endif
check_PROGRAMS += tests/drivers/test_storage
TESTS += tests/drivers/test_storage
tests_drivers_test_storage_SOURCES = tests/drivers/test_storage.c sdk/tester/storage_suite.c sdk/tester/storage_suite.h
tests_drivers_test_storage_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sdk/tester
tests_drivers_test_storage_LDADD = libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS) -lpthread -ldl
check_PROGRAMS += tests/drivers/test_images
TESTS += tests/drivers/test_images
tests_drivers_test_images_SOURCES = tests/drivers/test_images.c tests/drivers/tar_maker.h
tests_drivers_test_images_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_drivers_test_images_LDADD = libimage.a libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS) -lpthread -ldl
if HAVE_CMOCKA
check_PROGRAMS += tests/drivers/test_unpack_shared
TESTS += tests/drivers/test_unpack_shared
tests_drivers_test_unpack_shared_SOURCES = tests/drivers/test_unpack_shared.c tests/drivers/tar_maker.h
tests_drivers_test_unpack_shared_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_drivers_test_unpack_shared_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_drivers_test_unpack_shared_LDADD = libunpack.a libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS) -lpthread
endif
# Scripts start a daemon with it and go on when it is ready.
if FIREWALLD_MODULE
noinst_PROGRAMS += tests/lib/fake-firewalld
tests_lib_fake_firewalld_SOURCES = tests/lib/fake-firewalld.c
tests_lib_fake_firewalld_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
tests_lib_fake_firewalld_LDADD = $(SYSTEMD_LIBS)
endif
noinst_PROGRAMS += tests/lib/start-daemon
tests_lib_start_daemon_SOURCES = tests/lib/start-daemon.c
tests_lib_start_daemon_LDADD =
noinst_PROGRAMS += tests/lib/plugin
tests_lib_plugin_SOURCES = tests/lib/plugin.c tests/lib/plugin.h tests/lib/plugin_net.c
tests_lib_plugin_LDADD = libbase.a $(CJSON_LIBS) -lpthread

# The whole daemon in a box of its own (tests/lib/box.h); root only.
check_LIBRARIES += libbox.a
libbox_a_SOURCES = tests/lib/box.c tests/lib/box.h tests/lib/client.c tests/drivers/tar_maker.h
libbox_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
check_PROGRAMS += tests/lib/guest
tests_lib_guest_SOURCES = tests/lib/guest.c
tests_lib_guest_CFLAGS = $(inside_cflags)
tests_lib_guest_LDFLAGS = $(inside_ldflags)
tests_lib_guest_LDADD =
box_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
box_libs = libbox.a libbase.a $(CJSON_LIBS)
box_tests = tests/api/test_authz tests/api/test_containers tests/api/test_list tests/api/test_requests tests/api/test_streams tests/api/test_websocket tests/api/test_load tests/crash/test_crash \
	tests/crash/test_adopt \
	tests/compat/compare
tests_compat_compare_SOURCES = tests/compat/compare.c
tests_compat_compare_CPPFLAGS = $(box_cppflags)
tests_compat_compare_LDADD = $(box_libs)
box_tests += tests/api/test_undo
tests_api_test_undo_SOURCES = tests/api/test_undo.c
tests_api_test_undo_CPPFLAGS = $(box_cppflags)
tests_api_test_undo_LDADD = $(box_libs)
box_tests += tests/api/test_image_mounts
tests_api_test_image_mounts_SOURCES = tests/api/test_image_mounts.c
tests_api_test_image_mounts_CPPFLAGS = $(box_cppflags)
tests_api_test_image_mounts_LDADD = $(box_libs)
box_tests += tests/api/test_log_copy
tests_api_test_log_copy_SOURCES = tests/api/test_log_copy.c
tests_api_test_log_copy_CPPFLAGS = $(box_cppflags)
tests_api_test_log_copy_LDADD = $(box_libs)
box_tests += tests/api/test_shutdown
tests_api_test_shutdown_SOURCES = tests/api/test_shutdown.c
tests_api_test_shutdown_CPPFLAGS = $(box_cppflags)
tests_api_test_shutdown_LDADD = $(box_libs)
box_tests += tests/api/test_hang
tests_api_test_hang_SOURCES = tests/api/test_hang.c
tests_api_test_hang_CPPFLAGS = $(box_cppflags)
tests_api_test_hang_LDADD = $(box_libs)
check_LTLIBRARIES += tests/drivers/troubled_storage.la
tests_drivers_troubled_storage_la_SOURCES = tests/bad-drivers/bad_storage.c
tests_drivers_troubled_storage_la_CPPFLAGS = $(AM_CPPFLAGS) -DNAME_TEXT='"troubled_storage"' -DSIN=TROUBLE
tests_drivers_troubled_storage_la_CFLAGS = $(DRIVER_CFLAGS)
tests_drivers_troubled_storage_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -rpath /nowhere
check_LTLIBRARIES += tests/drivers/hanging.la tests/drivers/hanging_serial.la
tests_drivers_hanging_la_SOURCES = tests/drivers/hanging.c
tests_drivers_hanging_la_CPPFLAGS = $(AM_CPPFLAGS) -DNAME='"hanging"' -DCONCURRENCY=DOCKERD_PARALLEL
tests_drivers_hanging_la_CFLAGS = $(DRIVER_CFLAGS)
tests_drivers_hanging_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -rpath /nowhere
tests_drivers_hanging_serial_la_SOURCES = tests/drivers/hanging.c
tests_drivers_hanging_serial_la_CPPFLAGS = $(AM_CPPFLAGS) -DNAME='"hanging_serial"' -DCONCURRENCY=DOCKERD_SERIAL
tests_drivers_hanging_serial_la_CFLAGS = $(DRIVER_CFLAGS)
tests_drivers_hanging_serial_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL) -rpath /nowhere
check_PROGRAMS += $(box_tests)
TESTS += $(box_tests)
tests_api_test_authz_SOURCES = tests/api/test_authz.c
tests_api_test_authz_CPPFLAGS = $(box_cppflags)
tests_api_test_authz_LDADD = $(box_libs)
tests_api_test_containers_SOURCES = tests/api/test_containers.c
tests_api_test_containers_CPPFLAGS = $(box_cppflags)
tests_api_test_containers_LDADD = $(box_libs)
tests_api_test_list_SOURCES = tests/api/test_list.c
tests_api_test_list_CPPFLAGS = $(box_cppflags)
tests_api_test_list_LDADD = $(box_libs)
tests_api_test_requests_SOURCES = tests/api/test_requests.c
tests_api_test_requests_CPPFLAGS = $(box_cppflags)
tests_api_test_requests_LDADD = $(box_libs)
tests_api_test_streams_SOURCES = tests/api/test_streams.c
tests_api_test_streams_CPPFLAGS = $(box_cppflags)
tests_api_test_streams_LDADD = $(box_libs)
tests_api_test_websocket_SOURCES = tests/api/test_websocket.c
tests_api_test_websocket_CPPFLAGS = $(box_cppflags)
tests_api_test_websocket_LDADD = $(box_libs)
tests_crash_test_adopt_SOURCES = tests/crash/test_adopt.c
tests_crash_test_adopt_CPPFLAGS = $(box_cppflags)
tests_crash_test_adopt_LDADD = $(box_libs)
tests_crash_test_crash_SOURCES = tests/crash/test_crash.c
tests_crash_test_crash_CPPFLAGS = $(box_cppflags)
tests_crash_test_crash_LDADD = $(box_libs)
tests_api_test_load_SOURCES = tests/api/test_load.c
tests_api_test_load_CPPFLAGS = $(box_cppflags)
tests_api_test_load_LDADD = $(box_libs)
EXTRA_DIST += tests/vm/README tests/vm/cgroup2.sh tests/vm/lib.sh tests/vm/links.sh tests/vm/apparmor.sh tests/vm/quota.sh tests/vm/run tests/vm/storage.sh tests/vm/systemd.sh
EXTRA_DIST += try LICENSE README.md HACKING.md docs/architecture.md docs/compat-choices.md docs/protocols.md docs/registries.md docs/security.md docs/socket-plugins.md \
	docs/storage-on-disk.md tests/allowed-skips tests/system/run
# Not in EXTRA_DIST: there its name means the target, and each "make dist" would run all tests first.
dist-hook:
	cp -p $(top_srcdir)/check $(distdir)/check
EXTRA_DIST += tests/lib/setup.sh
EXTRA_DIST += tests/lib/count.sh
EXTRA_DIST += tests/lib/coverage.sh
EXTRA_DIST += tests/lib/tsan.supp
EXTRA_DIST += tests/lib/system.sh
EXTRA_DIST += tests/lib/on-terminal.py
EXTRA_DIST += tests/lib/registries.sh
EXTRA_DIST += tests/lib/many.py tests/lib/registry.py
EXTRA_DIST += tests/system/01-harness.sh
EXTRA_DIST += tests/system/05-commands.sh tests/system/06-tls.sh
EXTRA_DIST += tests/system/10-run.sh
EXTRA_DIST += tests/system/20-streams.sh
EXTRA_DIST += tests/system/25-logs.sh
EXTRA_DIST += tests/system/30-life.sh tests/system/32-sharing.sh
EXTRA_DIST += tests/system/35-limits.sh
EXTRA_DIST += tests/system/36-runtimes.sh
EXTRA_DIST += tests/system/38-userns.sh
EXTRA_DIST += tests/system/39-escapes.sh
EXTRA_DIST += tests/system/37-health.sh
EXTRA_DIST += tests/system/40-images.sh
EXTRA_DIST += tests/system/45-files.sh
EXTRA_DIST += tests/system/45-registry.sh
EXTRA_DIST += tests/system/46-bad-registry.sh tests/system/47-interchange.sh
EXTRA_DIST += tests/system/48-volumes.sh tests/system/58-authz-plugins.sh tests/system/58-network-plugins.sh tests/system/58-plugins.sh tests/system/59-quota.sh tests/system/61-drivers.sh
EXTRA_DIST += tests/system/49-image-mounts.sh
EXTRA_DIST += tests/system/26-syslog.sh tests/lib/syslog-receiver.py
EXTRA_DIST += tests/system/50-network.sh tests/system/55-networks.sh
EXTRA_DIST += tests/system/55-moby.sh tests/system/57-beside.sh tests/compat/beside
EXTRA_DIST += tests/system/56-macvlan.sh tests/system/57-ipv6.sh tests/system/58-compose.sh tests/system/58-gateways.sh tests/system/59-firewalls.sh
EXTRA_DIST += tests/system/60-restart.sh
EXTRA_DIST += tests/system/70-kills.sh
EXTRA_DIST += tests/system/80-growth.sh
