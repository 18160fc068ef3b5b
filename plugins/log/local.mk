# SPDX-License-Identifier: Apache-2.0
if LOG_JSON_FILE
drvlog_LTLIBRARIES += plugins/log/json-file/json-file.la
plugins_log_json_file_json_file_la_SOURCES = \
	plugins/log/json-file/compress.c plugins/log/json-file/escape.c plugins/log/json-file/json-file.c \
	plugins/log/json-file/json-file.h plugins/log/json-file/read.c plugins/log/json-file/scan.c plugins/log/json-file/tag.c \
	plugins/log/json-file/watch.c plugins/log/json-file/write.c
plugins_log_json_file_json_file_la_CFLAGS = $(DRIVER_CFLAGS) $(ZLIB_CFLAGS)
plugins_log_json_file_json_file_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
plugins_log_json_file_json_file_la_LIBADD = $(ZLIB_LIBS)
dist_man_MANS += plugins/log/json-file/dockerd-log-json-file.8
endif
if LOG_NONE
drvlog_LTLIBRARIES += plugins/log/none/none.la
plugins_log_none_none_la_SOURCES = plugins/log/none/none.c
plugins_log_none_none_la_CFLAGS = $(DRIVER_CFLAGS)
plugins_log_none_none_la_LDFLAGS = $(DRIVER_LDFLAGS_ALL)
dist_man_MANS += plugins/log/none/dockerd-log-none.8
endif
