# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = core/spec/spec.h core/spec/spec_int.h core/spec/mounts_int.h core/spec/validate_int.h core/spec/validate.c core/spec/validate_resources.c \
	core/spec/missing.c core/spec/versions.c core/spec/schema.h core/spec/schema.c \
	core/spec/schema_container.c core/spec/merge.c core/spec/adapt.c core/spec/mounts.c core/spec/mounts_api.c \
	core/spec/ports.c core/spec/security.c core/spec/caps.c core/spec/devices.c core/spec/resources.c core/spec/sysctl.c core/spec/update.c core/spec/user.c \
	core/spec/process.c core/spec/oci.c core/spec/oci_mounts.c core/spec/seccomp.c core/spec/signals.c core/spec/detach_keys.c
libspec_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)

# The default seccomp profile as one C string.
EXTRA_DIST += etc/seccomp-default.json
BUILT_SOURCES += core/spec/seccomp_default.inc
CLEANFILES += core/spec/seccomp_default.inc
core/spec/seccomp_default.inc: $(top_srcdir)/etc/seccomp-default.json
	$(AM_V_GEN)$(MKDIR_P) core/spec && \
	$(SED) -e 's/^[ 	]*//' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&"/' $(top_srcdir)/etc/seccomp-default.json > $@.tmp && mv $@.tmp $@
# BUILT_SOURCES serves `make all` and `make check` only
core/spec/libspec_a-seccomp.$(OBJEXT): core/spec/seccomp_default.inc
