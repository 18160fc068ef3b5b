# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets, built on demand in a tree of their own:
#	../configure CC=clang CFLAGS="-g -O1 -fsanitize=fuzzer-no-link,address,undefined" && make fuzz_spec
#	./fuzz_json_file ../tests/fuzz/corpus/json_file -runs=100000
fuzz_programs = fuzz_tar fuzz_image fuzz_spec fuzz_daemon_json fuzz_json_file fuzz_local fuzz_logd fuzz_http fuzz_websocket fuzz_msg fuzz_registry
EXTRA_PROGRAMS += $(fuzz_programs)
fuzzers: $(fuzz_programs)
list-fuzzers:
	@echo $(fuzz_programs)
.PHONY: fuzzers list-fuzzers
fuzz_spec_SOURCES = tests/fuzz/fuzz_spec.c
fuzz_spec_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_spec_LDADD = libspec.a libbase.a $(CJSON_LIBS)

fuzz_daemon_json_SOURCES = tests/fuzz/fuzz_daemon_json.c
fuzz_daemon_json_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_daemon_json_LDADD = libconfig.a libbase.a $(CJSON_LIBS)

fuzz_json_file_SOURCES = tests/fuzz/fuzz_json_file.c plugins/log/common/time.c plugins/log/json-file/escape.c plugins/log/json-file/scan.c
fuzz_json_file_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

fuzz_local_SOURCES = tests/fuzz/fuzz_local.c plugins/log/local/entry.c
fuzz_local_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

logd_without_driver = servers/logd/client.c servers/logd/control.c servers/logd/keys.c servers/logd/loop.c servers/logd/split.c \
	servers/logd/stream.c
fuzz_logd_SOURCES = tests/fuzz/fuzz_logd.c $(logd_without_driver)
fuzz_logd_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_logd_LDADD = libbase.a $(CJSON_LIBS) -lpthread

fuzz_tar_SOURCES = tests/fuzz/fuzz_tar.c
fuzz_tar_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
fuzz_tar_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_tar_LDADD = $(UNPACK_LIBS)

fuzz_image_SOURCES = tests/fuzz/fuzz_image.c
fuzz_image_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_image_LDADD = libimage.a libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS)

fuzz_registry_SOURCES = tests/fuzz/fuzz_registry.c
fuzz_registry_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_registry_LDADD = libregistry.a libimage.a libplugin.a libbase.a $(HTTP_PARSER_LIBS) $(CJSON_LIBS) -lpthread -ldl

# The same over their corpora in make check, with any compiler (tests/fuzz/main.c).
corpus_programs = tests/fuzz/corpus_tar tests/fuzz/corpus_image tests/fuzz/corpus_daemon_json tests/fuzz/corpus_json_file tests/fuzz/corpus_local tests/fuzz/corpus_logd tests/fuzz/corpus_registry
check_PROGRAMS += $(corpus_programs)
TESTS += $(corpus_programs)
EXTRA_DIST += tests/fuzz/corpus

tests_fuzz_corpus_daemon_json_SOURCES = $(fuzz_daemon_json_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_daemon_json_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/daemon_json"'
tests_fuzz_corpus_daemon_json_LDADD = $(fuzz_daemon_json_LDADD)
tests_fuzz_corpus_json_file_SOURCES = $(fuzz_json_file_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_json_file_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/json_file"'
tests_fuzz_corpus_local_SOURCES = $(fuzz_local_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_local_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/local"'
tests_fuzz_corpus_logd_SOURCES = $(fuzz_logd_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_logd_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/logd"'
tests_fuzz_corpus_logd_LDADD = $(fuzz_logd_LDADD)
tests_fuzz_corpus_tar_SOURCES = $(fuzz_tar_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_tar_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/tar"'
tests_fuzz_corpus_tar_LDADD = $(fuzz_tar_LDADD)
tests_fuzz_corpus_image_SOURCES = $(fuzz_image_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_image_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/image"'
tests_fuzz_corpus_image_LDADD = $(fuzz_image_LDADD)
tests_fuzz_corpus_registry_SOURCES = $(fuzz_registry_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_registry_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/registry"'
tests_fuzz_corpus_registry_LDADD = $(fuzz_registry_LDADD)

fuzz_http_SOURCES = tests/fuzz/fuzz_http.c core/http/head.c core/http/reply.c core/http/route.c
fuzz_http_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_http_LDADD = libbase.a $(CJSON_LIBS) $(HTTP_PARSER_LIBS)
fuzz_websocket_SOURCES = tests/fuzz/fuzz_websocket.c core/http/websocket.c
fuzz_websocket_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_websocket_LDADD = libbase.a $(CJSON_LIBS)
fuzz_msg_SOURCES = tests/fuzz/fuzz_msg.c
fuzz_msg_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_msg_LDADD = libbase.a $(CJSON_LIBS)
wire_programs = tests/fuzz/corpus_http tests/fuzz/corpus_websocket tests/fuzz/corpus_msg
check_PROGRAMS += $(wire_programs)
TESTS += $(wire_programs)
tests_fuzz_corpus_http_SOURCES = $(fuzz_http_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_http_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/http"'
tests_fuzz_corpus_http_LDADD = $(fuzz_http_LDADD)
tests_fuzz_corpus_websocket_SOURCES = $(fuzz_websocket_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_websocket_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/websocket"'
tests_fuzz_corpus_websocket_LDADD = $(fuzz_websocket_LDADD)
tests_fuzz_corpus_msg_SOURCES = $(fuzz_msg_SOURCES) tests/fuzz/main.c
tests_fuzz_corpus_msg_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"$(abs_srcdir)/tests/fuzz/corpus/msg"'
tests_fuzz_corpus_msg_LDADD = $(fuzz_msg_LDADD)
