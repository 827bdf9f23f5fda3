/* SPDX-License-Identifier: MIT */
/* A log of the signals of an attempt, in the order in which they came, for a reader that runs
 * later. A signal for which there is no memory is counted instead. */
#ifndef SPT_HTTP_SIGNAL_LOG_H
#define SPT_HTTP_SIGNAL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/signal.h"

struct spt_signal_log {
    unsigned wanted; /* bits of the signals that are kept */
    unsigned open;   /* bits of the starts without an end, wanted or not */
    unsigned lost;   /* number of wanted signals that were not kept */
    size_t read;     /* bytes of `records` that were read */
    struct spt_buf records;
};

/* Empties a log, which is zeroed before its first use, for a new attempt. */
void spt_signal_log_reset(struct spt_signal_log *log, unsigned wanted);
void spt_signal_log_release(struct spt_signal_log *log);

/* Adds a signal, with a copy of its bytes; the text of HEADERS_SENT, which has secrets, is left
 * out. Room for the end of each start is taken with the start, so that no end is lost. An end
 * without its start is dropped. */
void spt_signal_log_add(struct spt_signal_log *log, const struct spt_signal *signal);

/* Adds the missing ends, as failed, the last start first. */
void spt_signal_log_close(struct spt_signal_log *log, uint64_t t_ns);

/* Takes the next signal. Its bytes are valid until the next call for the log, of any function.
 * Returns false if there is none. */
bool spt_signal_log_next(struct spt_signal_log *log, struct spt_signal *signal);

/* Returns true if there is one to take. */
static inline bool spt_signal_log_has_next(const struct spt_signal_log *log)
{
    return log->read < log->records.len;
}

#endif
