/* SPDX-License-Identifier: MIT */
/* The state of the scheduler, which all of core shares: queues, counts, the tree of scopes. It is
 * given a clock, a wake-up and a Lua state, and knows nothing of loops, sockets or requests.
 * core/pass.h runs the tasks. */
#ifndef SPT_CORE_SCHED_H
#define SPT_CORE_SCHED_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/account.h"
#include "core/anchor.h"
#include "core/coroutines.h"
#include "core/scope.h"
#include "core/timer.h"
#include "core/trace.h"
#include "septet/op.h"

struct spt_task;

/* The functions by which the scheduler reaches its host. */
struct spt_hooks {
    uint64_t (*now)(void *ud); /* returns nanoseconds that never decrease */
    void (*wake)(void *ud);    /* requests a drain: work was queued outside one */
    bool (*busy)(void *ud);    /* returns true if the host has work to do before the next pass */
    /* a failure that was not observed; may run Lua, protected */
    void (*unhandled)(void *ud, struct spt_task *t);
    void (*warn)(void *ud, const char *message);
    void (*interrupt_delivered)(void *ud); /* an interrupt has reached a task; may not run Lua */
    void (*drop_token)(void *ud, septet_op *op); /* an operation with a token has ended */
    void *ud;
};

/* A callback run on the main state before the next task resumes, such as a trace hook. */
struct spt_deferred {
    struct spt_link link;
    void (*run)(struct spt_deferred *, lua_State *main); /* called once; may not raise */
};

/* Notified when no task can run. Used by tests, to detect that a step is over. */
struct spt_idle_waiter {
    struct spt_link link;
    void (*fire)(struct spt_idle_waiter *); /* called once; the node is out of the list */
};

/* What is to run. */
struct spt_sched_queues {
    struct spt_link ready; /* tasks in state NEW or READY, oldest first */
    struct spt_link batch; /* those that the running pass has yet to run */
    struct spt_link deferred;
    struct spt_link endings;       /* spt_deferred: what the embedder learns after the failures */
    struct spt_link idle;          /* spt_idle_waiter: notified when no task can run */
    struct spt_link acyclic_waits; /* spt_acyclic_wait: those that may not be part of a circle */
    uint64_t shuffle; /* state of the generator that orders each pass at random; 0: FIFO order */
};

struct spt_counts {
    uint32_t live;              /* number of tasks that have not ended */
    uint32_t mains;             /* number of main tasks among them */
    uint32_t cancelled_mains;   /* number of main tasks that ended cancelled so far */
    uint32_t external;          /* number of waiting SEPTET_OP_EXTERNAL operations */
    uint32_t tasks;             /* number of tasks so far, which is the id of the last */
    uint32_t scripts;           /* number of scripts so far, which is the id of the last */
    uint32_t refs;              /* number of awaited things that were given one so far */
    struct spt_account account; /* what all tasks together use of the host's limits */
    uint64_t turns;      /* number of turns of tasks so far, without those of the running pass */
    uint64_t deliveries; /* number of failures delivered to tasks so far: core/failure_origin.h */
};

enum { SPT_BARE_FUNCTIONS = 16 };

/* The functions that tasks may run without a coroutine. */
struct spt_bare {
    lua_CFunction functions[SPT_BARE_FUNCTIONS];
    uint8_t kinds[SPT_BARE_FUNCTIONS]; /* enum spt_bare_kind of each */
    unsigned n;
    uint64_t place; /* spt_trace_place of the functions of leaves */
    int level; /* number of functions on the main stack while it runs a task; 0: it runs none */
};

/* The turns of the running pass: core/turns.h. */
struct spt_turns {
    struct spt_turn *innermost; /* the running turn, on the C stack; NULL if none runs */
    struct spt_frame *frame;    /* its innermost coroutine level; NULL if that is its task's own */
    unsigned depth;             /* number of turns around it */
    void (*run)(struct spt_task *t); /* spt_turn_run() */
    unsigned left;                   /* number of turns that may still begin */
    uint64_t until_ns; /* instant from which none begins in place; 0: none ever does */
};

