/* SPDX-License-Identifier: MIT */
/* Sets hooks in the running coroutines, which raise an error in the code that has to end. */
#include "host/guard.h"

#include <lauxlib.h>
#include <string.h>

#include "base/time.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/hook.h"
#include "core/op.h"
#include "core/task.h"
#include "host/report.h"
#include "loop/loop.h"

/* --- the time limit of a turn --- */

/* Sets a hook in all the coroutines that run in a turn of `t`. */
static void hook_each(const struct spt_task *t, lua_Hook hook, int mask)
{
    lua_sethook(t->co, hook, mask, 1);
    for (const struct spt_frame *f = t->turn.frame; f; f = f->up)
        lua_sethook(f->co, hook, mask, 1);
}

/* Checks the time limit of the turn. Called in a task's coroutine every SPT_HOOK_COUNT
 * instructions, or at each event of a script's hook. Once the turn is over its limit, it is called
 * at every instruction, in all its coroutines. So a loop that catches the error is left at its next
 * instruction. */
void spt_guard_slice_hook(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    const struct spt_task *t = h ? spt_host_sched(h)->current : NULL;
    uint64_t now_ns = uv_hrtime();
    if (!t)
        return;
    if (h->slice.task != t->id || h->slice.turn != t->turn.count) {
        h->slice.task = t->id;
        h->slice.turn = t->turn.count;
        h->slice.t_seen_ns = now_ns;
    }
    if (now_ns - h->slice.t_seen_ns < h->config.limits.slice_ms * SPT_NS_PER_MS) {
        if (lua_gethook(L) == spt_guard_slice_hook &&
            lua_gethookcount(L) == 1) /* an earlier turn was over it */
            spt_hook_restore(L, spt_host_sched(h));
        return;
    }
    hook_each(t, spt_guard_slice_hook, LUA_MASKCOUNT);
    spt_error_push(L, "TaskHog", "the task ran for more than %f s without waiting",
                   h->config.limits.slice_ms / 1e3);
    lua_error(L);
}

/* --- interruption --- */

void spt_guard_cancel_children(struct spt_scope *scope, const char *source, const char *reason)
{
    struct spt_link *head = &scope->children;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (child->task)
            spt_scope_cancel(child, source, reason);
        else if (!child->kind.ends_with_mains) /* a script's scope, which outlives its tasks */
            spt_guard_cancel_children(child, source, reason);
    }
}

void spt_guard_act_on_interrupt(septet_host *h)
{
    h->interrupt = 0;
    h->interrupted = h->ending = true;
    spt_guard_cancel_children(&spt_host_sched(h)->tree.mains, "shutdown", "interrupted");
}

/* Raises the error that ends the running code. In a task's own code it is that of its
 * cancellation. */
static int raise_end(lua_State *L, const struct spt_task *t)
{
    spt_error_push_cancelled(L, t ? spt_scope_canceller(t->scope) : NULL);
    return lua_error(L);
}

/* Interrupts running Lua code, which nothing else would reach if it loops without a wait. Septet's
 * own modules continue until they call a script's function or return to one. The interruption does
 * not reach into a shield: code that loops there feels nothing. */
void spt_guard_interrupt_hook(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    struct spt_sched *s = spt_host_sched(h);
    struct spt_task *t = s->current;
    if (h->interrupt && t && spt_frames_own(L)) {
        hook_each(t, spt_guard_interrupt_hook, SPT_HOOK_EVERYTHING);
        return;
    }
    spt_hook_restore(L, s);
    if (!h->interrupt) /* the drain acted first, or the hook was inherited */
        return;
    spt_guard_act_on_interrupt(h);
    if (t) { /* otherwise it is a trace hook, for example: all code between tasks is protected */
        spt_scope_cancel(&t->root, "shutdown",
                         "interrupted"); /* also reaches a background task that loops */
        if (!spt_scope_canceller(t->scope))
            return;
        if (!s->run.exiting) /* code that caught the exit may catch this, too, and go on */
            spt_sched_interrupt_delivered(s);
    }
    raise_end(L, t);
}

/* May run in a signal handler of the thread that runs the tasks. A frame is linked before its
 * coroutine is resumed and unlinked after, so the innermost one is always whole. */
void septet_interrupt(septet_host *host)
{
    struct spt_sched *s = spt_host_sched(host);
    lua_State *L = s->current ? spt_task_innermost(s->current) : s->run.draining ? host->L : NULL;
    s->interrupt.undelivered = host->interrupt = 1;
    spt_loop_wake_async(host->loop);
    if (L)
        lua_sethook(L, spt_guard_interrupt_hook, SPT_HOOK_EVERYTHING, 1);
}

/* Returns true inside a finalizer, where errors are ignored. */
static bool in_finalizer(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++)
        if (lua_getinfo(L, "n", &ar) && ar.name && strcmp(ar.name, "__gc") == 0)
            return true;
    return false;
}

/* Cancels each open scope of a task, so that its next wait raises inside a shield, too. */
static void cancel_within_shields(struct spt_task *t)
{
    for (struct spt_scope *scope = t->scope; scope != &t->root; scope = scope->parent)
        spt_scope_cancel(scope, "shutdown", "exit");
    spt_scope_cancel(&t->root, "shutdown", "exit");
}

int septet_exit(lua_State *L)
{
    septet_host *h = septet_host_of(L);
    if (!h)
        return SEPTET_ECLOSED;
    struct spt_sched *s = spt_host_sched(h);
    struct spt_task *t = s->current;
    bool again = s->run.exiting;
    spt_sched_begin_exit(s);
    if (t)
        cancel_within_shields(t);
    if (again)
        return spt_op_can_wait(L, s) ? spt_op_abandon(L, s) : SEPTET_EBUSY;
    if (in_finalizer(L))
        septet_interrupt(h); /* interrupts the code after the finalizer */
    else
        spt_guard_act_on_interrupt(h);
    luaL_checkstack(L, 8, NULL);
    return raise_end(L, t);
}
