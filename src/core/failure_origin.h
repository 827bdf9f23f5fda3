/* SPDX-License-Identifier: MIT */
/* Origins of failures: the task in which an error was first a failure. A task that receives the
 * failure of another and raises its error again causes no new failure. */
#ifndef SPT_CORE_FAILURE_ORIGIN_H
#define SPT_CORE_FAILURE_ORIGIN_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_task;

/* Prepares the registry for the functions below; once per state. */
void spt_failure_origin_open(lua_State *L);

/* A failure is delivered if a task receives it, a group is to raise it, or the host reports it. The
 * origin's task counts its deliveries. Those to tasks that raised the error again do not count:
 * only deliveries of their own failures do. */

/* Records that the running task, if any, receives the failure of the task with the handle at
 * `handle`. */
void spt_failure_origin_learn(lua_State *L, int handle);

/* Raises the error on top of the stack, which is the failure of an ended task, in the running task,
 * which thus receives it. `handle` is the index of the ended task's handle. */
int spt_failure_origin_raise(lua_State *L, int handle, const struct spt_task *t);

/* Records that the task, which runs in `L`, fails with the error on top of the stack. */
void spt_failure_origin_settle(lua_State *L, struct spt_task *t);

/* Returns true if the failure that the failed task raised again is delivered elsewhere. Otherwise
 * records that the host reports it. Allocates nothing. */
bool spt_failure_origin_is_delivered(lua_State *L, struct spt_task *t);

/* Returns the id of the task in which the error of the failed task at `handle` was first a
 * failure. */
uint32_t spt_failure_origin_of_task(lua_State *L, int handle);

/* Like spt_failure_origin_of_task(), but for the error at `error`, with its traceback at
 * `traceback`, in the running task. Returns 0 if the error is not known to be a task's failure. */
uint32_t spt_failure_origin_of_error(lua_State *L, int error, int traceback);

#endif
