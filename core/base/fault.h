/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named fault points, compiled in with --enable-faults (tests), nothing otherwise.
 *	FAULT("container.start.after-journal");
 * The environment variable DOCKERD_FAULT holds a comma-separated list of NAME=ACTION[@N]:
 *	kill     raise SIGKILL: the process dies as by kill -9
 *	stop     raise SIGSTOP: a test looks around and continues it
 *	hang     sleep for ever: a driver or peer that does not answer
 *	error    FAULT_ERR(name, err) fails with "injected fault NAME"
 * @N: act on the N-th pass only (from 1). A name without a point is reported by `--list-faults` of the program.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/error.h"

#ifdef ENABLE_FAULTS
int fault_point(const char *name, struct error *err);
#define FAULT(name) ((void)fault_point(name, NULL))
/* 0, or -1 with err set. */
#define FAULT_ERR(name, err) fault_point(name, err)
#else
#define FAULT(name) ((void)0)
#define FAULT_ERR(name, err) 0
#endif

#endif
