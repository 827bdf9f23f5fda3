/* Runs passes over due timers, deferred callbacks, failures to report and ready tasks. */
#include "core/coroutines.h"
#include "core/sched.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/error.h"
#include "core/anchor.h"
#include "core/op.h"
#include "core/origin.h"
#include "core/prefetch.h"
#include "core/traceback.h"

static const char sched_key = 0; /* its address is the registry key of the scheduler */

struct spt_sched *spt_sched_of(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &sched_key);
    struct spt_sched *s = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return s;
}

static void use_places_below(struct spt_sched *s, struct spt_scope *top)
{
    for (struct spt_scope *at = top; at; at = spt_scope_next(top, at, true)) {
        if (!at->task || at != &at->task->root)
            continue;
        spt_trace_use(&s->trace, (uint32_t)(at->task->function_place >> 32));
        spt_trace_use(&s->trace, (uint32_t)(at->task->spawn_place >> 32));
    }
}

/* Marks the sources that live tasks use. */
static void use_places(void *ud)
{
    struct spt_sched *s = ud;
    use_places_below(s, &s->main_scope);
    use_places_below(s, &s->background);
}

void spt_sched_init(struct spt_sched *s, lua_State *L, const struct spt_hooks *world,
                    uint32_t trace_records)
{
    *s = (struct spt_sched){.hooks = *world};
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    s->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    spt_link_init(&s->ready);
    spt_link_init(&s->deferred);
    spt_link_init(&s->quiet);
    spt_link_init(&s->unhandled);
    spt_link_init(&s->endings);
    spt_timers_init(&s->timers);
    spt_scope_init(&s->main_scope, s, NULL, NULL);
    spt_scope_init(&s->background, s, NULL, NULL);
    s->now_ns = spt_sched_clock(s);
    s->anchors_ref = s->pool_ref = s->last_cancel_ref = LUA_NOREF;
    if (spt_trace_init(&s->trace, trace_records) != SEPTET_OK)
        luaL_error(L, "not enough memory");
    s->trace.uses = use_places;
    s->trace.ud = s;
    spt_error_open(L);
    spt_op_open(L);
    spt_traceback_open(L);
    spt_origin_open(L);
    spt_anchor_open(L);
    lua_pushboolean(L, 0);
    s->last_cancel_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    s->anchors_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, 0);
    s->pool_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    spt_coroutines_make_pool(L, s);
    lua_pushlightuserdata(L, s);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &sched_key);
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

static void dead_warn(void *ud, const char *message)
{
}

static void dead_felt(void *ud)
{
}

void spt_sched_release(struct spt_sched *s)
{
    s->hooks = (struct spt_hooks){.now = dead_now,
                                  .wake = dead_wake,
                                  .unhandled = dead_unhandled,
                                  .warn = dead_warn,
                                  .felt = dead_felt,
                                  .ud = s};
    s->hook = NULL;
    s->urgent = NULL;
    if (s->main) {
        luaL_unref(s->main, LUA_REGISTRYINDEX, s->anchors_ref);
        luaL_unref(s->main, LUA_REGISTRYINDEX, s->pool_ref);
        luaL_unref(s->main, LUA_REGISTRYINDEX, s->last_cancel_ref);
        lua_pushnil(s->main);
        lua_rawsetp(s->main, LUA_REGISTRYINDEX, &sched_key);
    }
    spt_trace_release(&s->trace);
    free(s->free_anchors);
    s->free_anchors = NULL;
}

void spt_sched_defer(struct spt_sched *s, struct spt_deferred *note)
{
    spt_list_push(&s->deferred, &note->link);
    if (!s->draining)
        s->hooks.wake(s->hooks.ud);
}

static void run_notes(struct spt_sched *s)
{
    for (struct spt_link *l; (l = spt_list_pop(&s->deferred));) {
        struct spt_deferred *n = SPT_OF(l, struct spt_deferred, link);
        n->run(n, s->main);
    }
}

static void report_unhandled(struct spt_sched *s)
{
    for (struct spt_link *l; (l = spt_list_pop(&s->unhandled));)
        spt_task_report(SPT_OF(l, struct spt_task, link));
}

/* Renews the background scope, which serves each generation of main tasks in turn. */
static void renew_background(struct spt_sched *s)
{
    if (s->background.cancelled && s->background.ntasks == 0)
        s->background.cancelled = s->background.cancel_pending = false;
}

/* Shuffles the batch, so that tests find code that depends on its order. Each task in turn is taken
 * from a random place of those left. If there is no memory, the order stays. */
static void shuffle(struct spt_sched *s, struct spt_link *batch)
{
    uint32_t n = 0;
    for (struct spt_link *l = batch->next; l != batch; l = l->next)
        n++;
    struct spt_link **all = n > 1 ? malloc(n * sizeof(struct spt_link *)) : NULL;
    if (!all)
        return;
    for (uint32_t i = 0; i < n; i++)
        all[i] = spt_list_pop(batch);
    for (; n > 0; n--) {
        uint32_t i = spt_random_below(&s->shuffle, n);
        spt_list_push(batch, all[i]);
        all[i] = all[n - 1];
    }
    free(all);
}

bool spt_sched_notify_idle(struct spt_sched *s)
{
    if (spt_link_alone(&s->quiet) || spt_sched_busy(s))
        return false;
    if (spt_timers_next(&s->timers) > spt_sched_clock(s)) {
        struct spt_idle_waiter *q = SPT_OF(spt_list_pop(&s->quiet), struct spt_idle_waiter, link);
        q->fire(q);
    }
    return true;
}

static struct spt_task *task_at(struct spt_link *link)
{
    return SPT_OF(link, struct spt_task, link);
}

/* Prefetches the memory of the tasks that run next. */
static void fetch_ahead(const struct spt_link *batch)
{
    struct spt_link *next = batch->next;
    if (next == batch)
        return;
    const struct spt_task *t = task_at(next);
    if (t->co)
        spt_prefetch_coroutine(t->co);
    else
        spt_prefetch_handle(t); /* its first turn: the handle holds its function */
    if (next->next != batch)
        spt_prefetch_task(task_at(next->next));
}

unsigned spt_sched_run_pass(struct spt_sched *s, unsigned max)
{
    struct spt_link batch;
    unsigned ran = 0;
    lua_checkstack(s->main, LUA_MINSTACK);
    s->now_ns = spt_sched_clock(s);
    spt_timers_expire(&s->timers, s->now_ns);
    run_notes(s);
    report_unhandled(s);
    renew_background(s);
    spt_link_init(&batch);
    spt_list_splice(&batch, &s->ready);
    if (s->shuffle)
        shuffle(s, &batch);
    for (struct spt_link *l; ran < max && (l = spt_list_pop(&batch)); ran++) {
        if (!spt_link_alone(&s->deferred))
            run_notes(s);
        fetch_ahead(&batch);
        spt_task_resume(SPT_OF(l, struct spt_task, link));
    }
    spt_list_splice(&batch, &s->ready);
    spt_list_splice(&s->ready, &batch);
    return ran;
}

static void abort_below(struct spt_scope *top)
{
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, true))
        if (s->task && s->task->scope == s)
            spt_task_abort(s->task);
}

void spt_sched_abort(struct spt_sched *s)
{
    abort_below(&s->main_scope);
    abort_below(&s->background);
}

void spt_sched_unwind(struct spt_sched *s)
{
    s->shutting_down = true;
    spt_sched_abort(s);
    while (spt_sched_busy(s))
        spt_sched_run_pass(s, UINT32_MAX);
}
