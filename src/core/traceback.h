/* SPDX-License-Identifier: MIT */
/* Tracebacks of errors. Each is taken once, where the error is raised, and travels with the error
 * through Septet's functions that catch it and raise it again. It is a Lua value: a string of
 * lines, or a node that adds the stack of an awaiting function to the traceback below it. The
 * function spt_traceback_render() turns either into text. */
#ifndef SPT_CORE_TRACEBACK_H
#define SPT_CORE_TRACEBACK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_task;

/* The user value of a block's userdata that holds the error last raised in it, {error, traceback}.
 * It serves groups held in a variable, because no protected call of Septet's surrounds their
 * block. */
#define SPT_SCOPE_UV_CAUGHT 3

/* Prepares the registry for the functions below; once per state. */
void spt_traceback_open(lua_State *L);

/* Returns true if the value at `index` is a traceback. */
bool spt_traceback_is(lua_State *L, int index);

/* Replaces the traceback on top of the stack by its text, "" for nil. */
void spt_traceback_render(lua_State *L);

/* Raises the error on top of the stack with the traceback, or nil, below it. A label, as "resumed
 * at", adds the stack of the function that raises, under that label. Moves the values that the
 * function has on its stack. */
int spt_traceback_raise(lua_State *L, const char *label);

/* Raises the error on top of the stack, which is the failure of an ended task, for
 * spt_failure_origin_raise(). */
int spt_traceback_raise_failure(lua_State *L, int handle, const struct spt_task *t);

/* Leaves the error and its traceback on the stack; for a message handler, called with the error.
 * The traceback is nil for an error that only unwinds a task. Returns false, with the error alone,
 * if the stack has no room. `in_block`: the block of a group in a variable may surround what
 * raised, and then gets the traceback. */
bool spt_traceback_handle(lua_State *L, bool in_block);

/* Pushes a message handler for one protected call of Septet's. spt_traceback_caught() reads its
 * traceback afterwards. If `unwinding`, it keeps tracebacks of Cancelled and GeneratorClosed
 * alone. */
void spt_traceback_push_handler(lua_State *L, bool unwinding);

/* Readies a handler for another protected call, of a function that ends a block. */
void spt_traceback_reuse_handler(lua_State *L, int handler);

/* Pushes the traceback that the handler at `handler` has kept of the error at `error`, nil if
 * none. */
void spt_traceback_caught(lua_State *L, int handler, int error);

/* Handles messages at the bottom of a coroutine that dies of the error. Once the coroutine is dead,
 * spt_traceback_of_death() pushes the traceback, once; nil if there is none. */
int spt_traceback_on_death(lua_State *co);
void spt_traceback_of_death(lua_State *L, lua_State *co);

/* Returns the id of the task that the traceback at `traceback` names as the origin of its failure;
 * 0 if it names none. */
uint32_t spt_traceback_origin(lua_State *L, int traceback);

#endif
