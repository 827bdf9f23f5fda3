/* Origins: in which task an error was first a failure. A task that is told of the failure of
 * another, and raises its error again, fails of nothing new. */
#ifndef SPT_CORE_ORIGIN_H
#define SPT_CORE_ORIGIN_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_task;

/* Makes what the functions below keep in the registry; once per state. */
void spt_origin_open(lua_State *L);

/* A failure is told where a task is given it, a group is to raise it, or the host reports it.
 * `told` of the task in which it was first a failure counts those, but for tasks that raised it
 * again: those of whom nobody was told count for nothing. */

/* Notes that the running task, if any, is told of the failure of the task whose handle is at
 * `handle`. */
void spt_origin_learn(lua_State *L, int handle);

/* Notes that the task, which runs in `L`, fails with the error on top of the stack. */
void spt_origin_settle(lua_State *L, struct spt_task *t);

/* Returns true if somebody else has been told of the failure that the failed task raised again. If
 * not, notes that the host is told. Allocates nothing. */
bool spt_origin_is_told(lua_State *L, struct spt_task *t);

/* Returns the id of the task in which the error of the failed task at `handle` was first a
 * failure. */
uint32_t spt_origin_of_task(lua_State *L, int handle);

/* Returns the same for the error at `error`, with its traceback at `traceback`, in the running
 * task; 0 if it was no task's failure, as far as known. */
uint32_t spt_origin_of_error(lua_State *L, int error, int traceback);

#endif
