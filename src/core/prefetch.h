/* Prefetches memory before its use. In a walk over many blocks that are no longer cached, the wait
 * for the next block then mostly overlaps with the work on this one. Harmless for any address. */
#ifndef SPT_BASE_PREFETCH_H
#define SPT_BASE_PREFETCH_H

#include <stddef.h>

#define SPT_CACHE_LINE 64 /* bytes */

static inline void spt_prefetch(const void *block, size_t size)
{
    /* a side effect, without which the compiler may remove the call */
    __asm__ volatile("" ::"r"(block));
    for (size_t at = 0; at < size; at += SPT_CACHE_LINE)
        __builtin_prefetch((const char *)block + at, 1);
}

#endif
