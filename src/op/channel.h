/* SPDX-License-Identifier: MIT */
/* What the senders of a channel do with it. Private to channel.c and channel_sender.c. */
#ifndef SPT_OP_CHANNEL_H
#define SPT_OP_CHANNEL_H

#include <lua.h>
#include <stdbool.h>

#include "op/channel_transfer.h"

#define SPT_CHANNEL_META "septet.channel"

/* Checks the value at SPT_CHANNEL_VALUE, and makes it the top of the stack. */
void spt_channel_check_value(lua_State *L);

/* Waits until a receiver or the buffer has the value, which is also on top of the stack. `sender`
 * is NULL for channel:send(). */
int spt_channel_send(lua_State *L, struct spt_sched *s, struct spt_channel *ch,
                     const struct spt_channel_sender *sender);

/* Like spt_channel_send(), but never waits. Pushes whether the value was taken. */
int spt_channel_try_send(lua_State *L, struct spt_channel *ch,
                         const struct spt_channel_sender *sender);

/* Ends sending, and completes all waits with SEPTET_ECLOSED. */
void spt_channel_close(struct spt_channel *ch);

/* Completes the waits of the tasks that send through `sender` with SEPTET_ECLOSED. NULL completes
 * all. */
void spt_channel_refuse(struct spt_channel *ch, const struct spt_channel_sender *sender);

int spt_channel_raise_closed(lua_State *L);

#endif
