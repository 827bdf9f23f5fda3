/* SPDX-License-Identifier: MIT */
/* Starts, suspends, cancels and completes operations. Every wait goes through this file. */
#include "core/op.h"

#include <assert.h>
#include <lauxlib.h>
#include <string.h>

#include "core/blocker.h"
#include "core/deadlock.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/script.h"
#include "core/task.h"
#include "core/traceback.h"
#include "core/turns.h"

/* number of awaits refused while the run ends, before a task is abandoned */
#define REFUSALS_MAX       100
/* number of Cancelled raised in one scope of a task, and swallowed, before a warning */
#define CANCEL_IGNORED_MAX 1000

static const char op_meta = 0; /* its address is the registry key of the metatable of operations */

static struct spt_task *task_of(const septet_op *op)
{
    return op->task;
}

/* Returns true if the host waits for the source of an operation that is armed. */
static bool is_counted(const septet_op *op)
{
    return (op->type->flags & SEPTET_OP_EXTERNAL) && !task_of(op)->body.wait_aside;
}

struct spt_sched *spt_op_sched(const septet_op *op)
{
    return task_of(op)->sched;
}

/* --- making one --- */

/* Has the host take back the token that other threads complete the operation by. */
static inline void drop_token(septet_op *op)
{
    if (op->token)
        spt_op_sched(op)->hooks.drop_token(spt_op_sched(op)->hooks.ud, op);
}

void spt_op_lose(septet_op *op)
{
    if (op->state != SPT_OP_ARMED && op->state != SPT_OP_DONE)
        return;
    task_of(op)->wait.op = NULL; /* a finalizer may cancel the task later */
    drop_token(op);
    if (op->state == SPT_OP_ARMED)
        op->type->cancel(op);
    op->state = SPT_OP_CLOSED;
    if (op->type->close)
        op->type->close(op);
}

/* Closes an operation that owns something and is too large for its task's slot, if the
 * lua_State is closed while it waits. */
static int l_gc(lua_State *L)
{
    spt_op_lose(lua_touserdata(L, 1));
    return 0;
}

static septet_op *new_userdata(lua_State *L, const septet_op_type *type)
{
    septet_op *op = lua_newuserdatauv(L, type->size, 0);
    memset(op, 0, type->size);
    if (type->close) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &op_meta);
        lua_setmetatable(L, -2);
    }
    return op;
}

void spt_op_open(lua_State *L)
{
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &op_meta);
}

/* --- whether a coroutine can be suspended --- */

bool spt_op_can_wait(lua_State *L, const struct spt_sched *s)
{
    const struct spt_task *t = s->current;
    const struct spt_frame *f = s->run.turns.frame;
    if (!t)
        return false;
    if (!t->co)
        return L == s->main && spt_frames_count_is(L, s->run.bare.level);
    return L == (f ? f->co : t->co) && lua_isyieldable(L) && (!f || f->open);
}

/* Raises Usage, since the running code cannot be suspended. */
static void refuse(lua_State *L, const struct spt_task *t)
{
    if (!t)
        spt_error_usage(L, "cannot wait here: not inside a task");
    struct spt_frame *f = t->sched->run.turns.frame;
    lua_State *innermost = f ? f->co : t->co;
    luaL_checkstack(L, 8, NULL);
    if (lua_pushthread(L))
        spt_error_usage(L, "cannot wait here: not inside a task");
    lua_pop(L, 1);
    lua_State *stuck = L == innermost ? L : NULL;
    while (stuck && lua_isyieldable(stuck)) {
        stuck = f ? f->up ? f->up->co : t->co : NULL;
        f = f ? f->up : NULL;
    }
    if (!stuck) /* every known level can be suspended: there is an unknown one */
        spt_error_usage(L, "cannot wait here: the coroutine was resumed by C code that septet does "
                           "not know");
    spt_blocker_push(L, stuck);
    bool require = strcmp(lua_tostring(L, -1), "'require'") == 0;
    spt_error_usage(L, "cannot wait here: called from %s%s", lua_tostring(L, -1),
                    require ? " (task.require loads modules that wait)" : "");
}

void spt_op_check(lua_State *L, struct spt_sched *s)
{
    if (!s || !spt_op_can_wait(L, s))
        refuse(L, s ? s->current : NULL);
}

/* Refuses here and not in the await, because code that cannot wait must not get the slot in use.
 * Such code is a finalizer that runs while an operation is pushed. */
septet_op *spt_op_new(lua_State *L, struct spt_sched *s, const septet_op_type *type)
{
    septet_op *op;
#ifdef SEPTET_HOSTILE /* here and not in the await: no Lua runs between the two */
    lua_gc(L, LUA_GCCOLLECT);
#endif
    spt_op_check(L, s);
    assert(!spt_task_is_leaf(s->current) || type->size <= SPT_LEAF_SLOT_SIZE);
    if (type->size <= SPT_SLOT_SIZE)
        op = memset(&s->current->slot, 0, type->size);
    else
        op = new_userdata(L, type);
    op->type = type;
    op->task = s->current;
    return op;
}

