/* SPDX-License-Identifier: MIT */
/* What a piece of work on markup may use: steps, processor time, and the patience of its waiter. A
 * page can be made so that a parser or a selector takes a time that grows with its square. */
#ifndef SPT_HTML_BUDGET_H
#define SPT_HTML_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum spt_html_status {
    SPT_HTML_OK,
    SPT_HTML_NO_MEMORY,  /* the system has none left */
    SPT_HTML_MEMORY,     /* the limit of memory is exceeded */
    SPT_HTML_DEPTH,      /* nested more deeply than the limit */
    SPT_HTML_ATTRIBUTES, /* a tag has more attributes than the limit */
    SPT_HTML_TIME,       /* the processor time is used up */
    SPT_HTML_ABANDONED,  /* nothing waits for the result any more */
    SPT_HTML_STEPS,      /* the steps of a short try are used up: the work is one for the pool */
};

struct spt_html_budget {
    int64_t steps;                 /* left until the next look */
    const atomic_bool *abandoned;  /* borrowed; NULL: a short try, which ends with its steps */
    uint64_t due_ns;               /* on the clock of the thread's processor time */
    enum spt_html_status exceeded; /* why it must end; SPT_HTML_OK if it need not */
};

/* Initialises the budget of a short try. */
void spt_html_budget_init_short(struct spt_html_budget *budget, int64_t steps);

/* Initialises the budget of work in the pool, in the thread that does it. `seconds` is processor
 * time. */
void spt_html_budget_init_long(struct spt_html_budget *budget, double seconds,
                               const atomic_bool *abandoned);

/* Returns false, and sets `exceeded`, if the work must end now. Otherwise adds steps. */
bool spt_html_budget_renew(struct spt_html_budget *budget);

/* Counts steps, each of some 10 ns. Returns false if the work must end now. */
static inline bool spt_html_budget_spend(struct spt_html_budget *budget, unsigned steps)
{
    budget->steps -= steps;
    return budget->steps > 0 || spt_html_budget_renew(budget);
}

#endif
