/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with small stacks, and a mutex held for a scope. All threads of ours are made here: signals are blocked in them. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

#include "base/error.h"

#define THREAD_STACK (256 * 1024)

/* Detached thread with THREAD_STACK bytes of stack, all signals blocked, named (15 bytes). */
int thread_start(const char *name, void *(*run)(void *), void *arg, struct error *err);
/* The same, joinable. */
int thread_start_joinable(const char *name, void *(*run)(void *), void *arg, pthread_t *out,
			  struct error *err);

static inline void mutex_scope_end(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}
/* Lock until the end of the enclosing block. */
#define LOCK_SCOPE(m)                                                                    \
	__attribute__((cleanup(mutex_scope_end), unused)) pthread_mutex_t *scope_lock_ = \
	    (pthread_mutex_lock(m), (m))

#endif
