/* SPDX-License-Identifier: MIT */
/* Passes, which run the tasks. A drain (host/run.h) is a series of passes. */
#ifndef SPT_CORE_PASS_H
#define SPT_CORE_PASS_H

#include <stdbool.h>
#include <stdint.h>

struct spt_sched;

/* How much a pass may run. */
struct spt_pass_limit {
    unsigned resumes;  /* number of turns */
    uint64_t until_ns; /* instant from which no turn begins but in its order; 0: none ever does */
    /* asked after each task, and between many timers; true ends the pass; NULL: never */
    bool (*is_late)(void *ud);
    void *ud;
    bool on_time; /* nothing has run since the scheduler's instant was read */
    bool cut;     /* set by the pass: it ended before the tasks that were ready at its beginning */
};

/* Runs one pass: fires due timers, runs deferred callbacks, reports failures, then runs the tasks
 * that are ready now, within `limit`, in order. A late pass runs the first of them all the same.
 * Returns the number of tasks run. Not to be called from a task. */
unsigned spt_pass_run(struct spt_sched *s, struct spt_pass_limit *limit);

/* Notifies the first idle waiter if nothing is ready and no timer is due. Returns true if another
 * pass must follow. */
bool spt_pass_notify_idle(struct spt_sched *s);

/* Cancels every wait, even within shields. Joins of closing scopes continue: they end with their
 * tasks. */
void spt_pass_abort(struct spt_sched *s);

/* Begins to end every task, for a host with so many that no call may do it at once. From now on
 * each wait is refused. */
void spt_pass_begin_unwind(struct spt_sched *s);

/* Cancels the waits of the next tasks, in the order of their anchors from `*next` on, and looks at
 * `n` anchors. Returns false once there are no more. A wait that a task begins meanwhile is
 * refused, so each task is met once. */
bool spt_pass_unwind_some(struct spt_sched *s, uint32_t *next, unsigned n);

/* Ends every task. From now on each wait is refused; waiting tasks are aborted, and passes run
 * until no task is ready. Tasks that are still live then cannot be unwound. */
void spt_pass_unwind(struct spt_sched *s);

#endif
