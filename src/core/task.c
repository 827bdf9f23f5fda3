/* SPDX-License-Identifier: MIT */
/* Keeps the states and the handles of tasks, and is the only writer of their states. */
#include "core/task.h"

#include <assert.h>
#include <lauxlib.h>

#include "core/sched.h"
#include "core/wait_mark.h"

const char spt_wait_mark = 0;

/* --- the state machine --- */

#ifndef NDEBUG
#define BIT(state) (1u << SPT_TASK_##state)

static const unsigned legal[] = {
    [SPT_TASK_NEW] = BIT(RUNNING),
    [SPT_TASK_READY] = BIT(RUNNING) | BIT(FAILED) | BIT(CANCELLED),
    [SPT_TASK_RUNNING] = BIT(READY) | BIT(WAITING) | BIT(DONE) | BIT(FAILED) | BIT(CANCELLED),
    [SPT_TASK_WAITING] = BIT(READY) | BIT(DONE) | BIT(FAILED) | BIT(CANCELLED),
    [SPT_TASK_DONE] = 0,
    [SPT_TASK_FAILED] = 0,
    [SPT_TASK_CANCELLED] = 0,
};
#endif

void spt_task_become(struct spt_task *t, enum spt_task_state state)
{
    assert(legal[t->state] & 1u << state);
    if (state == SPT_TASK_RUNNING) {
        t->turn.count++;
        if (!spt_task_is_leaf(t))
            t->more.times.sched_ns += t->sched->now_ns - t->wait.since_ns;
    }
    t->state = (uint8_t)state;
}

void spt_task_queue(struct spt_task *t)
{
    spt_list_push(&t->sched->queues.ready, &t->link);
    spt_sched_wake(t->sched);
}

void spt_task_ready(struct spt_task *t, bool cancelled)
{
    struct spt_sched *s = t->sched;
    spt_task_become(t, SPT_TASK_READY);
    t->wait.since_ns = spt_sched_instant(s);
    spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                              .task = t->id,
                                              .ref = s->current ? s->current->id : s->run.ending,
                                              .kind = SPT_REC_READY,
                                              .sub = cancelled});
    spt_task_queue(t);
}

void spt_task_yielding(struct spt_task *t)
{
    spt_task_become(t, SPT_TASK_READY);
    spt_task_queue(t);
}

void spt_task_record_cancel(struct spt_scope *scope)
{
    struct spt_sched *s = spt_sched_of_scope(scope);
    const struct spt_task *t = spt_task_of_scope(scope);
    scope->cancel.by = s->current ? s->current->id : 0;
    spt_trace_put(&s->trace,
                  (struct spt_rec){.t = s->now_ns,
                                   .task = t ? t->id : 0,
                                   .ref = scope->cancel.by,
                                   .kind = SPT_REC_CANCEL,
                                   .a = spt_trace_word(&s->trace, spt_scope_cancel_source(scope))});
}

lua_State *spt_task_innermost(const struct spt_task *t)
{
    return t->sched->run.turns.frame ? t->sched->run.turns.frame->co : t->co;
}

uint64_t spt_task_function_place(const struct spt_task *t)
{
    return spt_task_is_leaf(t) ? t->sched->run.bare.place : t->more.function_place;
}

const struct spt_task_times *spt_task_times(const struct spt_task *t)
{
    static const struct spt_task_times none = {0};
    return spt_task_is_leaf(t) ? &none : &t->more.times;
}

/* --- handles --- */

void spt_task_push(lua_State *L, const struct spt_task *t)
{
    assert(t->numbers.anchor);
    spt_anchor_push(L, t->numbers.anchor);
}

void spt_task_unanchor(struct spt_task *t)
{
    spt_anchor_remove(t->sched->main, &t->sched->anchors, t->numbers.anchor);
    t->numbers.anchor = 0;
}

int spt_task_push_results(lua_State *L, int handle, const struct spt_task *t)
{
    if (t->numbers.nresults == 0)
        return 0;
    luaL_checkstack(L, t->numbers.nresults + 1, "too many results");
    lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
    if (t->numbers.nresults == 1)
        return 1;
    int packed = lua_gettop(L);
    for (int i = 1; i <= t->numbers.nresults; i++)
        lua_rawgeti(L, packed, i);
    lua_remove(L, packed);
    return t->numbers.nresults;
}

/* --- the end --- */

void spt_task_watch(struct spt_task *t, struct spt_watch *watch)
{
    assert(!spt_task_ended(t));
    spt_link_init(&watch->link);
    spt_list_push(&t->watches, &watch->link);
}

void spt_task_observe(struct spt_task *t)
{
    t->failure.observed = true;
    if (t->state == SPT_TASK_FAILED && !spt_link_alone(&t->link) && !t->failure.owed_to_group) {
        spt_link_remove(&t->link);
        spt_task_unanchor(t);
    }
}

void spt_task_collect(struct spt_task *t)
{
    t->failure.owed_to_group = false;
    spt_task_observe(t);
}
