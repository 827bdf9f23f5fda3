/* SPDX-License-Identifier: MIT */
/* A growable byte buffer with a maximum size, fixed when it is initialised. */
#ifndef SPT_BASE_BUF_H
#define SPT_BASE_BUF_H

#include <stddef.h>

struct spt_buf {
    char *data; /* owned; NULL until the first byte is stored */
    size_t len; /* number of bytes in use */
    size_t cap; /* number of bytes allocated */
    size_t max; /* maximum of `len` */
};

static inline void spt_buf_init(struct spt_buf *b, size_t max)
{
    *b = (struct spt_buf){.max = max};
}

/* Makes room for `more` bytes behind those in use. Returns SEPTET_OK, SEPTET_ETOOBIG if that
 * exceeds the maximum, or SEPTET_ENOMEM. The buffer is unchanged after a failure. */
int spt_buf_reserve(struct spt_buf *b, size_t more);

/* Appends a copy of `n` bytes. Returns the same statuses as spt_buf_reserve(). */
int spt_buf_append(struct spt_buf *b, const void *bytes, size_t n);

/* Frees the bytes. The buffer may be used again. */
void spt_buf_release(struct spt_buf *b);

#endif
