/* SPDX-License-Identifier: MIT */
/* Keeps pristine libraries in the registry: the standard ones without what the profile leaves out,
 * and with the replacements. The host's globals and those of each script get copies of them. */
#include "lua/profile.h"

#include <lauxlib.h>
#include <lualib.h>

#include "lua/libraries.h"
#include "lua/profile_parts.h"
#include "op/env.h"

/* The globals that the profile has, except those that are bound to a script's. */
static const char *const names[] = {
    "assert",      "collectgarbage", "dofile",      "error",        "getmetatable", "ipairs",
    "load",        "loadfile",       "next",        "pairs",        "pcall",        "print",
    "rawequal",    "rawget",         "rawlen",      "rawset",       "select",       "setmetatable",
    "tonumber",    "tostring",       "type",        "warn",         "xpcall",       "_VERSION",
    LUA_COLIBNAME, LUA_IOLIBNAME,    LUA_OSLIBNAME, LUA_STRLIBNAME, LUA_TABLIBNAME, LUA_UTF8LIBNAME,
};

/* Sets fields of the table at index `to` to those of the one at index `from`. */
static void copy_fields(lua_State *L, int from, int to)
{
    for (lua_pushnil(L); lua_next(L, from);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, to);
    }
}

/* Replaces the table on top of the stack by a copy. */
static void copy_table(lua_State *L)
{
    lua_newtable(L);
    copy_fields(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_remove(L, -2);
}

/* --- the pristine libraries --- */

/* Removes a field of a library in the table on top of the stack. */
static void remove_field(lua_State *L, const char *library, const char *name)
{
    lua_getfield(L, -1, library);
    lua_pushnil(L);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void replace_in(lua_State *L, struct spt_env *env, const char *library,
                       const luaL_Reg *functions)
{
    lua_getfield(L, -1, library);
    spt_profile_replace(L, env, 0, functions);
    lua_pop(L, 1);
}

/* Pushes the pristine libraries, made of the globals. */
static void push_pristine(lua_State *L, struct spt_env *env)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (lua_getglobal(L, names[i]) == LUA_TTABLE)
            copy_table(L);
        lua_setfield(L, -2, names[i]);
    }
    remove_field(L, LUA_OSLIBNAME, "exit");
    remove_field(L, LUA_STRLIBNAME, "dump");
    spt_profile_replace(L, env, 0, spt_profile_base);
    replace_in(L, env, LUA_OSLIBNAME, spt_profile_os);
    replace_in(L, env, LUA_IOLIBNAME, spt_profile_io);
    lua_createtable(L, 0, 1);
    lua_getglobal(L, LUA_DBLIBNAME);
    lua_getfield(L, -1, "traceback");
    lua_setfield(L, -3, "traceback");
    lua_pop(L, 1);
    lua_setfield(L, -2, LUA_DBLIBNAME);
}

/* Lets the methods of strings be those of a library that no script can change. The pristine
 * libraries are on top of the stack. */
static void protect_strings(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, -3, LUA_STRLIBNAME);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

/* --- globals --- */

/* Adds everything to the globals on top of the stack. */
static void fill_globals(lua_State *L, struct spt_env *env)
{
    int globals = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_PRISTINE);
    for (lua_pushnil(L); lua_next(L, globals + 1); lua_settop(L, globals + 2)) {
        if (lua_istable(L, -1))
            copy_table(L);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, globals);
    }
    lua_settop(L, globals);
    lua_pushvalue(L, globals);
    lua_setfield(L, globals, LUA_GNAME);
    lua_pushcfunction(L, luaopen_math); /* with random numbers of its own */
    lua_call(L, 0, 1);
    lua_setfield(L, globals, LUA_MATHLIBNAME);
    spt_profile_bind_load(L, env);
    spt_profile_bind_io(L, env);
    lua_getfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_PACKAGE);
    lua_insert(L, globals);
    spt_profile_bind_package(L, env, globals);
    lua_remove(L, globals);
}

/* Lets package.loaded of the registry have the libraries of the host's globals, which are on top of
 * the stack: `require` in C and names in tracebacks come from there. */
static void update_loaded(lua_State *L)
{
    int globals = lua_gettop(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (lua_pushnil(L); lua_next(L, globals); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !spt_libraries_have(lua_tostring(L, -2)))
            continue;
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, globals + 1);
    }
    lua_settop(L, globals);
}

static void clear_table(lua_State *L, int table)
{
    for (lua_pushnil(L); lua_next(L, table);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, table);
    }
}

void spt_profile_keep_loaders(lua_State *L, struct spt_env *env)
{
    static const char *const loading[] = {"load", "loadfile", "dofile"};
    if (!env->owns_state || env->is_standard)
        return; /* in the embedder's state, they may be the embedder's own */
    lua_createtable(L, 0, 3);
    for (size_t i = 0; i < sizeof loading / sizeof *loading; i++) {
        lua_getglobal(L, loading[i]);
        lua_setfield(L, -2, loading[i]);
    }
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_LOAD);
}

void spt_profile_apply(lua_State *L, struct spt_env *env)
{
    int top = lua_gettop(L);
    push_pristine(L, env);
    protect_strings(L);
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_PRISTINE);
    spt_profile_protect_files(L, env);
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_PACKAGE);
    lua_getglobal(L, "require");
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_REQUIRE);
    lua_pushglobaltable(L);
    clear_table(L, top + 1);
    fill_globals(L, env);
    update_loaded(L);
    lua_getfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_PACKAGE);
    spt_profile_make_searchers(L, env);
    lua_warning(L, "@on", 0);
    lua_settop(L, top);
}

void spt_profile_push_globals(lua_State *L, struct spt_env *env)
{
    luaL_checkstack(L, 12, NULL);
    lua_newtable(L);
    if (env->is_standard) {
        fill_globals(L, env);
        return;
    }
    int globals = lua_gettop(L);
    lua_pushvalue(L, globals);
    lua_setfield(L, globals, LUA_GNAME);
    lua_pushglobaltable(L);
    if (lua_getfield(L, LUA_REGISTRYINDEX, SPT_PROFILE_STOCK_LOAD) == LUA_TTABLE) {
        copy_fields(L, lua_gettop(L), globals);
        lua_pushvalue(L, globals);
        spt_profile_bind_load(L, env);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, globals);
}
