/* What the two halves of JSON share. */
#ifndef SPT_LUA_JSON_H
#define SPT_LUA_JSON_H

#include <lua.h>

struct spt_env;

/* The metatable that marks a table as an array. */
#define SPT_JSON_ARRAY_META "septet.json.array"

/* How deep arrays and objects nest at most. jansson's own limit of 2048 counts what is in the
 * innermost, too. */
enum { SPT_JSON_DEPTH_MAX = 2047 };

/* Raises out of memory: in Lua's own words and without a place, by which the host recognises it. */
int spt_json_no_memory(lua_State *L);

/* Adds json_encode to the table on top of the stack. */
void spt_open_json_encode(lua_State *L, struct spt_env *env);

#endif
