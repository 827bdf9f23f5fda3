/* SPDX-License-Identifier: MIT */
/* Keeps a hash of origins, each with its queue, and a ring of those that may start a request. */
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
    limiter->buckets = calloc(BUCKETS_MIN, sizeof(struct spt_origin *));
    if (!limiter->buckets)
        return SEPTET_ENOMEM;
    limiter->n_buckets = BUCKETS_MIN;
    return SEPTET_OK;
}

void spt_limiter_release(struct spt_limiter *limiter)
{
    assert(limiter->n_origins == 0 && limiter->active == 0 && limiter->queued == 0);
    free(limiter->buckets);
}

static struct spt_origin **bucket(const struct spt_limiter *limiter, uint32_t hash)
{
    return &limiter->buckets[hash & (limiter->n_buckets - 1)];
}

/* Doubles the number of buckets. If there is no memory, the chains only get longer. */
static void grow(struct spt_limiter *limiter)
{
    struct spt_limiter bigger = {.n_buckets = limiter->n_buckets * 2};
    bigger.buckets = calloc(bigger.n_buckets, sizeof(struct spt_origin *));
    if (!bigger.buckets)
        return;
    for (size_t i = 0; i < limiter->n_buckets; i++) {
        for (struct spt_origin *o = limiter->buckets[i], *next; o; o = next) {
            struct spt_origin **to = bucket(&bigger, o->hash);
            next = o->chain;
            o->chain = *to;
            *to = o;
        }
    }
    free(limiter->buckets);
    limiter->buckets = bigger.buckets;
    limiter->n_buckets = bigger.n_buckets;
}

static struct spt_origin *find(const struct spt_limiter *limiter, uint32_t hash, const char *key,
                               size_t len)
{
    struct spt_origin *o = *bucket(limiter, hash);
    while (o && (o->hash != hash || o->len != len || memcmp(o->key, key, len) != 0))
        o = o->chain;
    return o;
}

static struct spt_origin *add(struct spt_limiter *limiter, uint32_t hash, const char *key,
                              size_t len)
{
    struct spt_origin *o = malloc(sizeof *o + len + 1);
    if (!o)
        return NULL;
    if (limiter->n_origins >= limiter->n_buckets)
        grow(limiter);
    *o = (struct spt_origin){.hash = hash, .len = len};
    spt_link_init(&o->queue);
    spt_link_init(&o->ring_link);
    memcpy(o->key, key, len);
    o->key[len] = '\0';
    struct spt_origin **b = bucket(limiter, hash);
    o->chain = *b;
    *b = o;
    limiter->n_origins++;
    return o;
}

static void free_unused(struct spt_limiter *limiter, struct spt_origin *o)
{
    if (o->active > 0 || o->queued > 0)
        return;
    struct spt_origin **at = bucket(limiter, o->hash);
    while (*at != o)
        at = &(*at)->chain;
    *at = o->chain;
    spt_link_remove(&o->ring_link);
    free(o);
    limiter->n_origins--;
}

/* Updates the ring, which has the origin exactly while it has queued requests and a free slot. */
static void update_turn(struct spt_limiter *limiter, struct spt_origin *o)
{
    if (o->queued == 0 || o->active >= limiter->limit_per_origin)
        spt_link_remove(&o->ring_link);
    else if (spt_link_alone(&o->ring_link))
        spt_list_push(&limiter->round_robin, &o->ring_link);
}

struct spt_origin *spt_limiter_enqueue(struct spt_limiter *limiter, const char *key, size_t len,
                                       struct spt_link *link)
{
    uint32_t hash = spt_hash(key, len);
    struct spt_origin *o = find(limiter, hash, key, len);
    if (!o && !(o = add(limiter, hash, key, len)))
        return NULL;
    spt_list_push(&o->queue, link);
    o->queued++;
    limiter->queued++;
    update_turn(limiter, o);
    return o;
}

struct spt_link *spt_limiter_next(struct spt_limiter *limiter)
{
    if (!spt_limiter_ready(limiter))
        return NULL;
    struct spt_origin *o =
        SPT_OF(spt_list_pop(&limiter->round_robin), struct spt_origin, ring_link);
    struct spt_link *link = spt_list_pop(&o->queue);
    o->queued--;
    limiter->queued--;
    o->active++;
    limiter->active++;
    update_turn(limiter, o);
    return link;
}

void spt_limiter_finish(struct spt_limiter *limiter, struct spt_origin *o)
{
    assert(o->active > 0);
    o->active--;
    limiter->active--;
    update_turn(limiter, o);
    free_unused(limiter, o);
}

void spt_limiter_remove(struct spt_limiter *limiter, struct spt_origin *o, struct spt_link *link)
{
    spt_link_remove(link);
    o->queued--;
    limiter->queued--;
    update_turn(limiter, o);
    free_unused(limiter, o);
}
