/* SPDX-License-Identifier: MIT */
/* Units of time. Instants and durations are in nanoseconds. */
#ifndef SPT_BASE_TIME_H
#define SPT_BASE_TIME_H

#include <stdint.h>

#define SPT_NS_PER_US     UINT64_C(1000)
#define SPT_NS_PER_MS     UINT64_C(1000000)
#define SPT_NS_PER_SECOND UINT64_C(1000000000)

/* Returns a duration, or an instant, in seconds. */
static inline double spt_time_seconds(uint64_t ns)
{
    return (double)ns / SPT_NS_PER_SECOND;
}

#endif
