/* Tracebacks of errors: each is taken once, where the error is raised, and goes with the error
 * through the functions of ours that catch it and raise it again. It is a Lua value: a string of
 * lines for an error that was raised in the stack that is read, or a node, which adds the stack of
 * who awaited to the traceback below it. spt_traceback_render makes text of either. */
#ifndef SPT_CORE_TRACEBACK_H
#define SPT_CORE_TRACEBACK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_task;

/* The user value of a block's userdata that holds what was raised in it last, {error, traceback}:
 * of a group that is a variable, around whose block there is no protected call of ours. */
#define SPT_SCOPE_UV_CAUGHT 3

/* Makes what the functions below keep in the registry; once per state. */
void spt_traceback_open(lua_State *L);

/* Returns true if the value at `index` is a traceback. */
bool spt_traceback_is(lua_State *L, int index);

/* Replaces the traceback on top of the stack by its text, "" for nil. */
void spt_traceback_render(lua_State *L);

/* Raises the error on top of the stack with the traceback, or nil, below it. With a label, what
 * happened here ("resumed at"), the stack of the function that raises is added to it. What the
 * function has on its stack is moved. */
int spt_traceback_raise(lua_State *L, const char *label);

/* Raises the error on top of the stack, which is the failure of an ended task, in one that is told
 * of it. `handle` is the index of the task's handle. */
int spt_traceback_raise_failure(lua_State *L, int handle, const struct spt_task *t);

/* For a message handler, called with the error: leaves the error and its traceback on the stack.
 * The traceback is nil for what only unwinds a task. Returns false, with the error alone, where the
 * stack has no room. */
bool spt_traceback_handle(lua_State *L);

/* Pushes a message handler for one protected call of ours, which spt_traceback_caught is asked
 * after. `unwinding`: it keeps tracebacks of Cancelled and GeneratorClosed alone. */
void spt_traceback_push_handler(lua_State *L, bool unwinding);

/* Pushes the traceback that the handler at `handler` has of the error at `error`, nil if it has
 * none. */
void spt_traceback_caught(lua_State *L, int handler, int error);

/* The message handler at the bottom of a coroutine that dies of what it is called with. Where the
 * coroutine is dead, spt_traceback_of_death pushes the traceback, once; nil where it has none. */
int spt_traceback_on_death(lua_State *co);
void spt_traceback_of_death(lua_State *L, lua_State *co);

/* Returns the id of the task that the traceback at `traceback` names as the one in which its error
 * was first a failure; 0 if it names none. */
uint32_t spt_traceback_origin(lua_State *L, int traceback);

#endif
