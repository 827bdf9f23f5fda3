/* SPDX-License-Identifier: MIT */
/* Tasks. A task is a function that runs in a coroutine, with a state, a place in the tree of
 * scopes, and at most one operation that it waits for. Only spt_task_become() writes a task's
 * state. core/spawn.h begins tasks, core/turn.h runs them and core/finish.h ends them. */
#ifndef SPT_CORE_TASK_H
#define SPT_CORE_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/scope.h"
#include "septet/op.h"

struct spt_account;
struct spt_sched;

/*     NEW ── first turn ──┐
 *                         ▼
 *                      RUNNING ── awaits ──▶ WAITING ── done or cancelled ──▶ READY
 *                       ▲ │ └────────────────── yields ──────────────────────▶ │
 *                       │ └── its body ended and its children have too ──▶ DONE, FAILED, CANCELLED
 *                       └───────────────────── resumed ────────────────────────┘
 * NEW is a READY that never ran: it is in the ready queue. A task with an ended body and live
 * children is WAITING with no operation, and ends from there. An abandoned task ends from READY,
 * without another turn. */
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
#define SPT_SLOT_SIZE      96
#define SPT_LEAF_SLOT_SIZE 88 /* of a leaf */

/* What a task waits for. */
struct spt_task_wait {
    septet_op *op;     /* started, or done and not yet pushed; NULL if none */
    uint64_t since_ns; /* instant at which it became ready, or began to wait */
};

struct spt_task_turn {
    uint32_t count; /* number of turns so far, with the running one */
    /* number of operations that may still complete at once before it must yield */
    int16_t budget;
    uint8_t refused; /* number of waits refused at the end of the run */
    uint8_t mark; /* scratch of a walk over all tasks, in deadlock.c and dump.c; 0 between them */
};

/* The function that a task runs, how it waits and how it ends. One bit each, because a million
 * tasks may wait at once. */
struct spt_task_body {
    uint8_t outcome : 3; /* the task's final state, valid once the body has ended */
    bool failing : 1;    /* it failed; its open blocks and closers are being closed */
    bool ended : 1;      /* the body has ended; the task waits for those of its innermost scope */
    /* it swallowed its cancellation too often at the end, and is never resumed again */
    bool abandoned : 1;
    bool has_closers : 1;    /* SPT_TASK_UV_CLOSERS is set */
    bool has_locals : 1;     /* SPT_TASK_UV_LOCALS is set */
    bool named_by_item : 1;  /* SPT_TASK_UV_NAME is the item of task.map(): core/spawn.h */
    bool coroutine_seen : 1; /* a script holds the coroutine, which is not recycled */
    bool bare : 1;           /* it runs without a coroutine: core/bare.h */
    bool wait_shielded : 1;  /* cancellation does not reach its wait */
    bool wait_aside : 1;     /* a virtual clock need not wait for the events that it waits for */
    bool is_main : 1;        /* the host spawned it for a script */
    bool is_call : 1; /* an embedder's function receives its end, and nothing else reports it */
};

/* The failure of a task, if it fails. */
struct spt_task_failure {
    bool observed : 1;      /* it was delivered, and needs no report */
    bool owed_to_group : 1; /* its group still has to raise it, observed or not */
    bool secondary : 1;     /* a later failure of a gather: reported, but not counted */
};

struct spt_task_spawn {
    struct spt_account *account; /* borrowed; what the task uses counts there */
    uint64_t place;              /* spt_trace_place of the line that spawned it; 0: the host did */
};

/* The time of a task, in nanoseconds of the host's clock. The instants are those that the scheduler
 * reads anyway. The sums are without the running turn, and without the present wait for a turn. */
struct spt_task_times {
    uint64_t busy_ns;    /* in turns */
    uint64_t sched_ns;   /* ready to run */
    uint64_t longest_ns; /* longest turn */
    /* spt_trace_place of the line where that turn ended; 0: not kept */
    uint64_t longest_place;
};

/* What a leaf does without. */
struct spt_task_more {
    struct spt_scope_lists lists; /* of its root */
    uint64_t function_place;      /* spt_trace_place of its function */
    lua_State *waits_in; /* while it waits: the coroutine that waits, its own or a script's */
    lua_State *local_in; /* coroutine in which the innermost `with` of a task-local is open */
    struct spt_task_times times;
};

struct spt_task_numbers {
    uint32_t anchor;     /* its handle's index in the registry: core/anchor.h; 0: not anchored */
    uint32_t parent;     /* id of the task that spawned it; 0: the host */
    uint32_t deliveries; /* number of deliveries of its failure: core/failure_origin.h */
    union {
        int nargs;       /* before its first turn: number of arguments above its function */
        int nresults;    /* once it is done: number of results */
        uint32_t script; /* once it has ended otherwise: id of its script; 0: none */
    };
};

