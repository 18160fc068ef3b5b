/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing beside the work: the last descriptor of a file that was removed gives its blocks back, which takes milliseconds on a file system that
 * discards what it frees. One thread, started before the system call filter; where it was not started, descriptors are closed at once.
 */
#ifndef UNPACK_CLOSER_H
#define UNPACK_CLOSER_H

#include "base/error.h"

/* Once per process, before the filter. */
int closer_start(struct error *err);
/* fd is taken. */
void closer_add(int fd);

#endif
