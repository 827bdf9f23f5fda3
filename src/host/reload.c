/* SPDX-License-Identifier: MIT */
/* Loads a module again, outside of any task. lua/septet/internal/reload.lua does it. */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "core/error.h"
#include "host/report.h"
#include "host/state.h"
#include "lua/lib.h"
#include "lua/libraries.h"

struct reload {
    septet_host *host;
    const char *name;
    int status;
};

/* Returns true if package.loaded has the module. */
static bool is_loaded(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    bool loaded = lua_getfield(L, -1, name) != LUA_TNIL;
    lua_pop(L, 2);
    return loaded;
}

/* Reports the error at index `value`, with the text of its traceback behind it. */
static void report(lua_State *L, septet_host *h, int value)
{
    const char *traceback = lua_tostring(L, value + 1);
    const char *message = spt_error_push_words(L, value);
    lua_pushvalue(L, value);
    spt_report_error(h, &(septet_error){.kind = spt_report_kind(L, value),
                                        .message = message,
                                        .traceback = traceback ? traceback : "",
                                        .task = "",
                                        .is_main = 1});
}

static int reload_protected(lua_State *L)
{
    struct reload *reload = lua_touserdata(L, 1);
    lua_settop(L, 0);
    luaL_checkstack(L, 10, NULL);
    if (!is_loaded(L, reload->name)) {
        reload->status = SEPTET_EINVAL;
        return 0;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, SPT_REQUIRE);
    lua_pushliteral(L, "septet.internal.reload");
    lua_call(L, 1, 1);
    lua_pushstring(L, reload->name);
    lua_call(L, 1, 3); // stack: outcome, error, traceback
    const char *outcome = lua_tostring(L, 1);
    if (strcmp(outcome, "busy") == 0)
        reload->status = SEPTET_EBUSY;
    else if (strcmp(outcome, "ok") != 0) {
        reload->status = *outcome == 'l' ? SEPTET_ELOAD : SEPTET_ESCRIPT;
        report(L, reload->host, 2);
    }
    return 0;
}

static bool is_reserved(const char *name)
{
    return spt_libraries_have(name) || strcmp(name, "septet") == 0 ||
           strncmp(name, "septet.", 7) == 0;
}

int septet_reload(septet_host *host, const char *name)
{
    struct reload reload = {.host = host, .name = name, .status = SEPTET_OK};
    lua_State *L = host->L;
    if (host->callbacks.reporting)
        return SEPTET_EBUSY;
    if (!name || is_reserved(name))
        return SEPTET_EINVAL;
    if (!L)
        return SEPTET_ECLOSED;
    if (!lua_checkstack(L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(L, reload_protected);
    lua_pushlightuserdata(L, &reload);
    int status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_OK)
        return reload.status;
    bool memory = lua_type(L, -1) == LUA_TSTRING && /* also if our module has passed it on */
                  strcmp(lua_tostring(L, -1), "not enough memory") == 0;
    lua_pop(L, 1);
    return memory ? SEPTET_ENOMEM : SEPTET_ESCRIPT;
}