/* Where the scheduler is, and how far the host is with ending it. */
struct spt_run {
    uint64_t t_start_ns; /* when the host was made */
    bool draining;       /* inside a drain, which sees by itself that a task becomes ready */
    bool giving_up;      /* a task that keeps swallowing its cancellation is abandoned */
    bool shutting_down;  /* every await is refused */
    bool exiting; /* a script has ended the run: a task that is abandoned counts as cancelled */
    struct spt_turns turns;
    uint32_t ending; /* id of the task that has ended and wakes others; 0: none does */
    struct spt_bare bare;
};

/* Called at each line of each coroutine, with a record that has the line. It may not raise. */
struct spt_line_hook {
    void (*call)(lua_State *L, lua_Debug *ar, void *data); /* NULL: none */
    void *data;
};

/* The debug hook of every task's coroutine. */
struct spt_debug_hook {
    /* called every `count` instructions, or NULL; also called with a NULL record, to check the
     * limits */
    lua_Hook count_hook;
    int count;
    uint32_t ended_task, ended_turn; /* the turn that the host ends, at each instruction */
    bool everywhere; /* in the coroutines of all tasks, not only of scripts with limited slices */
    bool by_scripts; /* true once a script has set a hook */
    struct spt_line_hook line;
    /* the hook of an embedder's, in place of which the urgent one was set on `of` */
    struct {
        lua_State *of; /* NULL: none */
        lua_Hook hook;
        int mask, count;
    } foreign;
};

/* What a signal handler of the host's thread may request at any time. */
enum {
    /* an interrupt that has reached no task yet: it was acted upon, or requested by a handler */
    SPT_URGENT_INTERRUPT = 1,
    SPT_URGENT_INSPECTION = 2, /* a call of on_inspect that was requested by a handler */
};

struct spt_interrupt {
    lua_Hook hook; /* does what is urgent, in the running code */
    /* borrowed; set at any time by a signal handler or another thread; NULL if never */
    const atomic_bool *requested;
    atomic_uchar urgent;  /* SPT_URGENT_... */
    bool only_foreground; /* an interrupt cancels `foreground` alone, and nothing without one */
    unsigned char acts;   /* number of interrupts acted upon since one has reached a task */
    struct spt_scope *foreground; /* root of a live task, cleared at its end; or NULL */
};

enum { SPT_SLOW_PLACES = 64 };

/* Turns that blocked the loop. */
struct spt_slow_turns {
    uint64_t limit_ns; /* nanoseconds that a turn may take without being reported; 0: any */
    uint64_t places[SPT_SLOW_PLACES]; /* places of the turns reported last */
    unsigned n;                       /* number of reports so far */
};

/* Functions that stock Lua does not have on a stack. */
struct spt_own_frames {
    lua_CFunction base;    /* bottom function of a wrapped coroutine, below the script's */
    lua_CFunction handler; /* its message handler */
    bool shown;            /* tracebacks show Septet's own modules */
};

/* The error of the last cancellation raised. */
struct spt_raised {
    uint64_t seq; /* spt_cancellation.seq of its scope */
    int ref;      /* registry */
};

struct spt_sched {
    lua_State *main;          /* borrowed; its stack holds nothing of Septet's between calls */
    struct spt_task *current; /* the running task */
    /* time at the last start or end of a resume; stamps the trace records */
    uint64_t now_ns;
    struct spt_hooks hooks;
    struct spt_sched_queues queues;
    struct spt_counts counts;
    struct spt_run run;
    struct spt_tree tree;
    struct spt_anchors anchors; /* of the live tasks' handles */
    struct spt_coroutines pool;
    struct spt_debug_hook debug_hook;
    struct spt_interrupt interrupt;
    struct spt_own_frames frames;
    struct spt_raised raised; /* private to op.c */
    struct spt_trace trace;
    struct spt_slow_turns slow; /* private to inspect.c */
};

/* Returns the scheduler of a Lua state, or NULL. */
struct spt_sched *spt_sched_of(lua_State *L);

/* Makes `s` the scheduler of a Lua state; NULL for none. Raises out of memory the first time. */
void spt_sched_attach(lua_State *L, struct spt_sched *s);

static inline struct spt_sched *spt_sched_of_scope(const struct spt_scope *scope)
{
    return SPT_OF(scope->tree, struct spt_sched, tree);
}

