/* SPDX-License-Identifier: MIT */
/* Keeps the bytes in one buffer. Bytes that are taken are skipped, and those behind them moved only
 * when the end needs room: a source may be writing there meanwhile. */
#include "loop/incoming.h"

#include <stdint.h>
#include <string.h>
#include <uv.h>

#include "septet/septet.h"

#define KEPT_MAX ((size_t)256 * 1024) /* bytes of an empty buffer that is kept */

void spt_incoming_init(struct spt_incoming *in, const struct spt_incoming_type *type)
{
    *in = (struct spt_incoming){.type = type};
    spt_buf_init(&in->buf, SIZE_MAX);
}

void spt_incoming_release(struct spt_incoming *in)
{
    spt_buf_release(&in->buf);
    in->start = in->scanned = 0;
}

/* --- for the reader --- */

bool spt_incoming_wait(struct spt_incoming *in, spt_incoming_fn *fn, void *ud)
{
    in->on_more = fn;
    in->ud = ud;
    int rc = in->type->start(in);
    if (rc == 0)
        return true;
    in->on_more = NULL;
    in->error = rc;
    return false;
}

bool spt_incoming_try(struct spt_incoming *in)
{
    return in->type->try_now && in->type->try_now(in);
}

void spt_incoming_forget(struct spt_incoming *in)
{
    in->on_more = NULL;
    in->type->forget(in);
}

void spt_incoming_free(struct spt_incoming *in)
{
    in->on_more = NULL;
    in->type->free(in);
}

size_t spt_incoming_newline(struct spt_incoming *in)
{
    const char *bytes = spt_incoming_bytes(in);
    size_t len = spt_incoming_len(in);
    const char *at = memchr(bytes + in->scanned, '\n', len - in->scanned);
    in->scanned = at ? (size_t)(at - bytes) : len;
    return in->scanned;
}

void spt_incoming_take(struct spt_incoming *in, size_t n)
{
    in->start += n;
    in->scanned = in->scanned > n ? in->scanned - n : 0;
}

/* --- for the sources --- */

/* Moves the bytes only if there is no room behind them, so that a backlog is not moved at each
 * read. */
char *spt_incoming_room(struct spt_incoming *in, size_t n)
{
    size_t len = spt_incoming_len(in);
    if (len == 0 && in->buf.cap > KEPT_MAX)
        spt_incoming_release(in);
    if (in->start > 0 && (len == 0 || in->buf.cap - in->buf.len < n)) {
        memmove(in->buf.data, in->buf.data + in->start, len);
        in->start = 0;
        in->buf.len = len;
    }
    if (spt_buf_reserve(&in->buf, n) == SEPTET_OK)
        return in->buf.data + in->buf.len;
    in->error = UV_ENOMEM;
    return NULL;
}

void spt_incoming_note(struct spt_incoming *in, long result)
{
    if (result < 0)
        in->error = (int)result;
    else if (result == 0)
        in->ended = true;
    else
        in->buf.len += (size_t)result;
}

void spt_incoming_tell(struct spt_incoming *in)
{
    spt_incoming_fn *fn = in->on_more;
    in->on_more = NULL;
    if (fn)
        fn(in->ud);
}
