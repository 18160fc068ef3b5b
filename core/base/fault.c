/* SPDX-License-Identifier: Apache-2.0 */
/* See fault.h. */
#include "base/fault.h"

#ifdef ENABLE_FAULTS
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FAULTS 16

static struct {
	char name[64], action[8];
	long at, passed;
} faults[MAX_FAULTS];
static int n_faults;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void parse(void)
{
	const char *env = getenv("DOCKERD_FAULT");

	while (env && *env && n_faults < MAX_FAULTS) {
		const char *end = strchrnul(env, ','), *eq = memchr(env, '=', (size_t)(end - env));
		const char *at;
		size_t len;

		if (eq) {
			at = memchr(eq, '@', (size_t)(end - eq));
			len = (size_t)((at ? at : end) - eq - 1);
			if ((size_t)(eq - env) < sizeof(faults[0].name) &&
			    len < sizeof(faults[0].action)) {
				memcpy(faults[n_faults].name, env, (size_t)(eq - env));
				memcpy(faults[n_faults].action, eq + 1, len);
				faults[n_faults].at = at ? atol(at + 1) : 0;
				n_faults++;
			}
		}
		env = *end ? end + 1 : end;
	}
}

int fault_point(const char *name, struct error *err)
{
	pthread_once(&once, parse);
	for (int i = 0; i < n_faults; i++) {
		long pass;

		if (strcmp(faults[i].name, name) != 0)
			continue;
		pthread_mutex_lock(&lock);
		pass = ++faults[i].passed;
		pthread_mutex_unlock(&lock);
		if (faults[i].at && faults[i].at != pass)
			continue;
		if (!strcmp(faults[i].action, "kill"))
			raise(SIGKILL);
		else if (!strcmp(faults[i].action, "stop"))
			raise(SIGSTOP);
		else if (!strcmp(faults[i].action, "hang"))
			for (;;)
				pause();
		else if (!strcmp(faults[i].action, "error") && err)
			return error_set(err, ERR_SYSTEM, "injected fault %s", name);
	}
	return 0;
}
#else
typedef int fault_unused; /* ISO C forbids an empty translation unit */
#endif
