/* SPDX-License-Identifier: MIT */
#include "memory.h"

#ifdef WITH_MIMALLOC
#include <mimalloc.h>
#endif
#ifndef WITH_LAZY_LIBRARIES
#include <sqlite3.h>
#endif

/* Keeps freed memory in the process, instead of returning it to the system page by page. The heap
 * of a script is large at one moment and small at the next. */
static void keep_memory(void)
{
#ifdef WITH_MIMALLOC
#if MI_MALLOC_VERSION >= 210
    mi_option_set(mi_option_purge_delay, -1);
#else
    mi_option_set(mi_option_decommit_delay, 1 << 30); /* milliseconds */
    mi_option_set(mi_option_segment_decommit_delay, 1 << 30);
#endif
#endif
}

/* SQLite counts its memory under a lock, at each allocation: a ninth of its instructions. Where it
 * is loaded later, that is done then (lazy/stubs.c). */
static void count_no_memory(void)
{
#ifndef WITH_LAZY_LIBRARIES
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
#endif
}

void memory_init(void)
{
    keep_memory();
    count_no_memory();
}
