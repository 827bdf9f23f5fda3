/* SPDX-License-Identifier: MIT */
/* Counts instructions in steps, from one event of the count hook to the next. A coroutine that ends
 * between two events takes the count of its last step with it, so its start counts as two steps. */
#include "host/slice.h"

#include <lauxlib.h>
#include <string.h>

#include "base/time.h"
#include "core/error.h"
#include "core/hook.h"
#include "core/script.h"
#include "core/task.h"
#include "loop/loop.h"

int spt_slice_step(const septet_limits *limits)
{
    uint64_t step = limits->slice_instructions / 10;
    if (!limits->slice_instructions)
        return limits->slice_ms ? SPT_SLICE_STEP_MAX : 0;
    return step > SPT_SLICE_STEP_MAX ? SPT_SLICE_STEP_MAX : step > 0 ? (int)step : 1;
}

/* Returns the number of instructions since the last event. Without one, there were at most two
 * steps: Lua skips the first event after a hook has yielded, as it does at a coroutine's start. */
static uint64_t counted(lua_State *L, const lua_Debug *ar, const septet_host *h)
{
    if (!ar)
        return 2 * (uint64_t)spt_host_sched(h)->debug_hook.count;
    return ar->event == LUA_HOOKCOUNT ? (uint64_t)lua_gethookcount(L) : 0;
}

/* Returns the limit that the slice exceeds: its name, or NULL for none. Sets `max` to it. */
static const char *exceeded(const struct spt_host_slice *slice, const struct spt_account *account,
                            lua_Number *max)
{
    for (; account; account = account->host) {
        const septet_limits *limits = &account->limits;
        if (limits->slice_instructions && slice->instructions > limits->slice_instructions) {
            *max = (lua_Number)limits->slice_instructions;
            return "instructions";
        }
        if (limits->slice_ms &&
            uv_hrtime() - slice->t_seen_ns >= limits->slice_ms * SPT_NS_PER_MS) {
            *max = limits->slice_ms / 1e3;
            return "time";
        }
    }
    return NULL;
}

/* Ends the script of a task that went on to allocate beyond a limit, or the task if it is the
 * host's. */
static int end_script(lua_State *L, struct spt_task *t, lua_Number max)
{
    static const char why[] = "it went on to allocate beyond its limit";
    struct spt_account *account = t->spawn.account;
    if (account->script)
        spt_script_cancel(account->script, why);
    else
        spt_scope_cancel(&t->root, "cancel", why);
    spt_error_push(L, "LimitExceeded", "the task went on to allocate beyond the limit of %I bytes",
                   (LUAI_UACINT)max);
    lua_pushliteral(L, "memory");
    lua_setfield(L, -2, "limit");
    lua_pushinteger(L, (lua_Integer)max);
    lua_setfield(L, -2, "max");
    return lua_error(L);
}

/* Raises TaskHog for the limit that the slice has exceeded. */
static int raise_hog(lua_State *L, const struct spt_host_slice *slice)
{
    bool by_time = strcmp(slice->over, "time") == 0;
    if (by_time)
        spt_error_push(L, "TaskHog", "the task ran for more than %f s without waiting", slice->max);
    else
        spt_error_push(L, "TaskHog", "the task ran more than %I instructions without waiting",
                       (LUAI_UACINT)slice->max);
    lua_pushstring(L, slice->over);
    lua_setfield(L, -2, "limit");
    if (by_time)
        lua_pushnumber(L, slice->max);
    else
        lua_pushinteger(L, (lua_Integer)slice->max);
    lua_setfield(L, -2, "max");
    return lua_error(L);
}

/* Collects all garbage, as the ledger asks for. */
static void collect(lua_State *L, struct spt_ledger *ledger, struct spt_account *account)
{
    lua_gc(L, LUA_GCCOLLECT);
    spt_ledger_collected(ledger, account->script ? account : NULL);
}

void spt_slice_check(lua_State *L, const lua_Debug *ar, septet_host *h, struct spt_task *t)
{
    struct spt_sched *s = spt_host_sched(h);
    struct spt_host_slice *slice = &h->limits.slice;
    if (slice->task != t->id || slice->turn != t->turn.count)
        *slice =
            (struct spt_host_slice){.task = t->id, .turn = t->turn.count, .t_seen_ns = uv_hrtime()};
    slice->instructions += counted(L, ar, h);
    if (!slice->over)
        slice->over = exceeded(slice, t->spawn.account, &slice->max);
    if (slice->over) {
        spt_hook_end(s, t, s->debug_hook.count_hook);
        if (strcmp(slice->over, "memory") == 0)
            end_script(L, t, slice->max);
        raise_hog(L, slice);
    }
    if (h->limits.ledger.urged_turn)
        collect(L, &h->limits.ledger, t->spawn.account);
    /* a collection was urged, or an earlier turn was over its limit */
    if (lua_gethook(L) == s->debug_hook.count_hook && lua_gethookcount(L) == 1 &&
        s->debug_hook.count != 1)
        spt_hook_restore(L, s);
}
