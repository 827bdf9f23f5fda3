/* SPDX-License-Identifier: MIT */
/* Whatever a host spawns and waits for again and again, it takes no more memory for. */
#include "faults/failing_calls.h"
#include "support/host_fixture.h"

static int l_live(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)live.lua);
    lua_setfield(L, 1, "bytes of Lua's");
    lua_pushinteger(L, live.own);
    lua_setfield(L, 1, "blocks of the library's");
    lua_pushinteger(L, live.curl);
    lua_setfield(L, 1, "blocks of libcurl's");
    return 1;
}

static void test_memory_does_not_grow(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.alloc = fault_lua_memory;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    lua_register(septet_lua(host), "live", l_live);
    assert_spawns(host, "main");
    int rc = septet_run(host);
    assert_silent(&reports);
    assert_int_equal(rc, SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(live.lua, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_does_not_grow),
    };
    fault_init_curl();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
