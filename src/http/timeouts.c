/* SPDX-License-Identifier: MIT */
/* One timer per request, armed for its earliest timeout and checked when it fires, so that arriving
 * bytes move no timer. */
#include "http/timeouts.h"

#include "base/time.h"
#include "http/request.h"
#include "http/signal.h"
#include "http/state.h"
#include "loop/loop.h"

#define DISCARD_NS (100 * SPT_NS_PER_MS) /* for an unread body, before its connection is closed */

static void on_limit(struct spt_timer *timer);

static uint64_t after(uint64_t instant_ns, uint64_t limit_ns)
{
    if (limit_ns == 0 || limit_ns > SPT_NEVER - instant_ns)
        return SPT_NEVER;
    return instant_ns + limit_ns;
}

/* Returns the instant at which the phase times out, with the word of that timeout. */
static uint64_t phase_due(const struct spt_request *r, const char **reason)
{
    const struct spt_response *t = r->response;
    switch (r->state.phase) {
    case SPT_PHASE_RESOLVING:
    case SPT_PHASE_CONNECTING:
    case SPT_PHASE_TLS:
        *reason = "connect";
        return after(t->stamps.admitted_ns, r->timeouts->connect_ns);
    case SPT_PHASE_WAITING:
        *reason = "first_byte";
        return after(t->stamps.phase_ns, r->timeouts->first_byte_ns);
    case SPT_PHASE_SENDING:
    case SPT_PHASE_RECEIVING:
        *reason = "idle";
        if (t->body.unread)
            return after(t->stamps.phase_ns, DISCARD_NS);
        return t->body.paused || t->upload_paused ? SPT_NEVER
                                                  : after(t->stamps.byte_ns, r->timeouts->idle_ns);
    case SPT_PHASE_QUEUED:
        *reason = "queue";
        return after(r->state.t_start_ns, r->timeouts->queue_ns);
    case SPT_PHASE_ENDED:
        break;
    }
    return SPT_NEVER;
}

static uint64_t due(const struct spt_request *r, const char **reason)
{
    uint64_t phase_ns = phase_due(r, reason);
    if (r->deadline_ns == 0 || r->deadline_ns > phase_ns)
        return phase_ns;
    *reason = "total";
    return r->deadline_ns;
}

/* Moves the timer only to an earlier instant. A timeout that moved later is noticed when the timer
 * fires. */
static void arm(struct spt_request *r)
{
    const char *reason;
    uint64_t due_ns = due(r, &reason);
    if (due_ns < (spt_timer_is_armed(&r->state.timer) ? r->state.timer.due_ns : SPT_NEVER))
        spt_timer_start(r->state.session->driver->timers, &r->state.timer, due_ns, on_limit);
}

static void set_phase(struct spt_request *r, enum spt_phase phase)
{
    bool changes = phase != r->state.phase;
    r->state.phase = phase;
    if (changes && SPT_SIGNAL_IS_WANTED(r, PHASE))
        spt_signal_phase(r, phase == SPT_PHASE_RESOLVING ? SPT_PHASE_QUEUED : phase);
}

void spt_timeouts_enter(struct spt_request *r, enum spt_phase phase, uint64_t now_ns)
{
    struct spt_response *t = r->response;
    set_phase(r, phase);
    if (t)
        t->stamps.phase_ns = t->stamps.byte_ns = now_ns;
    arm(r);
}

void spt_timeouts_resume(struct spt_request *r, enum spt_phase phase, uint64_t since_ns)
{
    set_phase(r, phase);
    r->response->stamps.phase_ns = since_ns;
    arm(r);
}

void spt_timeouts_discard(struct spt_request *r, uint64_t now_ns)
{
    r->response->body.unread = true;
    r->response->stamps.phase_ns = now_ns;
    arm(r);
}

void spt_timeouts_note_bytes(struct spt_request *r)
{
    struct spt_easy *easy = r->state.easy;
    struct spt_stamps *at = &r->response->stamps;
    if (at->first_ns) {
        at->byte_ns = easy->driver->call.at_ns;
        return;
    }
    easy->interim.phase = r->state.phase;
    easy->interim.since_ns = at->phase_ns;
    at->first_ns = spt_loop_now(easy->driver->loop);
    spt_timeouts_enter(r, SPT_PHASE_RECEIVING, at->first_ns);
}

/* Checks the progress of an upload when its timeout is reached, as libcurl does not report that it
 * sends a body from memory. Once all is sent, the first-byte timeout counts from the last observed
 * progress. */
