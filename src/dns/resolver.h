/* SPDX-License-Identifier: MIT */
/* Resolves names to addresses with c-ares. The loop polls its sockets, so that there are no
 * threads. Lookups of the same name share one query, and an answer is cached for as long as its TTL
 * says. The resolver knows no libcurl, only the format in which libcurl takes addresses. */
#ifndef SPT_DNS_RESOLVER_H
#define SPT_DNS_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"

struct spt_answer;
struct spt_loop;
struct spt_name;
struct spt_resolver;

/* What a lookup had to do. */
enum spt_lookup_way {
    SPT_LOOKUP_PLAIN,  /* nothing: the name means its address, or is none */
    SPT_LOOKUP_CACHED, /* the answer was in the cache */
    SPT_LOOKUP_JOINED, /* another lookup of the name was under way */
    SPT_LOOKUP_ASKED,  /* a query */
};

/* A lookup, in memory of the caller. It is set up by spt_resolver_init_lookup and ended by
 * spt_resolver_cancel. */
struct spt_lookup {
    /* Called by spt_resolver_pass; may start or cancel any lookup. */
    void (*on_done)(struct spt_lookup *);
    const struct spt_answer *answer; /* shared; set once done, until cancelled; NULL if it failed */
    const char *failure;     /* static; not_found, server, timeout, refused, memory, or NULL */
    const char *text;        /* static; c-ares' description of the failure */
    enum spt_lookup_way way; /* set once started */
    struct spt_name *name;   /* borrowed; the name that it waits for; NULL if it does not wait */
    struct spt_link link;    /* link in the name's waiters, or in the resolver's done list */
};

struct spt_resolver_config {
    const char *servers;     /* "127.0.0.1:5300,[::1]:53"; NULL: the system's */
    const char *resolv_conf; /* NULL: the system's */
    unsigned timeout_ms;     /* of the first of two tries; doubled for the second; 0: 5000 */
};

/* Creates a resolver, which reads no configuration yet; `config` is copied. Returns SEPTET_OK or
 * SEPTET_ENOMEM. */
int spt_resolver_new(struct spt_resolver **out, struct spt_loop *loop, struct spt_timers *timers,
                     const struct spt_resolver_config *config);

/* Cancels every query and frees the resolver. Waiting lookups are detached without a call. */
void spt_resolver_free(struct spt_resolver *resolver);

void spt_resolver_init_lookup(struct spt_lookup *lookup, void (*on_done)(struct spt_lookup *));

/* Starts a lookup of `host`, which is copied: an ASCII name of any case, or a literal. Returns true
 * if the lookup is already done, with or without success; on_done is then not called. Returns false
 * if on_done will be called. Holds no reference on the loop; the caller must. Must not be called
 * inside a callback of c-ares. */
bool spt_resolver_start(struct spt_resolver *resolver, struct spt_lookup *lookup, const char *host);

/* Ends the wait, if any, and releases the answer. May be called at any time after
 * spt_resolver_init_lookup. */
void spt_resolver_cancel(struct spt_lookup *lookup);

/* Sends queued queries, calls on_done of completed lookups, and arms the timer. Returns true if it
 * called any. */
bool spt_resolver_pass(struct spt_resolver *resolver);

/* Returns true if there is work for a pass at once, without waiting for a socket or a timer. */
bool spt_resolver_has_work(const struct spt_resolver *resolver);

/* Counters for tests. */
struct spt_resolver_count {
    unsigned known;     /* number of names in the cache */
    unsigned waiting;   /* number of waiting lookups */
    unsigned in_flight; /* number of names being queried, including those without waiters */
    unsigned sockets;
    uint64_t asked; /* number of names queried so far */
};
struct spt_resolver_count spt_resolver_count(const struct spt_resolver *resolver);

#endif
