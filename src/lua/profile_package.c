/* SPDX-License-Identifier: MIT */
/* `package` and `require` as the standard profile has them. Modules are shared: package.loaded of
 * the registry, which scripts do not reach, has them. What a script puts into its own
 * package.loaded and package.preload counts for its own `require` only. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "lua/lib.h"
#include "lua/libraries.h"
#include "lua/profile_parts.h"
#include "op/env.h"
#include "op/gate.h"

/* --- require --- */

/* The upvalues of l_require. The first is where the standard function has it. */
enum { PACKAGE = 1, STOCK, LOADED, PRELOAD };

/* Loads a module from the script's own package.preload; the loader is on top of the stack. */
static int load_own(lua_State *L)
{
    lua_pushvalue(L, 1);
    lua_pushliteral(L, ":preload:");
    lua_call(L, 2, 1);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(LOADED));
    lua_pushliteral(L, ":preload:");
    return 2;
}

static int l_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_rawget(L, lua_upvalueindex(LOADED));
    if (lua_toboolean(L, -1))
        return 1;
    lua_pushvalue(L, 1);
    lua_rawget(L, lua_upvalueindex(PRELOAD));
    if (!lua_isnil(L, -1))
        return load_own(L);
    if (spt_libraries_have(name)) /* the script has removed it */
        return luaL_error(L, "module '%s' not found", name);
    lua_settop(L, 1);
    return lua_tocfunction(L, lua_upvalueindex(STOCK))(L);
}

/* The __index of a script's package.loaded: the modules that are shared. */
static int l_shared(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING || spt_libraries_have(lua_tostring(L, 2)))
        return 0;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

/* The __newindex of the host's package.loaded: code in the host's globals may add modules, and
 * forget them, but not Septet's. */
static int l_set_shared(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2);
    if (spt_libraries_have(name) || strncmp(name, "septet.", 7) == 0 || strcmp(name, "septet") == 0)
        return luaL_error(L, "cannot set module '%s': it is read-only", name);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_rawset(L, -3);
    return 0;
}

/* Pushes the package.loaded for the globals at index `globals`. */
static void push_loaded(lua_State *L, int globals)
{
    lua_createtable(L, 0, 10);
    for (lua_pushnil(L); lua_next(L, globals); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !spt_libraries_have(lua_tostring(L, -2)))
            continue;
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, l_shared);
    lua_setfield(L, -2, "__index");
    lua_pushglobaltable(L);
    if (lua_rawequal(L, -1, globals)) {
        lua_pushcfunction(L, l_set_shared);
        lua_setfield(L, -3, "__newindex");
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

void spt_profile_bind_package(lua_State *L, struct spt_env *env, int package)
{
    int globals = lua_gettop(L);
    package = lua_absindex(L, package);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -1);
    lua_setfield(L, globals, LUA_LOADLIBNAME);
    lua_getfield(L, package, "path");
    lua_setfield(L, -2, "path");
    lua_getfield(L, package, "config");
    lua_setfield(L, -2, "config");
    lua_pushvalue(L, package);
    lua_getfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_REQUIRE);
    push_loaded(L, globals);
    lua_pushvalue(L, -1);
    lua_setfield(L, globals + 1, "loaded");
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, globals + 1, "preload");
    lua_pushcclosure(L, l_require, PRELOAD);
    lua_setfield(L, globals, "require");
    lua_settop(L, globals);
}

/* --- the searcher for files --- */

/* Returns true if the script may read the file, and it exists. */
static bool is_readable(lua_State *L, const char *path)
{
    if (!spt_gate_permits(spt_env(L), SEPTET_PERMIT_READ, path))
        return false;
    FILE *file = fopen(path, "r");
    if (file)
        fclose(file);
    return file != NULL;
}

/* Like the standard searcher for Lua files, but looks only at those that scripts may read, and
 * loads only text. The second upvalue is the `package` of the host's globals, which has the path.
 */
static int l_search_files(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (lua_getfield(L, lua_upvalueindex(2), "path") != LUA_TSTRING)
        return luaL_error(L, "'package.path' must be a string");
    const char *at = lua_tostring(L, 2), *file = luaL_gsub(L, name, ".", LUA_DIRSEP);
    lua_pushliteral(L, "no file that scripts may read"); // stack: name, path, file, tried
    while (*at) {
        const char *end = strchr(at, *LUA_PATH_SEP);
        lua_pushlstring(L, at, end ? (size_t)(end - at) : strlen(at));
        const char *path = luaL_gsub(L, lua_tostring(L, -1), LUA_PATH_MARK, file);
        if (*path && is_readable(L, path)) {
            if (luaL_loadfilex(L, path, "t") != LUA_OK)
                return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path,
                                  lua_tostring(L, -1));
            lua_pushstring(L, path);
            return 2;
        }
        lua_settop(L, 4);
        at = end ? end + 1 : at + strlen(at);
    }
    return 1;
}

void spt_profile_make_searchers(lua_State *L, struct spt_env *env)
{
    int package = lua_gettop(L);
    lua_getfield(L, package, "searchers");
    int n = env->config->load_module ? 2 : 1; /* for package.preload, and load_module's */
    for (int i = (int)lua_rawlen(L, -1); i > n; i--) {
        lua_pushnil(L);
        lua_rawseti(L, -2, i);
    }
    lua_pushlightuserdata(L, env);
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_pushcclosure(L, l_search_files, 2);
    lua_rawseti(L, -2, n + 1);
    lua_settop(L, package);
}

/* --- for the modules --- */

/* hides_library(name): returns true for a standard library of a state with this profile. */
static int l_hides_library(lua_State *L)
{
    lua_pushboolean(L, spt_env(L)->is_standard && spt_libraries_have(luaL_checkstring(L, 1)));
    return 1;
}

void spt_open_profile(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"hides_library", l_hides_library}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
