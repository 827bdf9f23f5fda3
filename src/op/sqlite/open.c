/* SPDX-License-Identifier: MIT */
/* Opens the operations on databases, when a script first asks for them. */
#include "op/env.h"
#include "op/openers.h"
#include "op/sqlite/openers.h"

/* sqlite(): returns a table with the functions of op/sqlite/. */
static int l_sqlite(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    lua_newtable(L);
    spt_open_sqlite_handle(L, env);
    spt_open_sqlite_run(L, env);
    return 1;
}

static const luaL_Reg functions[] = {{"sqlite", l_sqlite}, {NULL, NULL}};

void spt_open_sqlite(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
