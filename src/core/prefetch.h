/* SPDX-License-Identifier: MIT */
/* Prefetches memory before its use. In a walk over many blocks that are no longer cached, the wait
 * for the next block then mostly overlaps with the work on this one. Harmless for any address.
 * The option SEPTET_PREFETCH of the build turns all of it off. */
#ifndef SPT_CORE_PREFETCH_H
#define SPT_CORE_PREFETCH_H

#include <lua.h>
#include <stddef.h>

#include "core/task.h"

#ifndef SEPTET_PREFETCH
#define SEPTET_PREFETCH 1
#endif

/* Sizes in bytes. From a coroutine's address on, four lines are fetched, and nothing is read: no
 * layout of Lua's is known here, and where a lua_State is smaller or larger, only the gain changes.
 * With 100 000 tasks, the work that gains most takes 4 % less for it: bench/ablate.py,
 * COROUTINE_PREFETCH. */
enum {
    SPT_CACHE_LINE = 64,
    SPT_PREFETCH_COROUTINE = 4 * SPT_CACHE_LINE,
};

static inline void spt_prefetch(const void *block, size_t size)
{
#if SEPTET_PREFETCH && defined __GNUC__
    /* a side effect, without which the compiler may remove the call */
    __asm__ volatile("" ::"r"(block));
#pragma GCC unroll 16
    for (size_t at = 0; at < size; at += SPT_CACHE_LINE)
        __builtin_prefetch((const char *)block + at, 1);
#endif
}

/* Prefetches what a task's resume, or the completion of its wait, touches in the task. */
static inline void spt_prefetch_task(const struct spt_task *t)
{
    spt_prefetch(t, offsetof(struct spt_task, root) + SPT_CACHE_LINE);
}

/* Prefetches what the same touches in the task's coroutine. */
static inline void spt_prefetch_coroutine(const lua_State *co)
{
#ifndef SEPTET_WITHOUT_COROUTINE_PREFETCH
    spt_prefetch(co, SPT_PREFETCH_COROUTINE);
#endif
}

#endif
