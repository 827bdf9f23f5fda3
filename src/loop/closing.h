/* SPDX-License-Identifier: MIT */
/* Closes handles on a loop that other code may close, too, as uv_walk() with uv_close() does. Ends
 * a loop with all that is left on it. It knows neither the host nor what a handle is for. */
#ifndef SPT_LOOP_CLOSING_H
#define SPT_LOOP_CLOSING_H

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"

/* A handle that other code closes. Its close callback is the other code's. */
struct spt_stray {
    struct spt_link link;
    uv_handle_t *handle;
    uv_close_cb on_closed;
};

/* The strays of a loop. The fence is a handle that is closed to see libuv close them. */
struct spt_closing {
    uv_loop_t *uv; /* borrowed */
    struct spt_link strays;
    uv_idle_t fence;
    bool fenced;
};

/* Returns true if libuv has closed the handle. Its memory must still be there. */
bool spt_closing_is_closed(const uv_handle_t *handle);

void spt_closing_init(struct spt_closing *closing, uv_loop_t *uv);

/* Closes `handle`. Its memory must remain until `on_closed` is called. `stray` lies beside it and
 * is used if other code closes it already. Returns false if libuv has closed it: then `on_closed`
 * is not called, and the loop may be gone. */
bool spt_closing_close(struct spt_closing *closing, struct spt_stray *stray, uv_handle_t *handle,
                       uv_close_cb on_closed);

/* Ends a loop that is not running. Closes all handles that are open, without a callback. Waits for
 * requests, and for handles that are closing: their callbacks run. Does nothing if the loop is
 * closed. */
void spt_closing_end_loop(uv_loop_t *uv);

#endif
