/* SPDX-License-Identifier: MIT */
/* Admission: limits the requests in flight, in total and per origin. Requests of one origin are
 * admitted in FIFO order, and origins in round robin, so that a slow origin does not starve the
 * others. It knows no requests, only the links they are queued by. Each operation takes constant
 * time on average. */
#ifndef SPT_HTTP_LIMITER_H
#define SPT_HTTP_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* The queue of an origin, which exists while requests of it are queued or admitted. */
struct spt_limiter_queue {
    struct spt_limiter_queue *chain; /* next in its bucket */
    struct spt_link requests;        /* queued requests, oldest first */
    struct spt_link ring_link;       /* in round_robin, while a queued request may be admitted */
    unsigned in_flight;
    unsigned queued;
    uint32_t hash;
    size_t len;
    char key[];
};

struct spt_limiter {
    unsigned limit;
    unsigned limit_per_origin;
    unsigned in_flight;
    unsigned queued;
    struct spt_link round_robin; /* queues that may admit their next request */
    struct spt_limiter_queue **buckets;
    size_t n_buckets; /* a power of two */
    size_t n_queues;
};

/* Initialises the limiter. Both limits must be at least 1. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_limiter_init(struct spt_limiter *limiter, unsigned limit, unsigned limit_per_origin);

/* Frees the limiter. No request may be queued or admitted. */
void spt_limiter_release(struct spt_limiter *limiter);

/* Queues `link` behind others of the origin `key`. Returns the queue, or NULL if memory is out. */
struct spt_limiter_queue *spt_limiter_enqueue(struct spt_limiter *limiter, const char *key,
                                              size_t len, struct spt_link *link);

/* Admits the next request that may start. Returns its link, unlinked, or NULL if there is none. */
struct spt_link *spt_limiter_next(struct spt_limiter *limiter);

/* Returns true if spt_limiter_next() would admit a request. */
static inline bool spt_limiter_ready(const struct spt_limiter *limiter)
{
    return limiter->in_flight < limiter->limit && !spt_list_is_empty(&limiter->round_robin);
}

/* Releases the slot of an admitted request that was in `q`. May free `q`. */
void spt_limiter_finish(struct spt_limiter *limiter, struct spt_limiter_queue *q);

/* Removes the queued request `link` of `q`. May free `q`. */
void spt_limiter_remove(struct spt_limiter *limiter, struct spt_limiter_queue *q,
                        struct spt_link *link);

#endif
