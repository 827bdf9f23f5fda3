/* SPDX-License-Identifier: MIT */
/* Deadlines: a heap of intrusive timers, in nanoseconds of the host's clock. It reads no clock
 * itself: its owner passes the time. */
#ifndef SPT_CORE_TIMER_H
#define SPT_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

#define SPT_NEVER UINT64_MAX

struct spt_timer {
    struct spt_heap_node node;
    uint64_t due_ns;
    uint64_t seq; /* order of arming, which breaks ties */
    /* called once, in the drain, when due; may start or stop any timer; NULL while not armed */
    void (*fire)(struct spt_timer *);
};

struct spt_timers {
    struct spt_heap heap;
    uint64_t seq;
    /* instant of a running spt_timer_expire(), 0 if none; timers armed meanwhile are due later */
    uint64_t expiring;
};

void spt_timer_init(struct spt_timers *ts);

/* Arms `t`, zeroed before its first use, for the instant `due_ns`. An armed timer is armed anew. */
void spt_timer_start(struct spt_timers *ts, struct spt_timer *t, uint64_t due_ns,
                     void (*fire)(struct spt_timer *));

static inline bool spt_timer_is_armed(const struct spt_timer *t)
{
    return t->fire != NULL;
}

/* Disarms `t`. A timer that is not armed is a no-op. */
void spt_timer_stop(struct spt_timers *ts, struct spt_timer *t);

/* Returns the earliest instant at which a timer is due, or SPT_NEVER. */
uint64_t spt_timer_next(const struct spt_timers *ts);

/* Fires the timers due at `now_ns`, earliest first, ties in order of arming. A timer armed
 * meanwhile fires in the next call, so that this one ends. Returns the number fired. */
unsigned spt_timer_expire(struct spt_timers *ts, uint64_t now_ns);

/* Like spt_timer_expire(), but fires at most `max` timers. Those left fire in the next call. */
unsigned spt_timer_expire_some(struct spt_timers *ts, uint64_t now_ns, unsigned max);

/* Returns now_ns + ns, or SPT_NEVER if 64 bits cannot count that. */
uint64_t spt_timer_instant(uint64_t now_ns, uint64_t ns);

#endif
