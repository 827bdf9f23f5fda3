/* SPDX-License-Identifier: MIT */
/* The method `with` of locks and semaphores: calls a function between acquire and release. Lua code
 * could not do it safely: a hook or an error of memory may come between any two of its steps, and a
 * hook at a return. Knows neither locks nor semaphores. */
#ifndef SPT_OP_WITH_H
#define SPT_OP_WITH_H

#include <lua.h>
#include <stdbool.h>

/* Checks the function, and puts an error handler below it. The stack holds object, fn, arguments...
 * The caller then awaits an operation with spt_with_call() as its `push`. */
void spt_with_begin(lua_State *L);

/* Calls the function at the point where an await pushes its results. `ended` is the caller's
 * continuation: it releases the object and returns spt_with_end(). */
int spt_with_call(lua_State *L, lua_KFunction ended);

/* Returns the function's results, or raises its error. Raises Usage if the object, a `type`, could
 * not be released because the function had released it. */
int spt_with_end(lua_State *L, int status, bool released, const char *type);

#endif
