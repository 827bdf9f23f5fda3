/* SPDX-License-Identifier: MIT */
/* Lets the other ready tasks run once, without an operation to wait for. */
#ifndef SPT_CORE_CHECKPOINT_H
#define SPT_CORE_CHECKPOINT_H

#include <lua.h>

struct spt_sched;

/* Yields once to the other ready tasks, or raises Cancelled. */
int spt_checkpoint(lua_State *L, struct spt_sched *s);

/* Abandons the running task, which can wait: its variables are closed, and it ends. Does not
 * return. */
int spt_checkpoint_abandon(lua_State *L, struct spt_sched *s);

#endif
