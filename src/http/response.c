/* SPDX-License-Identifier: MIT */
/* A pool of responses, as a stack: the last used is the first to be taken. */
#include "http/response.h"

#include <stdlib.h>
#include <string.h>

#include "http/head.h"

enum { BUFFER_MAX = 16384 }; /* bytes that a pooled buffer may keep */

void spt_response_pool_init(struct spt_response_pool *pool)
{
    spt_link_init(&pool->unused);
    pool->n = 0;
}

void spt_response_pool_release(struct spt_response_pool *pool)
{
    for (struct spt_link *l; (l = spt_list_pop(&pool->unused));)
        spt_response_free(SPT_OF(l, struct spt_response, links.pool));
    pool->n = 0;
}

struct spt_response *spt_response_take(struct spt_response_pool *pool, struct spt_request *r)
{
    struct spt_link *l = spt_list_pop(&pool->unused);
    struct spt_response *t = l ? SPT_OF(l, struct spt_response, links.pool) : calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pool->n -= l != NULL;
    t->request = r;
    spt_link_init(&t->links.progress);
    spt_link_init(&t->links.resume);
    spt_link_init(&t->links.fd_wait);
    spt_link_init(&t->links.next_turn.link);
    spt_resolver_init_lookup(&t->lookup, NULL);
    return t;
}

/* Returns an emptied buffer, which keeps its memory if that is small. */
static struct spt_buf emptied(struct spt_buf *buf)
{
    if (buf->cap > BUFFER_MAX)
        spt_buf_release(buf);
    return (struct spt_buf){.data = buf->data, .cap = buf->cap};
}

void spt_response_put(struct spt_response_pool *pool, struct spt_response *t)
{
    if (pool->n == SPT_RESPONSES_MAX) {
        spt_response_free(t);
        return;
    }
    free(t->redirect_url);
    spt_buf_release(&t->trailers);
    *t = (struct spt_response){.head = emptied(&t->head), .body.buf = emptied(&t->body.buf)};
    spt_link_init(&t->links.pool);
    spt_list_push_front(&pool->unused, &t->links.pool);
    pool->n++;
}

static bool is_redirect(int status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

/* Returns the value of the first Location in a head that is not empty, and its length in `*len`.
 * Returns NULL if there is none. Like other clients, takes an empty Location for no redirect. */
static const char *find_location(const struct spt_buf *head, size_t *len)
{
    size_t at = 0;
    for (const char *value; (value = spt_head_next(head, &at, "location:", len));)
        if (*len > 0)
            return value;
    return NULL;
}

/* libcurl's own resolution of a Location differs by version. */
bool spt_response_read_redirect(struct spt_response *t, int status)
{
    size_t len;
    const char *location = is_redirect(status) ? find_location(&t->head, &len) : NULL;
    if (!location)
        return true;
    t->redirect_url = malloc(len + 1);
    if (!t->redirect_url)
        return false;
    memcpy(t->redirect_url, location, len);
    t->redirect_url[len] = '\0';
    return true;
}

void spt_response_free(struct spt_response *t)
{
    if (!t)
        return;
    spt_buf_release(&t->head);
    spt_buf_release(&t->body.buf);
    spt_buf_release(&t->trailers);
    free(t->redirect_url);
    free(t);
}
