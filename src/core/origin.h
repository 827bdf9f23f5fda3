/* Origins: in which task an error was first a failure. A task that is told of the failure of another, and raises its
 * error again, fails of nothing new. */
#ifndef SPT_CORE_ORIGIN_H
#define SPT_CORE_ORIGIN_H

#include <lua.h>
#include <stdint.h>

/* Makes what the functions below keep in the registry; once per state. */
void spt_origin_open(lua_State *L);

/* Notes that the running task, if any, is told of the failure of the task whose handle is at `handle`. */
void spt_origin_learn(lua_State *L, int handle);

/* Returns the id of the task in which the error of the failed task at `handle` was first a failure. */
uint32_t spt_origin_of_task(lua_State *L, int handle);

/* Returns the same for the error at `error`, with its traceback at `traceback`, in the running task; 0 if it was no
 * task's failure, as far as known. */
uint32_t spt_origin_of_error(lua_State *L, int error, int traceback);

#endif
