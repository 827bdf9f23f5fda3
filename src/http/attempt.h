/* Steps in the life of an attempt, called by the other files of src/http. */
#ifndef SPT_HTTP_ATTEMPT_H
#define SPT_HTTP_ATTEMPT_H

#include "http/state.h"

/* Starts an admitted attempt: takes a response from the pool and looks up the host. Fails the
 * attempt if memory is out. */
void spt_attempt_start(struct spt_request *r, uint64_t now_ns);

/* Continues an attempt after its lookup. Fails it if the lookup failed; otherwise takes a handle
 * and adds it to the multi. */
void spt_attempt_resolved(struct spt_request *r);

/* Ends an attempt with libcurl's result `code`. Runs it once more instead if a further exchange
 * follows or a pooled connection was stale. If no descriptor was left, the attempt waits for
 * one. */
void spt_attempt_complete(struct spt_request *r, CURLcode code);

/* Records that bytes of the response arrived. The first of them start the receive phase. */
void spt_request_note_bytes(struct spt_request *r);

/* Handles the complete head of a final response. Returns false if memory is out. */
bool spt_request_headers_done(struct spt_request *r);

/* Schedules a call of the request's on_progress in the next drain, if it has one. */
void spt_request_queue_progress(struct spt_request *r);

/* Records that a descriptor, or a connection that other requests may use, was released. */
void spt_driver_fd_released(struct spt_driver *driver);

/* Ends a request with the failure "closed", because its session is being closed. */
void spt_request_end_closed(struct spt_request *r);

#endif
