/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers of containers, layers, exec sessions, volumes: 64 random hexadecimal digits. */
#ifndef BASE_ID_H
#define BASE_ID_H

#define ID_LEN 64

/* Never one whose short form is all digits: clients would take it for a number (as moby). */
void id_random(char out[ID_LEN + 1]);

#endif
