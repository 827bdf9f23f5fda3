/* SPDX-License-Identifier: MIT */
/* The body of a response while it is received: gathered whole, streamed to a reader, or discarded.
 * It knows neither requests nor libcurl. */
#ifndef SPT_HTTP_SINK_H
#define SPT_HTTP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct spt_sink {
    struct spt_buf buf;
    size_t consumed;   /* bytes of a streamed body already taken; advanced by the caller */
    uint64_t received; /* bytes of the body, after decoding */
    uint64_t packed;   /* bytes of it before decoding, if it is encoded */
    size_t discarded;  /* bytes of a body that were discarded */
    bool unread;       /* the body is discarded: another exchange or attempt follows */
    bool paused;       /* libcurl delivers nothing until it is resumed */
    bool stopped;      /* it is paused for the rest of the turn, whatever its reader takes */
};

/* Returns the number of bytes of a streamed body that can be taken. */
static inline size_t spt_sink_available(const struct spt_sink *sink)
{
    return sink->buf.len - sink->consumed;
}

/* Returns true if `len` more bytes would exceed the high-water mark. An empty sink takes any. */
static inline bool spt_sink_is_full(const struct spt_sink *sink, size_t len, size_t high_water)
{
    size_t held = spt_sink_available(sink);
    return held > 0 && held + len > high_water;
}

/* Appends to a body that is gathered whole. `expected` is its length, or -1 if that is not known.
 * Returns SEPTET_OK, SEPTET_ETOOBIG or SEPTET_ENOMEM. */
int spt_sink_gather(struct spt_sink *sink, const char *bytes, size_t len, int64_t expected);

/* Moves the bytes that were not consumed to the front of the buffer. */
void spt_sink_drop_consumed(struct spt_sink *sink);

/* Appends to a streamed body. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_sink_stream(struct spt_sink *sink, const char *bytes, size_t len);

/* Discards bytes of an unread body. Returns false if they are so many that the connection is better
 * closed. */
bool spt_sink_discard(struct spt_sink *sink, size_t len);

#endif
