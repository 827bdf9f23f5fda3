/* SPDX-License-Identifier: MIT */
/* Each chunk of slots is twice as large as the one before. A chunk is published once it is whole,
 * so another thread finds a slot without a lock. */
#include "host/slot.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"
#include "loop/loop.h"

struct spt_slot *spt_slot_at(struct spt_slots *slots, uint32_t index)
{
    uint64_t at = (uint64_t)index - 1 + SPT_SLOTS_MIN;
    unsigned chunk = 0;
    if (index == 0)
        return NULL;
    while (at >> (chunk + 1) >= SPT_SLOTS_MIN)
        chunk++;
    if (chunk >= SPT_SLOTS_CHUNKS)
        return NULL;
    struct spt_slot *first = atomic_load_explicit(&slots->chunks[chunk], memory_order_acquire);
    return first ? first + (at - ((uint64_t)SPT_SLOTS_MIN << chunk)) : NULL;
}

/* A slot that has had every generation is not used again: its tokens would come back. */
void spt_slot_put(struct spt_slots *slots, struct spt_slot *slot)
{
    if (slot->uses == SPT_SLOT_USES_MAX)
        return;
    slot->free = slots->free;
    slots->free = slot->index;
}

/* The generations of each mailbox begin elsewhere, so that another's tokens name nothing here. */
static bool grow(struct spt_slots *slots)
{
    unsigned chunk = slots->nchunks;
    uint32_t n = SPT_SLOTS_MIN << chunk;
    struct spt_slot *first = chunk < SPT_SLOTS_CHUNKS ? calloc(n, sizeof *first) : NULL;
    uint64_t random = (uint64_t)(uintptr_t)first ^ uv_hrtime();
    if (!first)
        return false;
    for (uint32_t i = n; i-- > 0;) {
        first[i].index = n - SPT_SLOTS_MIN + i + 1;
        atomic_init(&first[i].generation, (unsigned)spt_random(&random) & ~1u);
        spt_slot_put(slots, &first[i]);
    }
    slots->nchunks++;
    atomic_store_explicit(&slots->chunks[chunk], first, memory_order_release);
    return true;
}

struct spt_slot *spt_slot_take(struct spt_slots *slots)
{
    if (!slots->free && !grow(slots))
        return NULL;
    struct spt_slot *slot = spt_slot_at(slots, slots->free);
    slots->free = slot->free;
    slot->uses++;
    return slot;
}

void spt_slot_free_all(struct spt_slots *slots)
{
    for (unsigned chunk = 0; chunk < slots->nchunks; chunk++)
        free(atomic_load_explicit(&slots->chunks[chunk], memory_order_relaxed));
}
