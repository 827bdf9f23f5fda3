/* The scheduler: the ready queue and the one place that runs tasks. It lives on a clock, a wake-up
 * and a Lua state it was given, and knows nothing of loops, sockets or requests. */
#ifndef SPT_CORE_SCHED_H
#define SPT_CORE_SCHED_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/scope.h"
#include "core/task.h"
#include "core/timer.h"
#include "core/trace.h"

/* The world the scheduler lives in. */
struct spt_hooks {
    uint64_t (*now)(void *ud); /* nanoseconds, never backwards */
    void (*wake)(void *ud);    /* work came up outside the drain: run it soon */
    void (*unhandled)(void *ud,
                      struct spt_task *t); /* a failure nobody saw; may run Lua, protected */
    void (*warn)(void *ud, const char *message);
    void (*felt)(void *ud); /* an interrupt has reached a task; may not run Lua */
    void *ud;
};

/* Work for the main state that must come before any task runs on: a trace hook. */
struct spt_deferred {
    struct spt_link link;
    void (*run)(struct spt_deferred *, lua_State *main); /* once; may not raise */
};

/* Told when no task can run: by tests, to know that a step is over. */
struct spt_idle_waiter {
    struct spt_link link;
    void (*fire)(struct spt_idle_waiter *); /* once; the node is out of the list */
};

enum { SPT_SLOW_PLACES = 64 };

struct spt_sched {
    lua_State *main; /* borrowed; nothing of ours stays on its stack between calls */
    struct spt_hooks hooks;
    struct spt_link ready; /* tasks NEW or READY, oldest first */
    struct spt_link deferred;
    struct spt_link quiet;     /* spt_idle_waiter: told when no task can run */
    struct spt_link unhandled; /* failed tasks to be reported */
    struct spt_link endings;   /* spt_ending: waits that close no circle */
    struct spt_task *current;  /* the running task */
    struct spt_timers timers;
    struct spt_trace trace;
    struct spt_scope main_scope; /* owns the main tasks */
    struct spt_scope background; /* owns task.background's; cancelled when the last main ends */
    uint64_t now_ns;             /* the last edge of a resume: what records are stamped with */
    uint32_t next_id;
    uint32_t next_ref;        /* numbers of the things waited for */
    uint32_t live;            /* tasks not ended */
    uint32_t nmains;          /* of them main tasks */
    uint32_t cancelled_mains; /* main tasks that ended cancelled, ever */
    uint64_t cancel_seq;      /* scopes cancelled, ever */
    uint64_t ntold;           /* failures that a task was told of, ever */
    uint32_t external;        /* operations waiting for the world outside */
    uint64_t shuffle; /* not 0: batches run in random order, by this state of the generator */
    uint64_t slow_ns; /* a turn that takes longer is reported; 0: none is */
    uint64_t slow_places[SPT_SLOW_PLACES]; /* of slow turns that were reported */
    unsigned nslow;                        /* reports so far */
    lua_Hook hook; /* set in every task's coroutine, each so many instructions; or NULL. It is
                       * called without a record, too, to look at the time. */
    int hook_count;
    bool hooked;                         /* a script has set a hook, ever */
    lua_Hook urgent_hook;                /* ends what runs, while `*urgent` */
    const volatile sig_atomic_t *urgent; /* set at any time, by a signal handler; NULL: never */
    bool draining; /* set by who calls spt_sched_run_pass: what becomes ready needs no wake-up */
    lua_CFunction base; /* at the bottom of a wrapped coroutine, below the script's function */
    bool own_frames;    /* tracebacks show the functions of our modules */
    bool giving_up;     /* a task that goes on absorbing its cancellation is abandoned */
    bool shutting_down; /* every await is refused */
    bool exiting; /* a script has ended the run: a task that is abandoned counts as cancelled */
    volatile sig_atomic_t unfelt; /* an interrupt was asked for, and has reached no task yet */

    /* private to op.c: the error of the cancellation that was raised last */
    uint64_t last_cancel_seq; /* its spt_scope.cancel_seq */
    int last_cancel_ref;      /* registry */

    /* private to task.c: what keeps tasks from the garbage collector */
    int anchors_ref, pool_ref; /* registry */
    uint32_t *free_anchors;    /* stack of free indices in the anchor table */
    uint32_t nfree, nanchors;
    uint32_t npool; /* coroutines resting in the pool, some of which the collector may have taken */
    uint32_t pool_room; /* of its table */
};

/* Puts a scheduler into the state of `L`; raises out of memory (run it protected, then release). */
void spt_sched_init(struct spt_sched *s, lua_State *L, const struct spt_hooks *world,
                    uint32_t trace_records);
void spt_sched_release(struct spt_sched *s);

/* The scheduler of a Lua state, or NULL. */
struct spt_sched *spt_sched_of(lua_State *L);

static inline uint64_t spt_sched_clock(struct spt_sched *s)
{
    return s->hooks.now(s->hooks.ud);
}

void spt_sched_defer(struct spt_sched *s, struct spt_deferred *note);

/* Notes that an interrupt has reached a task, and tells the world if it waits for that. */
static inline void spt_sched_felt(struct spt_sched *s)
{
    if (!s->unfelt)
        return;
    s->unfelt = 0;
    s->hooks.felt(s->hooks.ud);
}

/* One lap: fires what is due, runs notes, reports failures, then runs the tasks that are ready now,
 * at most `max`, in order. Returns how many tasks ran. Not to be called from a task. */
unsigned spt_sched_run_pass(struct spt_sched *s, unsigned max);

/* Ends every wait there is, past shields. Joins of closing scopes go on: they end with their
 * tasks. */
void spt_sched_abort(struct spt_sched *s);

/* Ends every task: from now on each wait is refused, those that wait are aborted, and laps are run
 * until nothing moves any more. What is still live then cannot be unwound. */
void spt_sched_unwind(struct spt_sched *s);

/* Is there something to run now? */
static inline bool spt_sched_busy(const struct spt_sched *s)
{
    return !spt_link_alone(&s->ready) || !spt_link_alone(&s->deferred) ||
           !spt_link_alone(&s->unhandled);
}

/* Tells one of those who wait for quiet, when there is nothing to run. Returns whether a lap is to
 * follow. */
bool spt_sched_notify_idle(struct spt_sched *s);

/* Tasks live, and nothing to run now nor I/O to wait for: only a timer could go on. */
static inline bool spt_sched_idle(const struct spt_sched *s)
{
    return s->live > 0 && !spt_sched_busy(s) && s->external == 0;
}

/* Tasks live, and nothing that could ever run one: a sleep for ever is a wait for a signal. */
static inline bool spt_sched_deadlocked(const struct spt_sched *s)
{
    return spt_sched_idle(s) && !spt_heap_min(&s->timers.heap);
}

#endif
