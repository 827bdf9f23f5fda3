/* SPDX-License-Identifier: MIT */
/* Takes the memory of a selector from blocks that it owns, and keeps the first error. */
#include <stdlib.h>

#include "html/selector_parts.h"

enum { BLOCK = 2048, ALIGNMENT = 16 };

void *spt_html_selector_take(struct spt_html_reader *r, size_t size)
{
    struct spt_html_selector *s = r->selector;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((size_t)(s->room_end - s->room) < size) {
        const size_t whole = ALIGNMENT + (size > BLOCK ? size : BLOCK);
        void **block = calloc(1, whole);
        if (!block) {
            r->failed = true;
            return NULL;
        }
        *block = s->blocks;
        s->blocks = block;
        s->room = (char *)block + ALIGNMENT;
        s->room_end = (char *)block + whole;
    }
    void *result = s->room;
    s->room += size;
    return result;
}

bool spt_html_selector_begin_error(struct spt_html_reader *r, size_t position)
{
    if (r->failed)
        return false;
    r->failed = true;
    r->error->position = position;
    return true;
}

bool spt_html_selector_expected(struct spt_html_reader *r, const char *what)
{
    if (r->at >= r->len)
        return SPT_HTML_SELECTOR_FAIL(r, r->at, "%s expected at the end", what);
    return SPT_HTML_SELECTOR_FAIL(r, r->at, "%s expected", what);
}
