/* SPDX-License-Identifier: MIT */
/* The birth of tasks. */
#ifndef SPT_CORE_SPAWN_H
#define SPT_CORE_SPAWN_H

#include <lua.h>

struct spt_sched;
struct spt_scope;
struct spt_script;
struct spt_task;

/* Spawns the function below its `nargs` arguments on top of `L` in `owner`: pops them all and
 * pushes the handle. The task runs later, never inside this call. Raises out of memory,
 * LimitExceeded, and Usage if the host is closing; nothing is spawned then. */
struct spt_task *spt_spawn_task(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                int nargs);

/* Like spt_spawn_task(), but the task is shown by the place of the function at index `shown`: that
 * of a script, which a function of Septet's own modules calls. */
struct spt_task *spt_spawn_shown(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                 int shown, int nargs);

/* Like spt_spawn_task(), but spawns a background task of the script of `parent`. */
struct spt_task *spt_spawn_background(lua_State *L, struct spt_task *parent, int nargs);

/* Like spt_spawn_background(), but for the host: a task that no task spawned. */
struct spt_task *spt_spawn_detached(lua_State *L, struct spt_sched *s, int nargs);

/* Like spt_spawn_detached(), but the trace has no records of the task. If
 * another such task is alive, the trace begins to have its records. */
struct spt_task *spt_spawn_untraced(lua_State *L, struct spt_sched *s, int nargs);

/* Like spt_spawn_task(), but spawns a main task of a script; NULL: of the host. */
struct spt_task *spt_spawn_main(lua_State *L, struct spt_sched *s, struct spt_script *script,
                                int nargs);

/* Names the new task, with its handle on top of the stack, by the item at index `item`, if that is
 * a string or a number. Only keeps the item: the name is made when it is read, but at trace level 2
 * it is recorded. Raises nothing. */
void spt_spawn_name_by_item(lua_State *L, struct spt_task *t, int item);

#endif
