/* Who may start: at most so many requests at once, and so many per origin; first come first served
 * within an origin, and round robin between origins, so that a slow one does not starve the rest.
 * It knows no requests, only the links they queue with; nothing is searched. */
#ifndef SPT_HTTP_LIMITER_H
#define SPT_HTTP_LIMITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* Exists while something of it is queued or admitted. */
struct spt_origin {
    struct spt_origin *chain;  /* next in its bucket */
    struct spt_link queue;     /* waiting, oldest first */
    struct spt_link ring_link; /* in the admission's ring, while it has waiting and room */
    unsigned active;
    unsigned queued;
    uint32_t hash;
    size_t len;
    char key[];
};

struct spt_limiter {
    unsigned limit;
    unsigned limit_per_origin;
    unsigned active;
    unsigned queued;
    struct spt_link round_robin; /* origins whose turn comes */
    struct spt_origin **buckets;
    size_t n_buckets; /* a power of two */
    size_t n_origins;
};

/* Limits are at least 1. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_limiter_init(struct spt_limiter *a, unsigned limit, unsigned limit_per_origin);

/* Everything must have been withdrawn or have left. */
void spt_limiter_release(struct spt_limiter *a);

/* Queues `link` behind others of the origin `key`. Returns the origin, or NULL when there is no
 * memory. */
struct spt_origin *spt_limiter_enqueue(struct spt_limiter *a, const char *key, size_t len,
                                       struct spt_link *link);

/* Admits the next one that may start: unlinks and returns it, or NULL. */
struct spt_link *spt_limiter_next(struct spt_limiter *a);

/* The one that would be admitted next, if there were room for it, or NULL. */
static inline const struct spt_link *spt_limiter_peek(const struct spt_limiter *a)
{
    if (spt_link_alone(&a->round_robin))
        return NULL;
    return SPT_OF(a->round_robin.next, struct spt_origin, ring_link)->queue.next;
}

/* Is there one? */
static inline int spt_limiter_ready(const struct spt_limiter *a)
{
    return a->active < a->limit && !spt_link_alone(&a->round_robin);
}

/* An admitted one of `o` is done. `o` may be freed. */
void spt_limiter_finish(struct spt_limiter *a, struct spt_origin *o);

/* One that is still queued gives up. `o` may be freed. */
void spt_limiter_remove(struct spt_limiter *a, struct spt_origin *o, struct spt_link *link);

#endif
