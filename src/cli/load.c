/* SPDX-License-Identifier: MIT */
/* Loads the main tasks with Lua's own loaders. */
#include "load.h"

#include <lauxlib.h>
#include <string.h>

#include "option_table.h"

int load_chunk(lua_State *L)
{
    const struct chunk *chunk = lua_touserdata(L, 1);
    if (luaL_loadbuffer(L, chunk->source, strlen(chunk->source), chunk->name) != LUA_OK)
        return lua_error(L);
    return 1;
}

int load_file(lua_State *L)
{
    if (luaL_loadfile(L, lua_touserdata(L, 1)) != LUA_OK)
        return lua_error(L);
    return 1;
}

/* Raises the error for a script that cannot be opened, with what the user may have meant. */
static int no_script(lua_State *L, const char *word)
{
    const char *near = option_table_near_command(word);
    if (near != NULL)
        return luaL_error(L, "%s, did you mean 'septet %s'?", lua_tostring(L, -1), near);
    if (strpbrk(word, "/.") == NULL)
        return luaL_error(L, "%s, and there is no such command (try 'septet --help')",
                          lua_tostring(L, -1));
    return lua_error(L);
}

int load_script(lua_State *L)
{
    const char *path = lua_touserdata(L, 1);
    int status = luaL_loadfile(L, path);
    if (status == LUA_ERRFILE && path != NULL)
        return no_script(L, path);
    if (status != LUA_OK)
        return lua_error(L);
    if (lua_getglobal(L, "arg") != LUA_TTABLE)
        return luaL_error(L, "'arg' is not a table");
    int count = (int)luaL_len(L, -1);
    luaL_checkstack(L, count + 1, "too many arguments to script");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, 3, i);
    lua_remove(L, 3);
    return 1 + count;
}

static int required(lua_State *L, int status, lua_KContext context)
{
    lua_setglobal(L, lua_tostring(L, 1));
    return 0;
}

/* The task function of -l. Called with the names of the global and the module. The module's top
 * level may wait. */
static int l_require(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "septet.task");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "require");
    lua_pushvalue(L, 2);
    lua_callk(L, 1, 1, 0, required);
    return required(L, LUA_OK, 0);
}

int load_module(lua_State *L)
{
    const char *spec = lua_touserdata(L, 1);
    const char *equals = strchr(spec, '=');
    lua_pushcfunction(L, l_require);
    lua_pushlstring(L, spec, equals != NULL ? (size_t)(equals - spec) : strlen(spec));
    lua_pushstring(L, equals != NULL ? equals + 1 : spec);
    return 3;
}

/* --- commands --- */

void load_private(lua_State *L, const char *module, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "septet.require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

static int command_done(lua_State *L, int status, lua_KContext context)
{
    int *result = lua_touserdata(L, 1);
    *result = (int)lua_tointeger(L, -1);
    return 0;
}

/* The task function of a command. Called with the place of its status, the Lua function and the
 * words of the command line. */
static int l_command(lua_State *L)
{
    lua_callk(L, lua_gettop(L) - 2, 1, 0, command_done);
    return command_done(L, LUA_OK, 0);
}

void load_private_function(lua_State *L, const char *module, int *status)
{
    lua_pushcfunction(L, l_command);
    lua_pushlightuserdata(L, status);
    load_private(L, module, "run");
}

int load_command(lua_State *L)
{
    const struct command *command = lua_touserdata(L, 1);
    int n = 3;
    load_private(L, "septet.command.program", "receive");
    lua_pushcfunction(L, option_table_push);
    lua_call(L, 1, 0);
    load_private_function(L, command->module, command->status);
    for (char **word = command->argv; *word != NULL; word++, n++) {
        luaL_checkstack(L, 1, "too many arguments");
        lua_pushstring(L, *word);
    }
    return n;
}
