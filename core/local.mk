# SPDX-License-Identifier: Apache-2.0
# The rooms of the core, as static libraries in the order of the include rule: base below everything.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	core/base/bool.c core/base/bool.h core/base/bolt.c core/base/bolt.h core/base/bolt_int.h core/base/bolt_tree.c core/base/cleanup.h core/base/clock.c core/base/clock.h core/base/error.c core/base/error.h \
	core/base/fault.c core/base/fault.h core/base/file.c core/base/file.h core/base/filter.c core/base/filter.h core/base/hash.h core/base/id.c core/base/id.h core/base/idmap.c core/base/idmap.h core/base/json.h \
	core/base/json_parse.c core/base/json_write.c core/base/log.c core/base/log.h core/base/map.c core/base/map.h \
	core/base/mem.c core/base/mem.h core/base/metrics.c core/base/metrics.h core/base/platform.c core/base/platform.h core/base/plain.h core/base/procstat.c core/base/procstat.h core/base/program.c core/base/program.h core/base/quota.c core/base/quota.h core/base/sha256.c core/base/sha256.h core/base/spawn.c core/base/spawn.h core/base/str.c core/base/str.h \
	core/base/thread.c core/base/thread.h \
	core/proto/msg.c core/proto/msg.h core/proto/shim.h core/unpack/client.c core/unpack/client.h

include core/config/local.mk
include core/http/local.mk
include core/plugin/local.mk
include core/spec/local.mk
include core/image/local.mk

include core/network/local.mk
include core/volume/local.mk
include core/events/local.mk
include core/authz/local.mk
include core/registry/local.mk
include core/tls/local.mk
include core/container/local.mk
include core/api/local.mk
include core/main/local.mk
