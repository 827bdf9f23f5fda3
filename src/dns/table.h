/* The table of names, found by hash: those that are known, freed when they expire or there is too
 * much, and those that are being asked for. It asks nobody, and knows no time but what it is
 * told. */
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
    struct spt_resolver *resolver; /* borrows */
    struct spt_name *chain;        /* next in its bucket */
    enum spt_name_state state;
    struct spt_link queue;        /* in the resolver's queue, or in its window */
    struct spt_link waiters;      /* spt_lookup, oldest first */
    struct spt_heap_node by_time; /* in the table's heap, while known */
    uint64_t asked_ns;
    uint64_t expires_ns;       /* once known */
    uint64_t responses_seen;   /* by the channel, before it was asked for */
    struct spt_answer *answer; /* owns a share; NULL: there is none */
    const char *failure;
    const char *text;
    uint32_t hash;
    size_t len;
    char host[]; /* in lower case */
};

struct spt_dns_table {
    struct spt_name *buckets[SPT_NAME_BUCKETS];
    struct spt_heap by_time; /* the known ones; what expires first is first */
    unsigned known;
};

/* `table` is zeroed. */
void spt_dns_table_init(struct spt_dns_table *table);

/* The name `host`, in lower case, or NULL. */
struct spt_name *spt_dns_table_find(const struct spt_dns_table *table, const char *host,
                                    size_t len);

/* Adds one that is not there yet, to be queued. Returns NULL when there is no memory. */
struct spt_name *spt_dns_table_add(struct spt_dns_table *table, struct spt_resolver *resolver,
                                   const char *host, size_t len);

/* Nobody may wait for it. */
void spt_dns_table_free(struct spt_dns_table *table, struct spt_name *name);

/* It is known until then. Frees those that have expired, and those next to do so where there are
 * too many. */
void spt_dns_table_keep(struct spt_dns_table *table, struct spt_name *name, uint64_t now_ns,
                        uint64_t expires_ns);

/* A known one is known no more, and is to be queued. */
void spt_dns_table_forget(struct spt_dns_table *table, struct spt_name *name);

#endif
