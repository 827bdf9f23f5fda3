/* SPDX-License-Identifier: MIT */
/* A host for targets with code that is reached from Lua: made once, with a function of a script
 * that is called with each input. */
#ifndef TESTS_FUZZ_HOST_H
#define TESTS_FUZZ_HOST_H

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "fuzz.h"
#include "septet/septet.h"

#ifdef SPT_FUZZ_PLANT
#define PLANTED 1
#else
#define PLANTED 0
#endif

struct fuzz_host {
    septet_host *septet;
    int errors; /* that no script caught */
};

static inline void host_report(void *ud, const septet_error *error)
{
    struct fuzz_host *host = ud;
    fprintf(stderr, "%s: %s\n%s\n", error->kind, error->message, error->traceback);
    host->errors++;
}

/* Makes a host with one of SEPTET_CLOCK_... and runs the script `name` of this folder, which gets
 * true if a bug is planted, and returns a function. The function stays in the registry under
 * "fuzz.one". */
static inline void host_open(struct fuzz_host *host, const char *name, int clock)
{
    char path[4096];
    septet_config config;
    septet_config_init(&config);
    config.ud = host;
    config.on_error = host_report;
    config.profile = SEPTET_PROFILE_TRUSTED;
    config.slow_ms = 0;
    config.clock = clock;
    host->septet = septet_new(&config, NULL);
    CHECK(host->septet);
    lua_State *L = septet_lua(host->septet);
    snprintf(path, sizeof path, "%s/%s", FUZZ_FOLDER, name);
    int failed = luaL_loadfile(L, path);
    lua_pushboolean(L, PLANTED);
    if (failed || lua_pcall(L, 1, 1, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, failed ? -2 : -1));
        abort();
    }
    lua_setfield(L, LUA_REGISTRYINDEX, "fuzz.one");
}

/* Runs the function, as a task, on an input. An error that it lets out is a finding. */
static inline void host_run(struct fuzz_host *host, const uint8_t *data, size_t size)
{
    lua_State *L = septet_lua(host->septet);
    lua_getfield(L, LUA_REGISTRYINDEX, "fuzz.one");
    lua_pushlstring(L, (const char *)data, size);
    CHECK(septet_spawn(host->septet, "fuzz", 1) == SEPTET_OK);
    CHECK(septet_run(host->septet) == SEPTET_OK);
    CHECK(host->errors == 0);
}

#endif
