/* SPDX-License-Identifier: MIT */
/* splitmix64, a small generator of pseudo-random numbers. The same seed gives the same numbers on
 * every platform. Not for secrets. */
#ifndef SPT_BASE_RANDOM_H
#define SPT_BASE_RANDOM_H

#include <stdint.h>

static inline uint64_t spt_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Returns a number from 0 to n - 1. Its bias is negligible. */
static inline uint32_t spt_random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((spt_random(state) >> 32) * n >> 32);
}

#endif
