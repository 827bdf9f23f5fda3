/* SPDX-License-Identifier: MIT */
/* The host of bench/trace.lua, whose script switches the trace's level, also off.
 *
 *     bench_trace SCRIPT WORK N URL SLICES MODE,...
 *
 * The words behind the script are its globals, and `level` is the switch. */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>

#include "core/sched.h"
#include "septet/septet.h"

static void on_error(void *ud, const septet_error *error)
{
    fprintf(stderr, "%s\n", error->message);
}

/* level(n): sets the level of the ring. A reader that begins or ends sets its own. */
static int l_level(lua_State *L)
{
    spt_trace_set_level(&spt_sched_of(L)->trace, (int)luaL_checkinteger(L, 1));
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"work", "n", "url", "slices", "modes"};
    if (argc != 7)
        return 2;
    septet_config config;
    septet_config_init(&config);
    config.profile = SEPTET_PROFILE_TRUSTED;
    config.on_error = on_error;
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    lua_State *L = septet_lua(host);
    for (int i = 0; i < 5; i++) {
        lua_pushstring(L, argv[2 + i]);
        lua_setglobal(L, names[i]);
    }
    lua_pushcfunction(L, l_level);
    lua_setglobal(L, "level");
    int rc = septet_load_file(host, argv[1]) || septet_run(host) != SEPTET_OK;
    return septet_free(host) != SEPTET_OK || rc;
}
