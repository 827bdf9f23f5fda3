/* Deadlines: a heap of intrusive timers in nanoseconds of the host's clock. It knows no clock of
 * its own; whoever owns the heap says what time it is. */
#ifndef SPT_CORE_TIMER_H
#define SPT_CORE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

#define SPT_NEVER UINT64_MAX

struct spt_timer {
    struct spt_heap_node node;
    uint64_t due_ns;
    uint64_t seq; /* order of arming, which breaks ties */
    void (*fire)(
        struct spt_timer *); /* runs once, in the drain, when due; may start or stop any timer */
    bool armed;
};

struct spt_timers {
    struct spt_heap heap;
    uint64_t seq;
    uint64_t expiring; /* the instant of a running expire; what is armed meanwhile is due later */
};

void spt_timers_init(struct spt_timers *ts);

/* Arms `t` (zeroed before its first use) for the instant `due_ns`, anew if it is armed already. */
void spt_timer_start(struct spt_timers *ts, struct spt_timer *t, uint64_t due_ns,
                     void (*fire)(struct spt_timer *));

/* Harmless when `t` is not armed. */
void spt_timer_stop(struct spt_timers *ts, struct spt_timer *t);

/* The earliest instant something is due, or SPT_NEVER. */
uint64_t spt_timers_next(const struct spt_timers *ts);

/* Fires what is due at `now_ns`, earliest first, in arming order on ties. A timer armed meanwhile
 * waits for the next call, so that this ends. Returns how many fired. */
unsigned spt_timers_expire(struct spt_timers *ts, uint64_t now_ns);

#endif
