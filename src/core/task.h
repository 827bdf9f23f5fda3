/* Tasks: a coroutine with a state, a place in the tree of scopes, and at most one operation it
 * waits for. Only task_become (task.c) writes a task's state. */
#ifndef SPT_CORE_TASK_H
#define SPT_CORE_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prefetch.h"
#include "base/list.h"
#include "core/scope.h"
#include "septet/op.h"

struct spt_sched;
struct spt_trace;

/*        ┌──────────────────── resumed ─────────────────────┐
 *        ▼                                                  │
 *     RUNNING ── awaits ──▶ WAITING ── done or cancelled ──▶ READY ◀── NEW's first turn: NEW is a
 *        │  └────────────── yields ──────────────────────────▲         READY that never ran
 *        └── its body ended and its children are gone ──▶ DONE, FAILED, CANCELLED
 * A task whose body has ended but whose children live is WAITING with no operation. */
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
    struct spt_frame *up;    /* the level below, NULL when that is the task's own coroutine */
    struct spt_scope *scope; /* the innermost open one when the script resumed it */
    bool open;               /* every level from here down can be suspended */
};

/* Told of a task's end: an intrusive node, so that observing costs O(1) and no memory. */
struct spt_watch {
    struct spt_link link;
    void (*fire)(struct spt_watch *, struct spt_task *); /* once; the node is out of the list */
};

/* Bytes: operations up to this size, which all that wait often are, need no memory of their own.
 * The smaller it is, the smaller is every task. */
#define SPT_SLOT_SIZE 104

struct spt_task {
    /* what each turn touches, in as few cache lines as it can be */
    /* the ready queue; after a failure, its scope's failed or the unhandled */
    struct spt_link link;
    struct spt_link watches;
    struct spt_sched *sched;
    /* its coroutine, from its first turn to its body's end; its userdata anchors it */
    lua_State *co;
    septet_op *op;           /* what it waits for, or has got and not yet pushed */
    struct spt_scope *scope; /* innermost open one */
    /* while it waits: the coroutine that waits, its own or one of the script's */
    lua_State *waits_in;
    struct spt_frame *frame; /* innermost coroutine level, only while running */
    lua_State *local_in; /* the coroutine in which the innermost `with` of a task-local is open */
    uint8_t state;       /* enum spt_task_state; written by task_become */
    uint8_t outcome;     /* the final state, known once the body has ended */
    uint8_t shutdown_refusals; /* awaits refused at the end */
    uint8_t mark;              /* scratch of deadlock.c */
    bool shielded;             /* its wait is not reached by cancellation */
    bool abandoned;            /* absorbed the end too often; never resumed again */
    bool is_main;
    bool failing;           /* its body failed; what it left is being closed */
    bool ending;            /* its body is over; it waits for the tasks of its innermost scope */
    bool observed;          /* its failure was handed to somebody */
    bool owed_to_group;     /* a failure that its group still has to raise, seen or not */
    bool secondary_failure; /* its failure is a later one of a gather: told, not counted */
    bool coroutine_seen;    /* a script holds its coroutine: not to be recycled */
    bool has_locals;        /* SPT_TASK_UV_LOCALS is set */
    bool has_closers;       /* SPT_TASK_UV_CLOSERS is set */
    int budget;             /* operations that may complete at once before it must yield */
    int nresults;           /* of a body that returned */
    uint32_t id;
    uint32_t resumes;
    uint64_t t_state;  /* when it took its state, ns */
    uint64_t busy_ns;  /* running, in all */
    uint64_t sched_ns; /* ready and not yet running, in all */
    union {
        char bytes[SPT_SLOT_SIZE];
        uint64_t align_u;
        void *align_p;
        lua_Number align_n;
    } slot;
    struct spt_scope root;   /* begins with what each wait asks for */
    int nargs;               /* values above its function, before its first turn */
    uint32_t parent;         /* id of the task that spawned it; 0: the host */
    uint32_t anchor;         /* index in the scheduler's table of anchors; 0: not anchored */
    uint32_t told;           /* who was told of its failure: core/origin.h */
    uint64_t function_place; /* spt_place of its function */
    uint64_t spawn_place;    /* spt_place of the line that spawned it; 0: the host did */
};

/* The user values of a task's userdata. Before its first turn the first of them hold its function
 * and its arguments. */
enum {
    SPT_TASK_UV_VALUE =
        1, /* its coroutine; once the body has ended its result, packed unless nresults
                              is 1, or its error */
    SPT_TASK_UV_TRACEBACK, /* of its failure: core/traceback.h */
    SPT_TASK_UV_SCOPE,     /* userdata of its innermost open block; each keeps the one around it */
    SPT_TASK_UV_CLOSERS, /* what is to be closed when its body ends: called as its own `close` method */
    /* of a failed task: the handle of that in which its error was first a failure, nil for
     * itself */
    SPT_TASK_UV_ORIGIN = SPT_TASK_UV_CLOSERS,
    SPT_TASK_UV_HELD = SPT_TASK_UV_CLOSERS, /* the last that may hold an argument */
    SPT_TASK_UV_NAME,                       /* as a script set it */
    SPT_TASK_UV_LOCALS, /* its task-locals: a table that is replaced, never changed */
    SPT_TASK_UV_REASON, /* a script's, for its cancellation: core/reason.h */
    SPT_TASK_UV_LAST = SPT_TASK_UV_REASON
};

