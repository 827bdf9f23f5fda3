/* channel: hands values from task to task, first come first served, past a buffer of a given
 * length.
 *
 * No value is copied to wait: a sender that waits keeps its own on its suspended stack, and what is
 * handed to a receiver that waits is laid on that one's. So whoever is cancelled takes nothing with
 * it, and a rendezvous needs no memory. Only what is buffered lies in a table.
 *
 * All that moves a value does so in the calling C function, before the wait begins, which only
 * waits or says that it is done. It acts only where the wait is not refused: what is cancelled has
 * had no effect. */
#include "base/list.h"
#include "core/inspect.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#define META        "septet.channel"
#define SENDER_META "septet.channel.sender"

struct channel {
    struct spt_link senders;   /* channel_op, first come first; none while the buffer has room */
    struct spt_link receivers; /* none while there is something buffered or a sender waits */
    lua_Integer capacity;      /* of the buffer; LUA_MAXINTEGER: without end */
    lua_Integer count;         /* items buffered */
    int head;          /* index of the oldest, from 0, in the ring: a table, the user value */
    int size;          /* of the ring, which grows up to the capacity */
    unsigned nsenders; /* that channel:sender() made and that are not closed */
    bool closed;
};

struct sender {
    struct channel *channel; /* kept by the user value */
    struct spt_sched *sched;
    uint64_t spawn_place; /* spt_place of the line that made it, pinned while it is open */
    bool closed;
};

/* Where a function that sends or receives has them on its stack; the sender it sends through, if
 * any, lies behind the value. */
enum { CHANNEL = 1, VALUE };

struct channel_op {
    septet_op op;
    struct spt_link link;
    struct channel *channel;
    const struct sender *sender; /* NULL: channel:send() */
    lua_State *L;                /* that waits */
    bool completed;              /* before the wait, with `result` */
    int result;
};

_Static_assert(sizeof(struct channel_op) <= SPT_SLOT_SIZE, "it lies in its task");

static struct channel_op *waiting_at(struct spt_link *link)
{
    return SPT_OF(link, struct channel_op, link);
}

static struct channel_op *pop(struct spt_link *queue)
{
    struct spt_link *l = spt_list_pop(queue), *next = queue->next;
    if (!l)
        return NULL;
    if (next != queue) { /* likely to be next */
        spt_coroutine_fetch(waiting_at(next)->L);
        if (next->next != queue)
            spt_task_fetch(SPT_OF(waiting_at(next->next), struct spt_task, slot));
    }
    return waiting_at(l);
}

/* --- the ring --- */

/* Makes room for one more item where it may be buffered, with everything that can fail, and
 * finalizers, which may use the channel, before the first change. */
static void reserve(lua_State *L, struct channel *ch)
{
    while (ch->count == ch->size && ch->size < ch->capacity) {
        if (ch->size > INT_MAX / 2)
            luaL_error(L, "too many items in a channel");
        int size = ch->size ? ch->size * 2 : 4;
        lua_createtable(L, size, 0);
        lua_getiuservalue(L, CHANNEL, 1); // stack: ..., new ring, old ring
        if (size > ch->size) {
            for (int i = 0; i < ch->count; i++) {
                lua_rawgeti(L, -1, (ch->head + i) % ch->size + 1);
                lua_rawseti(L, -3, i + 1);
            }
            lua_pushvalue(L, -2);
            lua_setiuservalue(L, CHANNEL, 1);
            ch->head = 0;
            ch->size = size;
        }
        lua_pop(L, 2);
    }
}

/* Pops the value on top of L into the ring, which has room. */
static void buffer(lua_State *L, struct channel *ch)
{
    lua_getiuservalue(L, CHANNEL, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (ch->head + ch->count++) % ch->size + 1);
    lua_pop(L, 1);
}

/* Pushes the oldest item of the ring, which is not empty. */
static void unbuffer(lua_State *L, struct channel *ch)
{
    lua_getiuservalue(L, CHANNEL, 1);
    lua_rawgeti(L, -1, ch->head + 1);
    lua_pushnil(L);
    lua_rawseti(L, -3, ch->head + 1);
    lua_remove(L, -2);
    ch->head = (ch->head + 1) % ch->size;
    ch->count--;
}