struct spt_task {
    /* read or written by each turn, in as few cache lines as possible */
    /* link in the ready queue; after a failure, in its scope's `failed` or the tree's
     * `unhandled` */
    struct spt_link link;
    struct spt_link watches;
    struct spt_sched *sched;
    /* borrowed; its coroutine from its first turn to its body's end, anchored by its userdata */
    lua_State *co;
    struct spt_scope *scope; /* innermost open scope */
    struct spt_task_wait wait;
    struct spt_task_turn turn;
    uint32_t id;
    struct spt_task_numbers numbers;
    struct spt_task_body body;
    struct spt_task_failure failure;
    uint8_t state; /* enum spt_task_state */
    struct spt_scope root;
    struct spt_task_spawn spawn;
    union {
        char bytes[SPT_SLOT_SIZE];
        uint64_t align_u;
        void *align_p;
        lua_Number align_n;
    } slot; /* the operation that it waits for, if that is small */
    struct spt_task_more more;
};

/* The size of a leaf: a task of an SPT_BARE_WAIT, which runs no code of a script but finalizers. It
 * ends within its slot. */
#define SPT_TASK_LEAF_SIZE (offsetof(struct spt_task, slot) + SPT_LEAF_SLOT_SIZE)
#define SPT_TASK_LISTS_AT  (offsetof(struct spt_task, more.lists) - offsetof(struct spt_task, root))
/* With its four user values, each of a million leaves takes 384 bytes. */
_Static_assert(sizeof(void *) != 8 || SPT_TASK_LEAF_SIZE <= 280, "an allocator's next size");

/* The user values of a task's userdata. Before its first turn, some of them hold its function and
 * its arguments: core/first_call.h. */
enum {
    /* its coroutine, or the function of a bare task; once the body has ended, its error, or its
     * result, packed unless nresults is 1 */
    SPT_TASK_UV_VALUE = 1,
    SPT_TASK_UV_TRACEBACK, /* traceback of its failure: core/traceback.h */
    SPT_TASK_UV_NAME,      /* its name, if a script or spt_task_spawn() set one, or its item */
    SPT_TASK_UV_REASON,    /* a script's reason for its cancellation: core/reason.h */
    SPT_TASK_UV_LAST_OF_LEAF = SPT_TASK_UV_REASON,
    SPT_TASK_UV_SCOPE,   /* userdata of its innermost open block; each keeps the one around it */
    SPT_TASK_UV_CLOSERS, /* object closed when its body ends, by calling its `close` method */
    /* of a failed task: the handle of the task in which its error was first a failure, nil for
     * itself */
    SPT_TASK_UV_ORIGIN = SPT_TASK_UV_CLOSERS,
    SPT_TASK_UV_LOCALS, /* its task-locals: a table that is replaced, never changed */
    SPT_TASK_UV_LAST = SPT_TASK_UV_LOCALS
};

#define SPT_TASK_META "septet.task"

static inline bool spt_task_ended(const struct spt_task *t)
{
    return t->state >= SPT_TASK_DONE;
}

static inline bool spt_task_is_leaf(const struct spt_task *t)
{
    return t->root.lists_at == 0;
}

/* Returns the coroutine that is running in the running task, as far as its frames know. */
lua_State *spt_task_innermost(const struct spt_task *t);

/* Returns the task that runs in a scope; NULL for those of the host. */
static inline struct spt_task *spt_task_of_scope(const struct spt_scope *scope)
{
    if (scope->kind.is_root)
        return SPT_OF(scope, struct spt_task, root);
    return scope->kind.is_block ? SPT_OF(scope, struct spt_block, scope)->task : NULL;
}

/* Returns the coroutine in which a task with one waits. */
static inline lua_State *spt_task_waits_in(const struct spt_task *t)
{
    return spt_task_is_leaf(t) ? t->co : t->more.waits_in;
}

/* Returns the spt_trace_place of its function. */
uint64_t spt_task_function_place(const struct spt_task *t);

/* Returns its times. Those of a leaf are 0. */
const struct spt_task_times *spt_task_times(const struct spt_task *t);

/* Enters a state. */
void spt_task_become(struct spt_task *t, enum spt_task_state state);

/* Pushes the handle of a live or anchored task. */
void spt_task_push(lua_State *L, const struct spt_task *t);

/* Releases the anchor of an ended task. Allocates nothing. */
void spt_task_unanchor(struct spt_task *t);

/* Pushes the results of a done task's body, given the index of its handle. Returns their number. */
int spt_task_push_results(lua_State *L, int handle, const struct spt_task *t);

/* Makes a waiting task ready. `cancelled` marks the trace record as caused by cancellation. */
void spt_task_ready(struct spt_task *t, bool cancelled);

/* Puts a task in state NEW or READY into the ready queue. */
void spt_task_queue(struct spt_task *t);

/* Makes the running task ready, for a yield without an operation to wait for. */
void spt_task_yielding(struct spt_task *t);

/* Subscribes to the end of a live task. spt_link_remove(&watch->link) unsubscribes. */
void spt_task_watch(struct spt_task *t, struct spt_watch *watch);

/* Marks the task's end as observed: a failure will not be reported. */
void spt_task_observe(struct spt_task *t);

/* Like spt_task_observe(), for the group that raises the failure. */
void spt_task_collect(struct spt_task *t);

/* Records the cancellation of a scope in the trace. Installed as the tree's on_cancel. */
void spt_task_record_cancel(struct spt_scope *scope);

#endif
