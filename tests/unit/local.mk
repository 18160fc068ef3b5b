# SPDX-License-Identifier: Apache-2.0
# One program per room; pure code, no root needed.
if HAVE_CMOCKA
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
unit_tests = tests/unit/test_base tests/unit/test_image tests/unit/test_config tests/unit/test_spec tests/unit/test_registry
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

tests_unit_test_base_SOURCES = tests/unit/test_base.c
tests_unit_test_base_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_base_LDADD = libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)

tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_config_LDADD = libconfig.a libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)

tests_unit_test_spec_SOURCES = tests/unit/test_spec.h tests/unit/test_spec.c tests/unit/test_spec_validate.c tests/unit/test_spec_oci.c
tests_unit_test_spec_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_spec_LDADD = libspec.a libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)

tests_unit_test_registry_SOURCES = tests/unit/test_registry.c
tests_unit_test_registry_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_registry_LDADD = libregistry.a libimage.a libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS) $(CMOCKA_LIBS) -lpthread -ldl

tests_unit_test_image_SOURCES = tests/unit/test_image.c
tests_unit_test_image_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_image_LDADD = libimage.a libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_log_format
TESTS += tests/unit/test_log_format
tests_unit_test_log_format_SOURCES = tests/unit/test_log_format.c plugins/log/common/time.c plugins/log/json-file/escape.c plugins/log/json-file/scan.c \
	plugins/log/json-file/attrs.c plugins/log/common/tag.c plugins/log/syslog/address.c plugins/log/syslog/format.c plugins/log/local/entry.c servers/logd/keys.c servers/logd/split.c
tests_unit_test_log_format_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_log_format_LDADD = libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)
unit_tests += tests/unit/test_network
tests_unit_test_network_SOURCES = tests/unit/test_network.c
tests_unit_test_network_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_network_LDADD = libnetwork.a libplugin.a libbase.a $(CJSON_LIBS) $(HTTP_PARSER_LIBS) $(CMOCKA_LIBS)
if NETWORK_BRIDGE
unit_tests += tests/unit/test_bridge
tests_unit_test_bridge_SOURCES = tests/unit/test_bridge.c plugins/network/bridge/options.c plugins/network/bridge/rules.c plugins/network/bridge/ports.c
tests_unit_test_bridge_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_bridge_LDADD = libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)
endif
unit_tests += tests/unit/test_netd
tests_unit_test_netd_SOURCES = tests/unit/test_netd.c
tests_unit_test_netd_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_netd_LDADD = libnetwork.a libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS) $(CMOCKA_LIBS)
unit_tests += tests/unit/test_bolt
tests_unit_test_bolt_SOURCES = tests/unit/test_bolt.c
tests_unit_test_bolt_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_bolt_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=flock
tests_unit_test_bolt_LDADD = libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)
unit_tests += tests/unit/test_dns
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c servers/netd/answer.c servers/netd/names.c
tests_unit_test_dns_CFLAGS = $(UNIT_CFLAGS) -I$(top_srcdir)/servers
tests_unit_test_dns_LDADD = libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS)
unit_tests += tests/unit/test_remote
tests_unit_test_remote_SOURCES = tests/unit/test_remote.c core/authz/remote.c core/authz/remote.h
tests_unit_test_remote_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_remote_LDADD = libplugin.a libbase.a $(CJSON_LIBS) $(CMOCKA_LIBS) $(HTTP_PARSER_LIBS) -lpthread -ldl
endif
