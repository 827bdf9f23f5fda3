/* SPDX-License-Identifier: MIT */
/* The phases of a request and their timeouts. A timeout that expires calls the request's
 * on_timeout. */
#ifndef SPT_HTTP_TIMEOUTS_H
#define SPT_HTTP_TIMEOUTS_H

#include <stdint.h>

#include "http/phase.h"

struct spt_driver;
struct spt_request;

/* Moves a started request to a phase, stamps that with `now_ns` and arms its timeout. Other files
 * set the phase in no other way. */
void spt_timeouts_enter(struct spt_request *r, enum spt_phase phase, uint64_t now_ns);

/* Restores the phase and timeouts that were in force before an interim response. They continue from
 * `since_ns`. */
void spt_timeouts_resume(struct spt_request *r, enum spt_phase phase, uint64_t since_ns);

/* Marks the rest of the body as unread and gives the request a short time to receive it. */
void spt_timeouts_discard(struct spt_request *r, uint64_t now_ns);

/* Stops the timer of a completed request. */
void spt_timeouts_stop(struct spt_request *r, struct spt_driver *driver);

/* Fills in the response's times from the stamps. The request must still have its handle, if it ever
 * had one. */
void spt_timeouts_times(struct spt_request *r, uint64_t now_ns);

/* Records that bytes of the response arrived. The first of them start the receive phase. */
void spt_timeouts_note_bytes(struct spt_request *r);

/* Returns the phase of a running request. */
enum spt_phase spt_timeouts_phase(const struct spt_request *r);

/* Returns the phase in which a request ends. Without a response that is the queue. */
enum spt_phase spt_timeouts_last_phase(const struct spt_request *r);

#endif
