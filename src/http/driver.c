/* Sessions, and the drain that advances their requests. libcurl is entered from here alone: for a
 * ready socket, for due work, and to add, remove or resume a handle. Its callbacks only record what
 * happened. */
#include "http/driver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/prefetch.h"
#include "http/body.h"
#include "http/easy.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "http/attempt.h"
#include "septet/septet.h"

#define NS_PER_MS UINT64_C(1000000)

enum { CONNECTIONS_MIN = 256 }; /* lower bound of a session's max_connects */

void spt_session_schedule(struct spt_session *session)
{
    if (!spt_link_alone(&session->pending))
        return;
    spt_list_push(&session->driver->pending, &session->pending);
    spt_loop_wake(session->driver->loop);
}

static void enter_curl(struct spt_driver *driver)
{
    assert(!driver->in_curl);
    driver->in_curl = true;
}

static void leave_curl(struct spt_driver *driver)
{
    driver->in_curl = false;
}

/* --- what libcurl asks for --- */

/* Handles a socket that libcurl dropped before it was connected. Quirk POKE: before 8.4.0, libcurl
 * then sleeps until that address's share of the time is over, instead of trying the next
 * address. */
static void note_attempt_over(struct spt_driver *driver, int fd)
{
    struct spt_poller *s = spt_pollers_find(&driver->pollers, fd);
    struct spt_easy *easy = s ? s->opener : NULL;
    if (!SPT_HAS_QUIRK(driver->quirks, POKE) || !easy || easy->unstalled)
        return;
    easy->unstalled = true;
    spt_list_push(&driver->connect_stalls, &easy->stall_link);
    spt_session_schedule(easy->request->session);
}

/* Records the beginning of a TLS handshake, which is when the socket is connected. libcurl reports
 * a handshake only at its end, and may do all of it in one call. */
static void note_handshake(struct spt_driver *driver, int fd)
{
    struct spt_poller *s = spt_pollers_find(&driver->pollers, fd);
    struct spt_easy *easy = s ? s->opener : NULL;
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (!easy || !easy->tls || easy->t_tls_ns || getpeername(fd, (struct sockaddr *)&peer, &size))
        return;
    easy->t_tls_ns = spt_loop_now(driver->loop);
    spt_timeouts_enter(easy->request, SPT_PHASE_TLS, easy->t_tls_ns);
}

/* Records the events that libcurl wants of a socket. `curl` may be a handle of libcurl's own.
 * Returns 0 always: any other value ends every transfer of the multi, while one that is not watched
 * ends by its timeout. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *ud, void *unused)
{
    struct spt_session *session = ud;
    struct spt_driver *driver = session->driver;
    int mask = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    (void)curl, (void)unused;
    if (!session->multi)
        return 0;
    if (what == CURL_POLL_REMOVE) {
        mask = 0;
        note_attempt_over(driver, fd);
    } else if (what == CURL_POLL_IN) {
        note_handshake(driver, fd);
    }
    spt_pollers_want(&driver->pollers, fd, mask, session);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ud)
{
    struct spt_session *session = ud;
    (void)multi;
    if (!session->multi)
        return 0;
    uint64_t now_ns = spt_loop_now(session->driver->loop);
    session->due_ns = ms > 0 ? now_ns + (uint64_t)ms * NS_PER_MS : SPT_NEVER;
    if (ms == 0) {
        session->action_due = true;
        spt_session_schedule(session);
    }
    return 0;
}

static void act(struct spt_session *session, curl_socket_t fd, int flags)
{
    int running;
    session->driver->now_ns = spt_loop_now(session->driver->loop);
    enter_curl(session->driver);
    curl_multi_socket_action(session->multi, fd, flags, &running);
    leave_curl(session->driver);
}

static void on_socket_ready(void *owner, int fd, int events)
{
    struct spt_session *session = owner;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (events & SPT_POLLER_ERROR ? CURL_CSELECT_ERR : 0);
    note_handshake(session->driver, fd);
    act(session, fd, flags);
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
    struct spt_session *session = SPT_OF(timer, struct spt_session, timer);
    spt_session_schedule(session); /* the drain checks whether it is due, or was moved */
}

/* --- adding to the multi and removing from it --- */

void spt_session_remove(struct spt_request *r)
{
    struct spt_driver *driver = r->session->driver;
    spt_easy_drop_attempts(r->easy);
    enter_curl(driver);
    curl_multi_remove_handle(r->session->multi, r->easy->curl);
    leave_curl(driver);
    driver->running--;
}

