/* SPDX-License-Identifier: MIT */
/* channel: hands values from task to task in FIFO order, through a buffer of a given length.
 *
 * No value is copied in order to wait. A waiting sender keeps its value on its suspended stack, and
 * a value for a waiting receiver is pushed onto the receiver's stack. So a cancelled task takes no
 * value with it, and a rendezvous allocates nothing. Only buffered values are in a table.
 *
 * The calling C function moves the value before the wait begins; the operation only waits, or
 * reports that it has completed. The function acts only if the wait is not refused: a cancelled
 * call has had no effect. */
#include "op/channel.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>

#include "base/list.h"
#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"
#include "op/openers.h"

enum { CHANNEL = SPT_CHANNEL_INDEX, VALUE = SPT_CHANNEL_VALUE };

_Static_assert(sizeof(struct spt_channel_op) <= SPT_SLOT_SIZE, "it lies in its task");

enum { TIMED_OUT = 1 }; /* a status of timed_op */

/* --- the wait --- */

static int send_start(septet_op *op)
{
    struct spt_channel_op *send = (struct spt_channel_op *)op;
    if (send->completed)
        septet_op_done(op, send->result);
    else
        spt_list_push(&send->channel->senders, &send->link);
    return SEPTET_OK;
}

static int recv_start(septet_op *op)
{
    struct spt_channel_op *recv = (struct spt_channel_op *)op;
    if (recv->completed)
        septet_op_done(op, recv->result);
    else
        spt_list_push(&recv->channel->receivers, &recv->link);
    return SEPTET_OK;
}

static void on_due(struct spt_timer *timer)
{
    struct spt_channel_op *recv = &SPT_OF(timer, struct spt_channel_timed_op, timer)->recv;
    spt_link_remove(&recv->link);
    septet_op_done(&recv->op, TIMED_OUT);
}

static int timed_start(septet_op *op)
{
    struct spt_channel_timed_op *timed = (struct spt_channel_timed_op *)op;
    struct spt_sched *s = spt_op_sched(op);
    int rc = recv_start(op);
    if (!timed->recv.completed)
        spt_timer_start(&s->tree.timers, &timed->timer,
                        spt_timer_instant(spt_sched_clock(s), timed->timeout_ns), on_due);
    return rc;
}

static void cancel(septet_op *op)
{
    spt_link_remove(&((struct spt_channel_op *)op)->link);
}

static void timed_cancel(septet_op *op)
{
    spt_timer_stop(&spt_op_sched(op)->tree.timers, &((struct spt_channel_timed_op *)op)->timer);
    cancel(op);
}

int spt_channel_raise_closed(lua_State *L)
{
    spt_error_push(L, "ChannelClosed", "cannot send: the channel is closed");
    return lua_error(L);
}

static int send_push(septet_op *op, lua_State *L)
{
    return op->status == SEPTET_OK ? 0 : spt_channel_raise_closed(L);
}

static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2;
}

static int recv_push(septet_op *op, lua_State *L)
{
    return op->status == SEPTET_OK ? 1 : push_closed(L);
}

static int timed_push(septet_op *op, lua_State *L)
{
    if (op->status != TIMED_OUT)
        return recv_push(op, L);
    double seconds = spt_time_seconds(((struct spt_channel_timed_op *)op)->timeout_ns);
    char text[64];
    snprintf(text, sizeof text, "recv: timed out after %g s", seconds);
    spt_error_push(L, "Timeout", "%s", text);
    lua_pushnumber(L, seconds);
    lua_setfield(L, -2, "seconds");
    return lua_error(L);
}

static void describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_channel *ch = ((const struct spt_channel_op *)op)->channel;
    if (ch->ring.capacity == LUA_MAXINTEGER)
        snprintf(text, size, "(no limit)");
    else
        snprintf(text, size, "(capacity %lld)", (long long)ch->ring.capacity);
}

static const septet_op_type send_type = {
    .name = "send",
    .size = sizeof(struct spt_channel_op),
    .flags = SPT_OP_BY_TASKS,
    .start = send_start,
    .cancel = cancel,
    .push = send_push,
    .describe = describe,
};

static const septet_op_type recv_type = {
    .name = "recv",
    .size = sizeof(struct spt_channel_op),
    .flags = SPT_OP_BY_TASKS,
    .start = recv_start,
    .cancel = cancel,
    .push = recv_push,
    .describe = describe,
};

