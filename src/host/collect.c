/* SPDX-License-Identifier: MIT */
/* Runs Lua's incremental collector ahead of its own threshold. Only what lua_gc() reveals is known:
 * how much memory there is, and that a step ended a cycle. */
#include "host/collect.h"

#include <limits.h>
#include <stdlib.h>

#include "core/sched.h"
#include "loop/loop.h"

/* 'stepmul' in our steps, the least there is: about 500 slots or objects a step */
#define STEP_MUL      0
/* kilobytes that Lua lets the tasks allocate after a step until it collects by itself */
#define STEP_KB       8
/* our steps that are worth STEP_KB, so that memory stays bounded however few of them there are */
#define STEPS         5
#define MERGING_BYTES 4096 /* for glibc, a large block */
#define CYCLES        4    /* most cycles at the end of a host: finalizers make new garbage */

/* --- steps --- */

/* Sets when Lua's own collector is to go on, after `n` of our steps. Each has set that anew. */
static void allow(lua_State *L, unsigned n)
{
    unsigned kb = n / STEPS * STEP_KB + n % STEPS * STEP_KB / STEPS;
    int debt_kb = STEP_KB - (kb < INT_MAX / 2 ? (int)kb : INT_MAX / 2);
    if (debt_kb != 0)
        lua_gc(L, LUA_GCSTEP, debt_kb); /* only moves the threshold */
}

/* Puts 'stepmul' back, unless a finalizer has set another. */
static void restore_step_mul(lua_State *L, int mul)
{
    int found = lua_gc(L, LUA_GCSETSTEPMUL, mul);
    if (found != STEP_MUL)
        lua_gc(L, LUA_GCSETSTEPMUL, found);
}

/* Has glibc merge the small blocks that a step has freed. It sets them aside and merges all of them
 * at the next large block, which takes 200 ms after a million. */
static void merge_freed(void)
{
    void *volatile block = malloc(MERGING_BYTES);
    free(block);
}

/* Runs steps until a cycle ends or the instant has come, at least one. Returns true if a cycle
 * ended. */
static bool run_steps(septet_host *h, uint64_t until_ns)
{
    struct spt_host_collector *c = &h->step.collector;
    struct spt_sched *s = spt_host_sched(h);
    int mul = lua_gc(h->L, LUA_GCSETSTEPMUL, STEP_MUL), rc;
    uint64_t now_ns = uv_hrtime(), took_ns;
    unsigned n = 0;
    spt_sched_enter(s); /* a finalizer may not run the host */
    do {
        rc = lua_gc(h->L, LUA_GCSTEP, 0);
        merge_freed();
        uint64_t end_ns = uv_hrtime();
        took_ns = end_ns - now_ns;
        now_ns = end_ns;
        if (took_ns > c->max_ns)
            c->max_ns = took_ns;
        n++;
    } while (rc == 0 && now_ns < until_ns && until_ns - now_ns > took_ns);
    spt_sched_leave(s);
    restore_step_mul(h->L, mul);
    if (rc == 0)
        allow(h->L, n);
    c->steps = rc == 0 ? c->steps + n : 0;
    if (spt_sched_busy(s)) /* a finalizer woke a task */
        spt_loop_wake(h->loop);
    return rc == 1;
}

/* --- when to collect --- */

/* Sets at which memory the next cycle begins: somewhat before Lua would begin it. */
static void set_start(septet_host *h, int kb)
{
    struct spt_host_collector *c = &h->step.collector;
    int pause = lua_gc(h->L, LUA_GCSETPAUSE, 200);
    lua_gc(h->L, LUA_GCSETPAUSE, pause);
    int64_t grows_kb = pause > 100 ? (int64_t)kb * (pause - 100) / 100 * 3 / 4 : 0;
    int64_t least_kb = kb / 8 + 32;
    int64_t start_kb = kb + (grows_kb > least_kb ? grows_kb : least_kb);
    c->low_kb = kb;
    c->start_kb = start_kb < INT_MAX ? (int)start_kb : INT_MAX;
}

/* Returns true if the collector is incremental. Lua only tells by a change of the mode, which is
 * taken back. */
static bool is_incremental(septet_host *h)
{
    if (lua_gc(h->L, LUA_GCINC, 0, 0, 0) == LUA_GCINC)
        return true;
    lua_gc(h->L, LUA_GCGEN, 0, 0);
    h->step.collector.generational = true;
    return false;
}

/* Returns true if a cycle is in progress or begins now. */
static bool is_due(septet_host *h)
{
    struct spt_host_collector *c = &h->step.collector;
    if (c->generational || lua_gc(h->L, LUA_GCISRUNNING) != 1)
        return false;
    int kb = lua_gc(h->L, LUA_GCCOUNT);
    if (c->steps / 2 > (unsigned)kb + 1024) /* no cycle takes so many: a script changed the mode */
        c->steps = 0, c->low_kb = 0;
    if (c->steps > 0)
        return true;
    if (kb < c->low_kb || c->low_kb == 0)
        set_start(h, kb);
    return kb >= c->start_kb && is_incremental(h);
}

void spt_collect_until(septet_host *h, uint64_t until_ns)
{
    if (is_due(h) && uv_hrtime() < until_ns && run_steps(h, until_ns))
        set_start(h, lua_gc(h->L, LUA_GCCOUNT));
}

bool spt_collect_rest(septet_host *h, uint64_t until_ns)
{
    struct spt_host_closing *closing = &h->step.closing;
    if (h->config.lua)
        return true;
    if (closing->cycles == 0)
        lua_gc(h->L, LUA_GCINC, 0, 0, 0);
    while (run_steps(h, until_ns)) {
        int kb = lua_gc(h->L, LUA_GCCOUNT), before_kb = closing->kb;
        closing->kb = kb;
        /* the first may have been in progress, and missed garbage */
        if (++closing->cycles >= CYCLES || (closing->cycles > 2 && kb > before_kb - before_kb / 8))
            return true;
        if (uv_hrtime() >= until_ns)
            return false;
    }
    return false;
}
