/* SPDX-License-Identifier: MIT */
/* The memory of one parse by gumbo, given back all at once. gumbo can neither fail nor be stopped,
 * so the arena leaves it with a jump: out of memory, at a limit, or when nothing waits any more. It
 * learns what gumbo does from the sizes that it asks for. */
#ifndef SPT_HTML_ARENA_H
#define SPT_HTML_ARENA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "html/budget.h"

enum {
    SPT_HTML_ARENA_UNIT = 16,     /* bytes by which the sizes of small pieces differ */
    SPT_HTML_ARENA_SMALL = 2048,  /* largest of them */
    SPT_HTML_ARENA_WATCHED = 256, /* number of first requests in which the stack is looked for */
};

struct spt_html_arena_large;

struct spt_html_arena_request {
    void *piece;
    size_t size;
};

/* The stack of open elements: a vector that gumbo replaces by one of twice its size. */
struct spt_html_arena_stack {
    struct spt_html_arena_request now;     /* `piece` is NULL if it is not known yet */
    struct spt_html_arena_request last[3]; /* requests, the latest one first */
    unsigned requests;                     /* number of them, up to SPT_HTML_ARENA_WATCHED */
    size_t depth;                          /* limit of its elements */
};

struct spt_html_arena {
    jmp_buf out; /* where it jumps to, once `status` is set */
    enum spt_html_status status;
    struct spt_html_budget *budget; /* borrowed */
    size_t used, limit;             /* bytes */
    void *blocks;                   /* owned; each begins with the address of the next */
    char *room, *room_end;          /* what is left of the first block */
    struct spt_html_arena_large *large;
    void *free[SPT_HTML_ARENA_SMALL / SPT_HTML_ARENA_UNIT + 1];
    struct spt_html_arena_stack stack;
    unsigned attributes, attributes_limit; /* requested since the last node */
};

/* Initialises the arena. The caller calls setjmp() on `out` before gumbo may ask for memory. */
void spt_html_arena_init(struct spt_html_arena *arena, struct spt_html_budget *budget, size_t limit,
                         size_t depth, unsigned attributes);
void spt_html_arena_release(struct spt_html_arena *arena);

/* gumbo's allocator and deallocator; `arena` is its user data. */
void *spt_html_arena_take(void *arena, size_t size);
void spt_html_arena_give(void *arena, void *piece);

#endif
