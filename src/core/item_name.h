/* SPDX-License-Identifier: MIT */
/* The text of an item of task.map() in the name of its task. */
#ifndef SPT_CORE_ITEM_NAME_H
#define SPT_CORE_ITEM_NAME_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define SPT_ITEM_NAME_MAX 65 /* maximum number of bytes of that text */

/* Writes the item at `index`, a string or a number. A string is escaped, without a password of a
 * URL, and without its middle if it is long. Returns false for an empty string. */
bool spt_item_name_write(lua_State *L, int index, char *out, size_t size);

#endif
