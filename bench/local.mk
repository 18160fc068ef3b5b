# SPDX-License-Identifier: Apache-2.0
noinst_PROGRAMS += bench/exec_floor
bench_exec_floor_SOURCES = bench/exec_floor.c tests/drivers/exec_fixture.c tests/drivers/exec_fixture.h
bench_exec_floor_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
bench_exec_floor_LDADD = libshimclient.a libbase.a $(CJSON_LIBS)
