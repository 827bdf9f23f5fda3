/* SPDX-License-Identifier: MIT */
/* Stores each text as its size and its bytes, never split by the ring's end. A position has the low
 * 32 bits of the number of bytes before it. */
#include "core/text_ring.h"

#include <stdlib.h>
#include <string.h>

#define SIZE ((uint32_t)SPT_TEXT_RING_SIZE)
#define HEAD ((uint32_t)sizeof(uint32_t)) /* bytes of a text's size */

uint32_t spt_text_ring_put(struct spt_text_ring *ring, const char *s, size_t len)
{
    uint32_t n = (uint32_t)len, at = ring->head % SIZE;
    if (!ring->bytes && !(ring->bytes = malloc(SIZE)))
        return 0;
    if (at + HEAD + n > SIZE) {
        ring->head += SIZE - at;
        at = 0;
    }
    if ((uint32_t)ring->head == 0) { /* 0 means no text */
        ring->head += HEAD;
        at += HEAD;
    }
    memcpy(ring->bytes + at, &n, HEAD);
    memcpy(ring->bytes + at + HEAD, s, n);
    uint32_t pos = (uint32_t)ring->head;
    ring->head += HEAD + n;
    return pos;
}

const char *spt_text_ring_find(const struct spt_text_ring *ring, uint32_t pos, size_t *len)
{
    uint32_t age = (uint32_t)ring->head - pos; /* modulo 2^32, like `pos` */
    if (pos == 0 || !ring->bytes || age > SIZE - SPT_TEXT_MAX - HEAD)
        return NULL;
    const char *at = ring->bytes + (ring->head - age) % SIZE;
    uint32_t n;
    memcpy(&n, at, HEAD);
    if (n > SPT_TEXT_MAX || n > SIZE - HEAD - (size_t)(at - ring->bytes))
        return NULL; /* so old that another text has its position by now */
    *len = n;
    return at + HEAD;
}

void spt_text_ring_release(struct spt_text_ring *ring)
{
    free(ring->bytes);
    *ring = (struct spt_text_ring){0};
}