static inline uint64_t spt_sched_clock(struct spt_sched *s)
{
    return s->hooks.now(s->hooks.ud);
}

/* Returns the present instant. Inside a drain, it is that of the last start or end of a turn, which
 * may be long ago outside. */
static inline uint64_t spt_sched_instant(struct spt_sched *s)
{
    if (!s->run.draining)
        s->now_ns = spt_sched_clock(s);
    return s->now_ns;
}

/* Requests a drain, unless one is running. */
static inline void spt_sched_wake(struct spt_sched *s)
{
    if (!s->run.draining)
        s->hooks.wake(s->hooks.ud);
}

/* Begins a stretch in which the host can be neither run nor freed, and needs no wake-up. */
static inline void spt_sched_enter(struct spt_sched *s)
{
    s->run.draining = true;
}

static inline void spt_sched_leave(struct spt_sched *s)
{
    s->run.draining = false;
}

/* Begins to abandon the tasks that keep swallowing their cancellation. */
static inline void spt_sched_give_up(struct spt_sched *s)
{
    s->run.giving_up = true;
}

/* Records that a script ends the run. */
static inline void spt_sched_begin_exit(struct spt_sched *s)
{
    s->run.exiting = s->run.giving_up = true;
}

/* Ends what spt_sched_begin_exit() began, once no task is live. */
static inline void spt_sched_end_exit(struct spt_sched *s)
{
    s->run.exiting = s->run.giving_up = false;
}

/* Refuses every await from now on. */
static inline void spt_sched_refuse_awaits(struct spt_sched *s)
{
    s->run.shutting_down = true;
}

/* Resets what ended the run, for the next one. */
static inline void spt_sched_end_run(struct spt_sched *s)
{
    s->run.exiting = s->run.giving_up = s->run.shutting_down = false;
}

void spt_sched_defer(struct spt_sched *s, struct spt_deferred *deferred);

/* Returns SPT_URGENT_... For a signal handler, what was written before counts as written. */
static inline unsigned spt_sched_urgent(const struct spt_sched *s)
{
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&s->interrupt.urgent, memory_order_relaxed);
}

static inline void spt_sched_set_urgent(struct spt_sched *s, unsigned char what)
{
    atomic_fetch_or(&s->interrupt.urgent, what);
}

static inline void spt_sched_clear_urgent(struct spt_sched *s, unsigned char what)
{
    atomic_fetch_and(&s->interrupt.urgent, (unsigned char)~what);
}

/* Returns true if an interrupt has reached no task yet. */
static inline bool spt_sched_is_interrupted(const struct spt_sched *s)
{
    return spt_sched_urgent(s) & SPT_URGENT_INTERRUPT;
}

/* Records that an interrupt has reached a task, and notifies the host if it waits for that. */
static inline void spt_sched_interrupt_delivered(struct spt_sched *s)
{
    if (!(s->interrupt.urgent & SPT_URGENT_INTERRUPT))
        return;
    spt_sched_clear_urgent(s, SPT_URGENT_INTERRUPT);
    s->interrupt.acts = 0;
    s->hooks.interrupt_delivered(s->hooks.ud);
}

/* Returns true if a task, a deferred callback or a report is pending. */
static inline bool spt_sched_busy(const struct spt_sched *s)
{
    return !spt_list_is_empty(&s->queues.ready) || !spt_list_is_empty(&s->queues.deferred) ||
           !spt_list_is_empty(&s->tree.unhandled) || !spt_list_is_empty(&s->queues.endings);
}

/* Returns true if tasks are live, but none is ready and none waits for I/O: only a timer could
 * resume one. */
static inline bool spt_sched_idle(const struct spt_sched *s)
{
    return s->counts.live > 0 && !spt_sched_busy(s) && s->counts.external == 0;
}

/* Returns true if tasks are live and nothing can resume one. A sleep for ever has a timer, and
 * counts as a wait for a signal. */
static inline bool spt_sched_deadlocked(const struct spt_sched *s)
{
    return spt_sched_idle(s) && !spt_heap_min(&s->tree.timers.heap);
}

#endif
