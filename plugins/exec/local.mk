# SPDX-License-Identifier: Apache-2.0
if EXEC_NATIVE
drvexec_LTLIBRARIES += plugins/exec/native/native.la
plugins_exec_native_native_la_SOURCES = \
	plugins/exec/native/become.c plugins/exec/native/binds.c plugins/exec/native/birth.c plugins/exec/native/caps.c \
	plugins/exec/common/cgroup.c plugins/exec/common/cgroup.h plugins/exec/native/cgroup_mount.c plugins/exec/native/cgroup_v1.c \
	plugins/exec/native/cgroup_v2.c plugins/exec/native/create.c plugins/exec/native/devfilter.c \
	plugins/exec/native/devices.c plugins/exec/native/init.c plugins/exec/native/limits.c plugins/exec/native/native.c \
	plugins/exec/native/native.h plugins/exec/native/paths.c plugins/exec/native/proc_safe.c plugins/exec/native/process.c \
	plugins/exec/native/root.c plugins/exec/native/seccomp.c plugins/exec/native/seccomp_compile.c \
	plugins/exec/native/session.c plugins/exec/native/spec.c plugins/exec/native/state.c plugins/exec/native/sync.c \
	plugins/exec/native/sysctl.c \
	core/base/clock.c core/base/error.c core/base/fault.c core/base/file.c core/base/json_parse.c core/base/json_write.c core/base/map.c \
	core/base/mem.c core/base/procstat.c core/base/str.c
plugins_exec_native_native_la_CFLAGS = $(DRIVER_CFLAGS) $(SECCOMP_CFLAGS) $(CAP_CFLAGS)
plugins_exec_native_native_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_exec_native_native_la_LIBADD = $(SECCOMP_LIBS) $(CAP_LIBS) $(CJSON_LIBS)
dist_man_MANS += plugins/exec/native/dockerd-exec-native.8
endif

if EXEC_OCI
drvexec_LTLIBRARIES += plugins/exec/oci/oci.la
plugins_exec_oci_oci_la_SOURCES = plugins/exec/oci/bundle.c plugins/exec/oci/create.c plugins/exec/oci/oci.c plugins/exec/oci/oci.h plugins/exec/oci/run.c \
	plugins/exec/common/cgroup.c plugins/exec/common/cgroup.h \
	core/base/clock.c core/base/error.c core/base/fault.c core/base/file.c core/base/json_parse.c core/base/json_write.c core/base/map.c \
	core/base/mem.c core/base/procstat.c core/base/str.c
plugins_exec_oci_oci_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_exec_oci_oci_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_exec_oci_oci_la_LIBADD = $(CJSON_LIBS)
dist_man_MANS += plugins/exec/oci/dockerd-exec-oci.8
endif
