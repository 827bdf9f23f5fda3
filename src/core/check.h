/* Checks of arguments from scripts: each raises Usage at the caller's line, before anything is
 * done. */
#ifndef SPT_CORE_CHECK_H
#define SPT_CORE_CHECK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spt_task;

/* Raises Usage unless all arguments behind the first `most` are nil or those of a generic `for`,
 * and removes those. */
void spt_check_surplus(lua_State *L, int most);

/* Raises Usage for an argument behind the first `most`, self among them: a function that drops what
 * it is given does something else than was asked for. */
static inline void spt_check_most(lua_State *L, int most)
{
    if (lua_gettop(L) > most)
        spt_check_surplus(L, most);
}

/* The last resort of an object's __index: raises Usage for a field that a `what` does not have,
 * with the nearest of the names in the table at index `fields`. Returns 0 where the key at index 2
 * is none that a script would mean. */
int spt_check_no_field(lua_State *L, const char *what, int fields);

/* A task's handle. */
struct spt_task *spt_check_task(lua_State *L, int arg);

/* A number of seconds, not negative and not NaN, in nanoseconds; more than 64 bits count, 584
 * years, is SPT_NEVER. */
uint64_t spt_check_seconds(lua_State *L, int arg);

/* The same; nil or none is `otherwise`. */
uint64_t spt_opt_seconds(lua_State *L, int arg, uint64_t otherwise);

/* An instant on the scale of now(), in nanoseconds: the first at which now() is no earlier. One
 * before the clock's zero is 0, one that is further off than can be counted SPT_NEVER. */
uint64_t spt_check_instant(lua_State *L, int arg);

/* A string (numbers are not). */
const char *spt_check_string(lua_State *L, int arg, size_t *len);

/* Something that can be called. */
void spt_check_callable(lua_State *L, int arg);

/* A whole number of at least `least`. */
lua_Integer spt_check_count(lua_State *L, int arg, lua_Integer least);

/* A userdata whose metatable is the registry's `meta`. */
void *spt_check_udata(lua_State *L, int arg, const char *meta, const char *what);

/* The userdata that the running method was called on: the metatable of its type is the method's
 * second upvalue, which is found faster than by a name in the registry. */
void *spt_check_self(lua_State *L, const char *what);

/* now + ns, SPT_NEVER where that cannot be counted. */
uint64_t spt_instant(uint64_t now_ns, uint64_t ns);

#endif
