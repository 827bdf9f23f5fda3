/* SPDX-License-Identifier: MIT */
/* The wall clock of the scripts: the machine's, or one that belongs to a virtual clock. It may be
 * set back, so no duration is measured by it. */
#ifndef SPT_OP_WALL_CLOCK_H
#define SPT_OP_WALL_CLOCK_H

#include <stdint.h>

struct spt_env;

/* Returns the nanoseconds since 1970 on the wall clock. A virtual one begins with the year 2000, so
 * that equal runs have equal times; `t` is the instant on it. The real one is read. */
uint64_t spt_wall_clock_at(const struct spt_env *env, uint64_t t);

#endif
