/* Keeps Lua objects from the collector while something in C points into them. Finalizers are no
 * substitute: Lua does not finish them where memory or the C stack is used up. */
#ifndef SPT_CORE_ANCHOR_H
#define SPT_CORE_ANCHOR_H

#include <lua.h>

/* Makes the table of what is kept; once per state. */
void spt_anchor_open(lua_State *L);

/* Makes a table in the registry, at the address `key`, that keeps none of its keys. */
void spt_new_weak_table(lua_State *L, const void *key);

/* Keeps the userdata at `index`; harmless when it is kept. Raises out of memory. */
void spt_anchor(lua_State *L, int index);

/* Lets go of the userdata whose block is at `block`. Allocates nothing; harmless when it is not
 * kept. */
void spt_unanchor(lua_State *L, const void *block);

#endif