septet_op *septet_op_new(lua_State *L, const septet_op_type *type)
{
    const char *name = type->name ? type->name : "?";
    if (type->abi < 1 || type->abi > SEPTET_OP_ABI)
        spt_error_usage(L, "bad type of the operation '%s' (abi %d, at most %d expected)", name,
                        type->abi, SEPTET_OP_ABI);
    if (!type->name || !type->start || !type->cancel || !type->push ||
        type->size < sizeof(septet_op))
        spt_error_usage(L,
                        "bad type of the operation '%s' (a name, a size, 'start', 'cancel' and "
                        "'push' expected)",
                        name);
    return spt_op_new(L, spt_sched_of(L), type);
}

/* --- ending one --- */

static void op_close(septet_op *op, enum spt_op_state state)
{
    op->state = state;
    if (op->type->close)
        op->type->close(op);
}

static int push_protected(lua_State *L)
{
    septet_op *op = lua_touserdata(L, 1);
    lua_settop(L, 0);
    return op->type->push(op, L);
}

/* Pushes the results of a done operation to its coroutine. Closes it on every path. */
static int op_finish(lua_State *L, septet_op *op)
{
    const septet_op_type *type = op->type;
    task_of(op)->wait.op = NULL;
    if (!op->type->close) {
        op->state = SPT_OP_CLOSED;
        return op->type->push(op, L);
    }
    int base = lua_gettop(L);
    lua_pushcfunction(L, push_protected);
    lua_pushlightuserdata(L, op);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    op_close(op, SPT_OP_CLOSED);
    if (status != LUA_OK)
        return lua_error(L);
    int n = lua_gettop(L) - base;
    return type->abi == SPT_OP_ABI_THEN ? ((const struct spt_op_type *)type)->then(L, n) : n;
}

/* Warns about a task that swallows its cancellation in a loop: it never ends, and tasks that wait
 * for it should show why. */
static void report_stuck(lua_State *L, struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    char name[128];
    spt_trace_put(&s->trace,
                  (struct spt_rec){.t = s->now_ns, .task = t->id, .kind = SPT_REC_STUCK});
    spt_inspect_name(t, name, sizeof name);
    spt_frames_push(L, L, 1);
    lua_pushfstring(L,
                    "task '%s' ignores its cancellation: it has absorbed it %d times\n"
                    "stack traceback:%s",
                    name, CANCEL_IGNORED_MAX, lua_tostring(L, -1));
    s->hooks.warn(s->hooks.ud, lua_tostring(L, -1));
    lua_pop(L, 2);
}

/* All tasks that one cancellation reaches share one error. */
void spt_op_push_cancelled(lua_State *L, struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    const struct spt_scope *canceller = spt_scope_canceller(t->scope);
    t->wait.op = NULL;
    if (++t->scope->cancel.refused == CANCEL_IGNORED_MAX)
        report_stuck(L, t);
    if (canceller && strcmp(spt_scope_cancel_source(canceller), "shutdown") == 0)
        spt_sched_interrupt_delivered(s);
    if (canceller && canceller->cancel.seq == s->raised.seq) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->raised.ref);
        return;
    }
    spt_error_push_cancelled(L, canceller);
    if (canceller) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, LUA_REGISTRYINDEX, s->raised.ref);
        s->raised.seq = canceller->cancel.seq;
    }
}

int spt_op_resumed(lua_State *L, int status, lua_KContext ctx)
{
    septet_op *op = (septet_op *)ctx;
    task_of(op)->body.wait_shielded = false;
    if (op->state == SPT_OP_DONE)
        return op_finish(L, op);
    spt_op_push_cancelled(L, task_of(op));
    return lua_error(L);
}

static int suspend(lua_State *L, septet_op *op)
{
    task_of(op)->wait.op = op;
    if (!task_of(op)->co) /* nothing is to be suspended: core/bare.h */
        return 0;
    lua_pushlightuserdata(L, (void *)&spt_wait_mark);
    return lua_yieldk(L, 1, (lua_KContext)op, spt_op_resumed);
}

/* --- awaiting --- */

bool spt_op_check_cancelled(struct spt_sched *s)
{
    const struct spt_task *t = s->current;
    if (t->scope->effective_deadline_ns != SPT_NEVER && !t->scope->cancel_pending) {
        uint64_t now_ns = spt_sched_clock(s);
        if (t->scope->effective_deadline_ns <= now_ns)
            spt_scope_expire(t->scope, now_ns);
    }
    return t->scope->cancel_pending || s->run.shutting_down;
}

/* Ends an operation for its `start` that returned a positive value, or a negative one although the
 * operation is done, and raises Usage. It may be armed unless it is done, so it is cancelled. */
