/* SPDX-License-Identifier: MIT */
/* Starts attempts, moves them from their lookup to a handle, and ends them for any reason. The
 * phases of a transfer are entered where libcurl reports them (connect.c, timeouts.c). */
#include "http/attempt.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/body.h"
#include "http/classify.h"
#include "http/connection_options.h"
#include "http/easy.h"
#include "http/multi.h"
#include "http/place.h"
#include "http/resend.h"
#include "http/request.h"
#include "http/session.h"
#include "http/signal.h"
#include "http/state.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum { TEXT_SIZE = 256 }; /* bytes of a failure's text */

/* --- ending an attempt --- */

static void count_sent(const struct spt_request *r)
{
    curl_off_t sent = 0;
    if (!r->state.easy || !(r->body_len > 0 || r->upload))
        return;
    curl_easy_getinfo(r->state.easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    r->response->sent = (uint64_t)sent;
    r->state.session->stats.sent += (uint64_t)sent;
}

/* Clears the pauses of a response, removes it from all lists and cancels its lookup. */
static void stop(struct spt_response *t)
{
    spt_body_stop(t->request);
    spt_link_remove(&t->links.progress);
    spt_link_remove(&t->links.resume);
    spt_link_remove(&t->links.fd_wait);
    spt_link_remove(&t->links.next_turn.link);
    spt_resolver_cancel(&t->lookup);
}

/* Removes a request from its session: from the queue, or from in_flight with its handle. */
static void detach(struct spt_request *r, bool discard_handle)
{
    struct spt_session *session = r->state.session;
    struct spt_driver *driver = session->driver;
    count_sent(r);
    if (!r->state.admitted) {
        spt_limiter_remove(&session->limiter, r->state.limiter_queue, &r->state.link);
    } else {
        spt_link_remove(&r->state.link);
        if (r->state.easy) {
            spt_easy_release(r, discard_handle);
            spt_queues_fd_released(&driver->queues);
        }
        spt_place_leave(&r->state.use);
        spt_limiter_finish(&session->limiter, r->state.limiter_queue);
    }
    spt_timeouts_stop(r, driver);
    if (r->state.watched)
        spt_signal_ended(r);
    if (r->response)
        stop(r->response);
    r->state.limiter_queue = NULL;
    r->state.session = NULL;
    driver->requests--;
    spt_loop_unref(driver->loop);
    if (spt_limiter_ready(&session->limiter))
        spt_session_schedule(session);
}

static void fail(struct spt_request *r, const char *code, const char *reason, const char *text)
{
    spt_request_fail(r, spt_timeouts_last_phase(r), code, reason, text);
}

/* Records the final status and timings in the response. */
static void note_outcome(struct spt_request *r)
{
    struct spt_response *t = r->response;
    if (t)
        spt_timeouts_times(r, spt_loop_now(r->state.session->driver->loop));
    if (!r->state.easy)
        return;
    r->failure.headed = r->state.easy->head.done;
    if (r->state.easy->head.status >= 200) { /* else it is an interim one, and no response came */
        t->status = r->state.easy->head.status;
        t->version = r->state.easy->head.version;
    }
    t->reused = r->state.easy->ready && !t->stamps.open_ns;
}

/* Completes the request; `failure` says how. Its handle must be out of the multi. */
static void finish(struct spt_request *r, bool discard_handle)
{
    struct spt_driver *driver = r->state.session->driver;
    note_outcome(r);
    r->state.session->stats.failed += r->failure.code != NULL;
    detach(r, discard_handle);
    spt_queues_add(&driver->queues, &driver->queues.finished, &r->state.link);
}

static void fail_memory(struct spt_request *r)
{
    fail(r, "memory", NULL, NULL);
    finish(r, true);
}

/* --- results of libcurl and timeouts --- */

/* Starts the next exchange. It does not matter if the body of the last response was cut short. */
static void next_exchange(struct spt_request *r)
{
    spt_multi_remove(r);
    int rc = spt_exchange_next(&r->state.easy->exchange, r);
    if (rc == SEPTET_OK)
        rc = spt_easy_next_exchange(r->state.easy);
    if (rc == SEPTET_EINVAL) {
        fail(r, "protocol", "rewind", "the body cannot be made once more for a further exchange");
        finish(r, false);
        return;
    }
    spt_timeouts_enter(r, r->state.phase, spt_loop_now(r->state.session->driver->loop));
    if (rc != SEPTET_OK || spt_multi_add(r) != CURLM_OK)
        fail_memory(r);
}

static void on_timeout(struct spt_request *r, const char *reason)
{
    bool unread = r->response && r->response->body.unread; /* what it waited for does not matter */
    if (unread && r->state.easy->exchange.follow) {
        next_exchange(r);
        return;
    }
    if (!unread)
        spt_classify_timeout(r, reason);
    if (r->state.easy)
        spt_multi_remove(r);
    finish(r, false);
}

/* Returns true if no descriptor was left, and another request or an idle connection of the session
 * may release one. */
static bool is_starved(const struct spt_request *r, CURLcode code)
{
    int error = r->state.easy->abort.os_errno;
    return code == CURLE_COULDNT_CONNECT && (error == EMFILE || error == ENFILE) &&
           !r->state.easy->abort.denial.reason &&
           (r->state.session->driver->running > 1 || spt_session_has_idle(r->state.session));
}

/* Takes the request out of the multi until a descriptor is released or its timeout expires. A
 * request that had waited keeps its place. */
static void wait_for_descriptor(struct spt_request *r)
{
    struct spt_link *list = &r->state.session->driver->queues.fd_waiters;
    spt_multi_remove(r);
    spt_easy_release(r, false);
    spt_session_conserve_all(r->state.session->driver, true);
    if (r->state.phase == SPT_PHASE_CONNECTING) {
        spt_list_push_front(list, &r->response->links.fd_wait);
        return;
    }
    spt_timeouts_enter(r, SPT_PHASE_CONNECTING, spt_loop_now(r->state.session->driver->loop));
    spt_list_push(list, &r->response->links.fd_wait);
}

void spt_attempt_complete(struct spt_request *r, CURLcode code)
{
    if (is_starved(r, code)) {
        wait_for_descriptor(r);
        return;
    }
    if (r->state.easy->exchange.follow && r->state.easy->head.done) {
        next_exchange(r);
        return;
    }
    bool discard_handle = code != CURLE_OK; /* it may lack what libcurl found no memory for */
    r->state.easy->set.completed = code == CURLE_OK;
    bool stale = spt_resend_is_stale(r->state.easy, code), unread = r->response->body.unread;
    if (stale && r->upload && !spt_upload_rewind(r->upload))
        stale = false;
    if (!stale && !unread)
        spt_classify_result(r, code);
    spt_multi_remove(r);
    if (!stale) {
        finish(r, discard_handle);
        return;
    }
    spt_easy_restart(r->state.easy);
    spt_timeouts_enter(r, SPT_PHASE_RESOLVING, spt_loop_now(r->state.session->driver->loop));
    if (spt_multi_add(r) != CURLM_OK)
        fail_memory(r);
}

/* --- from the start to a handle --- */

/* Queues a request under its origin. A unix socket is one origin, whatever its URLs say. */
static struct spt_limiter_queue *enter(struct spt_limiter *a, struct spt_request *r,
                                       const struct spt_url_origin *origin)
{
    const char *path = r->connection ? r->connection->unix_socket : NULL;
    return path ? spt_limiter_enqueue(a, path, strlen(path), &r->state.link)
                : spt_limiter_enqueue(a, origin->key, origin->len, &r->state.link);
}

int spt_attempt_start(struct spt_session *session, struct spt_request *r)
{
    struct spt_driver *driver = session->driver;
    const struct spt_url_origin *origin;
    assert(!r->state.session && !r->response && !r->state.easy);
    if (session->closed)
        return SEPTET_ECLOSED;
    int rc = spt_request_check(r, &driver->urls, session->policy, &driver->permit, &origin);
    if (rc != SEPTET_OK)
        return rc;
    spt_link_init(&r->state.link);
    r->state.limiter_queue = enter(&session->limiter, r, origin);
    if (!r->state.limiter_queue) {
        spt_request_fail(r, SPT_PHASE_QUEUED, "memory", NULL, NULL);
        return SEPTET_ENOMEM;
    }
    r->state.session = session;
    r->state.admitted = false;
    r->state.on_timeout = on_timeout;
    r->state.t_start_ns = spt_loop_now(driver->loop);
    driver->requests++;
    session->stats.requests++;
    spt_loop_ref(driver->loop);
    spt_timeouts_enter(r, SPT_PHASE_QUEUED, r->state.t_start_ns);
    if (r->state.watched)
        spt_signal_started(r);
    spt_session_schedule(session);
    return SEPTET_OK;
}

static void on_looked_up(struct spt_lookup *lookup)
{
    struct spt_request *r = SPT_OF(lookup, struct spt_response, lookup)->request;
    if (r->state.watched)
        spt_signal_looked_up(r);
    spt_attempt_send(r);
}

/* Looks up the host of an admitted request. Returns true if the lookup has completed, well or not,
 * or is not needed. */
static bool look_up(struct spt_request *r)
{
    struct spt_session *session = r->state.session;
    const char *name = spt_request_authority(r);
    struct spt_dns_map *map = &r->state.use.place->multi->dns_map;
    bool ours = spt_dns_map_is_ours(map, name, r->connection, session->share.resolve);
    bool done = true;
    if (ours) {
        r->response->lookup.on_done = on_looked_up;
        done = spt_dns_map_look_up(map, &r->response->lookup, name);
    }
    if (r->state.watched)
        spt_signal_lookup(r);
    return done;
}

static void on_next_turn(struct spt_left_work *work);

void spt_attempt_admit(struct spt_request *r, uint64_t now_ns)
{
    struct spt_session *session = r->state.session;
    spt_list_push(&session->requests.in_flight, &r->state.link);
    spt_session_place(r, now_ns);
    struct spt_response *t = spt_response_take(&session->driver->responses, r);
    if (!t) {
        fail_memory(r);
        return;
    }
    t->links.next_turn.run = on_next_turn;
    t->head.max = SPT_HEAD_MAX;
    t->body.buf.max = r->high_water ? SIZE_MAX / 2 : r->max_body;
    t->stamps.admitted_ns = now_ns;
    r->response = t;
    if (r->state.watched)
        spt_signal_admitted(r);
    spt_timeouts_enter(r, SPT_PHASE_RESOLVING, now_ns);
    if (look_up(r))
        spt_attempt_send(r);
}

void spt_attempt_send(struct spt_request *r)
{
    if (r->response->lookup.failure) {
        const char *name = spt_request_authority(r);
        char text[TEXT_SIZE];
        snprintf(text, sizeof text, "cannot resolve '%.*s': %s", (int)strcspn(name, ":"), name,
                 r->response->lookup.text);
        fail(r, "dns", r->response->lookup.failure, text);
        finish(r, false);
    } else if (spt_easy_acquire(r) != SEPTET_OK || spt_multi_add(r) != CURLM_OK) {
        fail_memory(r);
    }
}

/* --- pauses --- */

void spt_attempt_resume(struct spt_request *r)
{
    struct spt_response *t = r->response;
    if (!r->state.session || !t || !(t->body.paused || t->upload_paused))
        return;
    struct spt_queues *queues = &r->state.session->driver->queues;
    spt_queues_add(queues, &queues->resume, &t->links.resume);
}

void spt_attempt_discard_body(struct spt_request *r)
{
    struct spt_response *t = r->response;
    if (!r->state.session || !t || !r->state.easy)
        return;
    t->body.consumed = t->body.buf.len = 0;
    spt_timeouts_discard(r, spt_loop_now(r->state.session->driver->loop));
    spt_attempt_resume(r);
}

static void unpause(struct spt_request *r, bool next_turn)
{
    struct spt_driver *driver = r->state.session->driver;
    int still;
    CURLcode rc = CURLE_OK;
    if (spt_body_unpause(r, next_turn, &still)) {
        driver->call.at_ns = spt_loop_now(driver->loop);
        spt_timeouts_enter(r, r->state.phase, driver->call.at_ns);
        rc = spt_multi_pause(r->state.easy, still);
    }
    /* without a connection, nothing was paused */
    if (rc == CURLE_OK || rc == CURLE_BAD_FUNCTION_ARGUMENT)
        spt_multi_schedule(r->state.use.place->multi);
    else
        spt_attempt_complete(r, rc);
}

void spt_attempt_unpause(struct spt_request *r)
{
    unpause(r, false);
}

static void on_next_turn(struct spt_left_work *work)
{
    unpause(SPT_OF(work, struct spt_response, links.next_turn)->request, true);
}

/* --- abort, cancellation and reset --- */

void spt_attempt_abort(struct spt_request *r, const char *code, const char *text)
{
    if (!r->state.session) /* completed, and about to be reported */
        return;
    fail(r, code, NULL, text);
    if (r->state.easy)
        spt_multi_remove(r);
    finish(r, false);
}

void spt_attempt_cancel(struct spt_request *r)
{
    if (!r->state.session) { /* never started, refused or completed */
        if (r->state.link.next)
            spt_link_remove(&r->state.link);
        return;
    }
    r->state.session->stats.cancelled++;
    r->failure.phase = spt_timeouts_last_phase(r);
    if (r->state.easy)
        spt_multi_remove(r);
    note_outcome(r);
    detach(r, false);
}

void spt_attempt_reset(struct spt_request *r, struct spt_driver *driver)
{
    if (r->response)
        spt_response_put(&driver->responses, r->response);
    free(r->failure.text);
    free(r->state.own_url);
    *r = (struct spt_request){0};
}
