/* SPDX-License-Identifier: MIT */
/* Finds the names of functions in the modules that are loaded. */
#include "core/function_names.h"

#include <lauxlib.h>
#include <string.h>

#include "core/locked_table.h"

bool spt_function_names_is_script(const lua_Debug *ar)
{
    return ar->currentline > 0 && (*ar->source != '=' || strncmp(ar->source, "=[septet.", 9) != 0);
}

/* Pushes the name of the field that holds the function at index `fn` in the table on top. Returns
 * false if there is none. */
static bool push_own_field(lua_State *L, int fn)
{
    int table = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_rawequal(L, -1, fn) && lua_type(L, -2) == LUA_TSTRING) {
            lua_pop(L, 1);
            return true;
        }
    }
    return false;
}

/* Likewise, but also for a locked table. Leaves more on the stack below the name. */
static bool push_field_of(lua_State *L, int fn)
{
    return push_own_field(L, fn) ||
           (spt_locked_table_push_hidden(L, lua_gettop(L)) && push_own_field(L, fn));
}

const char *spt_function_names_push_loaded(lua_State *L, int fn)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    int loaded = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, loaded); lua_settop(L, loaded + 1)) {
        // stack: ..., loaded, module name, module
        if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1) || !push_field_of(L, fn))
            continue;
        const char *module = lua_tostring(L, loaded + 1), *field = lua_tostring(L, -1);
        if (strncmp(module, "septet.", 7) == 0)
            module += 7;
        if (strcmp(module, LUA_GNAME) == 0)
            lua_pushstring(L, field);
        else
            lua_pushfstring(L, "%s.%s", module, field);
        lua_replace(L, loaded);
        lua_settop(L, loaded);
        return lua_tostring(L, -1);
    }
    lua_settop(L, loaded - 1);
    return NULL;
}

const char *spt_function_names_push_function(lua_State *L, lua_State *co, lua_Debug *ar)
{
    luaL_checkstack(L, 10, NULL);
    lua_getinfo(co, "fn", ar);
    lua_xmove(co, L, 1);
    const char *name = spt_function_names_push_loaded(L, lua_gettop(L));
    if (!name && ar->name)
        name = lua_pushstring(L, ar->name);
    if (name)
        lua_remove(L, -2);
    else
        lua_pop(L, 1);
    return name;
}
