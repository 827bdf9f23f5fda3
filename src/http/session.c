/* SPDX-License-Identifier: MIT */
/* Makes sessions, and spreads their connections over several multis: what libcurl does at the end
 * of each request takes time proportional to the connections of its multi. */
#include "http/session.h"

#include <assert.h>
#include <stdlib.h>

#include "base/time.h"
#include "http/connection_options.h"
#include "http/easy.h"
#include "http/multi.h"
#include "http/place.h"
#include "http/quirks.h"
#include "http/request.h"
#include "http/state.h"
#include "http/url.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum {
    CONNECTIONS_MIN = 256,  /* lower bound of the connections that a session keeps */
    CONNECTIONS_OF_ONE = 48 /* at most, of a multi before another one is made */
};

void spt_session_schedule(struct spt_session *session)
{
    struct spt_queues *queues = &session->driver->queues;
    spt_queues_add(queues, &queues->sessions, &session->pending);
}

/* --- admission --- */

struct spt_request *spt_session_admit(struct spt_session *session)
{
    struct spt_link *link = spt_limiter_next(&session->limiter);
    if (!link)
        return NULL;
    struct spt_request *r = SPT_OF(link, struct spt_request, state.link);
    r->state.admitted = true;
    return r;
}

/* --- the multis --- */

/* Returns how many connections a multi takes while others have room. */
static long capacity(const struct spt_multi *multi)
{
    return multi->max < CONNECTIONS_OF_ONE ? multi->max : CONNECTIONS_OF_ONE;
}

/* Returns a further multi, or NULL if the session has as many as it may, or memory is out. The
 * last one takes what is left of the connections that the session keeps. */
static struct spt_multi *add_multi(struct spt_session *session)
{
    long left = session->home.max - (long)session->multis.n * CONNECTIONS_OF_ONE;
    struct spt_multi *multi = left > 0 ? malloc(sizeof *multi) : NULL;
    if (!multi)
        return NULL;
    long max = left < CONNECTIONS_OF_ONE ? left : CONNECTIONS_OF_ONE;
    if (spt_multi_init(multi, session, max) != SEPTET_OK ||
        spt_dns_map_init_like(&multi->dns_map, &session->home.dns_map) != SEPTET_OK) {
        spt_multi_close(multi);
        spt_dns_map_release(&multi->dns_map);
        free(multi);
        return NULL;
    }
    spt_list_push(&session->multis.all, &multi->link);
    session->multis.n++;
    return multi;
}

/* Returns one of the further multis, which are full. It then evicts its oldest idle connection. */
static struct spt_multi *next_full(struct spt_session *session)
{
    struct spt_link *head = &session->multis.all, *link = session->home.link.next;
    if (link == head)
        return &session->home;
    spt_link_remove(link);
    spt_list_push(head, link);
    return SPT_OF(link, struct spt_multi, link);
}

/* Returns a multi that may open a connection. */
static struct spt_multi *multi_with_room(struct spt_session *session)
{
    struct spt_link *head = &session->multis.all;
    struct spt_multi *multi;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        multi = SPT_OF(l, struct spt_multi, link);
        if (multi->sums.connections < capacity(multi))
            return multi;
    }
    multi = add_multi(session);
    return multi ? multi : next_full(session);
}

/* Returns true if a request may use any multi. What may share a connection, or parses certificates
 * once for each multi, stays in the first one. */
static bool is_spread(const struct spt_request *r)
{
    return spt_connection_options_are_none(r->connection) && !r->manner.fresh &&
           !spt_url_is_https(r->url);
}

static void open_in(struct spt_multi *multi, struct spt_request *r)
{
    struct spt_place *place = NULL;
    if (is_spread(r))
        place = spt_place_get(&multi->session->multis.places, multi, &multi->sums,
                              r->state.limiter_queue->hash);
    spt_place_enter(place ? place : &multi->rest, &r->state.use, true);
}

void spt_session_place(struct spt_request *r, uint64_t now_ns)
{
    struct spt_session *session = r->state.session;
    struct spt_place *idle = NULL;
    bool spread = is_spread(r);
    if (spread)
        idle = spt_place_find_idle(&session->multis.places, r->state.limiter_queue->hash);
    if (idle)
        spt_place_enter(idle, &r->state.use, false);
    else
        open_in(spread ? multi_with_room(session) : &session->home, r);
    r->state.use.place->multi->used_ns = now_ns;
}

static void free_further(struct spt_multi *multi)
{
    spt_multi_close(multi);
    spt_dns_map_release(&multi->dns_map);
    spt_link_remove(&multi->link);
    free(multi);
}

/* libcurl looks for dead and for old connections only in a multi that a request enters. */
void spt_session_prune(struct spt_session *session, uint64_t now_ns)
{
    struct spt_link *head = &session->multis.all, *l = session->home.link.next, *next;
    if (session->multis.n == 1 || now_ns - session->multis.pruned_ns < SPT_NS_PER_SECOND)
        return;
    session->multis.pruned_ns = now_ns;
    for (; l != head; l = next) {
        struct spt_multi *multi = SPT_OF(l, struct spt_multi, link);
        next = l->next;
        if (multi->sums.requests > 0) {
            multi->used_ns = now_ns;
        } else if (multi->sums.connections == 0 ||
                   now_ns - multi->used_ns >= SPT_IDLE_MAX_S * SPT_NS_PER_SECOND) {
            session->multis.n--;
            free_further(multi);
        }
    }
}

