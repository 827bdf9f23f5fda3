/* SPDX-License-Identifier: MIT */
/* Replaces `print`, io.write and the method `write` of files. The last two pass a text to the
 * embedder if the file is standard output. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

#include "lua/lib.h"
#include "lua/replace.h"
#include "op/env.h"
#include "op/gate.h"

/* Passes the values from index `first` to `last` on, as one text. `separator` is between them. */
static void deliver(lua_State *L, int first, int last, const char *separator, const char *end)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = first; i <= last; i++) {
        if (i > first)
            luaL_addstring(&b, separator);
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_addstring(&b, end);
    luaL_pushresult(&b);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    spt_gate_print(spt_env(L), text, length);
    lua_pop(L, 1);
}

/* print, but to on_print. */
static int l_print(lua_State *L)
{
    if (!spt_env(L)->config)
        return 0;
    deliver(L, 1, lua_gettop(L), "\t", "\n");
    return 0;
}

static bool is_stdout(lua_State *L, int index)
{
    const luaL_Stream *stream = luaL_testudata(L, index, LUA_FILEHANDLE);
    return stream && stream->f == stdout;
}

/* Continues as the standard function, the second upvalue, in the frame of the replacement. */
static int stock(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

/* file:write(...), but to on_print for standard output. */
static int l_file_write(lua_State *L)
{
    int top = lua_gettop(L);
    if (!is_stdout(L, 1) || !spt_env(L)->config)
        return stock(L);
    for (int i = 2; i <= top; i++)
        luaL_checkstring(L, i);
    deliver(L, 2, top, "", "");
    lua_settop(L, 1);
    return 1;
}

/* io.write(...), but to on_print if the default output is standard output. */
static int l_write(lua_State *L)
{
    int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "_IO_output");
    if (!is_stdout(L, -1) || !spt_env(L)->config) {
        lua_pop(L, 1);
        return stock(L);
    }
    for (int i = 1; i <= top; i++)
        luaL_checkstring(L, i);
    deliver(L, 1, top, "", "");
    return 1;
}

/* Replaces the function `name` of the table on top of the stack. */
static void replace(lua_State *L, struct spt_env *env, const char *name, lua_CFunction function)
{
    lua_pushlightuserdata(L, env);
    lua_getfield(L, -2, name);
    lua_pushcclosure(L, function, 2);
    lua_setfield(L, -2, name);
}

void spt_open_print(lua_State *L, struct spt_env *env)
{
    if (!env->owns_state || !env->config->on_print)
        return;
    int top = lua_gettop(L);
    lua_pushglobaltable(L);
    replace(L, env, "print", l_print);
    lua_getfield(L, -1, LUA_IOLIBNAME);
    replace(L, env, "write", l_write);
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lua_getfield(L, -1, "__index");
    replace(L, env, "write", l_file_write);
    lua_settop(L, top);
}
