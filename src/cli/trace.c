/* SPDX-License-Identifier: MIT */
/* Calls the Lua modules that write the outputs of the trace. */
#include "trace.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "worker.h"

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
    load_private(L, "septet.trace.cli", "start");
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
    lua_pushboolean(L, worker_isatty(STDERR_FILENO));
    lua_call(L, 3, 0);
    return 0;
}

static int l_finish(lua_State *L)
{
    load_private(L, "septet.trace.cli", "finish");
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
