/* SPDX-License-Identifier: MIT */
/* A ring of texts of any size, each found by its position as long as it was not overwritten. */
#ifndef SPT_CORE_TEXT_RING_H
#define SPT_CORE_TEXT_RING_H

#include <stddef.h>
#include <stdint.h>

enum {
    SPT_TEXT_RING_SIZE = 1 << 20, /* bytes */
    SPT_TEXT_MAX = 65536          /* maximum size of one text, bytes */
};

struct spt_text_ring {
    char *bytes;   /* owned; made at its first use */
    uint64_t head; /* number of bytes written so far */
};

/* Stores a copy of a text of at most SPT_TEXT_MAX bytes. Returns its position, or 0 if memory runs
 * out. */
uint32_t spt_text_ring_put(struct spt_text_ring *ring, const char *s, size_t len);

/* Returns the text at a position, and sets `len`. Returns NULL for 0, and if it was overwritten. */
const char *spt_text_ring_find(const struct spt_text_ring *ring, uint32_t pos, size_t *len);

void spt_text_ring_release(struct spt_text_ring *ring);

#endif
