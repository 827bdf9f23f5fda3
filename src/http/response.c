/* A stack of transfers. */
#include "http/response.h"

#include <stdlib.h>

enum { BUFFER_MAX = 16384 }; /* bytes that a buffer at rest may hold */

void spt_transfers_init(struct spt_transfers *transfers)
{
    spt_link_init(&transfers->rest);
    transfers->n = 0;
}

void spt_transfers_release(struct spt_transfers *transfers)
{
    for (struct spt_link *l; (l = spt_list_pop(&transfers->rest));)
        spt_transfer_free(SPT_OF(l, struct spt_transfer, link));
    transfers->n = 0;
}

struct spt_transfer *spt_transfer_take(struct spt_transfers *transfers, struct spt_request *r)
{
    struct spt_link *l = spt_list_pop(&transfers->rest);
    struct spt_transfer *t = l ? SPT_OF(l, struct spt_transfer, link) : calloc(1, sizeof *t);
    if (!t)
        return NULL;
    transfers->n -= l != NULL;
    t->request = r;
    spt_link_init(&t->news);
    spt_link_init(&t->wake);
    spt_link_init(&t->starved);
    spt_lookup_init(&t->lookup, NULL);
    return t;
}

/* Empty, with the memory it has if that is little. */
static struct spt_buf emptied(struct spt_buf *buf)
{
    if (buf->cap > BUFFER_MAX)
        spt_buf_release(buf);
    return (struct spt_buf){.data = buf->data, .cap = buf->cap};
}

void spt_transfer_put(struct spt_transfers *transfers, struct spt_transfer *t)
{
    if (transfers->n == SPT_TRANSFERS_MAX) {
        spt_transfer_free(t);
        return;
    }
    free(t->redirect_url);
    *t = (struct spt_transfer){.head = emptied(&t->head), .body_in = emptied(&t->body_in)};
    spt_link_init(&t->link);
    spt_list_push_front(&transfers->rest, &t->link);
    transfers->n++;
}

void spt_transfer_free(struct spt_transfer *t)
{
    if (!t)
        return;
    spt_buf_release(&t->head);
    spt_buf_release(&t->body_in);
    free(t->redirect_url);
    free(t);
}