static const septet_op_type timed_type = {
    .name = "recv",
    .size = sizeof(struct spt_channel_timed_op),
    .start = timed_start,
    .cancel = timed_cancel,
    .push = timed_push,
    .describe = describe,
};

static struct spt_channel_op *new_op(lua_State *L, struct spt_sched *s, struct spt_channel *ch,
                                     const septet_op_type *type)
{
    struct spt_channel_op *op = (struct spt_channel_op *)spt_op_new(L, s, type);
    spt_link_init(&op->link);
    op->channel = ch;
    op->L = L;
    return op;
}

static void complete_early(struct spt_channel_op *op, int result)
{
    op->completed = true;
    op->result = result;
}

static bool is_closed(const struct spt_channel *ch, const struct spt_channel_sender *sender)
{
    return ch->closed || (sender && sender->closed);
}

int spt_channel_send(lua_State *L, struct spt_sched *s, struct spt_channel *ch,
                     const struct spt_channel_sender *sender)
{
    if (spt_channel_give_at_once(L, s, ch, sender))
        return 0;
    struct spt_channel_op *op = new_op(L, s, ch, &send_type);
    op->sender = sender;
    spt_channel_ring_reserve(L, &ch->ring);
    if (spt_op_check_cancelled(s))
        return spt_op_await_cancelled(L, &op->op);
    if (is_closed(ch, sender))
        complete_early(op, SEPTET_ECLOSED);
    else if (spt_channel_give(L, ch))
        complete_early(op, SEPTET_OK);
    return spt_op_wait(L, &op->op, false);
}

/* Waits for at most `timeout_ns`; SPT_NEVER: without a limit. */
static int await_recv(lua_State *L, struct spt_channel *ch, uint64_t timeout_ns)
{
    struct spt_sched *s = spt_env(L)->sched;
    if (spt_channel_take_at_once(L, s, ch))
        return 1;
    bool timed = timeout_ns != SPT_NEVER;
    struct spt_channel_op *op = new_op(L, s, ch, timed ? &timed_type : &recv_type);
    if (timed)
        ((struct spt_channel_timed_op *)op)->timeout_ns = timeout_ns;
    op->is_timed = timed;
    if (spt_op_check_cancelled(s))
        return spt_op_await_cancelled(L, &op->op);
    if (spt_channel_take(L, ch))
        complete_early(op, SEPTET_OK);
    else if (ch->closed)
        complete_early(op, SEPTET_ECLOSED);
    else if (timeout_ns == 0)
        complete_early(op, TIMED_OUT);
    return spt_op_wait(L, &op->op, false);
}

int spt_channel_try_send(lua_State *L, struct spt_channel *ch,
                         const struct spt_channel_sender *sender)
{
    spt_channel_ring_reserve(L, &ch->ring);
    if (is_closed(ch, sender))
        return spt_channel_raise_closed(L);
    lua_pushboolean(L, spt_channel_give(L, ch));
    return 1;
}

void spt_channel_refuse(struct spt_channel *ch, const struct spt_channel_sender *sender)
{
    struct spt_link *head = &ch->senders;
    for (struct spt_link *l = head->next, *next; l != head; l = next) {
        struct spt_channel_op *op = SPT_OF(l, struct spt_channel_op, link);
        next = l->next;
        if (!sender || op->sender == sender) {
            spt_link_remove(l);
            septet_op_done(&op->op, SEPTET_ECLOSED);
        }
    }
}

void spt_channel_close(struct spt_channel *ch)
{
    ch->closed = true;
    spt_channel_refuse(ch, NULL);
    for (struct spt_channel_op *recv; (recv = spt_channel_pop(&ch->receivers));)
        spt_channel_end_recv(recv, SEPTET_ECLOSED);
}

/* --- channels in Lua --- */

static struct spt_channel *check(lua_State *L)
{
    return spt_check_self(L, "channel");
}

/* Returns what lies in a channel alone: its address, mixed with one of ours. */
static uintptr_t mark_of(const struct spt_channel *ch)
{
    static const char key;
    return (uintptr_t)ch ^ (uintptr_t)&key;
}

/* Like check(), but without a look at the metatable, which takes 100 instructions of the 600 of a
 * send or receive. */
