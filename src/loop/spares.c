/* Spares: a stack, so that what was used last is used next. */
#include "loop/spares.h"

#include <stdlib.h>

enum { KEPT_MAX = 16384 }; /* bytes */

void spt_spares_take(struct spt_spares *spares, struct spt_buf *buf)
{
    if (buf->data || spares->n == 0)
        return;
    spares->n--;
    buf->data = spares->data[spares->n];
    buf->cap = spares->cap[spares->n];
    buf->len = 0;
}

void spt_spares_put(struct spt_spares *spares, struct spt_buf *buf)
{
    if (buf->data && buf->cap <= KEPT_MAX && spares->n < SPT_SPARES_MAX) {
        spares->data[spares->n] = buf->data;
        spares->cap[spares->n] = buf->cap;
        spares->n++;
        *buf = (struct spt_buf){.max = buf->max};
    }
    spt_buf_release(buf);
}

void spt_spares_release(struct spt_spares *spares)
{
    while (spares->n > 0)
        free(spares->data[--spares->n]);
}
