# SPDX-License-Identifier: Apache-2.0
# make check builds them, so that they go on compiling.
EXTRA_DIST += bench/RESULTS.md bench/run bench/images bench/image.py
check_PROGRAMS += bench/exec_floor bench/cycle bench/canned bench/cases bench/cold bench/net
bench_exec_floor_SOURCES = bench/exec_floor.c tests/drivers/exec_fixture.c tests/drivers/exec_fixture.h
bench_exec_floor_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
bench_exec_floor_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
bench_cycle_SOURCES = bench/cycle.c
bench_cycle_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
bench_cycle_LDADD = libbox.a libbase.a $(CJSON_LIBS)
bench_canned_SOURCES = bench/canned.c
bench_canned_LDADD = -lpthread
bench_cases_SOURCES = bench/cases.c
bench_cases_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
bench_cases_LDADD = libbox.a libbase.a $(CJSON_LIBS)
bench_cold_SOURCES = bench/cold.c
bench_net_SOURCES = bench/net.c
bench_net_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
bench_net_LDADD = libbox.a libbase.a $(CJSON_LIBS)
