/* SPDX-License-Identifier: MIT */
/* One exchange of a slot's generation decides between a completion and a cancellation. The thread
 * that completes sends the slot as a message, so the slot stays in use until the message arrives,
 * even if the operation is cancelled meanwhile. */
#include "host/token.h"

#include "core/op.h"
#include "core/sched.h"
#include "host/mailbox.h"
#include "host/slot.h"
#include "host/state.h"

/* The message of a completion, on the host's thread. */
static void completed(septet_message *message, septet_host *host)
{
    struct spt_slot *slot = (struct spt_slot *)message;
    septet_op *op = slot->op;
    int status = slot->status;
    if (!host)
        return;
    slot->op = NULL;
    spt_slot_put(&host->life.mailbox->slots, slot);
    if (!op) /* cancelled meanwhile */
        return;
    op->token = 0;
    septet_op_done(op, status);
}

septet_token septet_op_token(septet_op *op)
{
    septet_host *h = spt_op_sched(op)->hooks.ud;
    struct spt_slots *slots = &h->life.mailbox->slots;
    bool waits = op->state == SPT_OP_STARTING || op->state == SPT_OP_ARMED;
    if (!waits || !(op->type->flags & SEPTET_OP_EXTERNAL))
        return 0;
    if (!op->token) {
        struct spt_slot *slot = spt_slot_take(slots);
        if (!slot)
            return 0;
        slot->message.run = completed;
        slot->op = op;
        op->token = slot->index;
        atomic_fetch_add_explicit(&slot->generation, 1, memory_order_release);
    }
    unsigned now =
        atomic_load_explicit(&spt_slot_at(slots, op->token)->generation, memory_order_relaxed);
    unsigned generation = (now - 1) | 1; /* it is over if a completion is on its way */
    return (septet_token)generation << 32 | op->token;
}

/* Ends a generation. Returns false if it was over. */
static bool end_generation(struct spt_slot *slot, unsigned generation)
{
    return (generation & 1) &&
           atomic_compare_exchange_strong_explicit(&slot->generation, &generation, generation + 1,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

void spt_token_drop(void *ud, septet_op *op)
{
    struct spt_slots *slots = &((septet_host *)ud)->life.mailbox->slots;
    struct spt_slot *slot = spt_slot_at(slots, op->token);
    op->token = 0;
    slot->op = NULL;
    if (end_generation(slot, atomic_load_explicit(&slot->generation, memory_order_relaxed)))
        spt_slot_put(slots, slot);
}

int septet_complete(septet_mailbox *mailbox, septet_token token, int status)
{
    struct spt_slot *slot = spt_slot_at(&mailbox->slots, (uint32_t)token);
    if (!slot || !end_generation(slot, (unsigned)(token >> 32)))
        return SEPTET_EGONE;
    slot->status = status;
    return septet_post(mailbox, &slot->message) == SEPTET_OK ? SEPTET_OK : SEPTET_EGONE;
}