static int raise_bad_start(lua_State *L, septet_op *op, int rc)
{
    const char *name = op->type->name;
    bool done = op->state == SPT_OP_DONE;
    drop_token(op);
    if (!done)
        op->type->cancel(op);
    op_close(op, SPT_OP_CANCELLED);
    return done ? spt_error_usage(L,
                                  "'start' of the operation '%s' returned %d although it was done "
                                  "(SEPTET_OK expected)",
                                  name, rc)
                : spt_error_usage(L,
                                  "'start' of the operation '%s' returned %d (SEPTET_OK or a "
                                  "negative status expected)",
                                  name, rc);
}

/* Returns SEPTET_OK, or what `start` returned by mistake. */
static int op_start(septet_op *op)
{
    op->state = SPT_OP_STARTING;
    int rc = op->type->start(op);
    if (rc >= 0 || op->state == SPT_OP_DONE)
        return rc;
    drop_token(op);
    op->status = rc;
    op->state = SPT_OP_DONE;
    return SEPTET_OK;
}

/* Refuses an operation, which then never starts. Its task passes through the ready queue once, so
 * that a loop which swallows the error does not starve others. */
int spt_op_await_cancelled(lua_State *L, septet_op *op)
{
    struct spt_task *t = task_of(op);
    struct spt_sched *s = t->sched;
    const struct spt_script *script = t->spawn.account->script;
    bool over = s->run.giving_up || s->run.shutting_down ||
                (s->counts.mains == 0 && spt_scope_is_cancelled(&s->tree.background)) ||
                (script && spt_script_is_over(script));
    if (over && ++t->turn.refused > REFUSALS_MAX) {
        t->turn.refused = REFUSALS_MAX;
        t->body.abandoned = true;
    }
    op->state = SPT_OP_CANCELLED;
    spt_task_yielding(t);
    return suspend(L, op);
}

/* Makes the running task wait. `L` is the coroutine that waits. */
static void begin_wait(lua_State *L, struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    spt_task_become(t, SPT_TASK_WAITING);
    if (!spt_task_is_leaf(t))
        t->more.waits_in = L;
    struct spt_rec rec = {.t = s->now_ns,
                          .task = t->id,
                          .ref = t->wait.op->ref,
                          .kind = SPT_REC_WAIT,
                          .a = spt_trace_word(&s->trace, t->wait.op->type->name)};
    if (s->trace.level >= 2) {
        char text[512];
        spt_inspect_waits_for(t, text, sizeof text);
        rec.t = spt_sched_clock(s);
        rec.a = spt_trace_text(&s->trace, text, strlen(text));
        rec.b = t->co ? spt_inspect_place(L, s, 1) : 0;
        rec.sub = 1;
    }
    spt_trace_put(&s->trace, rec);
}

int spt_op_wait(lua_State *L, septet_op *op, bool shielded)
{
    struct spt_task *t = task_of(op);
    struct spt_sched *s = t->sched;
    assert(t == s->current);
    int rc = op_start(op);
    if (rc != SEPTET_OK)
        return raise_bad_start(L, op, rc);
    if (op->state == SPT_OP_DONE) {
        if (t->co && t->turn.budget-- > 0)
            return op_finish(L, op);
        spt_task_yielding(t);
        return suspend(L, op);
    }
    op->state = SPT_OP_ARMED;
    t->wait.op = op;
    t->body.wait_shielded = shielded;
    s->counts.external += is_counted(op);
    begin_wait(L, t);
    if (!spt_list_is_empty(&s->queues.acyclic_waits) && op->type->blockers)
        spt_deadlock_break(t);
    bool over =
        (op->type->blockers || op->type->flags & SPT_OP_BY_TASKS) && spt_turns_run_next(L, t);
    return over ? spt_op_resumed(L, LUA_YIELD, (lua_KContext)op) : suspend(L, op);
}

int septet_op_await(lua_State *L, septet_op *op)
{
    luaL_checkstack(L, 8, "too many arguments to an await");
    if (spt_op_check_cancelled(spt_op_sched(op)))
        return spt_op_await_cancelled(L, op);
    return spt_op_wait(L, op, false);
}

void septet_op_done(septet_op *op, int status)
{
    struct spt_task *t = task_of(op);
    assert(op->state == SPT_OP_STARTING || op->state == SPT_OP_ARMED);
    bool waited = op->state == SPT_OP_ARMED;
    drop_token(op);
    op->status = status;
    op->state = SPT_OP_DONE;
    if (waited) {
        t->sched->counts.external -= is_counted(op);
        spt_task_ready(t, false);
    }
}

/* Disarms and closes an armed operation. */
static void op_abort(septet_op *op)
{
    assert(op->state == SPT_OP_ARMED);
    drop_token(op);
    op->type->cancel(op);
    spt_op_sched(op)->counts.external -= is_counted(op);
    op_close(op, SPT_OP_CANCELLED);
}

void spt_op_cancel_wait(struct spt_scope *scope)
{
    struct spt_task *t = spt_task_of_scope(scope);
    if (t->scope != scope || t->state != SPT_TASK_WAITING || !t->wait.op || t->body.wait_shielded)
        return;
    op_abort(t->wait.op);
    spt_task_ready(t, true);
}
