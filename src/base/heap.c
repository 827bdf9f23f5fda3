/* SPDX-License-Identifier: MIT */
/* A pairing heap. It only links nodes, and orders them by the function that it was given. */
#include "base/heap.h"

#include <stddef.h>

/* Links `child` as the leftmost child of `parent`, before which it does not come. */
static void adopt(struct spt_heap_node *parent, struct spt_heap_node *child)
{
    child->prev = parent;
    child->next = parent->child;
    if (parent->child)
        parent->child->prev = child;
    parent->child = child;
}

/* Makes the later of two roots the leftmost child of the other. Returns the other. Either may be
 * NULL. */
static struct spt_heap_node *meld(const struct spt_heap *heap, struct spt_heap_node *a,
                                  struct spt_heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (heap->before(b, a)) {
        struct spt_heap_node *t = a;
        a = b;
        b = t;
    }
    adopt(a, b);
    return a;
}

/* Pairs siblings from left to right, then melds the pairs from right to left. Iterative, because a
 * chain of a million equal deadlines must not recurse. */
static struct spt_heap_node *meld_siblings(const struct spt_heap *heap, struct spt_heap_node *first)
{
    struct spt_heap_node *pairs = NULL; /* a stack, linked by `next` */
    while (first) {
        struct spt_heap_node *a = first, *b = first->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(heap, a, b);
        a->next = pairs;
        pairs = a;
    }
    struct spt_heap_node *root = NULL;
    while (pairs) {
        struct spt_heap_node *p = pairs;
        pairs = p->next;
        p->next = NULL;
        root = meld(heap, p, root);
    }
    return root;
}

/* Inserts a node. Nodes inserted in order become a chain, from which each removal is O(1). If all n
 * nodes hung on the root, removing the first would have to pair the other n - 1. */
void spt_heap_insert(struct spt_heap *heap, struct spt_heap_node *node)
{
    node->child = node->next = node->prev = NULL;
    if (heap->last && !heap->before(node, heap->last))
        adopt(heap->last, node);
    else
        heap->root = meld(heap, heap->root, node);
    heap->last = node;
}

/* Puts `other`, which may be NULL, in the place of `node`. */
static void replace(struct spt_heap *heap, struct spt_heap_node *node, struct spt_heap_node *other)
{
    struct spt_heap_node *prev = node->prev, *next = node->next;
    if (other) {
        other->prev = prev;
        other->next = next;
    }
    if (next)
        next->prev = other ? other : prev;
    if (!prev)
        heap->root = other;
    else if (prev->child == node)
        prev->child = other ? other : next;
    else
        prev->next = other ? other : next;
}

void spt_heap_remove(struct spt_heap *heap, struct spt_heap_node *node)
{
    replace(heap, node, meld_siblings(heap, node->child));
    if (heap->last == node)
        heap->last = NULL;
    node->child = node->next = node->prev = NULL;
}