static struct spt_channel *check_fast(lua_State *L)
{
    struct spt_channel *ch = lua_touserdata(L, CHANNEL);
    return ch && lua_rawlen(L, CHANNEL) == sizeof *ch && ch->mark == mark_of(ch) ? ch : check(L);
}

/* channel(capacity): returns a new channel; the capacity defaults to 0. */
static int l_channel(lua_State *L)
{
    spt_check_most(L, 1);
    lua_Integer capacity = 0;
    if (lua_type(L, 1) == LUA_TNUMBER && lua_tonumber(L, 1) == HUGE_VAL)
        capacity = LUA_MAXINTEGER;
    else if (!lua_isnoneornil(L, 1))
        capacity = spt_check_count(L, 1, 0);
    struct spt_channel_ring ring;
    int places = spt_channel_ring_init(&ring, capacity);
    struct spt_channel *ch = lua_newuserdatauv(L, sizeof *ch, places);
    *ch = (struct spt_channel){.mark = mark_of(ch), .ring = ring};
    spt_link_init(&ch->senders);
    spt_link_init(&ch->receivers);
    luaL_setmetatable(L, SPT_CHANNEL_META);
    return 1;
}

void spt_channel_check_value(lua_State *L)
{
    if (lua_isnoneornil(L, VALUE))
        spt_error_arg(L, VALUE, "nil cannot be sent");
    lua_settop(L, VALUE);
}

/* channel:send(value): returns nothing, once a receiver or the buffer has the value. */
static int l_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_channel *ch = check_fast(L);
    if (lua_isnoneornil(L, VALUE))
        spt_error_arg(L, VALUE, "nil cannot be sent");
    return spt_channel_send(L, spt_env(L)->sched, ch, NULL);
}

/* channel:try_send(value): returns true if a receiver or the buffer took the value at once, else
 * false. */
static int l_try_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_channel *ch = check(L);
    spt_channel_check_value(L);
    return spt_channel_try_send(L, ch, NULL);
}

/* channel:recv(timeout): returns the next item, or nil and "closed" after the last. Raises Timeout
 * if there is none within the time. */
static int l_recv(lua_State *L)
{
    if (lua_gettop(L) == 1)
        return await_recv(L, check_fast(L), SPT_NEVER);
    if (lua_gettop(L) > 1 && !lua_isnil(L, 2) && spt_check_is_iterator(L))
        lua_settop(L, 1);
    spt_check_most(L, 2);
    return await_recv(L, check(L), spt_check_opt_seconds(L, 2, SPT_NEVER));
}

/* channel:try_recv(): like recv(), but never waits. Returns nil and "empty" if there is no item. */
static int l_try_recv(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_channel *ch = check(L);
    if (spt_channel_take(L, ch))
        return 1;
    if (ch->closed)
        return push_closed(L);
    lua_pushnil(L);
    lua_pushliteral(L, "empty");
    return 2;
}

/* channel:close(): ends sending. Buffered items can still be received. A closed channel is left as
 * it is. */
static int l_close(lua_State *L)
{
    spt_check_most(L, 1);
    spt_channel_close(check(L));
    return 0;
}

/* Closes the channel at the end of a `<close>` variable. Lua passes the error as well. */
static int l_leave(lua_State *L)
{
    lua_settop(L, 1);
    return l_close(L);
}

static int l_next(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(2));
    return await_recv(L, lua_touserdata(L, CHANNEL), SPT_NEVER);
}

/* channel:iter(): returns a function that returns the next item at each call, for a `for` loop. */
static int l_iter(lua_State *L)
{
    spt_check_most(L, 1);
    check(L);
    lua_pushlightuserdata(L, spt_env(L));
    lua_pushvalue(L, CHANNEL);
    lua_pushcclosure(L, l_next, 2);
    return 1;
}

static int l_len(lua_State *L)
{
    lua_pushinteger(L, check(L)->ring.count);
    return 1;
}

static const luaL_Reg methods[] = {
    {"send", l_send},         {"recv", l_recv},   {"try_send", l_try_send},
    {"try_recv", l_try_recv}, {"close", l_close}, {"__close", l_leave},
    {"iter", l_iter},         {"__len", l_len},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"channel", l_channel}, {NULL, NULL}};

void spt_open_channel(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_CHANNEL_META, methods);
    spt_add_functions(L, env, functions);
}
