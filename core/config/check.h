/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of single values that rows of the option table name. Private to this room. Words and order of moby. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/table.h"

int check_ip(const char *v, bool from_file, struct error *err);
int check_dns(const char *v, bool from_file, struct error *err);
int check_host(const char *v, bool from_file, struct error *err);
int check_label(const char *v, bool from_file, struct error *err);
int check_domain(const char *v, bool from_file, struct error *err);
int check_mirror(const char *v, bool from_file, struct error *err);
int check_registry(const char *v, bool from_file, struct error *err);
int check_exec_opt(const char *v, bool from_file, struct error *err);
int check_log_level(const char *v, bool from_file, struct error *err);
int check_log_format(const char *v, bool from_file, struct error *err);
int check_ipc_mode(const char *v, bool from_file, struct error *err);
int check_cgroupns_mode(const char *v, bool from_file, struct error *err);
int check_mtu(const char *v, bool from_file, struct error *err);
int check_downloads(const char *v, bool from_file, struct error *err);
int check_uploads(const char *v, bool from_file, struct error *err);
int check_attempts(const char *v, bool from_file, struct error *err);
int check_oom_score(const char *v, bool from_file, struct error *err);
int check_header(const char *v, bool from_file, struct error *err);
int check_cidr(const char *v, bool from_file, struct error *err);
int check_cgroup_parent(const char *v, bool from_file, struct error *err);

int flag_ulimit(const char *arg, struct str *name, struct jw *w, struct error *err);
int flag_runtime(const char *arg, struct str *name, struct jw *w, struct error *err);
int flag_pool(const char *arg, struct str *name, struct jw *w, struct error *err);
int flag_network_opt(const char *arg, struct str *name, struct jw *w, struct error *err);
int flag_feature(const char *arg, struct str *name, struct jw *w, struct error *err);

int json_ulimits(const json *j, struct error *err);
int json_features(const json *j, struct error *err);
int json_runtimes(const json *j, struct error *err);

/* Go's word for the type of a JSON value: "number", "bool", ... */
const char *json_go_name(const json *j);

#endif
