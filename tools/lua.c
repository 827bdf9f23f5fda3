/* SPDX-License-Identifier: MIT */
/* lua FILE.lua [ARG...]: runs a Lua program of the build, with the library of Lua that Septet is
 * linked with, as not each machine that builds has an interpreter. The program's modules lie in its
 * folder. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

static void set_path(lua_State *L, const char *file)
{
    const char *slash = strrchr(file, '/');
    lua_getglobal(L, "package");
    lua_pushlstring(L, file, slash ? (size_t)(slash - file + 1) : 0);
    lua_pushstring(L, "?.lua");
    lua_concat(L, 2);
    lua_setfield(L, -2, "path");
    lua_pop(L, 1);
}

static int traceback(lua_State *L)
{
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: lua FILE.lua [ARG...]\n");
        return 2;
    }
    lua_State *L = luaL_newstate();
    if (!L)
        return 1;
    luaL_openlibs(L);
    set_path(L, argv[1]);
    lua_pushcfunction(L, traceback);
    int status = luaL_loadfile(L, argv[1]);
    luaL_checkstack(L, argc, NULL);
    for (int i = 2; i < argc; i++)
        lua_pushstring(L, argv[i]);
    if (status == LUA_OK)
        status = lua_pcall(L, argc - 2, 0, 1);
    if (status != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != LUA_OK;
}
