/* SPDX-License-Identifier: MIT */
/* Runs a multi. All calls of curl_multi_* and of curl_easy_pause() are here: for a ready socket,
 * for due work, and to add, remove or pause a handle. The multi's callbacks only record what
 * happened. */
#include "http/multi.h"

#include <assert.h>

#include "base/time.h"
#include "http/connect.h"
#include "http/place.h"
#include "http/quirks.h"
#include "http/request.h"
#include "http/state.h"
#include "loop/loop.h"
#include "septet/septet.h"

void spt_multi_schedule(struct spt_multi *multi)
{
    struct spt_session *session = multi->session;
    struct spt_queues *queues = &session->driver->queues;
    if (spt_link_alone(&multi->pending))
        spt_list_push(&session->multis.pending, &multi->pending);
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
    struct spt_multi *multi = ud;
    struct spt_driver *driver = multi->session->driver;
    int mask = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!multi->curl)
        return 0;
    if (what == CURL_POLL_REMOVE) {
        mask = 0;
        spt_connect_note_over(driver, fd);
    } else if (what == CURL_POLL_IN) {
        spt_connect_note_handshake(driver, fd);
    }
    spt_pollers_want(&driver->pollers, fd, mask, multi);
    return 0;
}

static int on_timer(CURLM *curl, long ms, void *ud)
{
    struct spt_multi *multi = ud;
    if (!multi->curl)
        return 0;
    uint64_t now_ns = spt_loop_now(multi->session->driver->loop);
    multi->due.at_ns = ms > 0 ? now_ns + (uint64_t)ms * SPT_NS_PER_MS : SPT_NEVER;
    if (ms == 0) {
        multi->due.now = true;
        spt_multi_schedule(multi);
    }
    return 0;
}

static void act(struct spt_multi *multi, curl_socket_t fd, int flags)
{
    struct spt_driver *driver = multi->session->driver;
    int running;
    driver->call.at_ns = spt_loop_now(driver->loop);
    enter_curl(driver);
    curl_multi_socket_action(multi->curl, fd, flags, &running);
    leave_curl(driver);
}

static void on_socket_ready(void *owner, int fd, int events)
{
    struct spt_multi *multi = owner;
    struct spt_driver *driver = multi->session->driver;
    struct spt_turn_budget *budget = spt_loop_budget(driver->loop);
    if (spt_turn_budget_is_spent(budget) && !(events & SPT_POLLER_ERROR)) {
        spt_pollers_leave(&driver->pollers, fd, events);
        return;
    }
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (events & SPT_POLLER_ERROR ? CURL_CSELECT_ERR : 0);
    spt_connect_note_handshake(driver, fd);
    act(multi, fd, flags);
    budget->used = true;
    spt_multi_schedule(multi);
}

/* Returns true if unwatched sockets of the multi are idle. A transfer that is paused for its reader
 * wants nothing of its socket, either. */
static bool is_idle(void *owner)
{
    const struct spt_multi *multi = owner;
    return multi->session->paused == 0;
}

static void on_dropped(void *owner)
{
    struct spt_multi *multi = owner;
    multi->session->stats.dropped++;
}

static void on_gone(void *mark)
{
    spt_place_closed(mark);
}

static void on_due(struct spt_timer *timer)
{
    struct spt_multi *multi = SPT_OF(timer, struct spt_multi, due.timer);
    spt_multi_schedule(multi); /* the pass checks whether it is due, or was moved */
}

void spt_multi_init_pollers(struct spt_driver *driver)
{
    spt_pollers_init(&driver->pollers, driver->loop, on_socket_ready, is_idle);
    driver->pollers.on_dropped = on_dropped;
    driver->pollers.on_gone = on_gone;
}

/* --- handles in the multi --- */

void spt_multi_remove(struct spt_request *r)
{
    struct spt_driver *driver = r->state.session->driver;
    spt_connect_drop_connecting(r->state.easy);
    enter_curl(driver);
    curl_multi_remove_handle(r->state.use.place->multi->curl, r->state.easy->curl);
    leave_curl(driver);
    driver->running--;
}