/* Returns a multi with an idle connection, preferably `first`, or NULL. */
static struct spt_multi *idle_multi(struct spt_session *session, struct spt_multi *first)
{
    struct spt_link *head = &session->multis.all;
    if (spt_multi_has_idle(first))
        return first;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        if (spt_multi_has_idle(SPT_OF(l, struct spt_multi, link)))
            return SPT_OF(l, struct spt_multi, link);
    return NULL;
}

bool spt_session_has_idle(struct spt_session *session)
{
    return idle_multi(session, &session->home) != NULL;
}

void spt_session_evict_idle(struct spt_request *r)
{
    struct spt_multi *multi = idle_multi(r->state.session, r->state.use.place->multi);
    if (multi && multi != r->state.use.place->multi) {
        spt_place_leave(&r->state.use);
        open_in(multi, r);
    }
    spt_multi_evict_idle(r->state.use.place->multi);
}

void spt_session_conserve_all(struct spt_driver *driver, bool scarce)
{
    struct spt_link *head = &driver->sessions;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_session *s = SPT_OF(l, struct spt_session, link);
        struct spt_link *all = &s->multis.all;
        for (struct spt_link *m = all->next; !s->closed && m != all; m = m->next)
            spt_multi_conserve(SPT_OF(m, struct spt_multi, link), scarce);
    }
}

/* --- birth and end --- */

static CURLcode global_code;

static void init_curl(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Initialises what only HTTP needs, when the first session is made: libcurl and its TLS library
 * take milliseconds. */
static int start_curl(struct spt_driver *driver)
{
    static uv_once_t once = UV_ONCE_INIT;
    if (driver->urls.parser)
        return SEPTET_OK;
    uv_once(&once, init_curl);
    if (global_code != CURLE_OK)
        return SEPTET_ENOMEM;
    driver->quirks = spt_quirks(driver->quirk_changes);
    return spt_url_checker_init(&driver->urls);
}

/* Makes the first multi. It alone may have all connections of the session. */
static int init_multis(struct spt_session *session, unsigned limit)
{
    long max = 2L * limit > CONNECTIONS_MIN ? 2L * limit : CONNECTIONS_MIN;
    spt_link_init(&session->multis.all);
    spt_link_init(&session->multis.pending);
    session->multis.n = 1;
    int rc = spt_multi_init(&session->home, session, max);
    spt_list_push(&session->multis.all, &session->home.link);
    return rc;
}

int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    const struct spt_session_config *config, const char **bad_rule)
{
    *bad_rule = NULL;
    if (config->limit == 0 || config->limit_per_host == 0)
        return SEPTET_EINVAL;
    int rc = start_curl(driver);
    if (rc != SEPTET_OK)
        return rc;
    struct spt_session *session = calloc(1, sizeof *session);
    if (!session)
        return SEPTET_ENOMEM;
    session->driver = driver;
    spt_link_init(&session->pending);
    spt_link_init(&session->requests.in_flight);
    spt_link_init(&session->requests.newcomers);
    spt_jar_init(&session->jar);
    session->keeps_cookies = config->cookies;
    rc = spt_limiter_init(&session->limiter, config->limit, config->limit_per_host);
    if (rc != SEPTET_OK)
        goto free_session;
    rc = spt_policy_new(&session->policy, config->allow, config->n_allow, config->deny,
                        config->n_deny, bad_rule);
    if (rc != SEPTET_OK)
        goto release_limiter;
    rc = init_multis(session, config->limit);
    if (rc != SEPTET_OK)
        goto close_multi;
    rc = spt_dns_map_init(&session->home.dns_map, &driver->resolvers, config->resolver);
    if (rc != SEPTET_OK)
        goto release_dns_map;
    rc = spt_share_init(&session->share, config->cookies, config->resolve, config->n_resolve);
    if (rc != SEPTET_OK)
        goto release_share;
    spt_link_init(&session->link);
    spt_list_push(&driver->sessions, &session->link);
    *out = session;
    return SEPTET_OK;

/* each label releases what was made up to its part, the newest first */
release_share:
    spt_share_release(&session->share);
release_dns_map:
    spt_dns_map_release(&session->home.dns_map);
close_multi:
    spt_multi_close(&session->home);
    spt_policy_free(session->policy);
release_limiter:
    spt_limiter_release(&session->limiter);
free_session:
    free(session);
    return rc;
}

struct spt_jar *spt_session_jar(struct spt_session *session)
{
    return &session->jar;
}

void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out)
{
    *out = session->stats;
    out->active = session->limiter.in_flight;
    out->queued = session->limiter.queued;
    out->connections = 0;
    const struct spt_link *head = &session->multis.all;
    for (const struct spt_link *l = head->next; l != head; l = l->next)
        out->connections +=
            spt_pollers_owned(&session->driver->pollers, SPT_OF(l, struct spt_multi, link));
}

void spt_session_close_multis(struct spt_session *session)
{
    struct spt_link *head = &session->multis.all;
    session->closed = true;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        spt_multi_close(SPT_OF(l, struct spt_multi, link));
    spt_link_remove(&session->pending);
}

static void free_multis(struct spt_session *session)
{
    struct spt_link *link;
    while ((link = session->home.link.next) != &session->multis.all)
        free_further(SPT_OF(link, struct spt_multi, link));
    spt_dns_map_release(&session->home.dns_map);
    spt_place_release_table(&session->multis.places);
}

void spt_session_free_closed(struct spt_session *session)
{
    assert(session->closed);
    free_multis(session);
    spt_connection_table_release(&session->connections);
    spt_jar_release(&session->jar);
    spt_share_release(&session->share);
    spt_policy_free(session->policy);
    spt_limiter_release(&session->limiter);
    spt_link_remove(&session->link);
    free(session);
}
