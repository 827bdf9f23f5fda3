/* Pairing heap: links nodes, knows only the order function it was given. */
#include "base/heap.h"

#include <stddef.h>

/* Makes the later of two roots the leftmost child of the other. Either may be NULL. */
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
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Pairs siblings from left to right, then melds the pairs from right to left. Iterative: a chain of
 * a million equal deadlines must not recurse. */
static struct spt_heap_node *meld_siblings(const struct spt_heap *heap, struct spt_heap_node *first)
{
    struct spt_heap_node *pairs = NULL; /* a stack, linked by next */
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

void spt_heap_insert(struct spt_heap *heap, struct spt_heap_node *node)
{
    node->child = node->next = node->prev = NULL;
    heap->root = meld(heap, heap->root, node);
}

void spt_heap_remove(struct spt_heap *heap, struct spt_heap_node *node)
{
    struct spt_heap_node *orphans = meld_siblings(heap, node->child);
    if (node == heap->root) {
        heap->root = orphans;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        heap->root = meld(heap, heap->root, orphans);
    }
    node->child = node->next = node->prev = NULL;
}
