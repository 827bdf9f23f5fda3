/* SPDX-License-Identifier: MIT */
/* Writes signals of a request to the trace ring. */
#ifndef SPT_OP_HTTP_RECORD_H
#define SPT_OP_HTTP_RECORD_H

#include <stdint.h>

struct spt_signal;
struct spt_trace;

/* Returns the signals that the ring takes at its level, as bits. */
unsigned spt_http_record_wanted(const struct spt_trace *tr);

/* Records a signal of an attempt, its task and its number. Values of headers that may be secrets
 * are redacted. A no-op for a signal that the ring does not take. */
void spt_http_record_signal(struct spt_trace *tr, uint32_t task, uint32_t ref,
                            const struct spt_signal *signal);

#endif