static void check_upload_progress(struct spt_request *r, uint64_t now_ns)
{
    struct spt_response *t = r->response;
    curl_off_t sent = 0;
    curl_easy_getinfo(r->state.easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (spt_request_is_sent(r, sent)) {
        set_phase(r, SPT_PHASE_WAITING);
        t->stamps.phase_ns = t->stamps.byte_ns;
    } else if (sent > r->state.easy->sent.body_bytes) {
        t->stamps.byte_ns = now_ns;
    }
    r->state.easy->sent.body_bytes = sent;
}

/* Returns true if the sockets were polled since the timeout was due. Only then has it expired,
 * because a script that ran for long keeps the loop from its sockets. */
static bool polled_since_due(struct spt_request *r)
{
    const struct spt_driver *driver = r->state.session->driver;
    if (!r->state.poll_barrier)
        r->state.poll_barrier = driver->polls_handled + 1;
    return driver->polls_handled >= r->state.poll_barrier;
}

static void on_limit(struct spt_timer *timer)
{
    struct spt_request *r = SPT_OF(timer, struct spt_request, state.timer);
    struct spt_timers *timers = r->state.session->driver->timers;
    uint64_t now_ns = spt_loop_now(r->state.session->driver->loop);
    const char *reason = NULL;
    if (r->state.phase == SPT_PHASE_SENDING)
        check_upload_progress(r, now_ns);
    uint64_t due_ns = due(r, &reason);
    if (due_ns > now_ns) {
        r->state.poll_barrier = 0;
        if (due_ns != SPT_NEVER)
            spt_timer_start(timers, timer, due_ns, on_limit);
        return;
    }
    if (!polled_since_due(r)) {
        spt_timer_start(timers, timer, now_ns, on_limit);
        return;
    }
    r->state.on_timeout(r, reason);
}

void spt_timeouts_stop(struct spt_request *r, struct spt_driver *driver)
{
    spt_timer_stop(driver->timers, &r->state.timer);
    r->state.phase = SPT_PHASE_ENDED;
}

enum spt_phase spt_timeouts_phase(const struct spt_request *r)
{
    curl_off_t sent = 0;
    if (r->state.phase != SPT_PHASE_SENDING)
        return r->state.phase;
    curl_easy_getinfo(r->state.easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    return spt_request_is_sent(r, sent) ? SPT_PHASE_WAITING : SPT_PHASE_SENDING;
}

enum spt_phase spt_timeouts_last_phase(const struct spt_request *r)
{
    return r->response ? spt_timeouts_phase(r) : SPT_PHASE_QUEUED;
}

/* Fills in the phases of a new connection, which ended at `end_ns`. */
static void connection_times(struct spt_response *response, uint64_t end_ns)
{
    const struct spt_stamps *at = &response->stamps;
    struct spt_times *t = &response->times;
    uint64_t open_ns = at->open_ns ? at->open_ns : end_ns;
    uint64_t tls_ns = at->tls_ns ? at->tls_ns : end_ns;
    t->dns_ns = (int64_t)(open_ns - at->admitted_ns);
    if (at->open_ns)
        t->tcp_ns = (int64_t)(tls_ns - open_ns);
    if (at->tls_ns)
        t->tls_ns = (int64_t)(end_ns - tls_ns);
}

void spt_timeouts_times(struct spt_request *r, uint64_t now_ns)
{
    const struct spt_easy *easy = r->state.easy;
    const struct spt_stamps *at = &r->response->stamps;
    struct spt_times *t = &r->response->times;
    *t = (struct spt_times){.dns_ns = -1, .tcp_ns = -1, .tls_ns = -1};
    t->send_ns = t->wait_ns = t->recv_ns = -1;
    t->total_ns = (int64_t)(now_ns - r->state.t_start_ns);
    t->queue_ns = (int64_t)(at->admitted_ns - r->state.t_start_ns);
    if (!easy) {
        t->dns_ns = (int64_t)(now_ns - at->admitted_ns);
        return;
    }
    if (!easy->ready || at->open_ns)
        connection_times(r->response, easy->ready ? at->ready_ns : now_ns);
    if (!easy->ready)
        return;
    t->send_ns = at->open_ns ? 0 : (int64_t)(at->ready_ns - at->admitted_ns);
    t->wait_ns = (int64_t)((at->first_ns ? at->first_ns : now_ns) - at->ready_ns);
    if (at->first_ns)
        t->recv_ns = (int64_t)(now_ns - at->first_ns);
}
