# SPDX-License-Identifier: Apache-2.0
if AUTHZ_RULES
drvauthz_LTLIBRARIES += plugins/authz/rules/rules.la
# JSON is read by the daemon's own code: a rule must not see another body than the handler does.
plugins_authz_rules_rules_la_SOURCES = plugins/authz/rules/match.c plugins/authz/rules/read.c plugins/authz/rules/rules.c \
	plugins/authz/rules/rules.h \
	core/base/clock.c core/base/error.c core/base/fault.c core/base/file.c core/base/json_parse.c core/base/json_write.c core/base/map.c \
	core/base/mem.c core/base/procstat.c core/base/str.c
plugins_authz_rules_rules_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_authz_rules_rules_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_authz_rules_rules_la_LIBADD = $(CJSON_LIBS)
dist_man_MANS += plugins/authz/rules/dockerd-authz-rules.8
endif
