/* SPDX-License-Identifier: MIT */
/* Reads the clock of the thread only once in many steps, because that is a system call. */
#include "html/budget.h"

#include <stddef.h>
#include <time.h>

enum { LOOK_STEPS = 16384 };

#define SECONDS_MAX 1e9 /* more is no limit */

static uint64_t processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void spt_html_budget_init_short(struct spt_html_budget *budget, int64_t steps)
{
    *budget = (struct spt_html_budget){.steps = steps};
}

void spt_html_budget_init_long(struct spt_html_budget *budget, double seconds,
                               const atomic_bool *abandoned)
{
    *budget = (struct spt_html_budget){.steps = LOOK_STEPS, .abandoned = abandoned};
    budget->due_ns =
        seconds < SECONDS_MAX ? processor_ns() + (uint64_t)(seconds * 1e9) : UINT64_MAX;
}

bool spt_html_budget_renew(struct spt_html_budget *budget)
{
    if (budget->exceeded != SPT_HTML_OK)
        return false;
    if (!budget->abandoned)
        budget->exceeded = SPT_HTML_STEPS;
    else if (atomic_load_explicit(budget->abandoned, memory_order_relaxed))
        budget->exceeded = SPT_HTML_ABANDONED;
    else if (processor_ns() >= budget->due_ns)
        budget->exceeded = SPT_HTML_TIME;
    if (budget->exceeded != SPT_HTML_OK)
        return false;
    budget->steps = LOOK_STEPS;
    return true;
}
