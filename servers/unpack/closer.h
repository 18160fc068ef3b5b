/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing beside the work: the last descriptor of a file that was removed gives its blocks back, which takes milliseconds on a file system that
 * discards what it frees; and what was written is on its way to the disk before the sync that the layer ends with. One thread, started before the system call filter; where it was not started, descriptors are closed at once.
 */
#ifndef UNPACK_CLOSER_H
#define UNPACK_CLOSER_H

#include "base/error.h"

#include <stdbool.h>

/* Once per process, before the filter. */
int closer_start(struct error *err);
/* fd is taken. write: its pages start for the disk first. */
void closer_add(int fd, bool write);
/* Until all of them are closed: nobody can run a file that is open for writing. */
void closer_wait(void);

#endif
