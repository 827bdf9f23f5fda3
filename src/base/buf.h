/* A growable byte buffer that knows its maximum from birth. */
#ifndef SPT_BASE_BUF_H
#define SPT_BASE_BUF_H

#include <stddef.h>

struct spt_buf {
    char *data; /* owned; NULL until the first byte */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* bytes it may ever hold */
};

static inline void spt_buf_init(struct spt_buf *b, size_t max)
{
    *b = (struct spt_buf){.max = max};
}

/* Makes room for `more` bytes behind the ones in use. Returns SEPTET_OK, SEPTET_ETOOBIG past the
 * maximum, or SEPTET_ENOMEM; the buffer is unchanged after a failure. */
int spt_buf_reserve(struct spt_buf *b, size_t more);

/* Appends a copy of `n` bytes. Returns as spt_buf_reserve does. */
int spt_buf_append(struct spt_buf *b, const void *bytes, size_t n);

/* Frees the bytes; the buffer may be used again. */
void spt_buf_release(struct spt_buf *b);

#endif
