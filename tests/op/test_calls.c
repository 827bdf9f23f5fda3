/* SPDX-License-Identifier: MIT */
/* Requests at work, by what is left of them: what rests is handed to the next. */
#include "support/host_fixture.h"

#include "http/state.h"
#include "op/env.h"

enum { LIMIT = 16 };

/* What the operations of a host were opened with. */
static const struct spt_env *env_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "septet.core");
    lua_getfield(L, -1, "http");
    assert_non_null(lua_getupvalue(L, -1, 1));
    const struct spt_env *env = lua_touserdata(L, -1);
    lua_pop(L, 3);
    return env;
}

static void test_transfers_rest_also_where_calls_are_too_many(void **state)
{
    struct host_fixture *f = *state;
    lua_State *L = f->L;
    lua_pushinteger(L, LIMIT);
    lua_setglobal(L, "limit");
    assert_runs(f->host,
                PRELUDE "local s <close> = http.session { limit = limit, limit_per_host = limit } "
                        "task.group(function(g) "
                        "  for _ = 1, 600 do g:spawn(s.get, s, origin .. '/bytes/1') end "
                        "end)");
    assert_silent(&f->reports);
    /* There may be more: one that is over has its own until its task has run, when others were
     * admitted. */
    assert_true(env_of(L)->driver->responses.n >= LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_transfers_rest_also_where_calls_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
