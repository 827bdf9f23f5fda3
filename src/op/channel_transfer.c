/* SPDX-License-Identifier: MIT */
/* Moves values between the stacks of senders and receivers and the buffer. */
#include "op/channel_transfer.h"

#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/at_once.h"

static struct spt_channel_op *waiting_at(struct spt_link *link)
{
    return SPT_OF(link, struct spt_channel_op, link);
}

struct spt_channel_op *spt_channel_pop(struct spt_link *queue)
{
    struct spt_link *l = spt_list_pop(queue);
    return l ? waiting_at(l) : NULL;
}

void spt_channel_end_recv(struct spt_channel_op *recv, int status)
{
    if (recv->is_timed)
        spt_timer_stop(&spt_op_sched(&recv->op)->tree.timers,
                       &((struct spt_channel_timed_op *)recv)->timer);
    septet_op_done(&recv->op, status);
}

bool spt_channel_give(lua_State *L, struct spt_channel *ch)
{
    struct spt_channel_op *receiver = spt_channel_pop(&ch->receivers);
    if (!receiver && ch->ring.count >= ch->ring.capacity)
        return false;
    if (receiver) {
        spt_op_hand_over(L, receiver->L);
        spt_channel_end_recv(receiver, SEPTET_OK);
    } else {
        spt_channel_ring_push(L, &ch->ring);
    }
    return true;
}

bool spt_channel_take(lua_State *L, struct spt_channel *ch)
{
    bool buffered = ch->ring.count > 0;
    struct spt_channel_op *sender = spt_channel_pop(&ch->senders);
    if (buffered)
        spt_channel_ring_get(L, &ch->ring);
    if (sender) {
        lua_pushvalue(sender->L, SPT_CHANNEL_VALUE);
        lua_xmove(sender->L, L, 1);
        if (buffered)
            spt_channel_ring_replace(L, &ch->ring);
        septet_op_done(&sender->op, SEPTET_OK);
    } else if (buffered) {
        spt_channel_ring_drop(L, &ch->ring);
    }
    return buffered || sender;
}

bool spt_channel_give_at_once(lua_State *L, struct spt_sched *s, struct spt_channel *ch,
                              const struct spt_channel_sender *sender)
{
    bool room = ch->ring.count < ch->ring.size || !spt_list_is_empty(&ch->receivers);
    if (!room || ch->closed || (sender && sender->closed) || !spt_at_once(L, s))
        return false;
    return spt_channel_give(L, ch);
}

bool spt_channel_take_at_once(lua_State *L, struct spt_sched *s, struct spt_channel *ch)
{
    bool any = ch->ring.count > 0 || !spt_list_is_empty(&ch->senders);
    return any && spt_at_once(L, s) && spt_channel_take(L, ch);
}
