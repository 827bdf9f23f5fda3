/* The phases of a request and their timeouts. */
#ifndef SPT_HTTP_TIMEOUTS_H
#define SPT_HTTP_TIMEOUTS_H

#include "http/state.h"

/* Moves a started request to a phase, stamps that with `now_ns` and arms its timeout. Other files
 * set the phase in no other way, except to end a request that leaves the queue. */
void spt_timeouts_enter(struct spt_request *r, enum spt_phase phase, uint64_t now_ns);

/* Restores the phase and timeouts that were in force before an interim response. They continue from
 * `since_ns`. */
void spt_timeouts_resume(struct spt_request *r, enum spt_phase phase, uint64_t since_ns);

/* Marks the rest of the body as unread and gives the request a short time to receive it. */
void spt_timeouts_drain(struct spt_request *r, uint64_t now_ns);

/* Stops the timer of a completed request. */
void spt_timeouts_stop(struct spt_request *r, struct spt_driver *driver);

/* Fills in the response's times from the stamps. The request must still have its handle, if it ever
 * had one. */
void spt_timeouts_times(struct spt_request *r, uint64_t now_ns);

/* Ends the request after its timeout `reason` expired. timeouts.c calls it, and attempt.c
 * implements it. */
void spt_request_timed_out(struct spt_request *r, const char *reason);

#endif
