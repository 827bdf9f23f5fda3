/* SPDX-License-Identifier: MIT */
/* channel_sender: sends through a channel that closes with the last of its senders. */
#include <lauxlib.h>
#include <stdio.h>

#include "core/check.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "op/channel.h"
#include "op/env.h"
#include "op/openers.h"

#define META "septet.channel.sender"

/* channel:sender(): returns an object to send through. The channel closes with the last of its
 * senders. */
static int l_sender(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_channel *ch = spt_check_self(L, "channel");
    struct spt_channel_sender *sender = lua_newuserdatauv(L, sizeof *sender, 1);
    if (ch->closed)
        return spt_channel_raise_closed(L);
    struct spt_sched *s = spt_env(L)->sched;
    *sender = (struct spt_channel_sender){
        .channel = ch, .sched = s, .spawn_place = spt_inspect_place(L, s, 1)};
    spt_trace_pin(&s->trace, sender->spawn_place);
    lua_pushvalue(L, SPT_CHANNEL_INDEX);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, META);
    ch->nsenders++;
    return 1;
}

static struct spt_channel_sender *check_sender(lua_State *L)
{
    return spt_check_self(L, "sender");
}

/* Puts the channel where a send expects it, the sender above the value, and the value on top. */
static struct spt_channel_sender *check_sender_and_value(lua_State *L)
{
    struct spt_channel_sender *sender = check_sender(L);
    spt_channel_check_value(L);
    lua_getiuservalue(L, 1, 1);
    lua_insert(L, SPT_CHANNEL_INDEX);
    lua_insert(L, SPT_CHANNEL_VALUE);
    lua_pushvalue(L, SPT_CHANNEL_VALUE);
    return sender;
}

/* sender:send(value): like channel:send(), but raises ChannelClosed once the sender is closed,
 * too. */
static int l_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_channel_sender *sender = check_sender_and_value(L);
    return spt_channel_send(L, sender->sched, sender->channel, sender);
}

/* sender:try_send(value): like channel:try_send(), but raises ChannelClosed once the sender is
 * closed, too. */
static int l_try_send(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_channel_sender *sender = check_sender_and_value(L);
    return spt_channel_try_send(L, sender->channel, sender);
}

static void close_sender(struct spt_channel_sender *sender)
{
    if (sender->closed)
        return;
    sender->closed = true;
    spt_trace_unpin(&sender->sched->trace, sender->spawn_place);
    if (--sender->channel->nsenders == 0)
        spt_channel_close(sender->channel);
    else
        spt_channel_refuse(sender->channel, sender);
}

/* sender:close(): ends sending through it. A closed sender is left as it is. */
static int l_close(lua_State *L)
{
    spt_check_most(L, 1);
    close_sender(check_sender(L));
    return 0;
}

static void warn_dropped(const struct spt_channel_sender *sender)
{
    const struct spt_sched *s = sender->sched;
    char place[SPT_PLACE_SIZE], line[SPT_PLACE_SIZE + 64];
    spt_inspect_write_place(&s->trace, sender->spawn_place, place, sizeof place);
    snprintf(line, sizeof line, "the sender made at %s was collected before it was closed", place);
    s->hooks.warn(s->hooks.ud, line);
}

/* Closes an unreachable sender, because receivers would wait for it for ever. No task waits in a
 * send through it, since that would keep the sender alive. */
static int l_gc(lua_State *L)
{
    struct spt_channel_sender *sender = check_sender(L);
    if (!sender->closed && !sender->channel->closed)
        warn_dropped(sender);
    close_sender(sender);
    return 0;
}

static int l_leave(lua_State *L)
{
    lua_settop(L, 1);
    return l_close(L);
}

static const luaL_Reg methods[] = {{"send", l_send},   {"try_send", l_try_send},
                                   {"close", l_close}, {"__close", l_leave},
                                   {"__gc", l_gc},     {NULL, NULL}};

static const luaL_Reg channel_methods[] = {{"sender", l_sender}, {NULL, NULL}};

void spt_open_channel_sender(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_methods(L, env, SPT_CHANNEL_META, channel_methods);
}
