/* SPDX-License-Identifier: MIT */
/* What one turn of the loop may read from sockets and decode, and until when. The loop renews the
 * bytes before each poll. Whatever reads asks after each piece, and leaves the rest for the next
 * turn. */
#ifndef SPT_LOOP_TURN_BUDGET_H
#define SPT_LOOP_TURN_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/timer.h"

struct spt_turn_budget {
    uint64_t bytes_max;  /* at the start of a turn; UINT64_MAX: no limit */
    uint64_t bytes_left; /* of this turn */
    uint64_t until_ns;   /* instant of uv_hrtime() at which to stop; SPT_NEVER: none */
    bool used;           /* something was done in this turn, so that each turn does something */
};

static inline void spt_turn_budget_renew(struct spt_turn_budget *budget)
{
    budget->bytes_left = budget->bytes_max;
    budget->used = false;
}

static inline void spt_turn_budget_take(struct spt_turn_budget *budget, uint64_t bytes)
{
    budget->bytes_left -= bytes < budget->bytes_left ? bytes : budget->bytes_left;
    budget->used = true;
}

/* Returns true if the instant at which to stop is reached. */
static inline bool spt_turn_budget_is_late(const struct spt_turn_budget *budget)
{
    return budget->until_ns != SPT_NEVER && uv_hrtime() >= budget->until_ns;
}

/* Returns true if the rest is for the next turn. */
static inline bool spt_turn_budget_is_spent(const struct spt_turn_budget *budget)
{
    return budget->bytes_left == 0 || (budget->used && spt_turn_budget_is_late(budget));
}

#endif
