/* Tasks. A task is a coroutine with a state, a place in the tree of scopes, and at most one
 * operation that it waits for. Only task_become() in task.c writes a task's state. */
#ifndef SPT_CORE_TASK_H
#define SPT_CORE_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/scope.h"
#include "septet/op.h"

struct spt_sched;
struct spt_trace;

/*        ┌──────────────────── resumed ─────────────────────┐
 *        ▼                                                  │
 *     RUNNING ── awaits ──▶ WAITING ── done or cancelled ──▶ READY ◀── NEW's first turn: NEW is a
 *        │  └────────────── yields ──────────────────────────▲         READY that never ran
 *        └── its body ended and its children have too ──▶ DONE, FAILED, CANCELLED
 * A task with an ended body and live children is WAITING with no operation. */
#define SPT_TASK_MAP(XX)                                                                           \
    XX(NEW, "pending")                                                                             \
    XX(READY, "suspended")                                                                         \
    XX(RUNNING, "running")                                                                         \
    XX(WAITING, "suspended")                                                                       \
    XX(DONE, "done")                                                                               \
    XX(FAILED, "failed")                                                                           \
    XX(CANCELLED, "cancelled")

enum spt_task_state {
#define XX(name, word) SPT_TASK_##name,
    SPT_TASK_MAP(XX)
#undef XX
};

/* One level of coroutines inside a task, on the C stack of the function that resumed it. */
struct spt_frame {
    lua_State *co;           /* the coroutine being resumed */
    struct spt_frame *up;    /* the level below; NULL if that is the task's own coroutine */
    struct spt_scope *scope; /* the innermost open scope when the script resumed it */
    bool open;               /* every level from here down can be suspended */
};

/* Notified of a task's end. An intrusive node, so observing is O(1) and allocates nothing. */
struct spt_watch {
    struct spt_link link;
    /* called once; the node is out of the list */
    void (*fire)(struct spt_watch *, struct spt_task *);
};

/* Bytes. Operations up to this size, which include all that wait often, are stored in the task. A
 * smaller slot makes every task smaller. */
#define SPT_SLOT_SIZE 104

struct spt_task {
    /* read or written by each turn, in as few cache lines as possible */
    /* link in the ready queue; after a failure, in its scope's `failed` or the scheduler's
     * `unhandled` */
    struct spt_link link;
    struct spt_link watches;
    struct spt_sched *sched;
    /* borrowed; its coroutine from its first turn to its body's end, anchored by its userdata */
    lua_State *co;
    /* the operation that it waits for, or that is done and not yet pushed */
    septet_op *op;
    struct spt_scope *scope; /* innermost open scope */
    /* while it waits: the coroutine that waits, its own or one of the script's */
    lua_State *waits_in;
    struct spt_frame *frame;   /* innermost coroutine level; only valid while it runs */
    lua_State *local_in;       /* coroutine in which the innermost `with` of a task-local is open */
    uint8_t state;             /* enum spt_task_state; written by task_become() */
    uint8_t outcome;           /* final state, valid once the body has ended */
    uint8_t shutdown_refusals; /* number of awaits refused at the end of the run */
    uint8_t mark;              /* scratch of deadlock.c */
    bool shielded;             /* cancellation does not reach its wait */
    /* swallowed its cancellation too often at the end; never resumed again */
    bool abandoned;
    bool is_main;
    bool failing;           /* its body failed; its open blocks and closers are being closed */
    bool ending;            /* its body has ended; it waits for the tasks of its innermost scope */
    bool observed;          /* its failure was delivered, and needs no report */
    bool owed_to_group;     /* its group still has to raise its failure, observed or not */
    bool secondary_failure; /* a later failure of a gather: reported, but not counted */
    bool coroutine_seen;    /* a script holds its coroutine, which is not recycled */
    bool has_locals;        /* SPT_TASK_UV_LOCALS is set */
    bool has_closers;       /* SPT_TASK_UV_CLOSERS is set */
    /* number of operations that may still complete at once before it must yield */
    int budget;
    int nresults; /* number of results of a body that returned */
    uint32_t id;
    uint32_t resumes;
    uint64_t t_state;  /* when it entered its state, ns */
    uint64_t busy_ns;  /* total time running */
    uint64_t sched_ns; /* total time ready, before it ran */
    union {
        char bytes[SPT_SLOT_SIZE];
        uint64_t align_u;
        void *align_p;
        lua_Number align_n;
    } slot;
    struct spt_scope root;   /* begins with the members that each wait reads */
    int nargs;               /* number of arguments above its function, before its first turn */
    uint32_t parent;         /* id of the task that spawned it; 0: the host */
    uint32_t anchor;         /* index in the scheduler's table of anchors; 0: not anchored */
    uint32_t told;           /* number of deliveries of its failure: core/origin.h */
    uint64_t function_place; /* spt_place of its function */
    uint64_t spawn_place;    /* spt_place of the line that spawned it; 0: the host did */
};

