/* SPDX-License-Identifier: MIT */
/* Keeps all names in a hash with chains, and the known ones also in a heap. */
#include "dns/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/answer.h"

enum { KNOWN_MAX = 4096 };

static struct spt_name *name_of(const struct spt_heap_node *node)
{
    return SPT_OF(node, struct spt_name, by_time);
}

static bool expires_before(const struct spt_heap_node *a, const struct spt_heap_node *b)
{
    return name_of(a)->expires_ns < name_of(b)->expires_ns;
}

void spt_dns_table_init(struct spt_dns_table *table)
{
    table->by_time.before = expires_before;
}

static size_t bucket(uint32_t hash)
{
    return hash & (SPT_NAME_BUCKETS - 1);
}

struct spt_name *spt_dns_table_find(const struct spt_dns_table *table, const char *host, size_t len)
{
    uint32_t hash = spt_hash(host, len);
    struct spt_name *name = table->buckets[bucket(hash)];
    while (name && (name->hash != hash || name->len != len || memcmp(name->host, host, len) != 0))
        name = name->chain;
    return name;
}

struct spt_name *spt_dns_table_add(struct spt_dns_table *table, struct spt_resolver *resolver,
                                   const char *host, size_t len)
{
    uint32_t hash = spt_hash(host, len);
    struct spt_name **at = &table->buckets[bucket(hash)];
    struct spt_name *name = malloc(sizeof *name + len + 1);
    if (!name)
        return NULL;
    *name = (struct spt_name){.resolver = resolver, .chain = *at, .hash = hash, .len = len};
    spt_link_init(&name->queue);
    spt_link_init(&name->waiters);
    memcpy(name->host, host, len);
    name->host[len] = 0;
    *at = name;
    return name;
}

void spt_dns_table_forget(struct spt_dns_table *table, struct spt_name *name)
{
    spt_heap_remove(&table->by_time, &name->by_time);
    table->known--;
    spt_answer_drop(name->answer);
    name->answer = NULL;
    name->state = SPT_NAME_QUEUED;
}

void spt_dns_table_free(struct spt_dns_table *table, struct spt_name *name)
{
    struct spt_name **at = &table->buckets[bucket(name->hash)];
    assert(spt_list_is_empty(&name->waiters));
    while (*at != name)
        at = &(*at)->chain;
    *at = name->chain;
    if (name->state == SPT_NAME_KNOWN)
        spt_dns_table_forget(table, name);
    spt_link_remove(&name->queue);
    free(name);
}

static void make_room(struct spt_dns_table *table, uint64_t now_ns)
{
    struct spt_heap_node *first;
    while ((first = spt_heap_min(&table->by_time)) &&
           (table->known >= KNOWN_MAX || name_of(first)->expires_ns <= now_ns))
        spt_dns_table_free(table, name_of(first));
}

void spt_dns_table_keep(struct spt_dns_table *table, struct spt_name *name, uint64_t now_ns,
                        uint64_t expires_ns)
{
    make_room(table, now_ns);
    name->state = SPT_NAME_KNOWN;
    name->expires_ns = expires_ns;
    spt_heap_insert(&table->by_time, &name->by_time);
    table->known++;
}
