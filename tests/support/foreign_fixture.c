/* SPDX-License-Identifier: MIT */
/* The census at the end: the state's stack is empty and each of its bytes came back. */
#include "support/foreign_fixture.h"

septet_host *host_on(lua_State *L, struct reports *reports, int *status)
{
    septet_config config = config_for(reports);
    config.lua = L;
    return septet_new(&config, status);
}

void run_outside(lua_State *L, const char *source)
{
    if (luaL_dostring(L, source) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_settop(L, 0);
}

int foreign_fixture_setup(void **state)
{
    struct foreign_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->pool.allowed = -1;
    f->L = lua_newstate(pool_alloc, &f->pool);
    assert_non_null(f->L);
    luaL_openlibs(f->L);
    set_origin(f->L);
    f->host = host_on(f->L, &f->reports, NULL);
    assert_non_null(f->host);
    assert_int_equal(lua_gettop(f->L), 0);
    *state = f;
    return 0;
}

void foreign_fixture_free(struct foreign_fixture *f)
{
    septet_host *host = f->host;
    f->host = NULL;
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int foreign_fixture_teardown(void **state)
{
    struct foreign_fixture *f = *state;
    foreign_fixture_free(f); /* of NULL does nothing */
    assert_int_equal(lua_gettop(f->L), 0);
    lua_close(f->L);
    assert_int_equal(f->pool.bytes, 0);
    free(f);
    return 0;
}
