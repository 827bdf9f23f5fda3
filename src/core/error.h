/* Error objects: what Septet raises is a table {kind=, message=, ...} with one metatable, so that
 * scripts tell errors apart by `kind` and print them by tostring. */
#ifndef SPT_CORE_ERROR_H
#define SPT_CORE_ERROR_H

#include <lua.h>
#include <stdbool.h>

struct spt_scope;

#define SPT_ERROR_META "septet.error"

/* Makes the metatable; once per state. */
void spt_error_open(lua_State *L);

/* Replaces the string on top of the stack by one that fits in a line of a terminal. */
void spt_error_escape(lua_State *L);

/* Pushes an error of `kind` with a formatted message (as lua_pushfstring), which is escaped for a
 * line of a terminal. */
void spt_error_push(lua_State *L, const char *kind, const char *format, ...);

/* Raises Usage: a mistake of the script, at its innermost line. */
int spt_error_usage(lua_State *L, const char *format, ...);

/* After lua_getinfo(L, "Sl", ar): is it a line of a script, not of a module of ours or of C? */
bool spt_is_script(const lua_Debug *ar);

/* As luaL_argerror, but raises Usage. */
int spt_error_arg(lua_State *L, int arg, const char *what);

/* Pushes the name that a loaded module has for the function at index `fn`, "table.sort"; returns
 * NULL and pushes nothing when none has one. */
const char *spt_push_loaded_name(lua_State *L, int fn);

/* Pushes the name of the function at a level of `co`'s stack, as a script knows it: "table.sort"
 * where a loaded module has it, else as it was called; returns NULL and pushes nothing when it has
 * none. */
const char *spt_function_name(lua_State *L, lua_State *co, lua_Debug *ar);

/* Pushes Cancelled for the scope that cancelled (spt_scope_canceller's). */
void spt_error_push_cancelled(lua_State *L, const struct spt_scope *canceller);

/* Pushes and returns what the error at `index` says, "(error object is a table value)" for one that
 * has no words or whose __tostring fails. Raises out of memory. */
const char *spt_error_push_words(lua_State *L, int index);

/* Returns true if the values at `a` and `b` are the same error: equal without metamethods, or both
 * NaN. */
bool spt_error_same(lua_State *L, int a, int b);

/* Is the value at `index` an error object of this kind (NULL: of any)? */
int spt_error_is(lua_State *L, int index, const char *kind);

#endif
