/* SPDX-License-Identifier: MIT */
/* Opens each part of core, and leaves hooks without effect behind when the host ends. */
#include "core/core.h"

#include <lauxlib.h>

#include "core/error.h"
#include "core/op.h"
#include "core/failure_origin.h"
#include "core/task.h"
#include "core/traceback.h"
#include "septet/septet.h"

static void use_places_below(struct spt_sched *s, struct spt_scope *top)
{
    for (struct spt_scope *at = top; at; at = spt_scope_next(top, at, true)) {
        if (!at->kind.is_root)
            continue;
        const struct spt_task *t = spt_task_of_scope(at);
        spt_trace_use(&s->trace, (uint32_t)(spt_task_function_place(t) >> 32));
        spt_trace_use(&s->trace, (uint32_t)(t->spawn.place >> 32));
        spt_trace_use(&s->trace, (uint32_t)(spt_task_times(t)->longest_place >> 32));
    }
}

/* Marks the sources that live tasks use. */
static void use_places(void *ud)
{
    struct spt_sched *s = ud;
    use_places_below(s, &s->tree.mains);
    use_places_below(s, &s->tree.background);
}

static void init_queues(struct spt_sched_queues *queues)
{
    spt_link_init(&queues->ready);
    spt_link_init(&queues->batch);
    spt_link_init(&queues->deferred);
    spt_link_init(&queues->endings);
    spt_link_init(&queues->idle);
    spt_link_init(&queues->acyclic_waits);
}

static void init_tree(struct spt_sched *s)
{
    spt_scope_init_tree(&s->tree);
    s->tree.trace = &s->trace;
    s->tree.on_cancel = spt_task_record_cancel;
    s->tree.on_cancel_pending = spt_op_cancel_wait;
}

void spt_core_open(struct spt_sched *s, lua_State *L, const struct spt_hooks *hooks,
                   uint32_t trace_records)
{
    *s = (struct spt_sched){.hooks = *hooks};
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    s->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    init_queues(&s->queues);
    init_tree(s);
    s->now_ns = s->run.t_start_ns = spt_sched_clock(s);
    s->anchors.meta = s->pool.ref = s->pool.spare.ref = s->raised.ref = LUA_NOREF;
    if (spt_trace_init(&s->trace, trace_records) != SEPTET_OK)
        luaL_error(L, "not enough memory");
    s->trace.uses = use_places;
    s->trace.ud = s;
    spt_error_open(L);
    spt_op_open(L);
    spt_traceback_open(L);
    spt_failure_origin_open(L);
    spt_anchor_open(L);
    luaL_newmetatable(L, SPT_TASK_META);
    s->anchors.meta = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, 0);
    s->raised.ref = luaL_ref(L, LUA_REGISTRYINDEX);
    spt_coroutines_open(L, &s->pool);
    spt_sched_attach(L, s);
}

/* The hooks after the host is freed: handles that outlive it in the embedder's state still call
 * them. */
static uint64_t dead_now(void *ud)
{
    return ((struct spt_sched *)ud)->now_ns;
}

static void dead_wake(void *ud)
{
}

static void dead_unhandled(void *ud, struct spt_task *t)
{
}

static bool dead_busy(void *ud)
{
    return false;
}

static void dead_warn(void *ud, const char *message)
{
}

static void dead_interrupt_delivered(void *ud)
{
}

static void dead_drop_token(void *ud, septet_op *op)
{
}

static void set_dead_hooks(struct spt_sched *s)
{
    s->hooks = (struct spt_hooks){.now = dead_now,
                                  .wake = dead_wake,
                                  .busy = dead_busy,
                                  .unhandled = dead_unhandled,
                                  .warn = dead_warn,
                                  .interrupt_delivered = dead_interrupt_delivered,
                                  .drop_token = dead_drop_token,
                                  .ud = s};
}

static void lose_below(struct spt_scope *top)
{
    for (struct spt_scope *at = top; at; at = spt_scope_next(top, at, true))
        if (at->kind.is_root && spt_task_of_scope(at)->wait.op)
            spt_op_lose(spt_task_of_scope(at)->wait.op);
}

void spt_core_lose(struct spt_sched *s)
{
    lose_below(&s->tree.mains);
    lose_below(&s->tree.background);
}

void spt_core_init_closed(struct spt_sched *s)
{
    *s = (struct spt_sched){0};
    init_queues(&s->queues);
    init_tree(s);
    set_dead_hooks(s);
    spt_sched_refuse_awaits(s);
}

void spt_core_release(struct spt_sched *s)
{
    set_dead_hooks(s);
    s->debug_hook.count_hook = NULL;
    s->interrupt.requested = NULL;
    if (s->main) {
        spt_anchor_close(s->main, &s->anchors);
        spt_coroutines_release(s->main, &s->pool);
        luaL_unref(s->main, LUA_REGISTRYINDEX, s->raised.ref);
        luaL_unref(s->main, LUA_REGISTRYINDEX, s->anchors.meta);
        spt_sched_attach(s->main, NULL);
    }
    spt_trace_release(&s->trace);
}