/* --- giving and taking, which never wait and never fail --- */

/* Hands the value to who has waited longest, or buffers it. Returns false where there is no
 * room. */
static bool give(lua_State *L, struct channel *ch)
{
    struct channel_op *receiver = pop(&ch->receivers);
    if (!receiver && ch->count >= ch->capacity)
        return false;
    lua_pushvalue(L, VALUE);
    if (receiver) {
        lua_xmove(L, receiver->L, 1);
        lua_insert(receiver->L, -2); /* below the wait mark */
        septet_op_done(&receiver->op, SEPTET_OK);
    } else {
        buffer(L, ch);
    }
    return true;
}

/* Pushes the oldest item, and buffers that of the sender who has waited longest in its place.
 * Returns false, with nothing pushed, where there is none. */
static bool take(lua_State *L, struct channel *ch)
{
    bool buffered = ch->count > 0;
    struct channel_op *sender = pop(&ch->senders);
    if (buffered)
        unbuffer(L, ch);
    if (sender) {
        lua_pushvalue(sender->L, VALUE);
        lua_xmove(sender->L, L, 1);
        if (buffered)
            buffer(L, ch);
        septet_op_done(&sender->op, SEPTET_OK);
    }
    return buffered || sender;
}

/* --- the wait --- */

static int send_start(septet_op *op)
{
    struct channel_op *send = (struct channel_op *)op;
    if (send->completed)
        septet_op_done(op, send->result);
    else
        spt_list_push(&send->channel->senders, &send->link);
    return SEPTET_OK;
}

static int recv_start(septet_op *op)
{
    struct channel_op *recv = (struct channel_op *)op;
    if (recv->completed)
        septet_op_done(op, recv->result);
    else
        spt_list_push(&recv->channel->receivers, &recv->link);
    return SEPTET_OK;
}

static void cancel(septet_op *op)
{
    spt_link_remove(&((struct channel_op *)op)->link);
}

static int raise_closed(lua_State *L)
{
    spt_error_push(L, "ChannelClosed", "cannot send: the channel is closed");
    return lua_error(L);
}

