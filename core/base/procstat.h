/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells about a process. */
#ifndef BASE_PROCSTAT_H
#define BASE_PROCSTAT_H

#include <stdint.h>
#include <sys/types.h>

/* Field 22 of /proc/PID/stat (proc(5)): start in clock ticks since boot; pid and this are an identity. 0: no such process. */
uint64_t proc_start_time(pid_t pid);

#endif
