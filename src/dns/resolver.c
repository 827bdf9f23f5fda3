/* SPDX-License-Identifier: MIT */
/* Keeps names, their answers and their waiters.
 *
 *     none ── start ──▶ queued ── room in the window ──▶ asking ── answer with a TTL ──▶ known
 *
 *     queued ── its last waiter was cancelled ──────────────────────────▶ none
 *     asking ── answer without a TTL, or query dropped without waiters ─▶ none
 *     asking ── query dropped with waiters: configuration read anew ────▶ queued
 *     known ─── start after it has expired ─────────────────────────────▶ queued
 *     known ─── expired, or the cache is full, when another is cached ──▶ none
 *
 * c-ares calls back inside its own work, so its callbacks only mark lookups as done. The pass then
 * notifies them. */
#include "dns/resolver.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "dns/answer.h"
#include "dns/channel.h"
#include "dns/table.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum {
    IN_FLIGHT_MAX = 4096, /* names queried at once: two queries each, with ids of 16 bits */
    WINDOW = 64,          /* of these, not slow: as many as a server and its socket take */
    RESERVED = 16         /* of the window, for new names while others are queued */
};

/* Queries older than this are slow: they no longer count against the window, and delay no other
 * name. */
#define SLOW_NS (250 * SPT_NS_PER_MS)

/* A name that does not exist is cached briefly, so that a list of URLs with a misspelt host causes
 * one query. */
enum { TTL_NOT_FOUND = 1 }; /* seconds */

struct spt_resolver {
    struct spt_loop *loop; /* borrowed */
    struct spt_dns_channel channel;
    struct spt_link queue;
    struct spt_link window; /* list of names being queried that are not slow, oldest first */
    struct spt_link done;   /* list of lookups with on_done due */
    struct spt_timer slow;  /* for the oldest name in the window, while others are queued */
    unsigned waiting, in_flight, in_window;
    bool from_end; /* the queue was last served from its end */
    unsigned generation;
    uint64_t asked;
    struct spt_dns_table table;
};

static void free_name(struct spt_name *name)
{
    spt_dns_table_free(&name->resolver->table, name);
}

/* --- queries --- */

static void fill(struct spt_lookup *lookup, const struct spt_name *name)
{
    lookup->failure = name->failure;
    lookup->text = name->text;
    lookup->answer = name->answer;
    if (name->answer)
        name->answer->refs++;
}

static void settle_waiters(struct spt_name *name)
{
    struct spt_resolver *r = name->resolver;
    struct spt_link *link;
    while ((link = spt_list_pop(&name->waiters))) {
        struct spt_lookup *lookup = SPT_OF(link, struct spt_lookup, link);
        fill(lookup, name);
        lookup->name = NULL;
        r->waiting--;
        spt_list_push(&r->done, link);
    }
}

static void fail(struct spt_name *name, int status)
{
    /* Some versions report a refused connection if servers answered, but refused the query. */
    if (status == ARES_ECONNREFUSED &&
        name->responses_seen != name->resolver->channel.responses_seen)
        status = ARES_ESERVFAIL;
    name->failure = spt_answer_failure(status);
    name->text = ares_strerror(status);
}

static void conclude(struct spt_name *name, int status, const struct ares_addrinfo *info)
{
    struct spt_resolver *r = name->resolver;
    uint64_t ttl = 0;
    if (status == ARES_SUCCESS && !info->nodes)
        status = ARES_ENODATA;
    if (status == ARES_SUCCESS && !(name->answer = spt_answer_read(info, ++r->generation)))
        status = ARES_ENOMEM;
    if (status == ARES_SUCCESS)
        ttl = (uint64_t)spt_answer_ttl(info);
    else
        fail(name, status);
    if (name->failure && strcmp(name->failure, "not_found") == 0)
        ttl = TTL_NOT_FOUND;
    settle_waiters(name);
    uint64_t now_ns = spt_loop_now(r->loop);
    if (ttl > 0)
        spt_dns_table_keep(&r->table, name, now_ns, now_ns + ttl * SPT_NS_PER_SECOND);
    else
        free_name(name);
}

static void enqueue(struct spt_name *name)
{
    name->state = SPT_NAME_QUEUED;
    spt_list_push(&name->resolver->queue, &name->queue);
}

