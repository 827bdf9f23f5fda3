/* SPDX-License-Identifier: MIT */
/* A channel, and what moves values through it. Private to channel.c and channel_*.c. */
#ifndef SPT_OP_CHANNEL_TRANSFER_H
#define SPT_OP_CHANNEL_TRANSFER_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"
#include "op/channel_ring.h"
#include "septet/op.h"

struct spt_sched;

struct spt_channel {
    uintptr_t mark;               /* what no other userdata has here: channel.c */
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

/* A wait in a send or a receive. */
struct spt_channel_op {
    septet_op op;
    struct spt_link link; /* in the channel's `senders` or `receivers` */
    struct spt_channel *channel;
    const struct spt_channel_sender *sender; /* NULL for channel:send() */
    lua_State *L;                            /* the coroutine that waits */
    bool completed;                          /* before the wait, with `result` */
    bool is_timed;                           /* it is a spt_channel_timed_op */
    int result;
};

/* recv() with a timeout. */
struct spt_channel_timed_op {
    struct spt_channel_op recv;
    uint64_t timeout_ns;
    struct spt_timer timer;
};

/* Removes the operation that has waited longest from a queue, and returns it; NULL for none. */
struct spt_channel_op *spt_channel_pop(struct spt_link *queue);

/* Completes the wait of a receiver. */
void spt_channel_end_recv(struct spt_channel_op *recv, int status);

/* Pops the value on top of the stack for the receiver that has waited longest, or into the buffer.
 * Returns false, with nothing popped, if there is no room. Never waits and never fails. */
bool spt_channel_give(lua_State *L, struct spt_channel *ch);

/* Pushes the oldest item, and buffers in its place the value of the sender that has waited longest.
 * Returns false, with nothing pushed, if there is no item. Never waits and never fails. */
bool spt_channel_take(lua_State *L, struct spt_channel *ch);

/* Like spt_channel_give() and spt_channel_take() for an await that would complete at once, without
 * an operation. Return false if it may not, and has had no effect. */
bool spt_channel_give_at_once(lua_State *L, struct spt_sched *s, struct spt_channel *ch,
                              const struct spt_channel_sender *sender);
bool spt_channel_take_at_once(lua_State *L, struct spt_sched *s, struct spt_channel *ch);

#endif