CURLMcode spt_session_add(struct spt_request *r)
{
    struct spt_session *session = r->session;
    enter_curl(session->driver);
    CURLMcode rc = curl_multi_add_handle(session->multi, r->easy->curl);
    leave_curl(session->driver);
    session->driver->running += rc == CURLM_OK;
    return rc;
}

CURLcode spt_easy_pause(struct spt_easy *easy, int directions)
{
    enter_curl(easy->driver);
    CURLcode rc = curl_easy_pause(easy->curl, directions);
    leave_curl(easy->driver);
    return rc;
}

static void read_messages(struct spt_session *session)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(session->multi, &left));) {
        struct spt_easy *easy = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result; /* removing the handle frees the message */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &easy);
        spt_attempt_complete(easy->request, code);
    }
}

/* --- the drain --- */

/* Prefetches the next request, with the cache line before it that its owner uses. */
static void fetch(const struct spt_request *r)
{
    spt_prefetch((const char *)r - SPT_CACHE_LINE, sizeof *r + SPT_CACHE_LINE);
}

static void admit(struct spt_session *session)
{
    if (!spt_limiter_ready(&session->limiter))
        return;
    uint64_t now_ns = spt_loop_now(session->driver->loop);
    struct spt_link *link;
    while ((link = spt_limiter_next(&session->limiter))) {
        const struct spt_link *next = spt_limiter_peek(&session->limiter);
        if (next)
            fetch(SPT_OF(next, struct spt_request, link));
        spt_attempt_start(SPT_OF(link, struct spt_request, link), now_ns);
    }
}

/* Runs libcurl if an action or its timer is due. An early action keeps a later due_ns, as some
 * versions of libcurl report that only once. */
static void run_due(struct spt_session *session)
{
    uint64_t now_ns = spt_loop_now(session->driver->loop);
    bool due = session->due_ns != SPT_NEVER && session->due_ns <= now_ns;
    if (!session->action_due && !due)
        return;
    session->action_due = false;
    if (due)
        session->due_ns = SPT_NEVER;
    act(session, CURL_SOCKET_TIMEOUT, 0);
    if (SPT_HAS_QUIRK(session->driver->quirks, TIMEOUT)) {
        long ms = -1;
        curl_multi_timeout(session->multi, &ms);
        on_timer(session->multi, ms, session);
    }
}

static void arm_timer(struct spt_session *session)
{
    struct spt_timers *timers = session->driver->timers;
    if (session->due_ns == SPT_NEVER)
        spt_timer_stop(timers, &session->timer);
    else if (!session->timer.armed || session->due_ns < session->timer.due_ns)
        spt_timer_start(timers, &session->timer, session->due_ns, on_due);
}

/* Caps the session at its current number of connections, so that libcurl closes an idle one before
 * it opens another. If no connection is idle, the new one would wait, so the cap applies to a
 * single run. */
static void cap_connections(struct spt_session *session)
{
    const struct spt_pollers *sockets = &session->driver->pollers;
    session->connections_capped = spt_pollers_idle(sockets, session);
    long limit = session->connections_capped ? (long)spt_pollers_owned(sockets, session) : 0;
    curl_multi_setopt(session->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit);
}

static void uncap_connections(struct spt_session *session)
{
    if (session->connections_capped)
        curl_multi_setopt(session->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 0L);
    session->connections_capped = false;
}

static void run_session(struct spt_session *session)
{
    admit(session);
    run_due(session);
    uncap_connections(session);
    read_messages(session);
    arm_timer(session);
}

/* Unstalls handles: pausing and resuming makes libcurl check the transfer at once. No data has
 * arrived yet that the pause could hold back. */
static void run_connect_stalls(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->connect_stalls))) {
        struct spt_easy *easy = SPT_OF(link, struct spt_easy, stall_link);
        if (easy->ready)
            continue;
        spt_easy_pause(easy, CURLPAUSE_RECV);
        spt_easy_pause(easy, CURLPAUSE_CONT);
    }
}

/* Resumes the queued requests. libcurl may deliver data inside of the call. */
static void run_wakes(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->resume_queue))) {
        struct spt_request *r = SPT_OF(link, struct spt_response, resume_link)->request;
        CURLcode rc = spt_body_go_on(r);
        if (rc != CURLE_OK)
            spt_attempt_complete(r, rc);
        else
            spt_session_schedule(r->session);
    }
}

