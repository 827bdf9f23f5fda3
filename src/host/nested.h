/* SPDX-License-Identifier: MIT */
/* What happens to code inside the host that runs its loop. libuv cannot refuse that: the loop ends
 * the run at once, and the code gets an error. */
#ifndef SPT_HOST_NESTED_H
#define SPT_HOST_NESTED_H

/* Has Usage raised in the Lua code that runs, once the C function that called uv_run() returns to
 * it. `ud` is the host. Does nothing if no Lua code runs. */
void spt_nested_refuse(void *ud);

#endif
