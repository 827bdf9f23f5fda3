/* SPDX-License-Identifier: MIT */
/* What a stack frame is: a script's line, or a C function with a name. */
#ifndef SPT_CORE_FUNCTION_NAMES_H
#define SPT_CORE_FUNCTION_NAMES_H

#include <lua.h>
#include <stdbool.h>

/* Returns true if `ar`, filled by lua_getinfo(L, "Sl", ar), is at a line of a script, not in C or
 * in a module of Septet's. */
bool spt_function_names_is_script(const lua_Debug *ar);

/* Pushes the name under which a loaded module holds the function at index `fn`, as "table.sort".
 * Returns NULL, with nothing pushed, if no module does. */
const char *spt_function_names_push_loaded(lua_State *L, int fn);

/* Pushes the name of the function at a level of `co`'s stack. It is "table.sort" if a loaded module
 * holds the function, otherwise the name by which it was called. Returns NULL, with nothing pushed,
 * if it has none. */
const char *spt_function_names_push_function(lua_State *L, lua_State *co, lua_Debug *ar);

#endif
