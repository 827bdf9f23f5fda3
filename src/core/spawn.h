/* SPDX-License-Identifier: MIT */
/* The birth of tasks. */
#ifndef SPT_CORE_SPAWN_H
#define SPT_CORE_SPAWN_H

#include <lua.h>

struct spt_sched;
struct spt_scope;
struct spt_task;

/* Spawns the function below its `nargs` arguments on top of `L` in `owner`: pops them all and
 * pushes the handle. The task runs later, never inside this call. `parent` may be NULL. Raises out
 * of memory, LimitExceeded, and Usage if the host is closing; nothing is spawned then. */
struct spt_task *spt_spawn_task(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                int nargs);

/* Like spt_spawn_task(), but spawns a main task. */
struct spt_task *spt_spawn_main(lua_State *L, struct spt_sched *s, int nargs);

#endif
