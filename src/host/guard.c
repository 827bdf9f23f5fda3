/* SPDX-License-Identifier: MIT */
/* Sets hooks in the running coroutines. They raise an error in the code that has to end, or let the
 * embedder look at it. */
#include "host/guard.h"

#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/checkpoint.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/hook.h"
#include "core/op.h"
#include "core/task.h"
#include "host/mailbox.h"
#include "host/report.h"
#include "host/slice.h"
#include "loop/loop.h"

/* --- the count hook --- */

void spt_guard_count_hook(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    if (!h)
        return;
    spt_guard_act_on_inspection(h);
    if (h->interrupt)
        spt_guard_urgent_hook(L, ar);
    struct spt_task *t = spt_host_sched(h)->current;
    if (t)
        spt_slice_check(L, ar, h, t);
}

/* Has the hook called at least every `step` instructions. */
static void count_every(septet_host *h, int step, bool all)
{
    struct spt_debug_hook *hook = &spt_host_sched(h)->debug_hook;
    if (!hook->count_hook || step < hook->count)
        hook->count = step;
    hook->count_hook = spt_guard_count_hook;
    hook->everywhere |= all;
}

bool spt_guard_knows(const septet_limits *limits)
{
    static const uint64_t none[sizeof limits->reserved / sizeof *limits->reserved];
    return memcmp(limits->reserved, none, sizeof none) == 0;
}

void spt_guard_limit_slices(septet_host *h, const septet_limits *limits, bool all)
{
    int step = spt_slice_step(limits);
    if (step > 0)
        count_every(h, step, all);
}

void spt_guard_notice_interrupts(septet_host *h)
{
    unsigned step = h->config.interrupt_count;
    if (step == 0)
        return;
    count_every(h, step < INT_MAX ? (int)step : INT_MAX, true);
    if (!h->config.lua)
        lua_sethook(h->L, spt_guard_count_hook, LUA_MASKCOUNT, spt_host_sched(h)->debug_hook.count);
}

/* Called by the allocator: sets hooks alone. */
static void condemn(void *ud, struct spt_account *account)
{
    septet_host *h = ud;
    const struct spt_task *t = spt_host_sched(h)->current;
    h->limits.slice = (struct spt_host_slice){
        .task = t->id,
        .turn = t->turn.count,
        .over = "memory",
        .max = (lua_Number)(account ? account->limits.memory : h->limits.ledger.limit)};
    t->spawn.account->ended = t->spawn.account->script != NULL;
    spt_hook_each(t, spt_guard_count_hook, LUA_MASKCOUNT);
}

/* Called by the allocator: sets hooks alone. */
static void urge(void *ud)
{
    const struct spt_task *t = spt_host_sched(ud)->current;
    spt_hook_each(t, spt_guard_count_hook, LUA_MASKCOUNT);
}

lua_State *spt_guard_new_state(septet_host *h)
{
    struct spt_ledger *ledger = &h->limits.ledger;
    *ledger = (struct spt_ledger){.alloc = h->config.alloc,
                                  .alloc_ud = h->config.alloc_ud,
                                  .limit = h->config.limits.memory,
                                  .charges = h->config.script_memory != 0,
                                  .condemn = condemn,
                                  .urge = urge,
                                  .ud = h};
    return lua_newstate(spt_ledger_function(ledger), ledger);
}

void spt_guard_limit_memory(septet_host *h)
{
    struct spt_debug_hook *hook = &spt_host_sched(h)->debug_hook;
    h->limits.ledger.sched = spt_host_sched(h);
    if (hook->count_hook || (!h->limits.ledger.limit && !h->limits.ledger.charges))
        return;
    hook->count_hook = spt_guard_count_hook;
    hook->count = SPT_SLICE_STEP_MAX;
}

/* --- interruption --- */

void spt_guard_cancel_children(struct spt_scope *scope, const char *source, const char *reason)
{
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (!spt_scope_is_hosts(child))
            spt_scope_cancel(child, source, reason);
        else if (!child->kind.ends_with_mains) /* a script's scope, which outlives its tasks */
            spt_guard_cancel_children(child, source, reason);
    }
}

/* Cancels the task in the foreground, and nothing else. */
static void cancel_foreground(struct spt_sched *s)
{
    if (s->interrupt.acts < UCHAR_MAX)
        s->interrupt.acts++;
    assert(!s->interrupt.foreground || s->interrupt.foreground->open);
    if (s->interrupt.foreground)
        spt_scope_cancel(s->interrupt.foreground, "shutdown", "interrupted");
    else if (!s->current) /* otherwise that task may hold up all others */
        spt_sched_interrupt_delivered(s);
}

/* Returns true if an interrupt is not for this task: it is not below the one in the foreground. If
 * a first interrupt reached no task, the running one holds up all others, and a second ends it. */
static bool is_spared(const struct spt_sched *s, const struct spt_task *t)
{
    if (!s->interrupt.only_foreground || s->interrupt.acts > 1)
        return false;
    for (const struct spt_scope *scope = &t->root; scope; scope = scope->parent)
        if (scope == s->interrupt.foreground)
            return false;
    return true;
}