static void leave_window(struct spt_name *name)
{
    if (spt_link_alone(&name->queue))
        return;
    spt_link_remove(&name->queue);
    name->resolver->in_window--;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct spt_name *name = arg;
    name->resolver->in_flight--;
    leave_window(name);
    if (status != ARES_EDESTRUCTION && status != ARES_ECANCELLED)
        conclude(name, status, info);
    else if (spt_list_is_empty(&name->waiters))
        free_name(name);
    else
        enqueue(name); /* its servers are no longer the current ones */
    if (info)
        ares_freeaddrinfo(info);
}

/* Sends the query of a name, which may be freed on return. */
static void ask(struct spt_name *name)
{
    struct spt_resolver *r = name->resolver;
    spt_link_remove(&name->queue);
    name->state = SPT_NAME_ASKING;
    name->failure = name->text = NULL;
    name->responses_seen = r->channel.responses_seen;
    r->in_flight++;
    r->asked++;
    name->asked_ns = spt_loop_now(r->loop);
    spt_list_push(&r->window, &name->queue);
    r->in_window++;
    spt_dns_channel_query(&r->channel, name->host, on_answer, name);
}

static bool has_room(const struct spt_resolver *r, unsigned window)
{
    return r->in_window < window && r->in_flight < IN_FLIGHT_MAX;
}

/* --- lookups --- */

static bool finish(struct spt_lookup *lookup, int status)
{
    lookup->failure = spt_answer_failure(status);
    lookup->text = ares_strerror(status);
    return true;
}

static bool answer_plain(struct spt_lookup *lookup, const char *addresses)
{
    lookup->answer = spt_answer_new(addresses, strlen(addresses), 0);
    return lookup->answer || finish(lookup, ARES_ENOMEM);
}

void spt_resolver_init_lookup(struct spt_lookup *lookup, void (*on_done)(struct spt_lookup *))
{
    *lookup = (struct spt_lookup){.on_done = on_done};
    spt_link_init(&lookup->link);
}

/* Removes a cancelled waiter of a name. Once no lookup waits, drops all queries in flight, and
 * their sockets close. */
static void leave(struct spt_name *name)
{
    struct spt_resolver *r = name->resolver;
    r->waiting--;
    if (name->state == SPT_NAME_QUEUED && spt_list_is_empty(&name->waiters))
        free_name(name);
    if (r->waiting > 0 || r->in_flight == 0)
        return;
    spt_dns_channel_drop(&r->channel);
    spt_loop_wake(r->loop);
}

void spt_resolver_cancel(struct spt_lookup *lookup)
{
    struct spt_name *name = lookup->name;
    spt_link_remove(&lookup->link);
    spt_answer_drop((struct spt_answer *)lookup->answer);
    lookup->answer = NULL;
    lookup->failure = lookup->text = NULL;
    lookup->name = NULL;
    if (name)
        leave(name);
}

static bool wait_for(struct spt_name *name, struct spt_lookup *lookup)
{
    struct spt_resolver *r = name->resolver;
    bool is_first = name->state == SPT_NAME_QUEUED && spt_list_is_empty(&name->waiters);
    lookup->way = is_first ? SPT_LOOKUP_ASKED : SPT_LOOKUP_JOINED;
    lookup->name = name;
    spt_list_push(&name->waiters, &lookup->link);
    r->waiting++;
    spt_dns_channel_refresh(&r->channel); /* may free names in flight without waiters */
    if (name->state == SPT_NAME_QUEUED && spt_link_alone(&name->queue)) {
        enqueue(name);
        if (has_room(r, WINDOW))
            ask(name);
    }
    spt_loop_wake(r->loop);
    if (lookup->name)
        return false;
    spt_link_remove(&lookup->link); /* done already: not to be notified */
    return true;
}

bool spt_resolver_start(struct spt_resolver *r, struct spt_lookup *lookup, const char *host)
{
    char key[SPT_HOST_MAX + 1], plain[SPT_HOST_MAX + 3];
    size_t len = strlen(host);
    spt_resolver_cancel(lookup);
    lookup->way = SPT_LOOKUP_PLAIN;
    if (len == 0 || len > SPT_HOST_MAX)
        return finish(lookup, ARES_EBADNAME);
    for (size_t i = 0; i <= len; i++)
        key[i] = (char)tolower((unsigned char)host[i]);
    if (spt_answer_literal(key, len, plain))
        return answer_plain(lookup, plain);
    struct spt_name *name = spt_dns_table_find(&r->table, key, len);
    if (name && name->state == SPT_NAME_KNOWN) {
        if (name->expires_ns > spt_loop_now(r->loop)) {
            lookup->way = SPT_LOOKUP_CACHED;
            fill(lookup, name);
            return true;
        }
        spt_dns_table_forget(&r->table, name);
    }
    if (!name && !(name = spt_dns_table_add(&r->table, r, key, len)))
        return finish(lookup, ARES_ENOMEM);
    return wait_for(name, lookup);
}

