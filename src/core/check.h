/* SPDX-License-Identifier: MIT */
/* Checks arguments from scripts. Each check raises Usage at the caller's line, before the function
 * has any effect. */
#ifndef SPT_CORE_CHECK_H
#define SPT_CORE_CHECK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The key in the registry of the table of loaded private Lua modules, by name. */
#define SPT_MODULES "septet.modules"

struct spt_task;

/* Raises Usage unless all arguments behind the first `most` are nil, or are passed by a generic
 * `for`. Removes those. */
void spt_check_surplus(lua_State *L, int most);

/* Raises Usage for an argument behind the first `most`, which include self. A function that ignored
 * such an argument would not do what the script asked for. */
static inline void spt_check_most(lua_State *L, int most)
{
    if (lua_gettop(L) > most)
        spt_check_surplus(L, most);
}

/* Returns true if a generic `for` calls the running function as its iterator. Its arguments behind
 * the first are then values of the loop. */
bool spt_check_is_iterator(lua_State *L);

/* Implements the end of an object's __index: raises Usage for a field that a `what` does not have.
 * The message suggests the nearest of the names in the table at index `fields`. Returns 0 if the
 * key at index 2 is not a field name that a script would write. */
int spt_check_no_field(lua_State *L, const char *what, int fields);

/* Returns the task of the handle at `arg`. */
struct spt_task *spt_check_task(lua_State *L, int arg);

/* Returns the number of seconds at `arg`, which may not be negative or NaN, in nanoseconds. A
 * number that 64 bits cannot count, 584 years, is SPT_NEVER. */
uint64_t spt_check_seconds(lua_State *L, int arg);

/* Like spt_check_seconds(), but returns `otherwise` for nil or none. */
uint64_t spt_check_opt_seconds(lua_State *L, int arg, uint64_t otherwise);

/* Returns an instant on the scale of now(), in nanoseconds: the first at which now() is not
 * earlier. An instant before the clock's zero is 0; one that 64 bits cannot count is SPT_NEVER. */
uint64_t spt_check_instant(lua_State *L, int arg);

/* Returns the string at `arg`, which may not be a number. */
const char *spt_check_string(lua_State *L, int arg, size_t *len);

/* Checks that the value at `arg` can be called. */
void spt_check_callable(lua_State *L, int arg);

/* Returns the whole number at `arg`, which must be at least `least`. */
lua_Integer spt_check_count(lua_State *L, int arg, lua_Integer least);

/* Returns the block of the userdata at `arg`, which must have the registry's metatable `meta`. */
void *spt_check_udata(lua_State *L, int arg, const char *meta, const char *what);

/* Returns the block of the userdata that the running method was called on. The method's second
 * upvalue is the metatable of its type, which is faster than a look-up by name in the registry. */
void *spt_check_self(lua_State *L, const char *what);

#endif
