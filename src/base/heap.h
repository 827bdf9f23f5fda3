/* SPDX-License-Identifier: MIT */
/* Intrusive pairing heap. Insert and find-min are O(1), remove is amortised O(log n), and O(1) for
 * nodes that were inserted in order. It never allocates, so that arming a timer cannot fail. */
#ifndef SPT_BASE_HEAP_H
#define SPT_BASE_HEAP_H

#include <stdbool.h>

struct spt_heap_node {
    struct spt_heap_node *child; /* leftmost child */
    struct spt_heap_node *next;  /* right sibling */
    /* left sibling, or the parent of a leftmost child; NULL at the root */
    struct spt_heap_node *prev;
};

struct spt_heap {
    struct spt_heap_node *root;
    struct spt_heap_node *last; /* the node inserted last; NULL once it is removed */
    /* strict weak order */
    bool (*before)(const struct spt_heap_node *a, const struct spt_heap_node *b);
};

void spt_heap_insert(struct spt_heap *heap, struct spt_heap_node *node);

/* Removes `node`, which must be in `heap`. */
void spt_heap_remove(struct spt_heap *heap, struct spt_heap_node *node);

static inline struct spt_heap_node *spt_heap_min(const struct spt_heap *heap)
{
    return heap->root;
}

#endif
