/* SPDX-License-Identifier: MIT */
/* Runs one multi for each session. All calls of curl_multi_* and of curl_easy_pause() are here: for
 * a ready socket, for due work, and to add, remove or pause a handle. The multi's callbacks only
 * record what happened. */
#include "http/session.h"

#include <assert.h>
#include <stdlib.h>

#include "base/time.h"
#include "http/connect.h"
#include "http/quirks.h"
#include "http/request.h"
#include "http/state.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum { CONNECTIONS_MIN = 256 }; /* lower bound of the connections that a session keeps */

void spt_session_schedule(struct spt_session *session)
{
    struct spt_queues *queues = &session->driver->queues;
    spt_queues_add(queues, &queues->sessions, &session->pending);
}

/* Marks a call in which libcurl may run our callbacks. curl_multi_info_read(), curl_multi_setopt()
 * and curl_multi_timeout() run none. */
static void enter_curl(struct spt_driver *driver)
{
    assert(!driver->call.inside);
    driver->call.inside = true;
    driver->call.fed = false;
}

static void leave_curl(struct spt_driver *driver)
{
    driver->call.inside = false;
}

/* --- what libcurl asks for --- */

/* Records the events that libcurl wants of a socket. `curl` may be a handle of libcurl's own.
 * Returns 0 always, also if the socket cannot be watched: its transfer then ends by a timeout, but
 * any other value would end every transfer of the multi. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *ud, void *unused)
{
    struct spt_session *session = ud;
    struct spt_driver *driver = session->driver;
    int mask = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!session->multi)
        return 0;
    if (what == CURL_POLL_REMOVE) {
        mask = 0;
        spt_connect_note_over(driver, fd);
    } else if (what == CURL_POLL_IN) {
        spt_connect_note_handshake(driver, fd);
    }
    spt_pollers_want(&driver->pollers, fd, mask, session);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ud)
{
    struct spt_session *session = ud;
    if (!session->multi)
        return 0;
    uint64_t now_ns = spt_loop_now(session->driver->loop);
    session->due.at_ns = ms > 0 ? now_ns + (uint64_t)ms * SPT_NS_PER_MS : SPT_NEVER;
    if (ms == 0) {
        session->due.now = true;
        spt_session_schedule(session);
    }
    return 0;
}

static void act(struct spt_session *session, curl_socket_t fd, int flags)
{
    int running;
    session->driver->call.at_ns = spt_loop_now(session->driver->loop);
    enter_curl(session->driver);
    curl_multi_socket_action(session->multi, fd, flags, &running);
    leave_curl(session->driver);
}

static void on_socket_ready(void *owner, int fd, int events)
{
    struct spt_session *session = owner;
    struct spt_driver *driver = session->driver;
    struct spt_turn_budget *budget = spt_loop_budget(driver->loop);
    if (spt_turn_budget_is_spent(budget) && !(events & SPT_POLLER_ERROR)) {
        spt_pollers_leave(&driver->pollers, fd, events);
        return;
    }
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (events & SPT_POLLER_ERROR ? CURL_CSELECT_ERR : 0);
    spt_connect_note_handshake(driver, fd);
    act(session, fd, flags);
    budget->used = true;
    spt_session_schedule(session);
}

/* Returns true if unwatched sockets of the session are idle. A transfer that is paused for its
 * reader wants nothing of its socket, either. */
static bool is_idle(void *owner)
{
    const struct spt_session *session = owner;
    return session->paused == 0;
}

static void on_dropped(void *owner)
{
    struct spt_session *session = owner;
    session->stats.dropped++;
}

static void on_due(struct spt_timer *timer)
{
    struct spt_session *session = SPT_OF(timer, struct spt_session, due.timer);
    spt_session_schedule(session); /* the pass checks whether it is due, or was moved */
}

void spt_session_init_pollers(struct spt_driver *driver)
{
    spt_pollers_init(&driver->pollers, driver->loop, on_socket_ready, is_idle);
    driver->pollers.on_dropped = on_dropped;
}

/* --- handles in the multi --- */

void spt_session_remove(struct spt_request *r)
{
    struct spt_driver *driver = r->state.session->driver;
    spt_connect_drop_connecting(r->state.easy);
    enter_curl(driver);
    curl_multi_remove_handle(r->state.session->multi, r->state.easy->curl);
    leave_curl(driver);
    driver->running--;
}

CURLMcode spt_session_add(struct spt_request *r)
{
    struct spt_session *session = r->state.session;
    enter_curl(session->driver);
    CURLMcode rc = curl_multi_add_handle(session->multi, r->state.easy->curl);
    leave_curl(session->driver);
    session->driver->running += rc == CURLM_OK;
    return rc;
}

