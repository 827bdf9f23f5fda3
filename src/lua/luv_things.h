/* SPDX-License-Identifier: MIT */
/* The handles and requests of luv, which keep the host waiting and end with it. */
#ifndef SPT_LUA_LUV_THINGS_H
#define SPT_LUA_LUV_THINGS_H

#include <lua.h>
#include <stdbool.h>

struct spt_env;

/* Returns true if a handle or a request of luv may still call back: one that keeps a loop running.
 * Allocates nothing. */
bool spt_luv_is_alive(struct spt_env *env);

/* Closes the handles of luv, cancels its requests and turns the loop until both have ended. No
 * callback of a script runs any more. */
void spt_luv_end(struct spt_env *env);

#endif
