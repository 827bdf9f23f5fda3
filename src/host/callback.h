/* SPDX-License-Identifier: MIT */
/* Runs the embedder's callbacks that may use Lua. Each runs protected: an error that it raises
 * becomes a warning. */
#ifndef SPT_HOST_CALLBACK_H
#define SPT_HOST_CALLBACK_H

#include <stdbool.h>

#include "host/state.h"

struct spt_callback {
    const char *name; /* for the warning: "on_error" */
    void (*run)(septet_host *h, void *arg);
    void *arg;
};

/* Runs a callback with the top `nvalues` of the host's Lua stack as the only ones on it, from index
 * 1 on, and pops them. Returns false if memory is too short to do so; nothing was run then, and the
 * values are popped. */
bool spt_callback_run(septet_host *h, const struct spt_callback *callback, int nvalues);

/* Runs a callback without values, even if memory is too short to protect it. */
void spt_callback_run_plainly(septet_host *h, const struct spt_callback *callback);

#endif