/* The user values of a task's userdata. Before its first turn, the first of them hold its function
 * and its arguments. */
enum {
    /* its coroutine; once the body has ended, its error, or its result, packed unless nresults is
     * 1 */
    SPT_TASK_UV_VALUE = 1,
    SPT_TASK_UV_TRACEBACK, /* traceback of its failure: core/traceback.h */
    SPT_TASK_UV_SCOPE,     /* userdata of its innermost open block; each keeps the one around it */
    SPT_TASK_UV_CLOSERS,   /* object closed when its body ends, by calling its `close` method */
    /* of a failed task: the handle of the task in which its error was first a failure, nil for
     * itself */
    SPT_TASK_UV_ORIGIN = SPT_TASK_UV_CLOSERS,
    SPT_TASK_UV_HELD = SPT_TASK_UV_CLOSERS, /* the last that may hold an argument */
    SPT_TASK_UV_NAME,                       /* its name, if a script or spt_task_spawn() set one */
    SPT_TASK_UV_LOCALS, /* its task-locals: a table that is replaced, never changed */
    SPT_TASK_UV_REASON, /* a script's reason for its cancellation: core/reason.h */
    SPT_TASK_UV_LAST = SPT_TASK_UV_REASON
};

#define SPT_TASK_META "septet.task"

static inline bool spt_task_ended(const struct spt_task *t)
{
    return t->state >= SPT_TASK_DONE;
}

/* Spawns the function below its `nargs` arguments on top of `L` in `owner`: pops them all and
 * pushes the handle. The task runs later, never inside this call. `parent` may be NULL. Raises out
 * of memory, and Usage if the host is closing; nothing is spawned then. */
struct spt_task *spt_task_spawn(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                int nargs);

/* Pushes the results of a done task's body, given the index of its handle. Returns their number. */
int spt_task_push_results(lua_State *L, int handle, const struct spt_task *t);

/* Pushes the handle of a live or anchored task. */
void spt_task_push(lua_State *L, const struct spt_task *t);

/* Makes a waiting task ready. `cancelled` marks the trace record as caused by cancellation. */
void spt_task_ready(struct spt_task *t, bool cancelled);

/* Ends the task's wait: cancels and closes its operation, and makes the task ready. A no-op if the
 * task does not wait in an operation, or is shielded. */
void spt_task_abort(struct spt_task *t);

/* Runs a ready task until it waits, yields or ends. */
void spt_task_resume(struct spt_task *t);

/* Makes the running task ready, for a yield without an operation to wait for. */
void spt_task_yielding(struct spt_task *t);

/* Makes the running task wait for the operation in t->op. `L` is the coroutine that waits. */
void spt_task_waiting(struct spt_task *t, lua_State *L);

/* Subscribes to the end of a live task. spt_link_remove(&watch->link) unsubscribes. */
void spt_task_watch(struct spt_task *t, struct spt_watch *watch);

/* Marks the task's end as observed: a failure will not be reported. */
void spt_task_observe(struct spt_task *t);

/* Cancels the tasks left in a scope once its body has ended. */
void spt_task_leave(struct spt_scope *scope);

/* The registry key of the function that ends blocks which were left open: unwind(outer, left,
 * error, traceback). It ends the blocks inside the scope `outer`, innermost first, and returns the
 * resulting error. `left` is true if their body has ended, false if the error killed a coroutine
 * that opened them. */
extern const char spt_unwind;

/* Pushes that function and its four arguments; the error is on top of the stack. `dead` is the
 * coroutine that the error killed, NULL if a body has ended. Returns false, with nothing pushed, if
 * the task has no scope open inside `outer`. */
bool spt_task_push_unwind(lua_State *L, const struct spt_task *t, struct spt_scope *outer,
                          lua_State *dead);

/* Reports the unhandled failure of a task that is in no list, and releases its anchor. */
void spt_task_report(struct spt_task *t);

/* Keeps the scope `into` open until `from` closes, because a task of `from` is to move to it. */
void spt_task_expect(struct spt_block *into, struct spt_block *from);

#endif
