/* A request's body that is sent as it is made: the bytes between who makes them and libcurl, which
 * takes them as fast as the peer does. It knows neither. */
#ifndef SPT_HTTP_UPLOAD_H
#define SPT_HTTP_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SPT_UPLOAD_REPLAY (64 * 1024) /* bytes that can be sent once more from the first one on */

struct spt_upload {
    struct spt_buf buf;
    size_t pos;   /* bytes of the buffer that were taken */
    bool dropped; /* bytes before the buffer are gone for good */
    bool ended;   /* what the buffer holds is the rest */
};

void spt_upload_init(struct spt_upload *u);
void spt_upload_release(struct spt_upload *u);

/* Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_upload_append(struct spt_upload *u, const char *bytes, size_t n);

/* Takes at most `size` bytes; returns their number, 0 where there are none. */
size_t spt_upload_take(struct spt_upload *u, char *to, size_t size);

/* Goes back to the first byte; false where that one is gone. */
bool spt_upload_rewind(struct spt_upload *u);

/* Bytes to be taken. */
static inline size_t spt_upload_left(const struct spt_upload *u)
{
    return u->buf.len - u->pos;
}

#endif
