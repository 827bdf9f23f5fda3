/* SPDX-License-Identifier: MIT */
/* Adds one record after the other to a block. One that does not fit begins the next block. */
#include "lua/trace_block.h"

#include <string.h>

#define TEXT_BIT 0x80000000u

static void add(struct spt_trace_block *block, uint32_t id, const char *s, size_t len, uint32_t bit)
{
    uint32_t entry[2] = {id, (uint32_t)len | bit};
    if (block->len + sizeof entry + len > sizeof block->bytes) {
        block->full = true;
        return;
    }
    memcpy(block->bytes + block->len, entry, sizeof entry);
    memcpy(block->bytes + block->len + sizeof entry, s, len);
    block->len += sizeof entry + len;
    block->head.strings++;
}

static void add_interned(void *ud, uint32_t id)
{
    struct spt_trace_block *block = ud;
    uint32_t i = id;
    if (id == 0)
        return;
    for (; block->interned[i & (SPT_BLOCK_SLOTS - 1)].block == block->number; i++)
        if (block->interned[i & (SPT_BLOCK_SLOTS - 1)].id == id)
            return;
    if (block->ninterned == SPT_BLOCK_STRINGS) {
        block->full = true;
        return;
    }
    const char *s = spt_trace_string(block->trace, id);
    add(block, id, s, strlen(s), 0);
    if (block->full)
        return;
    block->interned[i & (SPT_BLOCK_SLOTS - 1)].id = id;
    block->interned[i & (SPT_BLOCK_SLOTS - 1)].block = block->number;
    block->ninterned++;
}

static void add_text(void *ud, uint32_t pos)
{
    struct spt_trace_block *block = ud;
    size_t len;
    const char *s = spt_text_ring_find(&block->trace->texts, pos, &len);
    if (s)
        add(block, pos, s, len, TEXT_BIT);
}

/* Adds the record from `from` to `to`. Returns false if it does not fit. A record that does not
 * even fit into an empty block goes without the strings that are too long. */
static bool add_record(struct spt_trace_block *block, const struct spt_event *event, uint64_t from,
                       uint64_t to)
{
    size_t len = block->len;
    uint32_t strings = block->head.strings;
    bool first = block->head.units == 0;
    if (block->head.units + (to - from) > SPT_BLOCK_UNITS)
        return false;
    block->full = false;
    spt_trace_strings(event, add_interned, add_text, block);
    if (block->full && !first) {
        block->len = len;
        block->head.strings = strings;
        return false;
    }
    for (uint64_t i = from; i < to; i++)
        block->units[block->head.units++] = block->trace->units[i & block->trace->mask];
    return true;
}

static void begin(struct spt_trace_block *block, const struct spt_trace *tr)
{
    memset(&block->head, 0, sizeof block->head);
    memcpy(block->head.magic, "SPTB", sizeof block->head.magic);
    block->len = 0;
    block->ninterned = 0;
    block->number++;
    block->trace = tr;
}

bool spt_trace_block_fill(struct spt_trace_block *block, const struct spt_trace *tr,
                          uint64_t *cursor, uint64_t end,
                          struct spt_block_piece out[SPT_BLOCK_PIECES])
{
    struct spt_event event;
    uint64_t next = *cursor, lost = 0;
    begin(block, tr);
    while (next < end && spt_trace_read(tr, &next, &event, &lost)) {
        uint64_t from = next - 1 - event.rec.extra;
        if (!add_record(block, &event, from, next))
            break;
        *cursor = next;
    }
    if (block->head.units == 0)
        return false;
    block->head.lost = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
    size_t units = block->head.units * sizeof *block->units;
    block->head.size = (uint32_t)(sizeof block->head - 2 * sizeof(uint32_t) + units + block->len);
    out[0] = (struct spt_block_piece){&block->head, sizeof block->head};
    out[1] = (struct spt_block_piece){block->units, units};
    out[2] = (struct spt_block_piece){block->bytes, block->len};
    return true;
}
