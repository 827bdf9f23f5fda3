/* SPDX-License-Identifier: MIT */
/* A request body that is sent while it is made. The buffer stands between its producer and libcurl,
 * which takes bytes as fast as the peer does. It knows neither. */
#ifndef SPT_HTTP_UPLOAD_H
#define SPT_HTTP_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SPT_UPLOAD_REPLAY (64 * 1024) /* bytes from the first one on that can be sent again */

struct spt_upload {
    struct spt_buf buf;
    size_t pos;       /* bytes of the buffer that were taken */
    int64_t length;   /* bytes of the whole body; -1 if that is not known */
    int64_t appended; /* bytes so far */
    bool dropped;     /* bytes before the buffer were freed */
    bool ended;       /* no bytes follow those in the buffer */
};

/* Initialises a body of this length in bytes, which is -1 if it is not known. */
void spt_upload_init(struct spt_upload *u, int64_t length);
void spt_upload_release(struct spt_upload *u);

/* Appends bytes. Returns SEPTET_OK, SEPTET_ENOMEM, or SEPTET_ETOOBIG for more bytes than the body's
 * length. */
int spt_upload_append(struct spt_upload *u, const char *bytes, size_t n);

/* Takes at most `size` bytes. Returns their number, 0 if there are none. */
size_t spt_upload_take(struct spt_upload *u, char *to, size_t size);

/* Goes back to the first byte. Returns false if that was freed. */
bool spt_upload_rewind(struct spt_upload *u);

/* Returns the number of bytes that were not taken. */
static inline size_t spt_upload_left(const struct spt_upload *u)
{
    return u->buf.len - u->pos;
}

/* Returns the number of bytes that can be taken. The last byte of a body of known length is held
 * back until the body has ended, so that no peer takes a body for whole that proves too long. */
static inline size_t spt_upload_ready(const struct spt_upload *u)
{
    size_t left = spt_upload_left(u);
    bool holds = !u->ended && left > 0 && u->appended == u->length;
    return holds ? left - 1 : left;
}

#endif
