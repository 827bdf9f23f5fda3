/* SPDX-License-Identifier: MIT */
/* Tables that scripts read and cannot change. Such a table is empty, and its metatable refers to a
 * hidden one. So each access of a field costs one metamethod more. */
#ifndef SPT_CORE_LOCKED_TABLE_H
#define SPT_CORE_LOCKED_TABLE_H

#include <lua.h>
#include <stdbool.h>

/* Moves the fields and the metatable of the table at `index` into a hidden table. Pops the function
 * that becomes its __newindex, to raise an error. Raises out of memory, and then leaves the table
 * as it is. */
void spt_locked_table_lock(lua_State *L, int index);

/* Returns true if the value at `index` is a locked table. */
bool spt_locked_table_is(lua_State *L, int index);

/* Pushes the hidden table of the one at `index`. Returns false, with nothing pushed, if that is not
 * locked. */
bool spt_locked_table_push_hidden(lua_State *L, int index);

#endif
