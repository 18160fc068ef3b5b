/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of exec drivers check with: TAP lines, and the runs that most of them make. */
#ifndef TESTS_EXEC_CHECK_H
#define TESTS_EXEC_CHECK_H

#include "exec_fixture.h"

#include <sys/types.h>

extern struct fixture fx;

/* All of a program's tests: its exit status. 77 without root, /bin/busybox or the built tree. */
int check_main(void (*tests)(void));
void ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Run to the end: exit code and the wanted words in the output (NULL: any). */
void expect_run(const char *name, const struct spec_options *o, int code, const char *words);
void expect_sh(const char *name, const char *script, int code, const char *words);
void expect_refusal(const char *name, const struct spec_options *o, enum error_kind kind,
		    const char *text);
void start_sleeper(struct box *b, const struct spec_options *more);
int run_exec(struct box *b, const char *id, const struct spec_options *o, struct str *output,
	     struct error *err);
char process_state(pid_t pid);
/* What a container must not leave behind: looks below the native driver. */
bool nothing_left(struct box *b);
/* Wait for the end of a process that is perhaps nobody's child here. */
bool ends(pid_t pid, uint64_t start);
pid_t shim_pid(const struct box *b);

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

#endif