static int send_push(septet_op *op, lua_State *L)
{
    return op->status == SEPTET_OK ? 0 : raise_closed(L);
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

static void describe(const septet_op *op, char *text, size_t size)
{
    const struct channel *ch = ((const struct channel_op *)op)->channel;
    if (ch->capacity == LUA_MAXINTEGER)
        snprintf(text, size, "(no limit)");
    else
        snprintf(text, size, "(capacity %lld)", (long long)ch->capacity);
}

static const septet_op_type send_type = {
    .name = "send",
    .size = sizeof(struct channel_op),
    .start = send_start,
    .cancel = cancel,
    .push = send_push,
    .describe = describe,
};

static const septet_op_type recv_type = {
    .name = "recv",
    .size = sizeof(struct channel_op),
    .start = recv_start,
    .cancel = cancel,
    .push = recv_push,
    .describe = describe,
};

static struct channel_op *new_op(lua_State *L, struct channel *ch, const septet_op_type *type)
{
    struct channel_op *op = (struct channel_op *)spt_op_new(L, spt_env(L)->sched, type);
    spt_link_init(&op->link);
    op->channel = ch;
    op->L = L;
    return op;
}

static void complete_early(struct channel_op *op, int result)
{
    op->completed = true;
    op->result = result;
}

static bool is_closed(const struct channel *ch, const struct sender *sender)
{
    return ch->closed || (sender && sender->closed);
}

static int await_send(lua_State *L, struct channel *ch, const struct sender *sender)
{
    struct channel_op *op = new_op(L, ch, &send_type);
    op->sender = sender;
    reserve(L, ch);
    if (spt_op_is_cancelled(spt_op_sched(&op->op)))
        return spt_op_await_cancelled(L, &op->op);
    if (is_closed(ch, sender))
        complete_early(op, SEPTET_ECLOSED);
    else if (give(L, ch))
        complete_early(op, SEPTET_OK);
    return spt_op_wait(L, &op->op, false);
}

static int await_recv(lua_State *L, struct channel *ch)
{
    struct channel_op *op = new_op(L, ch, &recv_type);
    if (spt_op_is_cancelled(spt_op_sched(&op->op)))
        return spt_op_await_cancelled(L, &op->op);
    if (take(L, ch))
        complete_early(op, SEPTET_OK);
    else if (ch->closed)
        complete_early(op, SEPTET_ECLOSED);
    return spt_op_wait(L, &op->op, false);
}

static int try_send(lua_State *L, struct channel *ch, const struct sender *sender)
{
    reserve(L, ch);
    if (is_closed(ch, sender))
        return raise_closed(L);
    lua_pushboolean(L, give(L, ch));
    return 1;
}

/* Ends the waits of those that send through `sender`, or of all. */
static void refuse_senders(struct channel *ch, const struct sender *sender)
{
    struct spt_link *head = &ch->senders;
    for (struct spt_link *l = head->next, *next; l != head; l = next) {
        struct channel_op *op = SPT_OF(l, struct channel_op, link);
        next = l->next;
        if (!sender || op->sender == sender) {
            spt_link_remove(l);
            septet_op_done(&op->op, SEPTET_ECLOSED);
        }
    }
}

static void close_channel(struct channel *ch)
{
    ch->closed = true;
    refuse_senders(ch, NULL);
    for (struct channel_op *recv; (recv = pop(&ch->receivers));)
        septet_op_done(&recv->op, SEPTET_ECLOSED);
}

/* --- channels in Lua --- */

static struct channel *check(lua_State *L)
{
    return spt_check_self(L, "channel");
}

/* channel(capacity): without one, 0. */
static int l_channel(lua_State *L)
{
    spt_check_most(L, 1);
    lua_Integer capacity = 0;
    if (lua_type(L, 1) == LUA_TNUMBER && lua_tonumber(L, 1) == HUGE_VAL)
        capacity = LUA_MAXINTEGER;
    else if (!lua_isnoneornil(L, 1))
        capacity = spt_check_count(L, 1, 0);
    struct channel *ch = lua_newuserdatauv(L, sizeof *ch, 1);
    *ch = (struct channel){.capacity = capacity};
    spt_link_init(&ch->senders);
    spt_link_init(&ch->receivers);
    luaL_setmetatable(L, META);
    return 1;
}

static void check_value(lua_State *L)
{
    if (lua_isnoneornil(L, VALUE))
        spt_error_arg(L, VALUE, "nil cannot be sent");
    lua_settop(L, VALUE);
}

/* channel:send(value): returns nothing, once a receiver or the buffer has it. */
static int l_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct channel *ch = check(L);
    check_value(L);
    return await_send(L, ch, NULL);
}

/* channel:try_send(value): true when a receiver or the buffer took it at once, else false. */
static int l_try_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct channel *ch = check(L);
    check_value(L);
    return try_send(L, ch, NULL);
}

/* channel:recv(): the next item; nil and "closed" after the last. */
static int l_recv(lua_State *L)
{
    spt_check_most(L, 1);
    return await_recv(L, check(L));
}

/* channel:try_recv(): the same, but never waits: nil and "empty" where it would. */
static int l_try_recv(lua_State *L)
{
    spt_check_most(L, 1);
    struct channel *ch = check(L);
    if (take(L, ch))
        return 1;
    if (ch->closed)
        return push_closed(L);
    lua_pushnil(L);
    lua_pushliteral(L, "empty");
    return 2;
}

/* channel:close(): nothing more is sent; what is buffered may still be received. Harmless when
 * closed. */
static int l_close(lua_State *L)
{
    spt_check_most(L, 1);
    close_channel(check(L));
    return 0;
}

/* The end of a `<close>` variable, which gets an error, too. */
static int l_leave(lua_State *L)
{
    lua_settop(L, 1);
    return l_close(L);
}

