/* SPDX-License-Identifier: MIT */
/* The pass, which advances the requests of all sessions. Between two passes, a poll callback runs
 * libcurl for its socket (session.c). libcurl's callbacks only record what happened. */
#include "http/driver.h"

#include <assert.h>
#include <stdlib.h>

#include "http/attempt.h"
#include "http/easy.h"
#include "http/multi.h"
#include "http/request.h"
#include "http/session.h"
#include "http/signal.h"
#include "http/state.h"
#include "loop/loop.h"
#include "loop/turn_budget.h"
#include "septet/septet.h"

enum { ADMITTED_AT_ONCE = 16 }; /* requests that libcurl begins in one call, if time is short */

/* --- the pass --- */

static const struct spt_turn_budget *budget_of(const struct spt_driver *driver)
{
    return spt_loop_budget(driver->loop);
}

/* Admits requests. If the turn has an end, those of one pass are few, because libcurl begins all of
 * them in one call. */
static void admit(struct spt_session *session, uint64_t now_ns)
{
    struct spt_request *r;
    if (!spt_limiter_ready(&session->limiter)) {
        spt_signal_queued(session);
        return;
    }
    bool unbounded = budget_of(session->driver)->until_ns == SPT_NEVER;
    for (int n = 0; unbounded || n < ADMITTED_AT_ONCE; n++) {
        if (!(r = spt_session_admit(session)))
            break;
        spt_attempt_admit(r, now_ns);
    }
    if (spt_limiter_ready(&session->limiter))
        spt_session_schedule(session);
    else
        spt_signal_queued(session);
}

static void complete(struct spt_multi *multi)
{
    struct spt_easy *easy;
    CURLcode code;
    while ((easy = spt_multi_next_result(multi, &code))) {
        spt_attempt_complete(easy->request, code);
        if (spt_turn_budget_is_late(budget_of(multi->session->driver))) {
            spt_multi_schedule(multi);
            return;
        }
    }
}

static void run_session(struct spt_session *session)
{
    struct spt_link batch, *link;
    uint64_t now_ns = spt_loop_now(session->driver->loop);
    spt_session_prune(session, now_ns);
    admit(session, now_ns);
    spt_link_init(&batch);
    spt_list_splice(&batch, &session->multis.pending);
    while ((link = spt_list_pop(&batch))) {
        struct spt_multi *multi = SPT_OF(link, struct spt_multi, pending);
        spt_multi_run(multi);
        complete(multi);
        spt_multi_arm(multi);
    }
}

/* Unstalls handles: pausing and resuming makes libcurl check the transfer at once. No data has
 * arrived yet that the pause could hold back. */
static void run_connect_stalls(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->queues.stalls))) {
        struct spt_easy *easy = SPT_OF(link, struct spt_easy, connection.stall_link);
        if (easy->ready)
            continue;
        spt_multi_pause(easy, CURLPAUSE_RECV);
        spt_multi_pause(easy, CURLPAUSE_CONT);
    }
}

static void resume(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->queues.resume)))
        spt_attempt_unpause(SPT_OF(link, struct spt_response, links.resume)->request);
}

/* Retries one request for each released descriptor, or all once no transfer runs that could release
 * one. */
static void retry_fd_waiters(struct spt_driver *driver)
{
    struct spt_queues *queues = &driver->queues;
    struct spt_link *link;
    if (spt_list_is_empty(&queues->fd_waiters) && queues->fds_released == 0)
        return;
    while ((queues->fds_released > 0 || driver->running == 0) &&
           (link = spt_list_pop(&queues->fd_waiters))) {
        queues->fds_released -= queues->fds_released > 0;
        struct spt_request *r = SPT_OF(link, struct spt_response, links.fd_wait)->request;
        spt_session_evict_idle(r);
        spt_attempt_send(r);
    }
    if (!spt_list_is_empty(&queues->fd_waiters))
        return;
    queues->fds_released = 0;
    spt_session_conserve_all(driver, false);
}

static bool deliver_progress(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    bool any = false;
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->queues.progress);
    while ((link = spt_list_pop(&batch))) {
        struct spt_request *r = SPT_OF(link, struct spt_response, links.progress)->request;
        any = true;
        r->events->on_progress(r);
    }
    return any;
}

static bool deliver(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    bool any = deliver_progress(driver);
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->queues.finished);
    while ((link = spt_list_pop(&batch))) {
        struct spt_request *r = SPT_OF(link, struct spt_request, state.link);
        any = true;
        r->events->on_done(r);
        if (spt_turn_budget_is_late(budget_of(driver)))
            break;
    }
    spt_list_splice(&batch, &driver->queues.finished);
    spt_list_splice(&driver->queues.finished, &batch);
    return any;
}

