/* random.h - randomness from the kernel, for names, identities and spreading. Threads: any; never fails. */
#pragma once

#include "base/arena.h"

/* For whatever nobody may guess, keys apart: those come from the library that uses them. A thread takes from the kernel a
 * few hundred bytes at a time and wipes what it has given out. */
void random_bytes(void *p, size_t n);
/* "0c1e7a52-93c1-4d5e-8a9b-...": version 4, 36 bytes. */
struct text random_uuid(struct arena *a);
