/* SPDX-License-Identifier: MIT */
/* Doubles the capacity on growth, up to the maximum. */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"

int spt_buf_reserve(struct spt_buf *b, size_t more)
{
    if (more > b->max - b->len)
        return SEPTET_ETOOBIG;
    if (more <= b->cap - b->len)
        return SEPTET_OK;
    size_t need = b->len + more;
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
    if (cap < need)
        cap = need;
    char *data = realloc(b->data, cap);
    if (!data)
        return SEPTET_ENOMEM;
    b->data = data;
    b->cap = cap;
    return SEPTET_OK;
}

int spt_buf_append(struct spt_buf *b, const void *bytes, size_t n)
{
    int rc = spt_buf_reserve(b, n);
    if (rc == SEPTET_OK && n > 0) {
        memcpy(b->data + b->len, bytes, n);
        b->len += n;
    }
    return rc;
}

void spt_buf_release(struct spt_buf *b)
{
    free(b->data);
    spt_buf_init(b, b->max);
}
