/* SPDX-License-Identifier: MIT */
/* Writes signals of a request to the trace ring. */
#ifndef SPT_OP_HTTP_RECORD_H
#define SPT_OP_HTTP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct spt_signal;
struct spt_trace;

/* What is recorded of the bodies of an attempt. */
struct spt_http_kept {
    uint64_t max;                /* bytes of each body; 0 for none */
    uint64_t sent, received;     /* bytes recorded so far */
    bool sent_cut, received_cut; /* that the rest is not recorded was recorded */
};

/* Returns the signals that the ring takes at its level, as bits, with or without bodies. */
unsigned spt_http_record_wanted(const struct spt_trace *tr, bool bodies);

/* Records a signal of an attempt, its task and its number. Values of headers that may be secrets
 * are redacted. A no-op for a signal that the ring does not take. */
void spt_http_record_signal(struct spt_trace *tr, uint32_t task, uint32_t ref,
                            struct spt_http_kept *kept, const struct spt_signal *signal);

#endif