void spt_driver_conserve_descriptors(struct spt_driver *driver, bool spare)
{
    struct spt_link *head = &driver->sessions;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_session *s = SPT_OF(l, struct spt_session, link);
        if (s->multi)
            curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, spare ? 1L : s->max_connects);
    }
}

void spt_driver_fd_released(struct spt_driver *driver)
{
    if (spt_link_alone(&driver->fd_waiters))
        return;
    driver->fds_released++;
    spt_loop_wake(driver->loop);
}

/* Retries one request for each released descriptor, or all once no transfer runs that could release
 * one. */
static void retry_fd_waiters(struct spt_driver *driver)
{
    struct spt_link *link;
    if (spt_link_alone(&driver->fd_waiters) && driver->fds_released == 0)
        return;
    while ((driver->fds_released > 0 || driver->running == 0) &&
           (link = spt_list_pop(&driver->fd_waiters))) {
        driver->fds_released -= driver->fds_released > 0;
        struct spt_request *r = SPT_OF(link, struct spt_response, fd_wait_link)->request;
        cap_connections(r->session);
        spt_attempt_resolved(r);
    }
    if (!spt_link_alone(&driver->fd_waiters))
        return;
    driver->fds_released = 0;
    spt_driver_conserve_descriptors(driver, false);
}

static bool deliver_progress(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    bool any = false;
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->progress);
    while ((link = spt_list_pop(&batch))) {
        struct spt_request *r = SPT_OF(link, struct spt_response, progress_link)->request;
        any = true;
        r->on_progress(r);
    }
    return any;
}

static bool deliver(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    bool any = deliver_progress(driver);
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->finished);
    while ((link = spt_list_pop(&batch))) {
        struct spt_request *r = SPT_OF(link, struct spt_request, link);
        any = true;
        r->on_done(r);
    }
    return any;
}

bool spt_driver_drain(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->pending);
    bool any = spt_dns_map_drain(driver);
    run_wakes(driver);
    retry_fd_waiters(driver);
    while ((link = spt_list_pop(&batch)))
        run_session(SPT_OF(link, struct spt_session, pending));
    run_connect_stalls(driver);
    spt_pollers_apply(&driver->pollers);
    driver->polls_handled = spt_loop_polls(driver->loop);
    any |= deliver(driver);
    return any || spt_driver_due(driver) == 0;
}

uint64_t spt_driver_due(const struct spt_driver *driver)
{
    bool idle = spt_link_alone(&driver->pending) && spt_link_alone(&driver->finished) &&
                spt_link_alone(&driver->progress) && spt_link_alone(&driver->resume_queue) &&
                driver->fds_released == 0;
    return idle && !spt_dns_map_due(driver) ? SPT_NEVER : 0;
}

/* --- the driver --- */

const char *spt_http2_refusal(const char *quirk_changes)
{
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2))
        return "this libcurl does not know HTTP/2";
    return SPT_NO_HTTP2(spt_quirks(quirk_changes)) ? "HTTP/2 loses data in this libcurl" : NULL;
}

static CURLcode global_code;

