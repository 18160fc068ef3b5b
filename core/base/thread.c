/* SPDX-License-Identifier: Apache-2.0 */
/* See thread.h. */
#include "base/thread.h"

#include <signal.h>

int thread_start_joinable(const char *name, void *(*run)(void *), void *arg, pthread_t *out,
			  struct error *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(out, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r)
		return error_sys(err, r, "cannot start thread %s", name);
	pthread_setname_np(*out, name);
	return 0;
}

int thread_start(const char *name, void *(*run)(void *), void *arg, struct error *err)
{
	pthread_t t;

	if (thread_start_joinable(name, run, arg, &t, err) < 0)
		return -1;
	pthread_detach(t);
	return 0;
}