#define SPT_TASK_META "septet.task"

static inline bool spt_task_ended(const struct spt_task *t)
{
    return t->state >= SPT_TASK_DONE;
}

/* Ask for what a turn, or whoever completes its wait, touches of a task and of its coroutine. */
static inline void spt_task_fetch(const struct spt_task *t)
{
    spt_prefetch(t, offsetof(struct spt_task, root) + SPT_CACHE_LINE);
}

static inline void spt_handle_fetch(const struct spt_task *t)
{
    const size_t head = 40 + 16 * SPT_TASK_UV_LAST; /* of the userdata, about */
    spt_prefetch((const char *)t - head, head + offsetof(struct spt_task, slot));
}

static inline void spt_coroutine_fetch(const lua_State *co)
{
    spt_prefetch(co, 208); /* the size of a lua_State, about */
}

/* Where the next turn of a coroutine that waits begins: by then its memory may have left the
 * caches. */
struct spt_prefetch_hint {
    const lua_State *co;
    const char *frame; /* the record of the C function that waits, and those of its callers */
    const char *stack; /* its function and arguments, with its callers' registers below them */
};

/* `co` is the coroutine that runs, in a C function that is about to wait. In Lua 5.4 a frame's
 * record begins with the place of its function on the stack. Neither is read again, so that
 * whatever they are is harmless. */
static inline void spt_prefetch_hint_note(struct spt_prefetch_hint *turn, lua_State *co)
{
    lua_Debug ar;
    *turn = (struct spt_prefetch_hint){.co = co};
    if (LUA_VERSION_NUM != 504 || !lua_getstack(co, 0, &ar))
        return;
    turn->frame = (const char *)ar.i_ci;
    turn->stack = *(const char **)ar.i_ci;
}

static inline void spt_prefetch_hint_fetch(const struct spt_prefetch_hint *turn)
{
    spt_coroutine_fetch(turn->co);
    if (!turn->frame)
        return;
    spt_prefetch(turn->frame - 128, 256);
    spt_prefetch(turn->stack - 192, 448);
}

/* Spawns the function that lies below its `nargs` arguments on top of `L` in `owner`: pops them all
 * and pushes the handle. The task runs later, never inside this call. Raises out of memory, and
 * Usage when the host is closing; then nothing was spawned. `parent` may be NULL. */
struct spt_task *spt_task_spawn(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                int nargs);

/* Pushes what the body of a done task returned, given its handle's index. Returns how many. */
int spt_task_push_results(lua_State *L, int handle, const struct spt_task *t);

/* Pushes the handle of a live or anchored task. */
void spt_task_push(lua_State *L, const struct spt_task *t);

/* Makes a waiting task ready. `cancelled`, for the trace: by cancellation. */
void spt_task_ready(struct spt_task *t, bool cancelled);

/* Ends the wait of a task that waits in an operation, if it does and cancellation may reach it
 * there: cancels and closes the operation. */
void spt_task_abort(struct spt_task *t);

/* Runs a ready task until it waits, yields or ends. */
void spt_task_resume(struct spt_task *t);

/* Running to ready: for who yields with no operation to wait for. */
void spt_task_yielding(struct spt_task *t);

/* Running to waiting, for the operation in t->op at a line of the script. */
void spt_task_waiting(struct spt_task *t, lua_State *L);

/* Subscribes to the end of a live task. spt_link_remove(&watch->link) ends it. */
void spt_task_watch(struct spt_task *t, struct spt_watch *watch);

/* Somebody has seen the task's end: a failure will not be reported. */
void spt_task_observe(struct spt_task *t);

/* Cancels what is left of a scope whose body is over. */
void spt_task_leave(struct spt_scope *scope);

/* Its address names, in the registry, what ends the blocks that are left open: unwind(outer, left,
 * error, traceback). It ends those inside the scope `outer`, the innermost first, and returns what
 * the error has become. `left`: their body is over; else the error killed a coroutine that opened
 * them. */
extern const char spt_unwind;

/* Pushes it and its four arguments, the error being on top of the stack. `dead`: the coroutine that
 * the error killed, NULL where a body is over. Returns false, with nothing pushed, where the task
 * has no scope open inside `outer`. */
bool spt_task_push_unwind(lua_State *L, const struct spt_task *t, struct spt_scope *outer,
                          lua_State *dead);

/* Tells the world of a failed task that is in no list, and lets go of it. */
void spt_task_report(struct spt_task *t);

/* Keeps the scope `into` open until `from` closes: a task of `from` is to move there. */
void spt_task_expect(struct spt_block *into, struct spt_block *from);

#endif
