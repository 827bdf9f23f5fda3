/* Checks requests when they start, ends them for any reason, and maps libcurl's results to
 * failures. Other files move them from phase to phase, and only driver.c enters the multi. */
#include "http/attempt.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/body.h"
#include "http/curl_error.h"
#include "http/decode.h"
#include "http/easy.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum { TEXT_SIZE = 256 }; /* bytes of a failure's text */

/* --- completion --- */

static void count_sent(const struct spt_request *r)
{
    curl_off_t sent = 0;
    if (!r->easy || !(r->body_len > 0 || r->upload))
        return;
    curl_easy_getinfo(r->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    r->session->stats.sent += (uint64_t)sent;
}

/* Clears the pauses of a response, removes it from all lists and cancels its lookup. */
static void stop(struct spt_response *t)
{
    spt_body_stop(t->request);
    spt_link_remove(&t->progress_link);
    spt_link_remove(&t->resume_link);
    spt_link_remove(&t->fd_wait_link);
    spt_resolver_cancel(&t->lookup);
}

/* Removes a request from its session: from the queue, or from in_flight with its handle. */
static void detach(struct spt_request *r, bool discard_handle)
{
    struct spt_session *session = r->session;
    struct spt_driver *driver = session->driver;
    count_sent(r);
    if (r->phase == SPT_PHASE_QUEUED) {
        spt_limiter_remove(&session->limiter, r->origin, &r->link);
    } else {
        spt_link_remove(&r->link);
        if (r->easy) {
            spt_easy_release(r, discard_handle);
            spt_driver_fd_released(driver);
        }
        spt_limiter_finish(&session->limiter, r->origin);
    }
    spt_timeouts_stop(r, driver);
    if (r->response)
        stop(r->response);
    r->origin = NULL;
    r->session = NULL;
    driver->requests--;
    spt_loop_unref(driver->loop);
    if (spt_limiter_ready(&session->limiter))
        spt_session_schedule(session);
}

static bool redirects(int status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Returns the value of the first Location in a head that is not empty, without the blanks around
 * it, and its length in `*len`. Returns NULL if there is none. Like other clients, takes an empty
 * Location for no redirect. */
static const char *find_location(const struct spt_buf *head, size_t *len)
{
    size_t at = 0;
    for (const char *value; (value = spt_head_next(head, &at, "location:", len));) {
        while (*len > 0 && is_blank(value[*len - 1]))
            --*len;
        for (; *len > 0 && is_blank(*value); --*len)
            value++;
        if (*len > 0)
            return value;
    }
    return NULL;
}

/* Stores the target of a redirect as its Location says it: libcurl's own resolution differs by
 * version. Returns false if memory is out. */
static bool note_redirect(struct spt_request *r)
{
    struct spt_response *t = r->response;
    size_t len;
    const char *location = find_location(&t->head, &len);
    if (!location)
        return true;
    t->redirect_url = malloc(len + 1);
    if (!t->redirect_url)
        return false;
    memcpy(t->redirect_url, location, len);
    t->redirect_url[len] = '\0';
    return true;
}

bool spt_request_headers_done(struct spt_request *r)
{
    struct spt_response *t = r->response;
    int status = r->easy->head.status;
    if (r->easy->exchange.follow) {
        spt_timeouts_drain(r, spt_loop_now(r->session->driver->loop));
        return true;
    }
    if (redirects(status)) {
        if (!note_redirect(r))
            return false;
        if (r->follows_redirects && t->redirect_url) {
            spt_timeouts_drain(r, spt_loop_now(r->session->driver->loop));
            return true;
        }
    }
    if (!r->high_water)
        return true;
    t->status = status;
    t->version = r->easy->head.version;
    t->reused = !r->easy->t_open_ns;
    t->headers_done = true;
    spt_request_queue_progress(r);
    return true;
}

void spt_request_queue_progress(struct spt_request *r)
{
    struct spt_driver *driver = r->session->driver;
    if (!r->on_progress || !spt_link_alone(&r->response->progress_link))
        return;
    spt_list_push(&driver->progress, &r->response->progress_link);
    spt_loop_wake(driver->loop);
}

void spt_request_resume(struct spt_request *r)
{
    struct spt_response *t = r->response;
    bool paused = r->session && t && (t->in_paused || t->out_paused);
    if (!paused || !spt_link_alone(&t->resume_link))
        return;
    spt_list_push(&r->session->driver->resume_queue, &t->resume_link);
    spt_loop_wake(r->session->driver->loop);
}

void spt_request_pass_over(struct spt_request *r)
{
    struct spt_response *t = r->response;
    if (!r->session || !t || !r->easy)
        return;
    t->consumed = t->body_in.len = 0;
    spt_timeouts_drain(r, spt_loop_now(r->session->driver->loop));
    spt_request_resume(r);
}

/* Returns the phase in which a request ends. Without a response that is the queue. */
static enum spt_phase last_phase(const struct spt_request *r)
{
    return r->response ? spt_request_phase(r) : SPT_PHASE_QUEUED;
}

/* Records a failure, with a copy of `text`, which may be NULL. */
static void fail(struct spt_request *r, const char *code, const char *reason, const char *text)
{
    r->failure.code = code;
    r->failure.reason = reason;
    r->failure.phase = last_phase(r);
    free(r->failure.text);
    r->failure.text = text ? strdup(text) : NULL;
}

/* Records the final status and timings in the response. */
static void note_outcome(struct spt_request *r)
{
    struct spt_response *t = r->response;
    if (t)
        spt_timeouts_times(r, spt_loop_now(r->session->driver->loop));
    if (!r->easy)
        return;
    if (r->easy->head.status >= 200) { /* else it is an interim one, and no response came */
        t->status = r->easy->head.status;
        t->version = r->easy->head.version;
    }
    t->reused = r->easy->ready && !r->easy->t_open_ns;
}

/* Completes the request; `failure` says how. Its handle must be out of the multi. */
static void finish(struct spt_request *r, bool discard_handle)
{
    struct spt_driver *driver = r->session->driver;
    note_outcome(r);
    r->session->stats.failed += r->failure.code != NULL;
    detach(r, discard_handle);
    spt_list_push(&driver->finished, &r->link);
    spt_loop_wake(driver->loop);
}

static bool is_waiting_for_a_descriptor(const struct spt_request *r)
{
    return r->response && !spt_link_alone(&r->response->fd_wait_link);
}

static void fail_memory(struct spt_request *r)
{
    fail(r, "memory", NULL, NULL);
    finish(r, true);
}

/* Starts the next exchange, whatever happened to the body of the last response. */
static void exchange_again(struct spt_request *r)
{
    spt_session_remove(r);
    int rc = spt_exchange_next(r->easy);
    if (rc == SEPTET_EINVAL) {
        fail(r, "protocol", "rewind", "the body cannot be made once more for a further exchange");
        finish(r, false);
        return;
    }
    spt_timeouts_enter(r, r->phase, spt_loop_now(r->session->driver->loop));
    if (rc != SEPTET_OK || spt_session_add(r) != CURLM_OK)
        fail_memory(r);
}

/* Returns what a request does in a phase, for messages. */
static const char *activity(enum spt_phase phase)
{
    static const char *const words[] = {
        [SPT_PHASE_QUEUED] = "queued",
        [SPT_PHASE_RESOLVING] = "looking up the name",
        [SPT_PHASE_CONNECTING] = "connecting",
        [SPT_PHASE_TLS] = "negotiating TLS",
        [SPT_PHASE_SENDING] = "sending the request",
        [SPT_PHASE_WAITING] = "waiting for the first byte",
        [SPT_PHASE_RECEIVING] = "receiving the response",
        [SPT_PHASE_ENDED] = "ending",
    };
    return words[phase];
}

/* Returns the timeout `reason` in seconds, to a tenth of a millisecond. For "total", returns the
 * time that the deadline left to this request. */
static double limit_seconds(const struct spt_request *r, const char *reason)
{
    uint64_t ns = r->deadline_ns - r->t_start_ns;
    if (strcmp(reason, "connect") == 0)
        ns = r->connect_ns;
    else if (strcmp(reason, "first_byte") == 0)
        ns = r->first_byte_ns;
    else if (strcmp(reason, "idle") == 0)
        ns = r->idle_ns;
    else if (strcmp(reason, "queue") == 0)
        ns = r->queue_ns;
    return round((double)ns / 1e5) / 1e4;
}

void spt_request_timed_out(struct spt_request *r, const char *reason)
{
    char text[TEXT_SIZE];
    if (r->response && r->response->unread) { /* what it waited for does not matter */
        if (r->easy->exchange.follow) {
            exchange_again(r);
            return;
        }
        spt_session_remove(r);
        finish(r, false);
        return;
    }
    snprintf(text, sizeof text, "timed out after %.7g s (%s) while %s", limit_seconds(r, reason),
             reason, activity(spt_request_phase(r)));
    if (is_waiting_for_a_descriptor(r) && strcmp(reason, "connect") == 0)
        fail(r, "connect", "too_many_files", strerror(EMFILE));
    else
        fail(r, "timeout", reason, text);
    if (r->easy)
        spt_session_remove(r);
    finish(r, false);
}

static void deny(struct spt_request *r, struct spt_denial denial, const char *what,
                 const char *name, size_t len)
{
    char text[TEXT_SIZE];
    if (denial.rule)
        snprintf(text, sizeof text, "%s '%.*s' is denied by the rule '%s'", what, (int)len, name,
                 denial.rule);
    else
        snprintf(text, sizeof text, "%s '%.*s' is not among what is allowed", what, (int)len, name);
    fail(r, "denied", denial.reason, text);
}

static const char *fault_text(const char *fault)
{
    if (strcmp(fault, "upgrade") == 0)
        return "the server switched protocols, which nobody asked for";
    if (strcmp(fault, "length") == 0)
        return "the Content-Length of the response is no number, or two that differ";
    if (strcmp(fault, "status_line") == 0)
        return "the head of the response does not begin with a status of three digits";
    if (strcmp(fault, "transfer_encoding") == 0)
        return "the response has a transfer coding that is not known";
    return "the head of the response begins with a folded line, or has a NUL or a spaced name";
}

static const char *refusal_text(const char *code)
{
    if (strcmp(code, "body_too_large") == 0)
        return "the body of the response is larger than allowed";
    if (strcmp(code, "headers_too_large") == 0)
        return "the head of the response is larger than allowed";
    if (strcmp(code, "decode") == 0)
        return "the body is not packed as its head says";
    return "out of memory";
}

static const char *refusal_reason(const char *code)
{
    return strcmp(code, "decode") == 0 ? "content_encoding" : NULL;
}

/* Returns the timeout of ours that one of libcurl's stands for. */
static const char *timeout_reason(enum spt_phase phase)
{
    return phase <= SPT_PHASE_TLS ? "connect" : "idle";
}

/* Returns true if a header line was too long for libcurl, which reports that as lack of memory. */
static bool is_long_header(const struct spt_easy *easy, CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY && easy->ready && !easy->head.done;
}

/* Fails a request with an incomplete head. If the connection ends there, libcurl sees a response
 * without a body. */
static void fail_incomplete_headers(struct spt_request *r)
{
    if (r->easy->head.status)
        fail(r, "partial", "head", "the connection ended before the head of the response did");
    else
        fail(r, "protocol", "status_line", "the response has no status line");
}

/* Fails a request if its reused connection ended without an answer and it was not sent again.
 * Either it must not be, or the beginning of its body was dropped. Returns false if that is not
 * what happened. */
static bool fail_unanswered(struct spt_request *r, CURLcode code)
{
    const char *reason = code == CURLE_SEND_FAIL_REWIND ? "send" : r->easy->repeat;
    if (!reason || r->easy->head.done)
        return false;
    fail(r, "reset", reason, "the connection ended before an answer came");
    return true;
}

/* Fails a request if the server refused an expectation and the body cannot be sent again without
 * it. libcurl skipped the body of that response to send the request again. Returns false if that is
 * not what happened. */
static bool fail_refused(struct spt_request *r, CURLcode code)
{
    char text[TEXT_SIZE];
    if (!r->easy->head.done || !(r->easy->repeat || code == CURLE_SEND_FAIL_REWIND))
        return false;
    snprintf(text, sizeof text, "the answer was %d, and the body cannot be made once more",
             r->easy->head.status);
    fail(r, "protocol", "rewind", text);
    return true;
}

/* Returns libcurl's message, unless it may contain a password: libcurl quotes a proxy's URL that it
 * cannot parse. */
static const char *curl_words(const struct spt_easy *easy, CURLcode code)
{
    const char *words = easy->error;
    if (strstr(words, "Out of memory in chunked"))
        return "a trailer of the response is larger than allowed";
    if (strstr(words, "proxy syntax") || strstr(words, "proxy scheme"))
        return "the proxy's URL cannot be read";
    return words[0] && !strchr(words, '@') ? words : curl_easy_strerror(code);
}

/* Fails a request with a body that cannot be decoded, and names the codings of its head. */
static void fail_packed(struct spt_request *r)
{
    char text[TEXT_SIZE];
    size_t at = 0, len, used = (size_t)snprintf(text, sizeof text, "%s", refusal_text("decode"));
    const char *value;
    while ((value = spt_head_next(&r->response->head, &at, "content-encoding:", &len)) &&
           used < sizeof text)
        used += (size_t)snprintf(text + used, sizeof text - used, ", '%.*s'", (int)len, value);
    fail(r, "decode", "content_encoding", text);
}

static void classify_result(struct spt_request *r, CURLcode code)
{
    struct spt_easy *easy = r->easy;
    long os_errno = easy->open_errno, verified = 0;
    if (code == CURLE_OK && easy->head.done) {
        if (easy->decoder && !spt_decoder_ended(easy->decoder))
            fail(r, "decode", "content_encoding", "the packed body breaks off");
        return;
    }
    if (code == CURLE_OK) {
        fail_incomplete_headers(r);
        return;
    }
    if (is_long_header(easy, code))
        easy->abort_code = "headers_too_large";
    if (code == CURLE_BAD_CONTENT_ENCODING && easy->head.undone) {
        easy->abort_code = "protocol";
        easy->head.fault = "transfer_encoding";
    }
    if (code == CURLE_PARTIAL_FILE && easy->head.lines == 0) /* HTTP/2, on some versions */
        code = CURLE_GOT_NOTHING;
    if (easy->denial.reason) {
        deny(r, easy->denial, "address", r->response->peer, strlen(r->response->peer));
        return;
    }
    if (fail_unanswered(r, code) || fail_refused(r, code))
        return;
    if (easy->abort_code && strcmp(easy->abort_code, "decode") == 0) {
        fail_packed(r);
        return;
    }
    if (easy->abort_code) {
        const char *fault = easy->head.fault;
        fail(r, easy->abort_code, fault ? fault : refusal_reason(easy->abort_code),
             fault ? fault_text(fault) : refusal_text(easy->abort_code));
        return;
    }
    if (!os_errno)
        curl_easy_getinfo(easy->curl, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(easy->curl, CURLINFO_SSL_VERIFYRESULT, &verified);
    struct spt_error_words words = spt_curl_error(code, os_errno, verified, easy->error);
    if (code == CURLE_OPERATION_TIMEDOUT)
        words.reason = timeout_reason(spt_request_phase(r));
    fail(r, words.code, words.reason, curl_words(easy, code));
}

/* Returns true if the server had closed a pooled connection. No part of the request was answered,
 * so it is safe to send it again, as libcurl itself does for the first few of them. */
static bool is_stale(const struct spt_easy *easy, CURLcode code)
{
    long connects = 0;
    if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
        return false;
    curl_easy_getinfo(easy->curl, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0 && easy->head.lines == 0 && !easy->retried && !spt_easy_is_spent(easy);
}

/* Returns true if no descriptor was left, and another request or an idle connection of the session
 * may release one. */
static bool is_starved(const struct spt_request *r, CURLcode code)
{
    int error = r->easy->open_errno;
    return code == CURLE_COULDNT_CONNECT && (error == EMFILE || error == ENFILE) &&
           !r->easy->denial.reason &&
           (r->session->driver->running > 1 ||
            spt_pollers_idle(&r->session->driver->pollers, r->session));
}

/* Takes the request out of the multi until a descriptor is released or its timeout expires. A
 * request that had waited keeps its place. */
static void wait_for_descriptor(struct spt_request *r)
{
    struct spt_link *list = &r->session->driver->fd_waiters;
    spt_session_remove(r);
    spt_easy_release(r, false);
    spt_driver_conserve_descriptors(r->session->driver, true);
    if (r->phase == SPT_PHASE_CONNECTING) {
        spt_list_push_front(list, &r->response->fd_wait_link);
        return;
    }
    spt_timeouts_enter(r, SPT_PHASE_CONNECTING, spt_loop_now(r->session->driver->loop));
    spt_list_push(list, &r->response->fd_wait_link);
}

void spt_attempt_complete(struct spt_request *r, CURLcode code)
{
    if (is_starved(r, code)) {
        wait_for_descriptor(r);
        return;
    }
    if (r->easy->exchange.follow && r->easy->head.done) {
        exchange_again(r);
        return;
    }
    bool discard_handle = code != CURLE_OK; /* lack of memory may show its effect later */
    bool stale = is_stale(r->easy, code), unread = r->response->unread;
    if (stale && r->upload && !spt_upload_rewind(r->upload))
        stale = false;
    if (!stale && !unread)
        classify_result(r, code);
    spt_session_remove(r);
    if (!stale) {
        finish(r, discard_handle);
        return;
    }
    spt_easy_retry(r->easy);
    spt_timeouts_enter(r, SPT_PHASE_RESOLVING, spt_loop_now(r->session->driver->loop));
    if (spt_session_add(r) != CURLM_OK)
        fail_memory(r);
}

/* --- start --- */

void spt_attempt_start(struct spt_request *r, uint64_t now_ns)
{
    struct spt_session *session = r->session;
    spt_list_push(&session->in_flight, &r->link);
    struct spt_response *t = spt_response_take(&session->driver->responses, r);
    if (!t) {
        r->phase = SPT_PHASE_RESOLVING; /* it has left the queue */
        fail_memory(r);
        return;
    }
    t->head.max = SPT_HEAD_MAX;
    t->body_in.max = r->high_water ? SIZE_MAX / 2 : r->max_body;
    t->t_admitted_ns = now_ns;
    r->response = t;
    spt_timeouts_enter(r, SPT_PHASE_RESOLVING, now_ns);
    if (spt_dns_map_look_up(r))
        spt_attempt_resolved(r);
}

void spt_attempt_resolved(struct spt_request *r)
{
    if (r->response->lookup.failure) {
        const char *name = spt_dns_map_of(r);
        char text[TEXT_SIZE];
        snprintf(text, sizeof text, "cannot resolve '%.*s': %s", (int)strcspn(name, ":"), name,
                 r->response->lookup.text);
        fail(r, "dns", r->response->lookup.failure, text);
        finish(r, false);
    } else if (spt_easy_acquire(r) != SEPTET_OK || spt_session_add(r) != CURLM_OK) {
        fail_memory(r);
    }
}

void spt_request_end_closed(struct spt_request *r)
{
    spt_request_abort(r, "closed", "the session was closed");
}

void spt_request_abort(struct spt_request *r, const char *code, const char *text)
{
    if (!r->session) /* completed, and about to be reported */
        return;
    fail(r, code, NULL, text);
    if (r->easy)
        spt_session_remove(r);
    finish(r, false);
}

const char *spt_phase_name(enum spt_phase phase)
{
    switch (phase) {
#define XX(name, word)                                                                             \
    case SPT_PHASE_##name:                                                                         \
        return word;
        SPT_PHASE_MAP(XX)
#undef XX
    }
    return "unknown";
}

static int refuse(struct spt_request *r, const char *code, const char *reason, const char *text)
{
    fail(r, code, reason, text);
    return SEPTET_EINVAL;
}

static int refuse_memory(struct spt_request *r)
{
    refuse(r, "memory", NULL, NULL);
    return SEPTET_ENOMEM;
}

static int check_method(struct spt_request *r)
{
    const char *m = r->method, *why = NULL;
    if (!spt_is_token(m, strlen(m)))
        why = "the method is not a token";
    else if (strcmp(m, "CONNECT") == 0)
        why = "CONNECT is for proxies";
    else if (strcmp(m, "HEAD") == 0 && r->body)
        why = "a HEAD request has no body";
    if (!why)
        return SEPTET_OK;
    return refuse(r, "protocol", "method", why);
}

/* Checks the URL and replaces it by its normal form, so that all that follows sees the URL that was
 * checked. */
static const char *check_url(struct spt_request *r, struct spt_url_checker *urls,
                             const struct spt_url_origin **origin, char *text)
{
    const char *word = spt_url_check(urls, r->url, origin, &r->own_url, text, TEXT_SIZE);
    if (r->own_url)
        r->url = r->own_url;
    return word;
}

static int check(struct spt_request *r, struct spt_url_checker *urls,
                 const struct spt_url_origin **origin)
{
    int rc = check_method(r);
    if (rc != SEPTET_OK)
        return rc;
    char text[TEXT_SIZE];
    const char *word = check_url(r, urls, origin, text);
    if (!word)
        return SEPTET_OK;
    return strcmp(word, "memory") == 0 ? refuse_memory(r) : refuse(r, "url", word, text);
}

static int check_policy(struct spt_request *r, const struct spt_policy *policy,
                        const struct spt_url_origin *origin)
{
    if (!policy)
        return SEPTET_OK;
    struct spt_denial denial =
        spt_policy_host(policy, origin->host, origin->host_len, origin->port, &r->allowed_by_name);
    if (!denial.reason)
        return SEPTET_OK;
    deny(r, denial, "host", origin->host, origin->host_len);
    return SEPTET_EINVAL;
}

/* Queues a request under its origin. A unix socket is one origin, whatever its URLs say. */
static struct spt_origin *enter(struct spt_limiter *a, struct spt_request *r,
                                const struct spt_url_origin *origin)
{
    const char *path = r->profile ? r->profile->unix_socket : NULL;
    return path ? spt_limiter_enqueue(a, path, strlen(path), &r->link)
                : spt_limiter_enqueue(a, origin->key, origin->len, &r->link);
}

int spt_request_start(struct spt_session *session, struct spt_request *r)
{
    struct spt_driver *driver = session->driver;
    const struct spt_url_origin *origin;
    assert(!r->session && !r->response && !r->easy);
    if (!session->multi)
        return SEPTET_ECLOSED;
    int rc = check(r, &driver->urls, &origin);
    if (rc == SEPTET_OK)
        rc = check_policy(r, session->policy, origin);
    if (rc != SEPTET_OK)
        return rc;
    spt_link_init(&r->link);
    r->origin = enter(&session->limiter, r, origin);
    if (!r->origin)
        return refuse_memory(r);
    r->session = session;
    r->t_start_ns = spt_loop_now(driver->loop);
    driver->requests++;
    session->stats.requests++;
    spt_loop_ref(driver->loop);
    spt_timeouts_enter(r, SPT_PHASE_QUEUED, r->t_start_ns);
    spt_session_schedule(session);
    return SEPTET_OK;
}

void spt_request_cancel(struct spt_request *r)
{
    if (!r->session) { /* never started, refused or completed */
        if (r->link.next)
            spt_link_remove(&r->link);
        return;
    }
    r->session->stats.cancelled++;
    r->failure.phase = last_phase(r);
    if (r->easy)
        spt_session_remove(r);
    note_outcome(r);
    detach(r, false);
}

void spt_request_release(struct spt_request *r)
{
    spt_response_free(r->response);
    free(r->failure.text);
    free(r->own_url);
    r->response = NULL;
    r->failure.text = r->own_url = NULL;
}

void spt_request_reset(struct spt_request *r, struct spt_driver *driver)
{
    if (r->response)
        spt_response_put(&driver->responses, r->response);
    free(r->failure.text);
    free(r->own_url);
    *r = (struct spt_request){0};
}

enum spt_phase spt_request_phase(const struct spt_request *r)
{
    curl_off_t sent = 0;
    if (r->phase != SPT_PHASE_SENDING)
        return r->phase;
    curl_easy_getinfo(r->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    return spt_body_upload_complete(r, sent) ? SPT_PHASE_WAITING : SPT_PHASE_SENDING;
}
