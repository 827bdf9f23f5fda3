/* What driver.c does with a request that is on its way. */
#ifndef SPT_HTTP_ATTEMPT_H
#define SPT_HTTP_ATTEMPT_H

#include "http/state.h"

/* It was admitted: takes a handle and goes into the multi, or fails for want of memory. */
void spt_attempt_start(struct spt_request *r, uint64_t now_ns);

/* Its name was looked up, well or not. */
void spt_attempt_resolved(struct spt_request *r);

/* libcurl is done with it: ends it, or runs it once more where a pooled connection had gone
 * stale. */
void spt_attempt_complete(struct spt_request *r, CURLcode code);

/* The first and the later bytes of the response have come. */
void spt_request_note_bytes(struct spt_request *r);

/* The head of the final response is whole. Returns false out of memory. */
bool spt_request_headers_done(struct spt_request *r);

/* There is something to tell its caller. */
void spt_request_queue_progress(struct spt_request *r);

/* A descriptor, or a connection that others may use, has come back. */
void spt_driver_fd_released(struct spt_driver *driver);

/* Its session is being closed. */
void spt_request_end_closed(struct spt_request *r);

#endif