/* --- the pass --- */

static bool deliver(struct spt_resolver *r)
{
    struct spt_link batch, *link;
    bool any = false;
    spt_link_init(&batch);
    spt_list_splice(&batch, &r->done);
    while ((link = spt_list_pop(&batch))) {
        struct spt_lookup *lookup = SPT_OF(link, struct spt_lookup, link);
        any = true;
        lookup->on_done(lookup);
    }
    return any;
}

static struct spt_name *first(const struct spt_link *list)
{
    return spt_list_is_empty(list) ? NULL : SPT_OF(list->next, struct spt_name, queue);
}

/* Returns the next queued name, from both ends in turn, or NULL. Many older names thus do not delay
 * the newest one, nor the other way round. */
static struct spt_name *next_queued(struct spt_resolver *r)
{
    r->from_end = !r->from_end;
    return spt_list_is_empty(&r->queue)
               ? NULL
               : SPT_OF(r->from_end ? r->queue.prev : r->queue.next, struct spt_name, queue);
}

static void on_slow(struct spt_timer *timer)
{
    /* The pass that follows checks the window. */
}

static void ask_queued(struct spt_resolver *r)
{
    uint64_t now_ns = spt_loop_now(r->loop);
    struct spt_name *name;
    while ((name = first(&r->window)) && name->asked_ns + SLOW_NS <= now_ns)
        leave_window(name);
    while (has_room(r, WINDOW - RESERVED) && (name = next_queued(r)))
        ask(name);
    if (first(&r->queue) && (name = first(&r->window)))
        spt_timer_start(r->channel.timers, &r->slow, name->asked_ns + SLOW_NS, on_slow);
    else
        spt_timer_stop(r->channel.timers, &r->slow);
}

bool spt_resolver_pass(struct spt_resolver *r)
{
    ask_queued(r);
    bool any = deliver(r);
    spt_dns_channel_apply(&r->channel);
    return any;
}

bool spt_resolver_has_work(const struct spt_resolver *r)
{
    bool stuck = spt_timer_is_armed(&r->slow) || spt_list_is_empty(&r->window);
    bool can_go_on = !spt_list_is_empty(&r->queue) && (has_room(r, WINDOW - RESERVED) || !stuck);
    return can_go_on || r->channel.timeout_dirty || !spt_list_is_empty(&r->done);
}

/* --- the resolver --- */

int spt_resolver_new(struct spt_resolver **out, struct spt_loop *loop, struct spt_timers *timers,
                     const struct spt_resolver_config *config)
{
    struct spt_resolver *r = calloc(1, sizeof *r);
    if (!r)
        return SEPTET_ENOMEM;
    int rc = spt_dns_channel_init(&r->channel, loop, timers, config->servers, config->resolv_conf,
                                  config->timeout_ms);
    if (rc != SEPTET_OK) {
        free(r);
        return rc;
    }
    r->loop = loop;
    spt_dns_table_init(&r->table);
    spt_link_init(&r->queue);
    spt_link_init(&r->window);
    spt_link_init(&r->done);
    *out = r;
    return SEPTET_OK;
}

static void abandon(struct spt_name *name)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&name->waiters)))
        SPT_OF(link, struct spt_lookup, link)->name = NULL;
}

void spt_resolver_free(struct spt_resolver *r)
{
    for (size_t i = 0; i < SPT_NAME_BUCKETS; i++)
        for (struct spt_name *name = r->table.buckets[i]; name; name = name->chain)
            abandon(name);
    while (spt_list_pop(&r->done))
        ;
    spt_timer_stop(r->channel.timers, &r->slow);
    spt_dns_channel_release(&r->channel); /* frees the names being queried */
    for (size_t i = 0; i < SPT_NAME_BUCKETS; i++)
        while (r->table.buckets[i])
            free_name(r->table.buckets[i]);
    free(r);
}

struct spt_resolver_count spt_resolver_count(const struct spt_resolver *r)
{
    return (struct spt_resolver_count){.known = r->table.known,
                                       .waiting = r->waiting,
                                       .in_flight = r->in_flight,
                                       .sockets = r->channel.pollers.count,
                                       .asked = r->asked};
}
