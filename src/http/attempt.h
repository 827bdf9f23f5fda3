/* SPDX-License-Identifier: MIT */
/* The life of an attempt: start, lookup, completion or cancellation. */
#ifndef SPT_HTTP_ATTEMPT_H
#define SPT_HTTP_ATTEMPT_H

#include <curl/curl.h>
#include <stdint.h>

struct spt_driver;
struct spt_request;
struct spt_session;

/* Queues the request after checking its method, its URL and the session's policy. Returns
 * SEPTET_OK, SEPTET_ECLOSED, SEPTET_ENOMEM with the failure "memory", or SEPTET_EINVAL with the
 * failure "protocol", "url" or "denied". After an error nothing is armed and on_done is not called.
 * The caller releases the failure as after any other end. */
int spt_attempt_start(struct spt_session *session, struct spt_request *request);

/* Resumes a paused streamed request in the next pass, after its caller has taken bytes or has more
 * to send. A no-op if it is not paused. */
void spt_attempt_resume(struct spt_request *request);

/* Discards the rest of a streamed body. To keep the connection, the request continues for a short
 * time, and then completes as if the body had ended. A no-op once it has completed. */
void spt_attempt_discard_body(struct spt_request *request);

/* Cancels a started request at once, in any phase. on_done is not called. If the request has a
 * connection, that is closed, or over HTTP/2 its stream is reset. `failure.phase` is set to its
 * phase. A no-op once it has completed. */
void spt_attempt_cancel(struct spt_request *request);

/* Ends a started request with a failure, which on_done reports. `code` is static. A no-op once it
 * has completed. */
void spt_attempt_abort(struct spt_request *request, const char *code, const char *text);

/* Makes a completed or unused request ready to be filled in and started again. Returns its response
 * to the driver's pool. */
void spt_attempt_reset(struct spt_request *request, struct spt_driver *driver);

/* --- private to src/http --- */

/* Runs an admitted attempt: takes a response from the pool and looks up the host. Fails the attempt
 * if memory is out. */
void spt_attempt_admit(struct spt_request *request, uint64_t now_ns);

/* Continues an attempt after its lookup. Fails it if the lookup failed; otherwise takes a handle
 * and adds it to the multi. */
void spt_attempt_send(struct spt_request *request);

/* Resumes the paused directions of a request that may run again. libcurl may deliver data inside of
 * the call. */
void spt_attempt_unpause(struct spt_request *request);

/* Ends an attempt with libcurl's result `code`. Runs it once more instead if a further exchange
 * follows or a pooled connection was stale. If no descriptor was left, the attempt waits for
 * one. */
void spt_attempt_complete(struct spt_request *request, CURLcode code);

#endif
