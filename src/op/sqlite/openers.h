/* SPDX-License-Identifier: MIT */
/* The openers of the files in op/sqlite/. */
#ifndef SPT_OP_SQLITE_OPENERS_H
#define SPT_OP_SQLITE_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_sqlite_handle(lua_State *L, struct spt_env *env);
void spt_open_sqlite_run(lua_State *L, struct spt_env *env);

#endif
