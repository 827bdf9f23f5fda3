/* SPDX-License-Identifier: MIT */
/* Blocks: records of the ring with the strings and texts that they refer to, as bytes. A recording
 * is a file of blocks, and lua/septet/trace/decode.lua reads them. Each block can be read alone.
 *
 *     block    "SPTB"; number of bytes that follow these eight, number of units, number of strings,
 *              number of units lost before it, in 4 bytes each
 *     unit     a struct spt_rec, 32 bytes
 *     string   its number or its position, in 4 bytes; its size, in 4 bytes, with the highest bit
 *              set for a text; its bytes. A text that was overwritten is left out
 *
 * Numbers are in the byte order of the machine. */
#ifndef SPT_LUA_TRACE_BLOCK_H
#define SPT_LUA_TRACE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/trace.h"

enum {
    SPT_BLOCK_UNITS = 2048,                 /* maximum number of units */
    SPT_BLOCK_BYTES = 256 << 10,            /* bytes of strings; those of one record take less */
    SPT_BLOCK_SLOTS = 4096,                 /* a power of two */
    SPT_BLOCK_STRINGS = SPT_BLOCK_SLOTS / 2 /* maximum number of interned strings */
};

/* Memory to make a block in; zeroed before the first. */
struct spt_trace_block {
    struct {
        char magic[4];
        uint32_t size, units, strings, lost;
    } head;
    struct spt_rec units[SPT_BLOCK_UNITS];
    char bytes[SPT_BLOCK_BYTES]; /* the strings */
    size_t len;                  /* number of bytes in use */
    struct {
        uint32_t id, block;
    } interned[SPT_BLOCK_SLOTS]; /* those in the block of this number, with open addressing */
    uint32_t number, ninterned;
    const struct spt_trace *trace; /* borrowed, while it is filled */
    bool full;                     /* a string of the record that is added found no room */
};

/* A piece of a block. */
struct spt_block_piece {
    const void *bytes;
    size_t size;
};

enum { SPT_BLOCK_PIECES = 3 };

/* Makes a block of the records from `*cursor` on and before `end`, as many as fit, and moves the
 * cursor. Sets the pieces, which in order are the bytes of the block. Returns false if there are no
 * such records. Allocates nothing. */
bool spt_trace_block_fill(struct spt_trace_block *block, const struct spt_trace *tr,
                          uint64_t *cursor, uint64_t end,
                          struct spt_block_piece out[SPT_BLOCK_PIECES]);

#endif
