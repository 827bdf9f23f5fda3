/* SPDX-License-Identifier: MIT */
/* Tells from libuv's own mark on a handle whether its memory is still in use. A fence, a handle
 * closed after it, calls back when libuv has closed both. */
#include "loop/closing.h"

/* In the flags of a handle: libuv has closed it and unlinked it from the loop. No public header has
 * it, but no version 1.x on Unix has another value. tests/loop/test_closing.c compares. */
enum { HANDLE_CLOSED = 0x02 };

enum { ROUNDS_MAX = 1000 }; /* number of turns after which close callbacks are dropped */

bool spt_closing_is_closed(const uv_handle_t *handle)
{
    return handle->flags & HANDLE_CLOSED;
}

void spt_closing_init(struct spt_closing *closing, uv_loop_t *uv)
{
    *closing = (struct spt_closing){.uv = uv};
    spt_link_init(&closing->strays);
}

static void on_fence(uv_handle_t *fence);

static void close_fence(struct spt_closing *closing)
{
    closing->fenced = true;
    uv_idle_init(closing->uv, &closing->fence);
    closing->fence.data = closing;
    uv_close((uv_handle_t *)&closing->fence, on_fence);
}

/* Calls back the strays that libuv has closed. The last may free the memory of the fence. */
static void on_fence(uv_handle_t *fence)
{
    struct spt_closing *closing = fence->data;
    struct spt_link closed, *next;
    spt_link_init(&closed);
    for (struct spt_link *l = closing->strays.next; l != &closing->strays; l = next) {
        next = l->next;
        if (spt_closing_is_closed(SPT_OF(l, struct spt_stray, link)->handle)) {
            spt_link_remove(l);
            spt_list_push(&closed, l);
        }
    }
    closing->fenced = false;
    if (!spt_list_is_empty(&closing->strays)) /* they close in this turn, after the fence */
        close_fence(closing);
    for (struct spt_link *l; (l = spt_list_pop(&closed));) {
        struct spt_stray *stray = SPT_OF(l, struct spt_stray, link);
        stray->on_closed(stray->handle);
    }
}

bool spt_closing_close(struct spt_closing *closing, struct spt_stray *stray, uv_handle_t *handle,
                       uv_close_cb on_closed)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, on_closed);
        return true;
    }
    if (spt_closing_is_closed(handle))
        return false;
    stray->handle = handle;
    stray->on_closed = on_closed;
    spt_link_init(&stray->link);
    spt_list_push(&closing->strays, &stray->link);
    if (!closing->fenced)
        close_fence(closing);
    return true;
}

/* Closes a handle that is open. After many turns, drops the close callbacks: one that closes its
 * handle again, with itself as the callback, would never end. */
static void close_open(uv_handle_t *handle, void *ud)
{
    const unsigned *round = ud;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
    else if (*round > ROUNDS_MAX)
        handle->close_cb = NULL;
}

void spt_closing_end_loop(uv_loop_t *uv)
{
    if (uv_backend_fd(uv) == -1)
        return;
    for (unsigned round = 0; uv_loop_close(uv) == UV_EBUSY; round++) {
        uv_walk(uv, close_open, &round);
        uv_run(uv, UV_RUN_ONCE);
    }
}
