/* SPDX-License-Identifier: MIT */
/* Finds the modules that tools/embed.c has written as tables of four columns into the command. */
#include "modules.h"

#include <string.h>

/* Returns the text of a module by its name, or nothing. */
static int l_source(lua_State *L)
{
    const char *name = lua_tostring(L, 1);
    for (const struct module *m = command_modules; m->name != NULL; m++) {
        if (strcmp(m->name, name) != 0)
            continue;
        lua_pushlstring(L, m->source, m->size);
        return 1;
    }
    return 0;
}

void modules_give(lua_State *L)
{
    lua_pushcfunction(L, l_source);
    lua_setfield(L, LUA_REGISTRYINDEX, "septet.source");
}