CURLMcode spt_multi_add(struct spt_request *r)
{
    struct spt_driver *driver = r->state.session->driver;
    enter_curl(driver);
    CURLMcode rc = curl_multi_add_handle(r->state.use.place->multi->curl, r->state.easy->curl);
    leave_curl(driver);
    driver->running += rc == CURLM_OK;
    return rc;
}

CURLcode spt_multi_pause(struct spt_easy *easy, int directions)
{
    enter_curl(easy->driver);
    CURLcode rc = curl_easy_pause(easy->curl, directions);
    leave_curl(easy->driver);
    return rc;
}

struct spt_easy *spt_multi_next_result(struct spt_multi *multi, CURLcode *code)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(multi->curl, &left));) {
        struct spt_easy *easy = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        *code = m->data.result; /* removing the handle frees the message */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &easy);
        return easy;
    }
    return NULL;
}

/* --- due work --- */

/* Runs libcurl if an action or its timer is due. An early action keeps a later at_ns, as some
 * versions of libcurl report that only once. */
static void run_due(struct spt_multi *multi)
{
    struct spt_driver *driver = multi->session->driver;
    uint64_t now_ns = spt_loop_now(driver->loop);
    bool due = multi->due.at_ns != SPT_NEVER && multi->due.at_ns <= now_ns;
    if (!multi->due.now && !due)
        return;
    multi->due.now = false;
    if (due)
        multi->due.at_ns = SPT_NEVER;
    act(multi, CURL_SOCKET_TIMEOUT, 0);
    if (SPT_HAS_QUIRK(driver->quirks, TIMEOUT)) {
        long ms = -1;
        curl_multi_timeout(multi->curl, &ms);
        on_timer(multi->curl, ms, multi);
    }
}

bool spt_multi_has_idle(struct spt_multi *multi)
{
    return spt_pollers_idle(&multi->session->driver->pollers, multi);
}

/* Caps the multi at its current number of connections. The cap applies to a single run: if it
 * stayed, a request that finds none idle would wait. */
void spt_multi_evict_idle(struct spt_multi *multi)
{
    multi->capped = spt_multi_has_idle(multi);
    long limit =
        multi->capped ? (long)spt_pollers_owned(&multi->session->driver->pollers, multi) : 0;
    curl_multi_setopt(multi->curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit);
}

static void uncap(struct spt_multi *multi)
{
    if (multi->capped)
        curl_multi_setopt(multi->curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, 0L);
    multi->capped = false;
}

void spt_multi_run(struct spt_multi *multi)
{
    run_due(multi);
    uncap(multi);
}

void spt_multi_arm(struct spt_multi *multi)
{
    struct spt_timers *timers = multi->session->driver->timers;
    if (multi->due.at_ns == SPT_NEVER)
        spt_timer_stop(timers, &multi->due.timer);
    else if (!spt_timer_is_armed(&multi->due.timer) || multi->due.at_ns < multi->due.timer.due_ns)
        spt_timer_start(timers, &multi->due.timer, multi->due.at_ns, on_due);
}

void spt_multi_conserve(struct spt_multi *multi, bool scarce)
{
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, scarce ? 1L : multi->max);
}

/* --- birth and end --- */

int spt_multi_init(struct spt_multi *multi, struct spt_session *session, long max)
{
    *multi = (struct spt_multi){.session = session, .max = max, .due.at_ns = SPT_NEVER};
    spt_link_init(&multi->link);
    spt_link_init(&multi->pending);
    spt_place_init_kept(&multi->rest, multi, &multi->sums);
    multi->curl = curl_multi_init();
    if (!multi->curl)
        return SEPTET_ENOMEM;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, max);
    return SEPTET_OK;
}

void spt_multi_close(struct spt_multi *multi)
{
    struct spt_driver *driver = multi->session->driver;
    CURLM *curl = multi->curl;
    if (!curl)
        return;
    multi->curl = NULL; /* from now on the callbacks do nothing */
    spt_timer_stop(driver->timers, &multi->due.timer);
    spt_pollers_close_all(&driver->pollers, multi);
    enter_curl(driver);
    curl_multi_cleanup(curl);
    leave_curl(driver);
    spt_link_remove(&multi->pending);
}
