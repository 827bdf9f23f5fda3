/* SPDX-License-Identifier: MIT */
/* Cuts small pieces from blocks, and keeps those that are given back by their size. Large ones come
 * from malloc, and are linked. A piece has its size before it. */
#include "html/arena.h"

#include <gumbo.h>
#include <stdlib.h>

enum {
    BLOCK = 64 * 1024, /* bytes */
    STEPS = 8,         /* what a request costs of the budget */
    STACK_ROOM = 10,   /* elements of a new stack of open elements */
    OTHER_ROOM = 5,    /* of the two vectors that gumbo makes after it */
};

struct head {
    size_t size; /* of the piece */
};

struct spt_html_arena_large {
    struct spt_html_arena_large *next, **link; /* `link` is the pointer to this one */
    struct head head;                          /* before the piece */
};

void spt_html_arena_init(struct spt_html_arena *arena, struct spt_html_budget *budget, size_t limit,
                         size_t depth, unsigned attributes)
{
    *arena = (struct spt_html_arena){.budget = budget, .limit = limit};
    arena->stack.depth = depth;
    arena->attributes_limit = attributes;
}

void spt_html_arena_release(struct spt_html_arena *arena)
{
    while (arena->blocks) {
        void *next = *(void **)arena->blocks;
        free(arena->blocks);
        arena->blocks = next;
    }
    while (arena->large) {
        struct spt_html_arena_large *next = arena->large->next;
        free(arena->large);
        arena->large = next;
    }
}

_Noreturn static void leave(struct spt_html_arena *arena, enum spt_html_status status)
{
    arena->status = status;
    longjmp(arena->out, 1);
}

static void count(struct spt_html_arena *arena, size_t bytes)
{
    if (bytes > arena->limit - arena->used)
        leave(arena, SPT_HTML_MEMORY);
    arena->used += bytes;
}

/* --- what gumbo does --- */

/* Finds the stack of open elements: the first of three vectors that gumbo makes in a row. */
static void look_for_stack(struct spt_html_arena_stack *stack)
{
    const struct spt_html_arena_request *last = stack->last;
    if (stack->requests == SPT_HTML_ARENA_WATCHED)
        return;
    stack->requests++;
    if (last[0].size == OTHER_ROOM * sizeof(void *) &&
        last[1].size == OTHER_ROOM * sizeof(void *) &&
        last[2].size == STACK_ROOM * sizeof(void *)) {
        stack->now = last[2];
        stack->requests = SPT_HTML_ARENA_WATCHED;
    }
}

static void note_request(struct spt_html_arena *arena, void *piece, size_t size)
{
    struct spt_html_arena_stack *stack = &arena->stack;
    stack->last[2] = stack->last[1];
    stack->last[1] = stack->last[0];
    stack->last[0] = (struct spt_html_arena_request){piece, size};
    if (!stack->now.piece)
        look_for_stack(stack);
    if (size == sizeof(GumboNode))
        arena->attributes = 0;
    else if (size == sizeof(GumboAttribute) && ++arena->attributes > arena->attributes_limit)
        leave(arena, SPT_HTML_ATTRIBUTES);
}

/* A vector that is replaced is given back right behind the request for its successor. gumbo walks
 * the whole stack for many tags, which a page of nothing but open tags makes slow. */
static void note_return(struct spt_html_arena *arena, const void *piece, size_t size)
{
    struct spt_html_arena_stack *stack = &arena->stack;
    if (size == sizeof(GumboAttribute) && arena->attributes > 0)
        arena->attributes--;
    if (piece != stack->now.piece || stack->last[0].size != 2 * stack->now.size)
        return;
    if (stack->now.size / sizeof(void *) >= stack->depth)
        leave(arena, SPT_HTML_DEPTH);
    stack->now = stack->last[0];
}

/* --- pieces --- */

static void *cut(struct spt_html_arena *arena, size_t size)
{
    const size_t whole = sizeof(struct head) + size;
    if (!arena->blocks || (size_t)(arena->room_end - arena->room) < whole) {
        count(arena, BLOCK);
        void **block = malloc(BLOCK);
        if (!block)
            leave(arena, SPT_HTML_NO_MEMORY);
        *block = arena->blocks;
        arena->blocks = block;
        arena->room = (char *)block + SPT_HTML_ARENA_UNIT;
        arena->room_end = (char *)block + BLOCK;
    }
    char *piece = arena->room + sizeof(struct head);
    arena->room += whole;
    return piece;
}

static void *take_small(struct spt_html_arena *arena, size_t size)
{
    const size_t units = (size + SPT_HTML_ARENA_UNIT - 1) / SPT_HTML_ARENA_UNIT;
    void *piece = arena->free[units];
    if (piece)
        arena->free[units] = *(void **)piece;
    else
        piece = cut(arena, units * SPT_HTML_ARENA_UNIT);
    return piece;
}

static void *take_large(struct spt_html_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        leave(arena, SPT_HTML_MEMORY);
    count(arena, sizeof(struct spt_html_arena_large) + size);
    struct spt_html_arena_large *large = malloc(sizeof *large + size);
    if (!large)
        leave(arena, SPT_HTML_NO_MEMORY);
    large->next = arena->large;
    large->link = &arena->large;
    if (large->next)
        large->next->link = &large->next;
    arena->large = large;
    return large + 1;
}

static struct head *head_of(void *piece)
{
    return (struct head *)((char *)piece - sizeof(struct head));
}

void *spt_html_arena_take(void *ud, size_t size)
{
    struct spt_html_arena *arena = ud;
    if (!spt_html_budget_spend(arena->budget, STEPS))
        leave(arena, arena->budget->exceeded);
    if (size == 0)
        size = 1;
    void *piece = size <= SPT_HTML_ARENA_SMALL ? take_small(arena, size) : take_large(arena, size);
    head_of(piece)->size = size;
    note_request(arena, piece, size);
    return piece;
}

void spt_html_arena_give(void *ud, void *piece)
{
    struct spt_html_arena *arena = ud;
    if (!piece)
        return;
    const size_t size = head_of(piece)->size;
    note_return(arena, piece, size);
    if (size <= SPT_HTML_ARENA_SMALL) {
        const size_t units = (size + SPT_HTML_ARENA_UNIT - 1) / SPT_HTML_ARENA_UNIT;
        *(void **)piece = arena->free[units];
        arena->free[units] = piece;
        return;
    }
    struct spt_html_arena_large *large = (struct spt_html_arena_large *)piece - 1;
    *large->link = large->next;
    if (large->next)
        large->next->link = large->link;
    arena->used -= sizeof *large + size;
    free(large);
}
