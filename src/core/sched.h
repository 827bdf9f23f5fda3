/* The scheduler: the ready queue, and the only place that runs tasks. It is given a clock, a
 * wake-up and a Lua state, and knows nothing of loops, sockets or requests. */
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

/* The functions by which the scheduler reaches its host. */
struct spt_hooks {
    uint64_t (*now)(void *ud); /* returns nanoseconds that never decrease */
    void (*wake)(void *ud);    /* requests a drain: work was queued outside one */
    /* a failure that was not observed; may run Lua, protected */
    void (*unhandled)(void *ud, struct spt_task *t);
    void (*warn)(void *ud, const char *message);
    void (*felt)(void *ud); /* an interrupt has reached a task; may not run Lua */
    void *ud;
};

/* A callback run on the main state before the next task resumes: a trace hook. */
struct spt_deferred {
    struct spt_link link;
    void (*run)(struct spt_deferred *, lua_State *main); /* called once; may not raise */
};

/* Notified when no task can run. Used by tests, to detect that a step is over. */
struct spt_idle_waiter {
    struct spt_link link;
    void (*fire)(struct spt_idle_waiter *); /* called once; the node is out of the list */
};

enum { SPT_SLOW_PLACES = 64 };

struct spt_sched {
    lua_State *main; /* borrowed; its stack holds nothing of Septet's between calls */
    struct spt_hooks hooks;
    struct spt_link ready; /* tasks in state NEW or READY, oldest first */
    struct spt_link deferred;
    struct spt_link quiet;     /* spt_idle_waiter: notified when no task can run */
    struct spt_link unhandled; /* failed tasks to report */
    struct spt_link endings;   /* spt_ending: waits that may not be part of a circle */
    struct spt_task *current;  /* the running task */
    struct spt_timers timers;
    struct spt_trace trace;
    struct spt_scope main_scope; /* owns the main tasks */
    struct spt_scope background; /* owns background tasks; cancelled when the last main task ends */
    /* time at the last start or end of a resume; stamps the trace records */
    uint64_t now_ns;
    uint32_t next_id;
    uint32_t next_ref;        /* number of the last awaited thing that was given one */
    uint32_t live;            /* number of tasks that have not ended */
    uint32_t nmains;          /* number of main tasks among them */
    uint32_t cancelled_mains; /* number of main tasks that ended cancelled so far */
    uint64_t cancel_seq;      /* number of scopes cancelled so far */
    uint64_t ntold;           /* number of failures delivered to tasks so far */
    uint32_t external;        /* number of waiting SEPTET_OP_EXTERNAL operations */
    uint64_t shuffle; /* state of the generator that orders each pass at random; 0: FIFO order */
    uint64_t slow_ns; /* nanoseconds that a turn may take without being reported; 0: any */
    uint64_t slow_places[SPT_SLOW_PLACES]; /* places of the slow turns reported last */
    unsigned nslow;                        /* number of reports so far */
    /* count hook of every task's coroutine, every `hook_count` instructions, or NULL; also called
     * with a NULL record, to check the time */
    lua_Hook hook;
    int hook_count;
    bool hooked;          /* true once a script has set a hook */
    lua_Hook urgent_hook; /* interrupts the running code while `*urgent` */
    /* borrowed; set at any time by a signal handler; NULL if never */
    const volatile sig_atomic_t *urgent;
    /* set by callers of spt_sched_run_pass(): a task that becomes ready needs no wake-up */
    bool draining;
    lua_CFunction base; /* bottom function of a wrapped coroutine, below the script's */
    bool own_frames;    /* tracebacks show Septet's own modules */
    bool giving_up;     /* a task that keeps swallowing its cancellation is abandoned */
    bool shutting_down; /* every await is refused */
    bool exiting; /* a script has ended the run: a task that is abandoned counts as cancelled */
    volatile sig_atomic_t unfelt; /* an interrupt was requested and has reached no task yet */

    /* private to op.c: the error of the last cancellation raised */
    uint64_t last_cancel_seq; /* spt_scope.cancel_seq of its scope */
    int last_cancel_ref;      /* registry */

    /* private to coroutines.c: the anchors and the pool */
    int anchors_ref, pool_ref; /* registry */
    uint32_t *free_anchors;    /* owned; stack of free indices in the anchor table */
    uint32_t nfree, nanchors;
    uint32_t npool; /* upper bound of the coroutines in the pool, since the collector takes some */
    uint32_t pool_room; /* size of the pool's table */
};

/* Initialises a scheduler in the state of `L`. Raises out of memory: run it protected, then
 * release. */
void spt_sched_init(struct spt_sched *s, lua_State *L, const struct spt_hooks *world,
                    uint32_t trace_records);
void spt_sched_release(struct spt_sched *s);

/* Returns the scheduler of a Lua state, or NULL. */
struct spt_sched *spt_sched_of(lua_State *L);

static inline uint64_t spt_sched_clock(struct spt_sched *s)
{
    return s->hooks.now(s->hooks.ud);
}

void spt_sched_defer(struct spt_sched *s, struct spt_deferred *note);

/* Records that an interrupt has reached a task, and notifies the host if it waits for that. */
static inline void spt_sched_felt(struct spt_sched *s)
{
    if (!s->unfelt)
        return;
    s->unfelt = 0;
    s->hooks.felt(s->hooks.ud);
}

/* Runs one pass: fires due timers, runs deferred callbacks, reports failures, then runs the tasks
 * that are ready now, at most `max`, in order. Returns the number of tasks run. Not to be called
 * from a task. */
unsigned spt_sched_run_pass(struct spt_sched *s, unsigned max);

/* Cancels every wait, even within shields. Joins of closing scopes continue: they end with their
 * tasks. */
void spt_sched_abort(struct spt_sched *s);

/* Ends every task. From now on each wait is refused; waiting tasks are aborted, and passes run
 * until no task is ready. Tasks that are still live then cannot be unwound. */
void spt_sched_unwind(struct spt_sched *s);

/* Returns true if a task, a deferred callback or a report is pending. */
static inline bool spt_sched_busy(const struct spt_sched *s)
{
    return !spt_link_alone(&s->ready) || !spt_link_alone(&s->deferred) ||
           !spt_link_alone(&s->unhandled);
}

/* Notifies the first idle waiter if nothing is ready and no timer is due. Returns true if another
 * pass must follow. */
bool spt_sched_notify_idle(struct spt_sched *s);

/* Returns true if tasks are live, but none is ready and none waits for I/O: only a timer could
 * resume one. */
static inline bool spt_sched_idle(const struct spt_sched *s)
{
    return s->live > 0 && !spt_sched_busy(s) && s->external == 0;
}

/* Returns true if tasks are live and nothing can resume one. A sleep for ever has a timer, and
 * counts as a wait for a signal. */
static inline bool spt_sched_deadlocked(const struct spt_sched *s)
{
    return spt_sched_idle(s) && !spt_heap_min(&s->timers.heap);
}

#endif
