/* SPDX-License-Identifier: MIT */
/* Messages lie on a stack without locks. Any thread pushes; only the host's thread takes, and then
 * all at once. So no message is taken while another thread looks at it. The host reverses what it
 * took. */
#include "host/mailbox.h"

#include <errno.h>
#include <lauxlib.h>
#include <sched.h>
#include <stdlib.h>

#include "core/error.h"
#include "host/report.h"
#include "host/state.h"
#include "loop/loop.h"

/* in place of `top`: the host has ended */
static septet_message closed;

/* --- references --- */

int spt_mailbox_open(septet_host *host)
{
    struct septet_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (!mailbox)
        return SEPTET_ENOMEM;
    atomic_init(&mailbox->refs, 1);
    mailbox->host = host;
    host->life.mailbox = mailbox;
    return SEPTET_OK;
}

septet_mailbox *septet_mailbox_new(septet_host *host)
{
    atomic_fetch_add_explicit(&host->life.mailbox->refs, 1, memory_order_relaxed);
    return host->life.mailbox;
}

void septet_mailbox_release(septet_mailbox *mailbox)
{
    if (!mailbox || atomic_fetch_sub_explicit(&mailbox->refs, 1, memory_order_acq_rel) != 1)
        return;
    spt_slot_free_all(&mailbox->slots);
    free(mailbox);
}

/* --- posting --- */

int septet_post(septet_mailbox *mailbox, septet_message *message)
{
    septet_message *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    int saved = errno;
    do {
        if (top == &closed)
            return SEPTET_ECLOSED;
        message->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, message,
                                                    memory_order_release, memory_order_relaxed));
    if (!top && spt_door_enter(&mailbox->door)) { /* the first since the host took them all */
        spt_loop_wake_async(mailbox->host->loop);
        spt_door_leave(&mailbox->door);
    }
    errno = saved;
    return SEPTET_OK;
}

/* --- running --- */

static septet_message *reverse(septet_message *newest)
{
    septet_message *oldest = NULL;
    for (septet_message *next; newest; newest = next) {
        next = newest->next;
        newest->next = oldest;
        oldest = newest;
    }
    return oldest;
}

/* The argument of the two functions below. */
struct call {
    septet_host *host;
    septet_message *message; /* NULL once it is called */
};

static int call_run(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    septet_message *message = call->message;
    lua_settop(L, 0);
    call->host->life.mailbox->taken = message->next;
    call->message = NULL;
    message->run(message, call->host);
    return 0;
}

static int warn_raised(lua_State *L)
{
    // stack: error, the host
    if (!spt_error_is(L, 1, "Cancelled")) /* otherwise the run was ended there */
        spt_report_warning(lua_touserdata(L, 2),
                           lua_pushfstring(L, "a message failed: %s", spt_error_push_words(L, 1)));
    return 0;
}

/* Runs the oldest message. Returns false if memory is too short to call it: it stays. */
static bool run_oldest(septet_host *h)
{
    lua_State *L = h->L;
    struct call call = {.host = h, .message = h->life.mailbox->taken};
    if (!lua_checkstack(L, LUA_MINSTACK))
        return false;
    lua_pushcfunction(L, call_run);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return true;
    lua_pushcfunction(L, warn_raised);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, h);
    if (call.message) {
        lua_pop(L, 3);
        return false;
    }
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        spt_report_warning(h, "a message failed, and memory is too short to say how");
    }
    return true;
}

unsigned spt_mailbox_run(septet_host *host, unsigned max, bool (*is_late)(void *ud))
{
    struct septet_mailbox *mailbox = host->life.mailbox;
    unsigned n = 0;
    if (!spt_mailbox_has_work(mailbox))
        return 0;
    if (!mailbox->taken)
        mailbox->taken =
            reverse(atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire));
    for (bool late = false; mailbox->taken && n < max && !late;) {
        n = run_oldest(host) ? n + 1 : max;
        spt_host_sched(host)->now_ns = spt_sched_clock(spt_host_sched(host));
        late = is_late && is_late(host);
    }
    return n;
}

/* --- the end --- */

static void run_without_host(septet_message *oldest)
{
    for (septet_message *next; oldest; oldest = next) {
        next = oldest->next;
        oldest->run(oldest, NULL);
    }
}

void spt_mailbox_close(septet_host *host)
{
    struct septet_mailbox *mailbox = host->life.mailbox;
    septet_message *taken = mailbox->taken;
    mailbox->taken = NULL;
    run_without_host(taken);
    run_without_host(
        reverse(atomic_exchange_explicit(&mailbox->top, &closed, memory_order_acquire)));
    spt_door_close(&mailbox->door);
    sched_yield(); /* a signal sent to this thread before arrives in a system call at the latest */
}
