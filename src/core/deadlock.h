/* SPDX-License-Identifier: MIT */
/* Finds circles in which tasks wait for one another, and breaks those that the library caused
 * itself. */
#ifndef SPT_CORE_DEADLOCK_H
#define SPT_CORE_DEADLOCK_H

#include <stdint.h>

#include "base/list.h"

struct spt_sched;
struct spt_task;

/* A wait that must not be for a task that itself waits for this one. A combinator waits like that
 * for the tasks that it has cancelled, which cancellation does not reach. So does a task that waits
 * for a module which another task loads. */
struct spt_acyclic_wait {
    struct spt_link link;  /* in the scheduler's list while the task waits */
    struct spt_task *task; /* the waiting task */
    /* Stops waiting for `member`, a live task. The whole wait may end by that; the node is then out
     * of the list. */
    void (*give_up)(struct spt_acyclic_wait *, struct spt_task *member);
};

/* Breaks circles through an spt_acyclic_wait. To be called when a task begins to wait while any
 * such wait is listed. Each gives up the members that wait for it by way of this task. If there is
 * no memory for the search, they keep waiting. */
void spt_deadlock_break(struct spt_task *t);

/* Writes at most `max` tasks of a circle to `out`, each waiting for the next and the last for the
 * first. Returns the number of tasks in the circle, 0 if there is none. Only dependencies that
 * operations report are found. */
uint32_t spt_deadlock_cycle(struct spt_sched *s, struct spt_task **out, uint32_t max);

/* Writes at most `max` of the tasks by which `from` waits for `to`, from `from` on and without
 * `to`. Returns their number; 0 if `from` does not wait for `to`, or if there is no memory for the
 * search. */
uint32_t spt_deadlock_path(struct spt_task *from, struct spt_task *to, struct spt_task **out,
                           uint32_t max);

#endif
