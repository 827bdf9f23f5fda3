/* SPDX-License-Identifier: MIT */
/* Calls the Lua modules that write the outputs of the trace. */
#include "trace.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Pushes a function of a private module, which only the modules' own `require` finds. */
static void push_function(lua_State *L, const char *module, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "septet.require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* Returns true for the options that septet.trace.cli knows. */
static bool is_output(const char *option)
{
    static const char *const names[] = {"--trace", "--summary", "--otlp", "--har-bodies",
                                        "--propagate"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(option, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

int trace_start(lua_State *L)
{
    const struct trace_start *start = lua_touserdata(L, 1);
    lua_Integer n = 0;
    push_function(L, "septet.trace.cli", "start");
    lua_newtable(L); // stack: start, function, words
    for (int i = 1; i < start->options; i++) {
        const char *word = start->argv[i];
        if ((strcmp(word, "-e") == 0 || strcmp(word, "-l") == 0))
            i++; /* its value */
        else if (is_output(word)) {
            lua_pushstring(L, word);
            lua_rawseti(L, 3, ++n);
        }
    }
    lua_pushstring(L, start->argv[start->script]);
    lua_pushboolean(L, isatty(STDERR_FILENO));
    lua_call(L, 3, 0);
    return 0;
}

static int l_finish(lua_State *L)
{
    push_function(L, "septet.trace.cli", "finish");
    lua_call(L, 0, 1);
    return 1;
}

bool trace_finish(lua_State *L)
{
    bool ok = false;
    if (!lua_checkstack(L, 4))
        return false;
    lua_pushcfunction(L, l_finish);
    if (lua_pcall(L, 0, 1, 0) == LUA_OK) {
        ok = lua_toboolean(L, -1);
    } else {
        const char *message = lua_tostring(L, -1);
        fprintf(stderr, "septet: cannot write the trace: %s\n",
                message != NULL ? message : "error object is not a string");
    }
    lua_pop(L, 1);
    return ok;
}

/* --- commands --- */

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

int trace_load_command(lua_State *L)
{
    const struct trace_command *command = lua_touserdata(L, 1);
    int n = 3;
    char module[64];
    snprintf(module, sizeof module, "septet.trace.command_%s", command->argv[0]);
    lua_pushcfunction(L, l_command);
    lua_pushlightuserdata(L, command->status);
    push_function(L, module, "run");
    for (char **word = command->argv + 1; *word != NULL; word++, n++) {
        luaL_checkstack(L, 1, "too many arguments");
        lua_pushstring(L, *word);
    }
    return n;
}
