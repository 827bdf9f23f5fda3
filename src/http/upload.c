/* SPDX-License-Identifier: MIT */
/* Keeps the beginning of a streamed request body after it is sent, so that it can be sent again. */
#include "http/upload.h"

#include <string.h>

#include "septet/septet.h"

void spt_upload_init(struct spt_upload *u, int64_t length)
{
    *u = (struct spt_upload){.length = length};
    spt_buf_init(&u->buf, SIZE_MAX / 2);
}

void spt_upload_release(struct spt_upload *u)
{
    spt_buf_release(&u->buf);
    u->pos = 0;
}

/* Drops the bytes that were taken, once there are more of them than may be sent again. */
static void drop_taken(struct spt_upload *u)
{
    if (u->pos <= SPT_UPLOAD_REPLAY)
        return;
    u->dropped = true;
    u->buf.len -= u->pos;
    memmove(u->buf.data, u->buf.data + u->pos, u->buf.len);
    u->pos = 0;
}

int spt_upload_append(struct spt_upload *u, const char *bytes, size_t n)
{
    if (u->length >= 0 && n > (uint64_t)(u->length - u->appended))
        return SEPTET_ETOOBIG;
    drop_taken(u);
    if (spt_buf_append(&u->buf, bytes, n) != SEPTET_OK)
        return SEPTET_ENOMEM;
    u->appended += (int64_t)n;
    return SEPTET_OK;
}

size_t spt_upload_take(struct spt_upload *u, char *to, size_t size)
{
    size_t left = spt_upload_ready(u), n = left < size ? left : size;
    if (n == 0)
        return 0;
    memcpy(to, u->buf.data + u->pos, n);
    u->pos += n;
    return n;
}

bool spt_upload_rewind(struct spt_upload *u)
{
    if (u->dropped)
        return false;
    u->pos = 0;
    return true;
}
