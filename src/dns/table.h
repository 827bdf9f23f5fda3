/* SPDX-License-Identifier: MIT */
/* Keeps all names in a hash table: cached ones, freed when they expire or the cache is full, and
 * those being queried. It sends no queries and reads no clock; the caller passes the time. */
#ifndef SPT_DNS_TABLE_H
#define SPT_DNS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"

struct spt_answer;
struct spt_resolver;

enum { SPT_NAME_BUCKETS = 4096 /* a power of two */ };

enum spt_name_state { SPT_NAME_QUEUED, SPT_NAME_ASKING, SPT_NAME_KNOWN };

struct spt_name {
    struct spt_resolver *resolver; /* borrowed */
    struct spt_name *chain;        /* next name in the bucket */
    enum spt_name_state state;
    struct spt_link queue;        /* link in the resolver's queue or window */
    struct spt_link waiters;      /* list of spt_lookup, oldest first */
    struct spt_heap_node by_time; /* node in the table's heap, while known */
    uint64_t asked_ns;
    uint64_t expires_ns;       /* valid while known */
    uint64_t responses_seen;   /* the channel's counter before the query */
    struct spt_answer *answer; /* owns a reference; NULL: there is none */
    const char *failure;
    const char *text;
    uint32_t hash;
    size_t len;
    char host[]; /* in lower case */
};

struct spt_dns_table {
    struct spt_name *buckets[SPT_NAME_BUCKETS];
    struct spt_heap by_time; /* heap of known names; the first one expires first */
    unsigned known;
};

/* Initialises `table`, which must be zeroed. */
void spt_dns_table_init(struct spt_dns_table *table);

/* Returns the entry of `host`, which is in lower case, or NULL. */
struct spt_name *spt_dns_table_find(const struct spt_dns_table *table, const char *host,
                                    size_t len);

/* Adds an entry for a name that is not in the table; the caller queues it. Returns NULL if there is
 * no memory. */
struct spt_name *spt_dns_table_add(struct spt_dns_table *table, struct spt_resolver *resolver,
                                   const char *host, size_t len);

/* Frees an entry, which must have no waiters. */
void spt_dns_table_free(struct spt_dns_table *table, struct spt_name *name);

/* Caches the entry until `expires_ns`. First frees expired entries and, if the cache is full, those
 * that expire next. */
void spt_dns_table_keep(struct spt_dns_table *table, struct spt_name *name, uint64_t now_ns,
                        uint64_t expires_ns);

/* Invalidates a cached entry; the caller queues it again. */
void spt_dns_table_forget(struct spt_dns_table *table, struct spt_name *name);

#endif
