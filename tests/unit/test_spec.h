/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of test_spec: test_spec.c (forms), test_spec_validate.c (refusals), test_spec_oci.c (what is to be run). */
#ifndef TEST_SPEC_H
#define TEST_SPEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "spec/spec.h"
#include "spec/spec_int.h"

extern const struct spec_host test_host;
/* Parsed, or the test fails. */
json *tree_of(const char *text);
/* The same, normalised. */
json *config_of(const char *text);
json *host_config_of(const char *text);

void test_versions(void **state);
void test_refusals(void **state);
void test_acceptances(void **state);
void test_host_of_cgroup_v2(void **state);

void test_users(void **state);
void test_users_no_escape(void **state);
void test_oci_plain(void **state);
void test_oci_full(void **state);
void test_oci_privileged(void **state);
void test_oci_namespaces(void **state);
void test_oci_user_namespace(void **state);
void test_exec_process(void **state);
void test_resources(void **state);
void test_seccomp(void **state);
void test_seccomp_other_machines(void **state);
void test_caps(void **state);

#endif