static int l_next(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(2));
    return await_recv(L, lua_touserdata(L, CHANNEL));
}

/* channel:iter(): a function that gives the next item at each call, for a `for`. */
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
    lua_pushinteger(L, check(L)->count);
    return 1;
}

/* channel:sender(): something to send through. The channel is closed when the last of these is. */
static int l_sender(lua_State *L)
{
    spt_check_most(L, 1);
    struct channel *ch = check(L);
    struct sender *sender = lua_newuserdatauv(L, sizeof *sender, 1);
    if (ch->closed)
        return raise_closed(L);
    struct spt_sched *s = spt_env(L)->sched;
    *sender = (struct sender){.channel = ch, .sched = s, .spawn_place = spt_inspect_place(L, s, 1)};
    spt_trace_pin(&s->trace, sender->spawn_place);
    lua_pushvalue(L, CHANNEL);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SENDER_META);
    ch->nsenders++;
    return 1;
}

/* --- senders in Lua --- */

static struct sender *check_sender(lua_State *L)
{
    return spt_check_self(L, "sender");
}

/* Puts the channel where a send has it, and the sender behind the value. */
static struct sender *check_sender_and_value(lua_State *L)
{
    struct sender *sender = check_sender(L);
    check_value(L);
    lua_getiuservalue(L, 1, 1);
    lua_insert(L, CHANNEL);
    lua_insert(L, VALUE);
    return sender;
}

/* sender:send(value), as the channel's. */
static int l_sender_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct sender *sender = check_sender_and_value(L);
    return await_send(L, sender->channel, sender);
}

/* sender:try_send(value), as the channel's. */
static int l_sender_try_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct sender *sender = check_sender_and_value(L);
    return try_send(L, sender->channel, sender);
}

static void close_sender(struct sender *sender)
{
    if (sender->closed)
        return;
    sender->closed = true;
    spt_trace_unpin(&sender->sched->trace, sender->spawn_place);
    if (--sender->channel->nsenders == 0)
        close_channel(sender->channel);
    else
        refuse_senders(sender->channel, sender);
}

/* sender:close(): nothing more is sent through it. Harmless when closed. */
static int l_sender_close(lua_State *L)
{
    spt_check_most(L, 1);
    close_sender(check_sender(L));
    return 0;
}

static void warn_dropped(const struct sender *sender)
{
    const struct spt_sched *s = sender->sched;
    char place[SPT_PLACE_SIZE], line[SPT_PLACE_SIZE + 64];
    spt_inspect_write_place(&s->trace, sender->spawn_place, place, sizeof place);
    snprintf(line, sizeof line, "the sender made at %s was collected before it was closed", place);
    s->hooks.warn(s->hooks.ud, line);
}

/* Closes a sender that nobody can use any more: receivers would wait for it for ever. No task waits
 * in a send through it, since that would keep it. */
static int l_sender_gc(lua_State *L)
{
    struct sender *sender = check_sender(L);
    if (!sender->closed && !sender->channel->closed)
        warn_dropped(sender);
    close_sender(sender);
    return 0;
}

static int l_sender_leave(lua_State *L)
{
    lua_settop(L, 1);
    return l_sender_close(L);
}

static const luaL_Reg methods[] = {
    {"send", l_send},     {"recv", l_recv},     {"try_send", l_try_send}, {"try_recv", l_try_recv},
    {"close", l_close},   {"__close", l_leave}, {"iter", l_iter},         {"__len", l_len},
    {"sender", l_sender}, {NULL, NULL}};

static const luaL_Reg sender_methods[] = {
    {"send", l_sender_send},     {"try_send", l_sender_try_send}, {"close", l_sender_close},
    {"__close", l_sender_leave}, {"__gc", l_sender_gc},           {NULL, NULL}};

static const luaL_Reg functions[] = {{"channel", l_channel}, {NULL, NULL}};

void spt_open_channel(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_new_type(L, env, SENDER_META, sender_methods);
    spt_add_functions(L, env, functions);
}
