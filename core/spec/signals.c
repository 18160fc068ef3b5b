/* SPDX-License-Identifier: Apache-2.0 */
/* Names of signals and of containers. */
#include "spec/spec.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

/* Real-time signals count from 34, as inside any container: the C library of the daemon keeps 32 and 33 for itself. signal(7) */
#define RT_FIRST 34
#define RT_LAST 64

static const struct {
	const char *name;
	int number;
} signals[] = {
    {"ABRT", SIGABRT},   {"ALRM", SIGALRM},     {"BUS", SIGBUS},     {"CHLD", SIGCHLD},
    {"CLD", SIGCHLD},    {"CONT", SIGCONT},     {"FPE", SIGFPE},     {"HUP", SIGHUP},
    {"ILL", SIGILL},     {"INT", SIGINT},       {"IO", SIGIO},       {"IOT", SIGIOT},
    {"KILL", SIGKILL},   {"PIPE", SIGPIPE},     {"POLL", SIGPOLL},   {"PROF", SIGPROF},
    {"PWR", SIGPWR},     {"QUIT", SIGQUIT},     {"SEGV", SIGSEGV},   {"STOP", SIGSTOP},
    {"SYS", SIGSYS},     {"TERM", SIGTERM},     {"TRAP", SIGTRAP},   {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN},   {"TTOU", SIGTTOU},     {"URG", SIGURG},     {"USR1", SIGUSR1},
    {"USR2", SIGUSR2},   {"VTALRM", SIGVTALRM}, {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},
    {"WINCH", SIGWINCH}, {"STKFLT", SIGSTKFLT}, {"RTMIN", RT_FIRST}, {"RTMAX", RT_LAST},
};

/* Digits only; -1 if not, or above max. */
static int small_number(const char *s, int max)
{
	int n = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return -1;
		n = n * 10 + (*s - '0');
		if (n > max)
			return -1;
	}
	return n;
}

int spec_signal(const char *name)
{
	int n = small_number(name, RT_LAST);

	if (n >= 0)
		return n > 0 ? n : -1;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (strcasecmp(name, signals[i].name) == 0)
			return signals[i].number;
	if (strncasecmp(name, "RTMIN+", 6) == 0) {
		n = small_number(name + 6, 15);
		return n > 0 ? RT_FIRST + n : -1;
	}
	if (strncasecmp(name, "RTMAX-", 6) == 0) {
		n = small_number(name + 6, 14);
		return n > 0 ? RT_LAST - n : -1;
	}
	return -1;
}

bool spec_name_ok(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++) {
		if (isalnum((unsigned char)name[n]) && (unsigned char)name[n] < 0x80)
			continue;
		if (n == 0 || !strchr("_.-", name[n]))
			return false;
	}
	return n >= 2;
}
