/* SPDX-License-Identifier: MIT */
/* Ends the tasks a few at a time, in the order in which they are anchored, and then collects. */
#include "host/close.h"

#include "core/pass.h"
#include "core/sched.h"
#include "host/collect.h"
#include "loop/loop.h"

/* number of waits that are cancelled between two passes, at most */
#define TASKS 64

/* Lets the heap grow by as much again before Lua's own collector goes on. Its indivisible step
 * visits the stack of every task, and there are fewer of them later. */
static void put_off_collector(septet_host *h)
{
    int kb = lua_gc(h->L, LUA_GCCOUNT);
    if (!h->config.lua)
        lua_gc(h->L, LUA_GCSTEP, -kb - 1);
}

void spt_close_begin(septet_host *h)
{
    struct spt_host_closing *closing = &h->step.closing;
    struct spt_sched *s = spt_host_sched(h);
    if (closing->begun)
        return;
    *closing = (struct spt_host_closing){.begun = true, .left = true, .next_anchor = 1};
    h->ending = true; /* that the main tasks end so is no failure */
    spt_sched_enter(s);
    spt_pass_begin_unwind(s);
    spt_sched_leave(s);
    put_off_collector(h);
    spt_loop_wake(h->loop);
}

bool spt_close_unwind_some(septet_host *h)
{
    struct spt_host_closing *closing = &h->step.closing;
    struct spt_sched *s = spt_host_sched(h);
    if (!spt_close_is_unwinding(h))
        return false;
    if (!spt_pass_unwind_some(s, &closing->next_anchor, TASKS))
        closing->next_anchor = 0;
    return true;
}

void spt_close_collect(septet_host *h, uint64_t until_ns)
{
    struct spt_host_closing *closing = &h->step.closing;
    if (closing->left && spt_host_sched(h)->counts.live == 0)
        closing->left = !spt_collect_rest(h, until_ns);
}