CURLcode spt_session_pause(struct spt_easy *easy, int directions)
{
    enter_curl(easy->driver);
    CURLcode rc = curl_easy_pause(easy->curl, directions);
    leave_curl(easy->driver);
    return rc;
}

struct spt_easy *spt_session_next_result(struct spt_session *session, CURLcode *code)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(session->multi, &left));) {
        struct spt_easy *easy = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        *code = m->data.result; /* removing the handle frees the message */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &easy);
        return easy;
    }
    return NULL;
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

/* --- due work --- */

/* Runs libcurl if an action or its timer is due. An early action keeps a later at_ns, as some
 * versions of libcurl report that only once. */
static void run_due(struct spt_session *session)
{
    uint64_t now_ns = spt_loop_now(session->driver->loop);
    bool due = session->due.at_ns != SPT_NEVER && session->due.at_ns <= now_ns;
    if (!session->due.now && !due)
        return;
    session->due.now = false;
    if (due)
        session->due.at_ns = SPT_NEVER;
    act(session, CURL_SOCKET_TIMEOUT, 0);
    if (SPT_HAS_QUIRK(session->driver->quirks, TIMEOUT)) {
        long ms = -1;
        curl_multi_timeout(session->multi, &ms);
        on_timer(session->multi, ms, session);
    }
}

/* Caps the session at its current number of connections, unless none of them is idle. The cap
 * applies to a single run: if it stayed, a request that finds none idle would wait. */
void spt_session_evict_idle(struct spt_session *session)
{
    const struct spt_pollers *sockets = &session->driver->pollers;
    session->connections.capped = spt_pollers_idle(sockets, session);
    long limit = session->connections.capped ? (long)spt_pollers_owned(sockets, session) : 0;
    curl_multi_setopt(session->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit);
}

static void uncap_connections(struct spt_session *session)
{
    if (session->connections.capped)
        curl_multi_setopt(session->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 0L);
    session->connections.capped = false;
}

void spt_session_run(struct spt_session *session)
{
    run_due(session);
    uncap_connections(session);
}

void spt_session_arm(struct spt_session *session)
{
    struct spt_timers *timers = session->driver->timers;
    if (session->due.at_ns == SPT_NEVER)
        spt_timer_stop(timers, &session->due.timer);
    else if (!session->due.timer.armed || session->due.at_ns < session->due.timer.due_ns)
        spt_timer_start(timers, &session->due.timer, session->due.at_ns, on_due);
}

void spt_session_conserve_all(struct spt_driver *driver, bool scarce)
{
    struct spt_link *head = &driver->sessions;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_session *s = SPT_OF(l, struct spt_session, link);
        if (s->multi)
            curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, scarce ? 1L : s->connections.max);
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

static int make_multi(struct spt_session *session, unsigned limit)
{
    session->connections.max = 2L * limit > CONNECTIONS_MIN ? 2L * limit : CONNECTIONS_MIN;
    session->multi = curl_multi_init();
    if (!session->multi)
        return SEPTET_ENOMEM;
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, session->connections.max);
    return SEPTET_OK;
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
    session->due.at_ns = SPT_NEVER;
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
    rc = spt_dns_map_init(&session->dns_map, &driver->resolvers, config->resolver);
    if (rc != SEPTET_OK)
        goto release_dns_map;
    rc = spt_share_init(&session->share, config->cookies, config->resolve, config->n_resolve);
    if (rc == SEPTET_OK)
        rc = make_multi(session, config->limit);
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
    spt_dns_map_release(&session->dns_map);
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
    out->connections = spt_pollers_owned(&session->driver->pollers, session);
}

void spt_session_close_multi(struct spt_session *session)
{
    struct spt_driver *driver = session->driver;
    CURLM *multi = session->multi;
    if (!multi)
        return;
    session->multi = NULL; /* from now on the callbacks do nothing */
    spt_timer_stop(driver->timers, &session->due.timer);
    spt_pollers_close_all(&driver->pollers, session);
    enter_curl(driver);
    curl_multi_cleanup(multi);
    leave_curl(driver);
    spt_link_remove(&session->pending);
}

void spt_session_free_closed(struct spt_session *session)
{
    assert(!session->multi);
    spt_connection_table_release(&session->connections.numbers);
    spt_jar_release(&session->jar);
    spt_share_release(&session->share);
    spt_dns_map_release(&session->dns_map);
    spt_policy_free(session->policy);
    spt_limiter_release(&session->limiter);
    spt_link_remove(&session->link);
    free(session);
}
