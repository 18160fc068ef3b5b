# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets, built on demand in a tree of their own:
#	../configure CC=clang CFLAGS="-g -O1 -fsanitize=fuzzer-no-link,address,undefined" && make fuzz_spec
EXTRA_PROGRAMS += fuzz_spec
fuzz_spec_SOURCES = tests/fuzz/fuzz_spec.c
fuzz_spec_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_spec_LDADD = libspec.a libbase.a $(CJSON_LIBS) $(CRYPTO_LIBS)
