/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list. A node is a member of the struct that it links, so linking never
 * allocates and unlinking never searches. A list is a head node. A node in no list points to
 * itself. */
#ifndef SPT_BASE_LIST_H
#define SPT_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns the struct of type `type` that has its member `member` at `ptr`. */
#define SPT_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct spt_link {
    struct spt_link *prev; /* the node itself if it is in no list */
    struct spt_link *next;
};

static inline void spt_link_init(struct spt_link *l)
{
    l->prev = l->next = l;
}

/* Returns true if a node is in no list. */
static inline bool spt_link_alone(const struct spt_link *l)
{
    return l->next == l;
}

static inline bool spt_list_is_empty(const struct spt_link *head)
{
    return head->next == head;
}

static inline void spt_link_insert_before(struct spt_link *at, struct spt_link *l)
{
    assert(spt_link_alone(l));
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}

static inline void spt_list_push(struct spt_link *head, struct spt_link *l)
{
    spt_link_insert_before(head, l);
}

static inline void spt_list_push_front(struct spt_link *head, struct spt_link *l)
{
    spt_link_insert_before(head->next, l);
}

/* Removes a node from its list. A node in no list is a no-op. */
static inline void spt_link_remove(struct spt_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    spt_link_init(l);
}

/* Unlinks and returns the first node, or returns NULL if the list is empty. */
static inline struct spt_link *spt_list_pop(struct spt_link *head)
{
    struct spt_link *l = head->next;
    if (l == head)
        return NULL;
    spt_link_remove(l);
    return l;
}

/* Moves all nodes of `from` behind those of `to`, in order. */
static inline void spt_list_splice(struct spt_link *to, struct spt_link *from)
{
    if (spt_list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    spt_link_init(from);
}

#endif
