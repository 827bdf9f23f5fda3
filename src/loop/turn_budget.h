/* SPDX-License-Identifier: MIT */
/* What one turn of the loop may read from sockets and decode, and until when. The loop renews the
 * bytes before each poll. Whatever reads asks after each piece, and leaves the rest to the next
 * turn, which begins with it. */
#ifndef SPT_LOOP_TURN_BUDGET_H
#define SPT_LOOP_TURN_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "core/timer.h"

/* Work that a turn leaves to the next, as a member of what it belongs to. */
struct spt_left_work {
    struct spt_link link;
    uint64_t polls; /* number of polls performed before it was left */
    void (*run)(struct spt_left_work *work);
};

struct spt_turn_budget {
    uint64_t bytes_max;  /* at the start of a turn; UINT64_MAX: no limit */
    uint64_t bytes_left; /* of this turn */
    uint64_t until_ns;   /* instant of uv_hrtime() at which to stop; SPT_NEVER: none */
    bool used;           /* something was done in this turn: each turn does at least that */
    bool lenient;        /* what was begun may exceed the bytes, if it would cost more to stop it */
    struct spt_link left; /* spt_left_work, oldest first */
};

/* Initialises a budget without limits. */
void spt_turn_budget_init(struct spt_turn_budget *budget);

/* Begins a turn. */
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

/* Returns true if nothing more may be begun in this turn. */
static inline bool spt_turn_budget_is_spent(const struct spt_turn_budget *budget)
{
    return budget->bytes_left == 0 || (budget->used && spt_turn_budget_is_late(budget));
}

/* Leaves work to the next turn. `polls` is the number of polls performed so far. Work that was left
 * before keeps its place. */
void spt_turn_budget_leave(struct spt_turn_budget *budget, struct spt_left_work *work,
                           uint64_t polls);

/* Runs the work that was left, until the budget is spent. */
void spt_turn_budget_run_left(struct spt_turn_budget *budget);

/* Returns true if there is work that was left. */
static inline bool spt_turn_budget_has_left(const struct spt_turn_budget *budget)
{
    return !spt_list_is_empty(&budget->left);
}

/* Returns the number of polls of which nothing is left. `polls` is the number performed so far. */
uint64_t spt_turn_budget_polls_handled(const struct spt_turn_budget *budget, uint64_t polls);

#endif
