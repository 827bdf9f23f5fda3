/* Who waits for whom: finds the circle in which tasks wait for one another, and opens those that
 * could not end. */
#ifndef SPT_CORE_DEADLOCK_H
#define SPT_CORE_DEADLOCK_H

#include <stdint.h>

#include "base/list.h"

struct spt_sched;
struct spt_task;

/* A wait that must not be for a task that waits for it: that of a combinator's end for tasks that
 * it has cancelled, which cancellation does not reach; that for a module which another task
 * loads. */
struct spt_ending {
    struct spt_link link;  /* in the scheduler's list, while the task waits */
    struct spt_task *task; /* that waits */
    /* Waits no longer for `member`, a live task. The wait may be over then: the node is out of the
     * list. */
    void (*give_up)(struct spt_ending *, struct spt_task *member);
};

/* To be called when a task has begun to wait while there are such waits: each gives up the members
 * that wait for it by way of this task. Without memory for the search they keep waiting. */
void spt_circle_open(struct spt_task *t);

/* Writes a circle to `out`, each task waiting for the next and the last for the first, at most
 * `max` of it. Returns how many it has; 0 when there is none, as far as operations know what they
 * depend on. */
uint32_t spt_deadlock_cycle(struct spt_sched *s, struct spt_task **out, uint32_t max);

/* Writes the tasks by which `from` waits for `to`, from `from` on and without `to`, at most `max`
 * of them. Returns how many there are; 0 when it does not, or memory for the search is missing. */
uint32_t spt_deadlock_path(struct spt_task *from, struct spt_task *to, struct spt_task **out,
                           uint32_t max);

#endif
