/* SPDX-License-Identifier: MIT */
/* Looks for the cause nearest to the fault: an abort by one of our callbacks comes before libcurl's
 * result, and an incomplete head before both. */
#include "http/classify.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "http/curl_error.h"
#include "http/decoder.h"
#include "http/head.h"
#include "http/request.h"
#include "http/state.h"
#include "http/timeouts.h"

enum { TEXT_SIZE = 256 }; /* bytes of a failure's text */

static void fail(struct spt_request *r, const char *code, const char *reason, const char *text)
{
    spt_request_fail(r, spt_timeouts_last_phase(r), code, reason, text);
}

/* --- timeouts --- */

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
    uint64_t ns = r->deadline_ns - r->state.t_start_ns;
    if (strcmp(reason, "connect") == 0)
        ns = r->timeouts->connect_ns;
    else if (strcmp(reason, "first_byte") == 0)
        ns = r->timeouts->first_byte_ns;
    else if (strcmp(reason, "idle") == 0)
        ns = r->timeouts->idle_ns;
    else if (strcmp(reason, "queue") == 0)
        ns = r->timeouts->queue_ns;
    return round((double)ns / 1e5) / 1e4;
}

static bool is_waiting_for_a_descriptor(const struct spt_request *r)
{
    return r->response && !spt_link_alone(&r->response->links.fd_wait);
}

void spt_classify_timeout(struct spt_request *r, const char *reason)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "timed out after %.7g s (%s) while %s", limit_seconds(r, reason),
             reason, activity(spt_timeouts_phase(r)));
    if (is_waiting_for_a_descriptor(r) && strcmp(reason, "connect") == 0)
        fail(r, "connect", "too_many_files", strerror(EMFILE));
    else
        fail(r, "timeout", reason, text);
}

/* --- results of libcurl --- */

static const char *fault_text(const char *fault)
{
    if (strcmp(fault, "upgrade") == 0)
        return "the server switched protocols without being asked to";
    if (strcmp(fault, "length") == 0)
        return "the response has an invalid Content-Length, or two that differ";
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
    if (r->state.easy->head.status)
        fail(r, "partial", "head", "the connection ended before the head of the response did");
    else
        fail(r, "protocol", "status_line", "the response has no status line");
}

/* Fails a request if its reused connection ended without an answer and it was not sent again.
 * Either it must not be, or the beginning of its body was dropped. Returns false if that is not
 * what happened. */
static bool fail_unanswered(struct spt_request *r, CURLcode code)
{
    const char *reason = code == CURLE_SEND_FAIL_REWIND ? "send" : r->state.easy->abort.no_resend;
    if (!reason || r->state.easy->head.done)
        return false;
    fail(r, "reset", reason, "the connection ended before an answer came");
    return true;
}

/* Fails a request if the server refused an expectation and the request cannot be sent again without
 * it. libcurl skipped the body of that response to send the request again. Returns false if that is
 * not what happened. */
static bool fail_refused(struct spt_request *r, CURLcode code)
{
    char text[TEXT_SIZE];
    if (!r->state.easy->head.done ||
        !(r->state.easy->abort.no_resend || code == CURLE_SEND_FAIL_REWIND))
        return false;
    snprintf(text, sizeof text, "the answer was %d, and the request cannot be sent once more",
             r->state.easy->head.status);
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

void spt_classify_result(struct spt_request *r, CURLcode code)
{
    struct spt_easy *easy = r->state.easy;
    long os_errno = easy->abort.os_errno, verified = 0;
    if (code == CURLE_OK && easy->head.done) {
        if (easy->decoding.decoder && !spt_decoder_ended(easy->decoding.decoder))
            fail(r, "decode", "content_encoding", "the packed body breaks off");
        return;
    }
    if (code == CURLE_OK) {
        fail_incomplete_headers(r);
        return;
    }
    if (is_long_header(easy, code))
        easy->abort.code = "headers_too_large";
    if (code == CURLE_BAD_CONTENT_ENCODING && easy->head.undone) {
        easy->abort.code = "protocol";
        easy->head.fault = "transfer_encoding";
    }
    if (code == CURLE_PARTIAL_FILE && easy->head.lines == 0) /* HTTP/2, on some versions */
        code = CURLE_GOT_NOTHING;
    if (easy->abort.denial.reason) {
        spt_request_deny(r, spt_timeouts_last_phase(r), easy->abort.denial, "address",
                         r->response->peer.address, strlen(r->response->peer.address));
        return;
    }
    if (fail_unanswered(r, code) || fail_refused(r, code))
        return;
    if (easy->abort.code && strcmp(easy->abort.code, "decode") == 0) {
        fail_packed(r);
        return;
    }
    if (easy->abort.code) {
        const char *fault = easy->head.fault;
        fail(r, easy->abort.code, fault ? fault : refusal_reason(easy->abort.code),
             fault ? fault_text(fault) : refusal_text(easy->abort.code));
        return;
    }
    if (!os_errno)
        curl_easy_getinfo(easy->curl, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(easy->curl, CURLINFO_SSL_VERIFYRESULT, &verified);
    struct spt_error_words words = spt_curl_error(code, os_errno, verified, easy->error);
    if (code == CURLE_OPERATION_TIMEDOUT)
        words.reason = timeout_reason(spt_timeouts_phase(r));
    fail(r, words.code, words.reason, curl_words(easy, code));
}
