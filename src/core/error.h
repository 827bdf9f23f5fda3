/* SPDX-License-Identifier: MIT */
/* Error objects: Septet raises tables {kind=, message=, ...} with one metatable. Scripts
 * distinguish errors by `kind` and print them with tostring. */
#ifndef SPT_CORE_ERROR_H
#define SPT_CORE_ERROR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_scope;

#define SPT_ERROR_META "septet.error"

/* Makes the metatable; once per state. */
void spt_error_open(lua_State *L);

/* Replaces the string on top of the stack by its escaped form, which fits in a line of a
 * terminal. */
void spt_error_escape(lua_State *L);

/* Pushes an error of `kind` with a message formatted like lua_pushfstring's, escaped for a line of
 * a terminal. */
void spt_error_push(lua_State *L, const char *kind, const char *format, ...);

/* Raises Usage, a mistake in the script, at its innermost line. */
int spt_error_usage(lua_State *L, const char *format, ...);

/* Like luaL_argerror(), but raises Usage. */
int spt_error_arg(lua_State *L, int arg, const char *what);

/* Raises "not enough memory". The message is Lua's own and has no place, so that the host
 * recognises it. */
int spt_error_no_memory(lua_State *L);

/* Raises LimitExceeded: `action` would exceed what the `owner` of the limit may have, which is the
 * "host" or the "script". `limit` names that in the plural, and is the error's field: "tasks". */
int spt_error_limit(lua_State *L, const char *owner, const char *action, const char *limit,
                    uint64_t max);

/* Pushes Cancelled for the scope that cancelled, as spt_scope_canceller() returns it. */
void spt_error_push_cancelled(lua_State *L, const struct spt_scope *canceller);

/* Pushes and returns the error at `index` as text. An error without a text, or with a __tostring
 * that fails, becomes "(error object is a table value)". Raises out of memory. */
const char *spt_error_push_words(lua_State *L, int index);

/* Returns true if the values at `a` and `b` are the same error: equal without metamethods, or both
 * NaN. */
bool spt_error_same(lua_State *L, int a, int b);

/* Returns a text field of the error object at `index`: its "kind", or the "code" of an HttpError.
 * Returns NULL if it is no error object, or has no such field. Allocates nothing. */
const char *spt_error_field(lua_State *L, int index, const char *field);

/* Returns true if the value at `index` is an error object of this kind, or of any if `kind` is
 * NULL. */
bool spt_error_is(lua_State *L, int index, const char *kind);

#endif
