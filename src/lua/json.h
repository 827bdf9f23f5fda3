/* SPDX-License-Identifier: MIT */
/* Declarations shared by the JSON decoder and encoder. */
#ifndef SPT_LUA_JSON_H
#define SPT_LUA_JSON_H

#include <lua.h>

struct spt_env;

/* The metatable that marks a table as an array. */
#define SPT_JSON_ARRAY_META "septet.json.array"

/* The maximum nesting of arrays and objects. jansson's own maximum of 2048 also counts the values
 * inside the innermost one. */
enum { SPT_JSON_DEPTH_MAX = 2047 };

#endif
