/* SPDX-License-Identifier: MIT */
/* The library `io` as the standard profile has it. The default input and output are those of each
 * script's globals, because io.output would otherwise redirect what others write. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "lua/profile_parts.h"
#include "op/env.h"
#include "op/gate.h"

static bool permits_mode(lua_State *L, const char *path, const char *mode)
{
    bool updates = strchr(mode, '+');
    return ((*mode != 'r' && !updates) || *mode == '\0' ||
            spt_gate_permits(spt_env(L), SEPTET_PERMIT_READ, path)) &&
           ((*mode == 'r' && !updates) || spt_gate_permits(spt_env(L), SEPTET_PERMIT_WRITE, path));
}

static int l_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *mode = luaL_optstring(L, 2, "r");
    return permits_mode(L, path, mode) ? spt_profile_stock(L) : spt_profile_refuse(L, path);
}

static int l_popen(lua_State *L)
{
    const char *command = luaL_checkstring(L, 1);
    if (spt_gate_permits(spt_env(L), SEPTET_PERMIT_RUN, command))
        return spt_profile_stock(L);
    return spt_profile_refuse(L, command);
}

static int l_tmpfile(lua_State *L)
{
    if (spt_gate_permits(spt_env(L), SEPTET_PERMIT_WRITE, SPT_GATE_TEMPORARY))
        return spt_profile_stock(L);
    return spt_profile_refuse(L, SPT_GATE_TEMPORARY);
}

const luaL_Reg spt_profile_io[] = {
    {"open", l_open}, {"popen", l_popen}, {"tmpfile", l_tmpfile}, {NULL, NULL}};

/* --- the default files --- */

/* The own upvalue of the functions: a table of the default files, and the io.open by which they are
 * opened. */
enum { INPUT = 1, OUTPUT, OPEN, DEFAULTS = OPEN };

/* Pushes a default file. */
static void push_default(lua_State *L, int which)
{
    lua_rawgeti(L, lua_upvalueindex(SPT_PROFILE_OWN), which);
    const luaL_Stream *stream = lua_touserdata(L, -1);
    if (!stream->closef)
        luaL_error(L, "default %s file is closed", which == INPUT ? "input" : "output");
}

/* Calls a method of the default file with the arguments. */
static int call_method(lua_State *L, int which, const char *method)
{
    push_default(L, which);
    lua_getfield(L, -1, method);
    lua_insert(L, 1);
    lua_insert(L, 2); // stack: method, file, arguments...
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* io.input and io.output: returns the default file, after setting it to a file or a path. */
static int change_default(lua_State *L, int which, const char *mode)
{
    if (!lua_isnoneornil(L, 1)) {
        const char *path = lua_tostring(L, 1);
        lua_settop(L, 1);
        if (path) {
            lua_rawgeti(L, lua_upvalueindex(SPT_PROFILE_OWN), OPEN);
            lua_insert(L, 1);
            lua_pushstring(L, mode);
            lua_call(L, 2, 2);
            if (lua_isnil(L, 1))
                return luaL_error(L, "cannot open file '%s'", lua_tostring(L, 2));
            lua_settop(L, 1);
        }
        const luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
        if (!stream->closef)
            return luaL_error(L, "attempt to use a closed file");
        lua_rawseti(L, lua_upvalueindex(SPT_PROFILE_OWN), which);
    }
    lua_rawgeti(L, lua_upvalueindex(SPT_PROFILE_OWN), which);
    return 1;
}

static int l_input(lua_State *L)
{
    return change_default(L, INPUT, "r");
}

static int l_output(lua_State *L)
{
    return change_default(L, OUTPUT, "w");
}

static int l_read(lua_State *L)
{
    return call_method(L, INPUT, "read");
}

static int l_write(lua_State *L)
{
    for (int i = 1, n = lua_gettop(L); i <= n; i++)
        luaL_checkstring(L, i); /* here, an error names the argument as the script counts it */
    return call_method(L, OUTPUT, "write");
}

static int l_close(lua_State *L)
{
    return lua_isnone(L, 1) ? call_method(L, OUTPUT, "close") : spt_profile_stock(L);
}

static int l_lines(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        if (lua_gettop(L) > 0)
            lua_remove(L, 1);
        return call_method(L, INPUT, "lines");
    }
    const char *path = luaL_checkstring(L, 1);
    if (spt_gate_permits(spt_env(L), SEPTET_PERMIT_READ, path))
        return spt_profile_stock(L);
    return luaL_error(L, "%s: denied by the host", path);
}

void spt_profile_bind_io(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {
        {"input", l_input}, {"output", l_output}, {"read", l_read}, {"write", l_write},
        {"close", l_close}, {"lines", l_lines},   {NULL, NULL}};
    lua_createtable(L, DEFAULTS, 0);
    lua_getfield(L, -2, LUA_IOLIBNAME); // stack: defaults, io
    lua_getfield(L, -1, "stdin");
    lua_rawseti(L, -3, INPUT);
    lua_getfield(L, -1, "stdout");
    lua_rawseti(L, -3, OUTPUT);
    lua_getfield(L, -1, "open");
    lua_rawseti(L, -3, OPEN);
    spt_profile_replace(L, env, lua_gettop(L) - 1, functions);
    lua_pop(L, 2);
}

/* --- standard input --- */

/* Returns true for standard input, unless the script may read it. */
static bool is_denied(lua_State *L)
{
    const luaL_Stream *stream = luaL_testudata(L, 1, LUA_FILEHANDLE);
    return stream && stream->f == stdin &&
           !spt_gate_permits(spt_env(L), SEPTET_PERMIT_READ, SPT_GATE_STDIN);
}

static int l_file_read(lua_State *L)
{
    return is_denied(L) ? spt_profile_refuse(L, SPT_GATE_STDIN) : spt_profile_stock(L);
}

static int l_file_lines(lua_State *L)
{
    if (is_denied(L))
        return luaL_error(L, "%s: denied by the host", SPT_GATE_STDIN);
    return spt_profile_stock(L);
}

void spt_profile_protect_files(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {
        {"read", l_file_read}, {"lines", l_file_lines}, {NULL, NULL}};
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_getfield(L, -1, "__index");
    spt_profile_replace(L, env, 0, methods);
    lua_pop(L, 2);
}
