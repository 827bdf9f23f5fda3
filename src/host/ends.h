/* SPDX-License-Identifier: MIT */
/* The end of what a host keeps in its Lua state: at septet_free(), or before it, if the embedder
 * closes the state first. */
#ifndef SPT_HOST_ENDS_H
#define SPT_HOST_ENDS_H

#include "host/state.h"

/* Watches for the end of the state, which then ends the host's part in it: a wait is closed without
 * being resumed, and a task does not unwind. The host is left with `L` NULL and an empty core. To
 * be called before the host opens libraries, because Lua calls the finalizers of objects in the
 * reverse of the order in which they were made. Raises out of memory. */
void spt_ends_watch(lua_State *L, septet_host *h);

/* Releases what scripts left open, the driver and the core. The tasks have ended. */
void spt_ends_close(septet_host *h);

#endif
