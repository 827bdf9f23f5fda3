/* Where a request is, since when, and until when it may be there. */
#ifndef SPT_HTTP_TIMEOUTS_H
#define SPT_HTTP_TIMEOUTS_H

#include "http/state.h"

/* The only writer of a started request's phase: stamps it and sees to its time limit. `now_ns` is
 * the instant. */
void spt_timeouts_enter(struct spt_request *r, enum spt_phase phase, uint64_t now_ns);

/* The response that began was an interim one: the limits are those from before it, and go on from
 * there. */
void spt_timeouts_resume(struct spt_request *r, enum spt_phase phase, uint64_t since_ns);

/* Nobody reads what is left of the body: the request has little time left for it. */
void spt_timeouts_drain(struct spt_request *r, uint64_t now_ns);

/* The request is over. */
void spt_timeouts_stop(struct spt_request *r, struct spt_driver *driver);

/* Fills in the transfer's times from the stamps; the request still has its handle if it ever had
 * one. */
void spt_timeouts_times(struct spt_request *r, uint64_t now_ns);

/* Called by the above when the limit `reason` has passed: request.c ends the request. */
void spt_request_timed_out(struct spt_request *r, const char *reason);

#endif
