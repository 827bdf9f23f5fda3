/* SPDX-License-Identifier: MIT */
/* A channel, and what its senders do with it. Private to channel.c and channel_sender.c. */
#ifndef SPT_OP_CHANNEL_H
#define SPT_OP_CHANNEL_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "op/channel_ring.h"

#define SPT_CHANNEL_META "septet.channel"

struct spt_sched;

struct spt_channel {
    struct spt_link senders;      /* channel_op, FIFO; empty while the buffer has room */
    struct spt_link receivers;    /* empty while an item is buffered or a sender waits */
    struct spt_channel_ring ring; /* the buffer */
    unsigned nsenders;            /* number of senders made by channel:sender() and not closed */
    bool closed;
};

struct spt_channel_sender {
    struct spt_channel *channel; /* kept alive by the user value */
    struct spt_sched *sched;
    uint64_t spawn_place; /* spt_trace_place of the line that made it, pinned while it is open */
    bool closed;
};

/* Checks the value at SPT_CHANNEL_VALUE, and makes it the top of the stack. */
void spt_channel_check_value(lua_State *L);

/* Waits until a receiver or the buffer has the value. `sender` is NULL for channel:send(). */
int spt_channel_send(lua_State *L, struct spt_channel *ch, const struct spt_channel_sender *sender);

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
