/* SPDX-License-Identifier: MIT */
/* Maps memory, or leaves it to calloc() where nothing can be mapped. */
#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

#ifdef MAP_ANONYMOUS

void *spt_pages_new(size_t n, size_t size)
{
    if (n > SIZE_MAX / size)
        return NULL;
    void *pages = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
#ifdef MADV_NOHUGEPAGE
    /* The first write would otherwise take 2 MB at once, where the system prefers huge pages. A
     * system without them refuses. */
    (void)madvise(pages, n * size, MADV_NOHUGEPAGE);
#endif
    return pages;
}

void spt_pages_free(void *pages, size_t n, size_t size)
{
    if (pages)
        munmap(pages, n * size);
}

#else

void *spt_pages_new(size_t n, size_t size)
{
    return calloc(n, size);
}

void spt_pages_free(void *pages, size_t n, size_t size)
{
    free(pages);
}

#endif
