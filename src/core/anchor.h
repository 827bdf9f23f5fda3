/* Anchors Lua objects while C holds pointers into them. Finalizers are no substitute: Lua does not
 * complete them if memory or the C stack is exhausted. */
#ifndef SPT_CORE_ANCHOR_H
#define SPT_CORE_ANCHOR_H

#include <lua.h>

/* Makes the table of anchored objects; once per state. */
void spt_anchor_open(lua_State *L);

/* Makes a table with weak keys in the registry, at the address `key`. */
void spt_new_weak_table(lua_State *L, const void *key);

/* Anchors the userdata at `index`. Anchoring it again is a no-op. Raises out of memory. */
void spt_anchor(lua_State *L, int index);

/* Unanchors the userdata with its block at `block`. Allocates nothing. A userdata that is not
 * anchored is a no-op. */
void spt_unanchor(lua_State *L, const void *block);

#endif
