# SPDX-License-Identifier: Apache-2.0
# The archive code without the process around it, for the program, its unit tests and the fuzzer.
noinst_LIBRARIES += libunpack.a
libunpack_a_SOURCES = servers/unpack/ahead.c servers/unpack/ahead.h servers/unpack/assemble.c servers/unpack/assemble.h servers/unpack/extract.c servers/unpack/extract.h \
	servers/unpack/closer.c servers/unpack/closer.h servers/unpack/gzip.c servers/unpack/gzip.h servers/unpack/hasher.c servers/unpack/hasher.h servers/unpack/inflate.c servers/unpack/inflate.h servers/unpack/nameset.h servers/unpack/pack.c servers/unpack/pack.h \
	servers/unpack/sink.c servers/unpack/sink.h servers/unpack/split.c servers/unpack/split.h \
	servers/unpack/stream.c servers/unpack/stream.h servers/unpack/tar_pax.c servers/unpack/tar_pax.h \
	servers/unpack/tar_read.c servers/unpack/tar_read.h servers/unpack/tar_write.c servers/unpack/tar_write.h servers/unpack/unzstd.c servers/unpack/unzstd.h
libunpack_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(ZLIB_CFLAGS) $(ISAL_CFLAGS) $(ZSTD_CFLAGS)
UNPACK_LIBS = libunpack.a libbase.a -lpthread $(CRYPTO_LIBS) $(ISAL_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(CJSON_LIBS)

pkglibexec_PROGRAMS += dockerd-unpack
dockerd_unpack_SOURCES = servers/unpack/main.c servers/unpack/sandbox.c servers/unpack/sandbox.h servers/unpack/view.c \
	servers/unpack/view.h core/proto/unpack.h
dockerd_unpack_LDADD = $(UNPACK_LIBS)
