/* SPDX-License-Identifier: MIT */
/* Keeps the work that was left in one queue, whatever its kind, so that none of it starves. */
#include "loop/turn_budget.h"

void spt_turn_budget_init(struct spt_turn_budget *budget)
{
    *budget = (struct spt_turn_budget){
        .bytes_max = UINT64_MAX, .bytes_left = UINT64_MAX, .until_ns = SPT_NEVER};
    spt_link_init(&budget->left);
}

void spt_turn_budget_leave(struct spt_turn_budget *budget, struct spt_left_work *work,
                           uint64_t polls)
{
    if (!spt_link_alone(&work->link))
        return;
    work->polls = polls;
    spt_list_push(&budget->left, &work->link);
}

void spt_turn_budget_run_left(struct spt_turn_budget *budget)
{
    struct spt_link *link;
    while (!spt_turn_budget_is_spent(budget) && (link = spt_list_pop(&budget->left))) {
        struct spt_left_work *work = SPT_OF(link, struct spt_left_work, link);
        work->run(work);
        budget->used = true;
    }
}

uint64_t spt_turn_budget_polls_handled(const struct spt_turn_budget *budget, uint64_t polls)
{
    return spt_list_is_empty(&budget->left)
               ? polls
               : SPT_OF(budget->left.next, struct spt_left_work, link)->polls;
}
