/* SPDX-License-Identifier: MIT */
/* Keeps signals in one buffer: a struct for each, and its bytes behind it. */
#include "http/signal_log.h"

#include <string.h>

#include "septet/septet.h"

enum {
    KEPT_MAX = 4096, /* bytes that a log keeps between attempts */
    END_TEXT = 256,  /* bytes of the text of an end: the name of a host */
};

struct record {
    uint64_t t_ns;
    size_t len;
    enum spt_signal_type type;
    bool failed;
};

static size_t padded(size_t len)
{
    return (len + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

/* Returns the end that belongs to a start, or the type itself. */
static enum spt_signal_type end_of(enum spt_signal_type type)
{
    switch (type) {
    case SPT_SIGNAL_QUEUED_START:
        return SPT_SIGNAL_QUEUED_END;
    case SPT_SIGNAL_CREATE_START:
        return SPT_SIGNAL_CREATE_END;
    case SPT_SIGNAL_DNS_START:
        return SPT_SIGNAL_DNS_END;
    default:
        return type;
    }
}

static bool is_end(enum spt_signal_type type)
{
    return type == SPT_SIGNAL_QUEUED_END || type == SPT_SIGNAL_CREATE_END ||
           type == SPT_SIGNAL_DNS_END;
}

/* Returns the room that the ends of the open starts take. */
static size_t room_for_ends(unsigned open)
{
    size_t n = (size_t)__builtin_popcount(open);
    return n * (sizeof(struct record) + padded(END_TEXT));
}

void spt_signal_log_reset(struct spt_signal_log *log, unsigned wanted)
{
    if (log->records.cap > KEPT_MAX)
        spt_buf_release(&log->records);
    log->wanted = wanted;
    log->open = log->lost = 0;
    log->read = log->records.len = 0;
    log->records.max = SIZE_MAX / 2;
}

void spt_signal_log_release(struct spt_signal_log *log)
{
    spt_buf_release(&log->records);
}

/* Appends a record. Its room was reserved. */
static void append(struct spt_signal_log *log, const struct spt_signal *signal, size_t len)
{
    const struct record record = {
        .t_ns = signal->t_ns,
        .len = len,
        .type = signal->type,
        .failed = signal->failed,
    };
    char *to = log->records.data + log->records.len;
    memcpy(to, &record, sizeof record);
    if (len > 0)
        memcpy(to + sizeof record, signal->bytes, len);
    log->records.len += sizeof record + padded(len);
}

static size_t kept_len(const struct spt_signal *signal)
{
    if (signal->type == SPT_SIGNAL_HEADERS_SENT)
        return 0;
    return is_end(signal->type) && signal->len > END_TEXT ? END_TEXT : signal->len;
}

void spt_signal_log_add(struct spt_signal_log *log, const struct spt_signal *signal)
{
    enum spt_signal_type type = signal->type, end = end_of(type);
    unsigned bit = 1u << type, end_bit = 1u << end;
    size_t len = kept_len(signal);
    if (is_end(type) && !(log->open & bit))
        return;
    unsigned open = is_end(type) ? log->open & ~bit : log->open | (end != type ? end_bit : 0);
    if (log->wanted & (bit | end_bit)) {
        size_t size = sizeof(struct record) + padded(len) + room_for_ends(open);
        if (spt_buf_reserve(&log->records, size) != SEPTET_OK) {
            log->lost++;
            return;
        }
    }
    log->open = open;
    if (log->wanted & bit)
        append(log, signal, len);
}

void spt_signal_log_close(struct spt_signal_log *log, uint64_t t_ns)
{
    static const enum spt_signal_type ends[] = {
        SPT_SIGNAL_DNS_END,
        SPT_SIGNAL_CREATE_END,
        SPT_SIGNAL_QUEUED_END,
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const struct spt_signal signal = {.type = ends[i], .t_ns = t_ns, .failed = true};
        spt_signal_log_add(log, &signal);
    }
}

bool spt_signal_log_next(struct spt_signal_log *log, struct spt_signal *signal)
{
    struct record record;
    if (!spt_signal_log_has_next(log)) {
        log->read = log->records.len = 0;
        return false;
    }
    const char *from = log->records.data + log->read;
    memcpy(&record, from, sizeof record);
    *signal = (struct spt_signal){
        .type = record.type,
        .t_ns = record.t_ns,
        .bytes = from + sizeof record,
        .len = record.len,
        .failed = record.failed,
    };
    log->read += sizeof record + padded(record.len);
    return true;
}
