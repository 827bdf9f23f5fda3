/* SPDX-License-Identifier: MIT */
/* Allocates a body of known length at once, and reuses the room of consumed bytes. */
#include "http/sink.h"

#include <string.h>

#include "septet/septet.h"

enum {
    PREALLOC_MAX = 1 << 20, /* bytes allocated on the word of a Content-Length */
    DISCARD_MAX = 64 * 1024 /* bytes of an unread body, before its connection is closed */
};

/* Returns the number of bytes to reserve at the first of them: the whole body, if its length is
 * known. */
static size_t to_reserve(const struct spt_sink *sink, size_t first, int64_t expected)
{
    if (expected < (int64_t)first)
        return first;
    if ((uint64_t)expected > sink->buf.max)
        return SIZE_MAX;
    return expected < PREALLOC_MAX ? (size_t)expected : PREALLOC_MAX;
}

int spt_sink_gather(struct spt_sink *sink, const char *bytes, size_t len, int64_t expected)
{
    int rc = SEPTET_OK;
    if (sink->buf.len == 0)
        rc = spt_buf_reserve(&sink->buf, to_reserve(sink, len, expected));
    return rc == SEPTET_OK ? spt_buf_append(&sink->buf, bytes, len) : rc;
}

void spt_sink_drop_consumed(struct spt_sink *sink)
{
    struct spt_buf *buf = &sink->buf;
    if (sink->consumed == 0)
        return;
    buf->len -= sink->consumed;
    memmove(buf->data, buf->data + sink->consumed, buf->len);
    sink->consumed = 0;
}

int spt_sink_stream(struct spt_sink *sink, const char *bytes, size_t len)
{
    bool is_full = len > sink->buf.cap - sink->buf.len;
    if (is_full && sink->consumed >= sink->buf.len / 2)
        spt_sink_drop_consumed(sink);
    return spt_buf_append(&sink->buf, bytes, len);
}

bool spt_sink_discard(struct spt_sink *sink, size_t len)
{
    sink->discarded += len;
    return sink->discarded <= DISCARD_MAX;
}