/* Returns true if a pass would find nothing to do. */
static bool is_at_rest(const struct spt_driver *driver)
{
    const struct spt_queues *queues = &driver->queues;
    return !spt_driver_has_work(driver) && spt_list_is_empty(&queues->stalls) &&
           spt_list_is_empty(&queues->fd_waiters) && !spt_pollers_have_work(&driver->pollers);
}

bool spt_driver_pass(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    driver->queues.rested = is_at_rest(driver);
    if (driver->queues.rested) {
        driver->polls_handled = spt_loop_polls(driver->loop);
        return false;
    }
    spt_turn_budget_run_left(spt_loop_budget(driver->loop));
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->queues.sessions);
    bool any = spt_resolvers_pass(&driver->resolvers);
    resume(driver);
    retry_fd_waiters(driver);
    while ((link = spt_list_pop(&batch)))
        run_session(SPT_OF(link, struct spt_session, pending));
    run_connect_stalls(driver);
    spt_pollers_apply(&driver->pollers);
    driver->polls_handled =
        spt_turn_budget_polls_handled(budget_of(driver), spt_loop_polls(driver->loop));
    any |= deliver(driver);
    return any || (spt_driver_has_work(driver) && !spt_turn_budget_is_spent(budget_of(driver)));
}

bool spt_driver_has_rested(const struct spt_driver *driver)
{
    return driver->queues.rested;
}

bool spt_driver_has_work(const struct spt_driver *driver)
{
    return !spt_queues_are_idle(&driver->queues) || spt_resolvers_have_work(&driver->resolvers) ||
           spt_turn_budget_has_left(budget_of(driver));
}

/* --- sessions --- */

/* Ends every request with `end`. Once none is in flight, every origin may admit requests, so that
 * the queues empty in their usual order. */
static void end_requests(struct spt_session *session, void (*end)(struct spt_request *))
{
    struct spt_request *r;
    while (!spt_list_is_empty(&session->requests.in_flight))
        end(SPT_OF(session->requests.in_flight.next, struct spt_request, state.link));
    while ((r = spt_session_admit(session)))
        end(r);
}

static void end_closed(struct spt_request *r)
{
    spt_attempt_abort(r, "closed", "the session was closed");
}

void spt_driver_close_session(struct spt_session *session)
{
    if (session->closed)
        return;
    assert(!session->driver->call.inside);
    end_requests(session, end_closed);
    spt_session_close_multis(session);
}

void spt_driver_free_session(struct spt_session *session)
{
    spt_driver_close_session(session);
    spt_session_free_closed(session);
}

/* --- the driver --- */

int spt_driver_new(struct spt_driver **out, struct spt_loop *loop, struct spt_timers *timers)
{
    struct spt_driver *driver = calloc(1, sizeof *driver);
    if (!driver)
        return SEPTET_ENOMEM;
    driver->loop = loop;
    driver->timers = timers;
    spt_multi_init_pollers(driver);
    spt_queues_init(&driver->queues, loop);
    spt_resolvers_init(&driver->resolvers, loop, timers);
    spt_link_init(&driver->sessions);
    spt_link_init(&driver->handles.unused);
    spt_response_pool_init(&driver->responses);
    *out = driver;
    return SEPTET_OK;
}

void spt_driver_change_quirks(struct spt_driver *driver, const char *changes)
{
    driver->quirk_changes = changes;
}

struct spt_resolvers *spt_driver_resolvers(struct spt_driver *driver)
{
    return &driver->resolvers;
}

const struct spt_permit *spt_driver_permit(const struct spt_driver *driver)
{
    return &driver->permit;
}

void spt_driver_set_permit(struct spt_driver *driver,
                           int (*ask)(void *ud, int what, const char *subject), void *ud)
{
    driver->permit = (struct spt_permit){ask, ud};
}

void spt_driver_free(struct spt_driver *driver)
{
    assert(!driver->call.inside);
    while (!spt_list_is_empty(&driver->sessions)) {
        struct spt_session *s = SPT_OF(driver->sessions.next, struct spt_session, link);
        end_requests(s, spt_attempt_cancel);
        spt_driver_free_session(s);
    }
    while (spt_list_pop(&driver->queues.finished))
        ;
    spt_resolvers_release(&driver->resolvers);
    spt_easy_pool_release(driver);
    spt_response_pool_release(&driver->responses);
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

unsigned spt_driver_running(const struct spt_driver *driver)
{
    return driver->running;
}