void spt_guard_act_on_interrupt(septet_host *h)
{
    if (atomic_exchange(&h->interrupt, false))
        spt_sched_set_urgent(spt_host_sched(h), SPT_URGENT_INTERRUPT);
    if (spt_host_sched(h)->interrupt.only_foreground && !spt_host_sched(h)->run.exiting) {
        cancel_foreground(spt_host_sched(h));
        return;
    }
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

/* Returns true at the base of the task's coroutine, where nothing catches an error, and in the
 * function of a bare task. */
static bool is_at_base(lua_State *L, const struct spt_task *t)
{
    lua_Debug ar;
    if (!t->co)
        return !lua_getstack(L, t->sched->run.bare.level, &ar);
    return L == t->co && !lua_getstack(L, 1, &ar);
}

/* A handler sets both marks at once. If it comes between the two lines that clear them, this call
 * of on_inspect is for it, and the next call of this function clears the mark that is left. */
void spt_guard_act_on_inspection(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    if (!h->inspection && !(spt_sched_urgent(s) & SPT_URGENT_INSPECTION))
        return;
    spt_sched_clear_urgent(s, SPT_URGENT_INSPECTION);
    bool asked = atomic_exchange(&h->inspection, false); /* one from here on is another one */
    if (!asked || !h->config.on_inspect)
        return;
    h->callbacks.running++;
    h->config.on_inspect(h->config.ud);
    h->callbacks.running--;
}

/* Returns true if the task was spawned in a shield. */
static bool is_shielded(const struct spt_task *t)
{
    for (const struct spt_scope *scope = t->root.parent; scope; scope = scope->parent)
        if (scope->kind.shield)
            return true;
    return false;
}

/* Interrupts running Lua code, which nothing else would reach if it loops without a wait. Septet's
 * own modules continue until they call a script's function or return to one. The interruption does
 * not reach into a shield, its tasks included: code that loops there feels nothing. An inspection
 * comes first, and changes nothing. */
void spt_guard_urgent_hook(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    if (!h) { /* it has ended */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    struct spt_sched *s = spt_host_sched(h);
    struct spt_task *t = s->current;
    bool pending =
        t ? h->interrupt || spt_sched_is_interrupted(s) : h->interrupt && s->run.draining;
    bool in_lua = t ? !is_at_base(L, t) : ar && ar->event == LUA_HOOKCOUNT;
    spt_guard_act_on_inspection(h);
    if (pending && !in_lua) /* an error here would be one of the host's own call */
        return;
    if (pending && t && spt_frames_own(L)) {
        spt_hook_each(t, spt_guard_urgent_hook, SPT_HOOK_EVERYTHING);
        return;
    }
    spt_hook_restore(L, s);
    if (!pending) { /* it has reached a task, or the embedder runs this, or it was inherited */
        if (t || h->inspection)
            spt_hook_keep_urgent(L, s); /* what came meanwhile */
        return;
    }
    if (h->interrupt) /* otherwise the drain acted first */
        spt_guard_act_on_interrupt(h);
    if (t) { /* otherwise it is a trace hook, for example: all code between tasks is protected */
        if (is_shielded(t) || is_spared(s, t))
            return;
        spt_scope_cancel(&t->root, "shutdown",
                         "interrupted"); /* also reaches a background task that loops */
        if (!spt_scope_canceller(t->scope))
            return;
        if (!s->run.exiting) /* code that caught the exit may catch this, too, and go on */
            spt_sched_interrupt_delivered(s);
    }
    raise_end(L, t);
}

/* Sets the hook in what runs. May run in a signal handler of the host's thread. A frame is linked
 * before its coroutine is resumed and unlinked after, so the innermost one is always whole. Code
 * that links or unlinks one, or that begins a turn, looks whether something urgent came before. */
static void hook_running(septet_host *h, unsigned char urgent)
{
    struct spt_sched *s = spt_host_sched(h);
    spt_sched_set_urgent(s, urgent);
    lua_State *L = s->current ? spt_hook_running(s) : s->run.draining ? h->L : NULL;
    if (L)
        spt_hook_urge(L, s);
}

/* Only a handler on the host's thread can look at what runs there. So another thread has the
 * handler of `number` called, or sets the flag that the drain and the count hook read. It does not
 * do both: the drain could act on the flag, and then on the signal in the next run. */
static void request(septet_host *host, int number, atomic_bool *flag, unsigned char urgent)
{
    struct septet_mailbox *mailbox = host->life.mailbox;
    int saved = errno;
    if (!spt_door_enter(&mailbox->door))
        return;
    bool here = pthread_equal(pthread_self(), host->life.thread);
    if (!here && number) {
        pthread_kill(host->life.thread, number);
    } else {
        *flag = true;
        spt_loop_wake_async(host->loop);
        if (here)
            hook_running(host, urgent);
    }
    spt_door_leave(&mailbox->door);
    errno = saved;
}

void septet_interrupt(septet_host *host)
{
    request(host, host->config.interrupt_signal, &host->interrupt, SPT_URGENT_INTERRUPT);
}

void septet_inspect(septet_host *host)
{
    request(host, host->config.inspect_signal, &host->inspection, SPT_URGENT_INSPECTION);
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
        return spt_op_can_wait(L, s) ? spt_checkpoint_abandon(L, s) : SEPTET_EBUSY;
    if (in_finalizer(L))
        septet_interrupt(h); /* interrupts the code after the finalizer */
    else
        spt_guard_act_on_interrupt(h);
    luaL_checkstack(L, 8, NULL);
    return raise_end(L, t);
}
