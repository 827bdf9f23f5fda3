/* SPDX-License-Identifier: MIT */
/* Fields of tables: checks those that a script passes, and sets those of a result. */
#ifndef SPT_OP_FIELDS_H
#define SPT_OP_FIELDS_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* --- of the table at index 1; raise Usage if the value is of another type --- */

/* Returns a string, which the table keeps alive, or NULL for nil. */
const char *spt_fields_text(lua_State *L, const char *name);
bool spt_fields_flag(lua_State *L, const char *name);

/* Returns an integer of at least `least`. */
lua_Integer spt_fields_count(lua_State *L, const char *name, lua_Integer least);

/* Returns nanoseconds, or SPT_NEVER for nil. */
uint64_t spt_fields_seconds(lua_State *L, const char *name);

/* --- of the table on top of the stack --- */

void spt_fields_set_count(lua_State *L, const char *name, uint64_t n);
void spt_fields_set_flag(lua_State *L, const char *name, bool flag);

/* Sets a duration in seconds, unless it is negative. */
void spt_fields_set_seconds(lua_State *L, const char *name, int64_t ns);

/* --- of the array at any index --- */

/* Returns the strings of the array at the stack index `arg` and their number, or NULL for nil. The
 * array keeps the strings alive, and the stack the block of pointers, which is pushed. */
const char *const *spt_fields_strings(lua_State *L, int arg, size_t *n);

#endif
