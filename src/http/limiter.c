/* SPDX-License-Identifier: MIT */
/* Keeps a hash of the origins' queues, and a ring of those that may start a request. */
#include "http/limiter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "septet/septet.h"

enum { BUCKETS_MIN = 16 };

int spt_limiter_init(struct spt_limiter *limiter, unsigned limit, unsigned limit_per_origin)
{
    assert(limit > 0 && limit_per_origin > 0);
    *limiter = (struct spt_limiter){.limit = limit, .limit_per_origin = limit_per_origin};
    spt_link_init(&limiter->round_robin);
    limiter->buckets = calloc(BUCKETS_MIN, sizeof(struct spt_limiter_queue *));
    if (!limiter->buckets)
        return SEPTET_ENOMEM;
    limiter->n_buckets = BUCKETS_MIN;
    return SEPTET_OK;
}

void spt_limiter_release(struct spt_limiter *limiter)
{
    assert(limiter->n_queues == 0 && limiter->in_flight == 0 && limiter->queued == 0);
    free(limiter->buckets);
}

static struct spt_limiter_queue **bucket(const struct spt_limiter *limiter, uint32_t hash)
{
    return &limiter->buckets[hash & (limiter->n_buckets - 1)];
}

/* Doubles the number of buckets. If there is no memory, the chains only get longer. */
static void grow(struct spt_limiter *limiter)
{
    struct spt_limiter bigger = {.n_buckets = limiter->n_buckets * 2};
    bigger.buckets = calloc(bigger.n_buckets, sizeof(struct spt_limiter_queue *));
    if (!bigger.buckets)
        return;
    for (size_t i = 0; i < limiter->n_buckets; i++) {
        for (struct spt_limiter_queue *q = limiter->buckets[i], *next; q; q = next) {
            struct spt_limiter_queue **to = bucket(&bigger, q->hash);
            next = q->chain;
            q->chain = *to;
            *to = q;
        }
    }
    free(limiter->buckets);
    limiter->buckets = bigger.buckets;
    limiter->n_buckets = bigger.n_buckets;
}

static struct spt_limiter_queue *find(const struct spt_limiter *limiter, uint32_t hash,
                                      const char *key, size_t len)
{
    struct spt_limiter_queue *q = *bucket(limiter, hash);
    while (q && (q->hash != hash || q->len != len || memcmp(q->key, key, len) != 0))
        q = q->chain;
    return q;
}

static struct spt_limiter_queue *add(struct spt_limiter *limiter, uint32_t hash, const char *key,
                                     size_t len)
{
    struct spt_limiter_queue *q = malloc(sizeof *q + len + 1);
    if (!q)
        return NULL;
    if (limiter->n_queues >= limiter->n_buckets)
        grow(limiter);
    *q = (struct spt_limiter_queue){.hash = hash, .len = len};
    spt_link_init(&q->requests);
    spt_link_init(&q->ring_link);
    memcpy(q->key, key, len);
    q->key[len] = '\0';
    struct spt_limiter_queue **b = bucket(limiter, hash);
    q->chain = *b;
    *b = q;
    limiter->n_queues++;
    return q;
}

static void free_unused(struct spt_limiter *limiter, struct spt_limiter_queue *q)
{
    if (q->in_flight > 0 || q->queued > 0)
        return;
    struct spt_limiter_queue **at = bucket(limiter, q->hash);
    while (*at != q)
        at = &(*at)->chain;
    *at = q->chain;
    spt_link_remove(&q->ring_link);
    free(q);
    limiter->n_queues--;
}

/* Updates the ring, which has the queue exactly while it has requests and a free slot. */
static void update_ring(struct spt_limiter *limiter, struct spt_limiter_queue *q)
{
    if (q->queued == 0 || q->in_flight >= limiter->limit_per_origin)
        spt_link_remove(&q->ring_link);
    else if (spt_link_alone(&q->ring_link))
        spt_list_push(&limiter->round_robin, &q->ring_link);
}

struct spt_limiter_queue *spt_limiter_enqueue(struct spt_limiter *limiter, const char *key,
                                              size_t len, struct spt_link *link)
{
    uint32_t hash = spt_hash(key, len);
    struct spt_limiter_queue *q = find(limiter, hash, key, len);
    if (!q && !(q = add(limiter, hash, key, len)))
        return NULL;
    spt_list_push(&q->requests, link);
    q->queued++;
    limiter->queued++;
    update_ring(limiter, q);
    return q;
}

struct spt_link *spt_limiter_next(struct spt_limiter *limiter)
{
    if (!spt_limiter_ready(limiter))
        return NULL;
    struct spt_limiter_queue *q =
        SPT_OF(spt_list_pop(&limiter->round_robin), struct spt_limiter_queue, ring_link);
    struct spt_link *link = spt_list_pop(&q->requests);
    q->queued--;
    limiter->queued--;
    q->in_flight++;
    limiter->in_flight++;
    update_ring(limiter, q);
    return link;
}

void spt_limiter_finish(struct spt_limiter *limiter, struct spt_limiter_queue *q)
{
    assert(q->in_flight > 0);
    q->in_flight--;
    limiter->in_flight--;
    update_ring(limiter, q);
    free_unused(limiter, q);
}

void spt_limiter_remove(struct spt_limiter *limiter, struct spt_limiter_queue *q,
                        struct spt_link *link)
{
    spt_link_remove(link);
    q->queued--;
    limiter->queued--;
    update_ring(limiter, q);
    free_unused(limiter, q);
}
