/* SPDX-License-Identifier: MIT */
/* Writes the records of turns, and begins turns in place. */
#include "core/turns.h"

#include "core/first_call.h"
#include "core/hook.h"
#include "core/inspect.h"
#include "core/task.h"
#include "core/wait_mark.h"

enum {
    DEPTH_MAX = 8,   /* turns in place, one above another */
    LEVELS_MAX = 16, /* of the stack of a coroutine that has another above it */
};

/* Ends the turn of `t` at the scheduler's instant. */
void spt_turns_end(struct spt_task *t, uint64_t t_begin_ns, enum spt_left left)
{
    struct spt_sched *s = t->sched;
    uint64_t ns = s->now_ns - t_begin_ns;
    t->wait.since_ns = s->now_ns;
    spt_trace_put(
        &s->trace,
        (struct spt_rec){
            .t = t_begin_ns, .task = t->id, .kind = SPT_REC_RUN, .sub = (uint8_t)left, .b = ns});
    if (!spt_task_is_leaf(t)) {
        t->more.times.busy_ns += ns;
        if (ns > t->more.times.longest_ns)
            spt_inspect_keep_longest(t, ns);
    }
    if (s->slow.limit_ns && ns > s->slow.limit_ns)
        spt_inspect_report_slow(t, ns);
}

/* Returns true if nothing but a turn is to be done at the scheduler's instant. A pass would not
 * order the turns at random, and no limit counts what they run. */
static bool only_turns_follow(const struct spt_sched *s)
{
    const struct spt_sched_queues *queues = &s->queues;
    const struct spt_run *run = &s->run;
    return s->now_ns < s->run.turns.until_ns && spt_list_is_empty(&queues->deferred) &&
           spt_list_is_empty(&queues->endings) && spt_list_is_empty(&s->tree.unhandled) &&
           spt_list_is_empty(&queues->acyclic_waits) &&
           spt_timer_next(&s->tree.timers) > s->now_ns &&
           !spt_scope_is_cancelled(&s->tree.background) && !spt_sched_urgent(s) &&
           !queues->shuffle && !s->debug_hook.count_hook && !s->debug_hook.by_scripts &&
           !run->giving_up && !run->shutting_down && !s->hooks.busy(s->hooks.ud);
}

/* Reads the clock. Returns true if the running turn may end in place: it was not so long that the
 * place is of interest at which it ends. */
static bool may_end(struct spt_sched *s)
{
#ifdef SEPTET_WITHOUT_TURNS_IN_PLACE
    return false;
#endif
    s->now_ns = spt_sched_clock(s);
    uint64_t ns = s->now_ns - s->run.turns.innermost->t_begin_ns;
    return !spt_inspect_is_long(s, ns) && only_turns_follow(s);
}

/* Begins the next turn of `t`, which is ready and in no queue, in the running coroutine. */
static void begin(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    s->run.turns.left--;
    s->run.turns.innermost->t_begin_ns = s->now_ns;
    s->run.turns.innermost->ended = false;
    s->current = t;
    spt_task_become(t, SPT_TASK_RUNNING);
    t->turn.budget = SPT_TURNS_BUDGET;
}

bool spt_turns_begin_next(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    if (s->run.turns.left == 0 || !spt_list_is_empty(&s->queues.ready) ||
        !spt_list_is_empty(&s->queues.batch) || !may_end(s))
        return false;
    spt_task_become(t, SPT_TASK_READY);
    spt_turns_end(t, s->run.turns.innermost->t_begin_ns, SPT_LEFT_YIELD);
    begin(t);
    return true;
}

/* Returns the first task that is ready, if its turn may run above the coroutine L. NULL otherwise.
 * C code has 200 levels in each coroutine, so only a shallow L may be below another. */
static struct spt_task *next_above(lua_State *L, struct spt_sched *s)
{
    lua_Debug ar;
    if (!spt_list_is_empty(&s->queues.batch) || s->run.turns.left < 2 ||
        s->run.turns.depth == DEPTH_MAX || lua_getstack(L, LEVELS_MAX, &ar))
        return NULL;
    struct spt_task *next = SPT_OF(s->queues.ready.next, struct spt_task, link);
    /* another task that is ready, and has a coroutine that has not yielded, is below L */
    return !next->co || lua_status(next->co) == LUA_YIELD || next->state == SPT_TASK_NEW ? next
                                                                                         : NULL;
}

/* A script that holds the coroutine would see that it has not yielded. */
bool spt_turns_run_above(lua_State *L, struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    struct spt_task *next = next_above(L, s);
    if (!next || L != t->co || t->body.coroutine_seen || !may_end(s))
        return false;
    struct spt_turn *turn = s->run.turns.innermost;
    if (s->pool.spare.user == t)
        spt_first_call_keep_coroutine(t);
    spt_turns_end(t, turn->t_begin_ns, t->state == SPT_TASK_READY ? SPT_LEFT_YIELD : SPT_LEFT_WAIT);
    turn->ended = true;
    spt_link_remove(&next->link);
    lua_pushlightuserdata(L, (void *)&spt_wait_mark);
    s->current = NULL;
    s->run.turns.left--;
    s->run.turns.depth++;
    s->run.turns.run(next);
    s->run.turns.depth--;
    lua_pop(L, 1);
    if (t->state != SPT_TASK_READY || s->run.turns.left == 0 || s->queues.ready.next != &t->link ||
        !only_turns_follow(s))
        return false;
    spt_link_remove(&t->link);
    begin(t);
    if (spt_sched_urgent(s))
        spt_hook_keep_urgent(L, s);
    return true;
}
