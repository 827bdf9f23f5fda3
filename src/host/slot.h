/* SPDX-License-Identifier: MIT */
/* The slots of a mailbox's tokens. A token is the index of a slot and the slot's generation. */
#ifndef SPT_HOST_SLOT_H
#define SPT_HOST_SLOT_H

#include <stdatomic.h>
#include <stdint.h>

#include "septet/op.h"
#include "septet/septet.h"

/* One slot. Only `generation` and, after it is completed, `status` are written by other threads. */
struct spt_slot {
    septet_message message; /* sent by the thread that completes it */
    septet_op *op;          /* NULL once it has ended */
    atomic_uint generation; /* odd while the token is good */
    int status;
    uint32_t uses;  /* how often it was given out */
    uint32_t index; /* its own, from 1 on */
    uint32_t free;  /* index of the next free slot; 0: none */
};

/* so often a slot is used: its generation is odd 2^31 times */
#define SPT_SLOT_USES_MAX 0x7fffffffu

/* Chunk n has SPT_SLOTS_MIN << n slots. */
#define SPT_SLOTS_MIN    32
#define SPT_SLOTS_CHUNKS 26

/* Of a mailbox. Slots do not move, and are freed with the mailbox. */
struct spt_slots {
    _Atomic(struct spt_slot *) chunks[SPT_SLOTS_CHUNKS];
    unsigned nchunks;
    uint32_t free; /* index of the first free slot; 0: none */
};

/* Returns the slot of an index, or NULL if there is none. In any thread. */
struct spt_slot *spt_slot_at(struct spt_slots *slots, uint32_t index);

/* Takes a free slot. Returns NULL if memory is too short. Owner thread only, like the next. */
struct spt_slot *spt_slot_take(struct spt_slots *slots);

/* Returns a slot at the end of its generation. */
void spt_slot_put(struct spt_slots *slots, struct spt_slot *slot);

/* Frees the memory of all slots. */
void spt_slot_free_all(struct spt_slots *slots);

#endif
