/* Asks for memory ahead of its use: where a walk over many blocks has long left the caches, most of
 * the wait for the next one passes while this one is worked on. Harmless for any address. */
#ifndef SPT_BASE_PREFETCH_H
#define SPT_BASE_PREFETCH_H

#include <stddef.h>

#define SPT_CACHE_LINE 64 /* bytes */

static inline void spt_prefetch(const void *block, size_t size)
{
    __asm__ volatile("" ::"r"(block)); /* an effect, without which the call may be taken out */
    for (size_t at = 0; at < size; at += SPT_CACHE_LINE)
        __builtin_prefetch((const char *)block + at, 1);
}

#endif
