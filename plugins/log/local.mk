# SPDX-License-Identifier: Apache-2.0
log_file_sources = plugins/log/common/compress.c plugins/log/common/log_file.h plugins/log/common/options.c plugins/log/common/read.c \
	plugins/log/common/rotate.c plugins/log/common/time.c plugins/log/common/watch.c
if LOG_JSON_FILE
drvlog_LTLIBRARIES += plugins/log/json-file/json-file.la
plugins_log_json_file_json_file_la_SOURCES = \
	$(log_file_sources) plugins/log/json-file/escape.c core/base/plain.h plugins/log/json-file/json-file.c plugins/log/json-file/json-file.h \
	plugins/log/json-file/lines.c plugins/log/json-file/scan.c plugins/log/json-file/attrs.c plugins/log/json-file/write.c plugins/log/common/tag.c plugins/log/common/tag.h
plugins_log_json_file_json_file_la_CFLAGS = $(DRIVER_CFLAGS) $(ZLIB_CFLAGS)
plugins_log_json_file_json_file_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_log_json_file_json_file_la_LIBADD = $(ZLIB_LIBS)
dist_man_MANS += plugins/log/json-file/dockerd-log-json-file.8
endif
if LOG_LOCAL
drvlog_LTLIBRARIES += plugins/log/local/local.la
plugins_log_local_local_la_SOURCES = $(log_file_sources) plugins/log/local/entry.c plugins/log/local/local.c plugins/log/local/local.h
plugins_log_local_local_la_CFLAGS = $(DRIVER_CFLAGS) $(ZLIB_CFLAGS)
plugins_log_local_local_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_log_local_local_la_LIBADD = $(ZLIB_LIBS)
dist_man_MANS += plugins/log/local/dockerd-log-local.8
endif
if LOG_SYSLOG
drvlog_LTLIBRARIES += plugins/log/syslog/syslog.la
plugins_log_syslog_syslog_la_SOURCES = \
	plugins/log/common/tag.c plugins/log/common/tag.h plugins/log/syslog/address.c plugins/log/syslog/format.c plugins/log/syslog/syslog.c plugins/log/syslog/syslog.h
plugins_log_syslog_syslog_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_log_syslog_syslog_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
dist_man_MANS += plugins/log/syslog/dockerd-log-syslog.8
endif
if LOG_NONE
drvlog_LTLIBRARIES += plugins/log/none/none.la
plugins_log_none_none_la_SOURCES = plugins/log/none/none.c
plugins_log_none_none_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_log_none_none_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
dist_man_MANS += plugins/log/none/dockerd-log-none.8
endif