static void init_curl(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int spt_driver_new(struct spt_driver **out, struct spt_loop *loop, struct spt_timers *timers)
{
    struct spt_driver *driver = calloc(1, sizeof *driver);
    if (!driver)
        return SEPTET_ENOMEM;
    driver->loop = loop;
    driver->timers = timers;
    spt_pollers_init(&driver->pollers, loop, on_socket_ready, is_idle);
    driver->pollers.on_dropped = on_dropped;
    spt_link_init(&driver->sessions);
    spt_link_init(&driver->pending);
    spt_link_init(&driver->finished);
    spt_link_init(&driver->progress);
    spt_link_init(&driver->resume_queue);
    spt_link_init(&driver->connect_stalls);
    spt_link_init(&driver->fd_waiters);
    spt_link_init(&driver->resolvers);
    spt_link_init(&driver->pool);
    spt_responses_init(&driver->responses);
    *out = driver;
    return SEPTET_OK;
}

void spt_driver_change_quirks(struct spt_driver *driver, const char *changes)
{
    driver->quirk_changes = changes;
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

/* Ends every request with `end`. Once none is in flight, every origin may admit requests, so that
 * the queues empty in their usual order. */
static void empty(struct spt_session *session, void (*end)(struct spt_request *))
{
    struct spt_link *link;
    while (!spt_link_alone(&session->in_flight))
        end(SPT_OF(session->in_flight.next, struct spt_request, link));
    while ((link = spt_limiter_next(&session->limiter))) {
        struct spt_request *r = SPT_OF(link, struct spt_request, link);
        r->phase = SPT_PHASE_RESOLVING; /* it has left the queue */
        end(r);
    }
}

void spt_driver_free(struct spt_driver *driver)
{
    assert(!driver->in_curl);
    while (!spt_link_alone(&driver->sessions)) {
        struct spt_session *s = SPT_OF(driver->sessions.next, struct spt_session, link);
        empty(s, spt_request_cancel);
        spt_session_free(s);
    }
    while (spt_list_pop(&driver->finished))
        ;
    spt_dns_map_free_resolvers(driver);
    spt_easy_pool_release(driver);
    spt_responses_release(&driver->responses);
    spt_pollers_release(&driver->pollers);
    spt_url_checker_release(&driver->urls);
    free(driver);
}

unsigned spt_driver_sockets(const struct spt_driver *driver)
{
    return driver->pollers.count;
}

unsigned spt_driver_requests(const struct spt_driver *driver)
{
    return driver->requests;
}

/* --- sessions --- */

static int make_multi(struct spt_session *session, unsigned limit)
{
    session->max_connects = 2L * limit > CONNECTIONS_MIN ? 2L * limit : CONNECTIONS_MIN;
    session->multi = curl_multi_init();
    if (!session->multi)
        return SEPTET_ENOMEM;
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, session->max_connects);
    return SEPTET_OK;
}

int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    struct spt_session_config *config)
{
    if (config->limit == 0 || config->limit_per_host == 0)
        return SEPTET_EINVAL;
    int rc = start_curl(driver);
    if (rc != SEPTET_OK)
        return rc;
    struct spt_session *session = calloc(1, sizeof *session);
    if (!session)
        return SEPTET_ENOMEM;
    session->driver = driver;
    session->due_ns = SPT_NEVER;
    spt_link_init(&session->pending);
    spt_link_init(&session->in_flight);
    spt_jar_init(&session->jar);
    session->keeps_cookies = config->cookies;
    rc = spt_limiter_init(&session->limiter, config->limit, config->limit_per_host);
    if (rc != SEPTET_OK)
        goto free_session;
    rc = spt_policy_new(&session->policy, config->allow, config->n_allow, config->deny,
                        config->n_deny, &config->bad_rule);
    if (rc != SEPTET_OK)
        goto release_admission;
    rc = spt_dns_map_init(&session->dns_map, driver, config->resolver);
    if (rc != SEPTET_OK)
        goto release_names;
    rc = spt_share_init(&session->share, config);
    if (rc == SEPTET_OK)
        rc = make_multi(session, config->limit);
    if (rc != SEPTET_OK)
        goto release_shared;
    spt_link_init(&session->link);
    spt_list_push(&driver->sessions, &session->link);
    *out = session;
    return SEPTET_OK;

release_shared:
    spt_share_release(&session->share);
release_names:
    spt_dns_map_release(&session->dns_map);
    spt_policy_free(session->policy);
release_admission:
    spt_limiter_release(&session->limiter);
free_session:
    free(session);
    return rc;
}

void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out)
{
    *out = session->stats;
    out->active = session->limiter.active;
    out->queued = session->limiter.queued;
    out->connections = spt_pollers_owned(&session->driver->pollers, session);
}

void spt_session_close(struct spt_session *session)
{
    struct spt_driver *driver = session->driver;
    CURLM *multi = session->multi;
    if (!multi)
        return;
    assert(!driver->in_curl);
    empty(session, spt_request_end_closed);
    session->multi = NULL; /* from now on the callbacks do nothing */
    spt_timer_stop(driver->timers, &session->timer);
    spt_pollers_close_all(&driver->pollers, session);
    enter_curl(driver);
    curl_multi_cleanup(multi);
    leave_curl(driver);
    spt_link_remove(&session->pending);
}

void spt_session_free(struct spt_session *session)
{
    spt_session_close(session);
    spt_jar_release(&session->jar);
    spt_share_release(&session->share);
    spt_dns_map_release(&session->dns_map);
    spt_policy_free(session->policy);
    spt_limiter_release(&session->limiter);
    spt_link_remove(&session->link);
    free(session);
}
