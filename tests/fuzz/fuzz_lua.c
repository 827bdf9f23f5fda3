/* SPDX-License-Identifier: MIT */
/* Programs of calls, drawn from the input: every function and field of Septet's modules and
 * objects, on every kind of self, in a host of their own. Whatever a script without `debug` calls,
 * nothing crashes and the run ends. */
#include "host.h"

#include <unistd.h>

enum { INPUTS_A_HOST = 50 };

static void ignore_error(void *ud, const septet_error *error)
{
}

#if PLANTED
static int trusting_close(lua_State *L)
{
    volatile const char *self = lua_touserdata(L, 1);
    lua_pushinteger(L, *self);
    return 1;
}

/* As it was: the metatable of writers is their table of methods, and its __close trusts its
 * argument. */
static void plant(lua_State *L)
{
    luaL_getmetatable(L, "septet.io.writer");
    lua_getfield(L, -1, "__index");
    lua_pushcfunction(L, trusting_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 2);
}
#else
static void plant(lua_State *L)
{
}
#endif

static septet_host *new_host(void)
{
    septet_config config;
    septet_config_init(&config);
    config.profile = SEPTET_PROFILE_TRUSTED;
    config.on_error = ignore_error;
    config.slow_ms = 0;
    config.limits.slice_ms = 2000;
    config.trace_records = 256;
    config.clock = SEPTET_CLOCK_VIRTUAL;
    septet_host *host = septet_new(&config, NULL);
    CHECK(host);
    lua_State *L = septet_lua(host);
    plant(L);
    if (luaL_loadfile(L, FUZZ_FOLDER "/lua.lua") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    lua_setfield(L, LUA_REGISTRYINDEX, "fuzz.one");
    return host;
}

/* A host is some times as slow to make as an input is to run: it lasts for a few of them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static septet_host *host;
    static int runs;
    if (!host)
        host = new_host();
    lua_State *L = septet_lua(host);
    lua_getfield(L, LUA_REGISTRYINDEX, "fuzz.one");
    lua_pushlstring(L, (const char *)data, size);
    CHECK(septet_spawn(host, "fuzz", 1) == SEPTET_OK);
    septet_run(host); /* may fail, or find a deadlock */
    CHECK(septet_tasks(host) == 0);
    if (++runs % INPUTS_A_HOST == 0) {
        CHECK(septet_free(host) == SEPTET_OK);
        host = NULL;
    }
    return 0;
}
