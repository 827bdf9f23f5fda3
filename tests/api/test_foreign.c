/* SPDX-License-Identifier: MIT */
/* Hosts on a Lua state that belongs to the embedder. */
#include "support/foreign_fixture.h"
#include "support/test_file.h"

#include "septet/op.h"

/* --- the embedder's Lua state --- */

static void test_state_survives_its_host(void **state)
{
    struct foreign_fixture *f = *state;
    run_outside(f->L, "before = 1");
    assert_ptr_equal(septet_lua(f->host), f->L);
    assert_ptr_equal(septet_host_of(f->L), f->host);
    assert_runs(f->host, PRELUDE "task.sleep(0.001) during = before + 1");
    foreign_fixture_free(f);
    assert_null(septet_host_of(f->L));
    run_outside(f->L, "assert(before == 1 and during == 2)");
}

static void test_state_keeps_its_stack(void **state)
{
    struct foreign_fixture *f = *state;
    lua_pushliteral(f->L, "mine");
    assert_int_equal(septet_load_string(f->host, "=bad", "x x"), SEPTET_ELOAD);
    assert_runs(f->host, PRELUDE "task.gather(task.map(task.sleep, {0, 0.001}))");
    assert_int_equal(run_script(f->host, "error 'x'"), SEPTET_ESCRIPT);
    assert_int_equal(septet_load_string(f->host, "=slow", PRELUDE "task.sleep(1000)"), SEPTET_OK);
    assert_int_equal(septet_step(f->host, 0), 1);
    foreign_fixture_free(f);
    assert_int_equal(lua_gettop(f->L), 1);
    assert_string_equal(lua_tostring(f->L, 1), "mine");
    lua_settop(f->L, 0);
}

static void test_state_outside_of_tasks(void **state)
{
    struct foreign_fixture *f = *state;
    test_file_push(f->L, TEST_SCRIPTS, "outside_of_tasks");
    if (lua_pcall(f->L, 0, 0, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(f->L, -1));
}

static void test_state_with_a_host_takes_no_second(void **state)
{
    struct reports reports;
    int status = SEPTET_OK;
    struct foreign_fixture *f = *state;
    assert_null(host_on(f->L, &reports, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    assert_ptr_equal(septet_host_of(f->L), f->host);
    assert_int_equal(lua_gettop(f->L), 0);
    assert_runs(f->host, PRELUDE "task.sleep(0.001)");
}

static void test_state_takes_one_host_after_another(void **state)
{
    struct foreign_fixture *f = *state;
    size_t bytes = 0;
    for (int i = 0; i < 20; i++) {
        assert_spawns(f->host, "one_host_after_another");
        assert_int_equal(septet_run(f->host), SEPTET_OK);
        assert_silent(&f->reports);
        foreign_fixture_free(f);
        lua_gc(f->L, LUA_GCCOLLECT);
        lua_gc(f->L, LUA_GCCOLLECT);
        if (i == 9)
            bytes = f->pool.bytes;
        f->host = host_on(f->L, &f->reports, NULL);
        assert_non_null(f->host);
    }
    foreign_fixture_free(f);
    lua_gc(f->L, LUA_GCCOLLECT);
    lua_gc(f->L, LUA_GCCOLLECT);
    assert_in_range(f->pool.bytes, 0, bytes + bytes / 10);
}

static void test_state_without_libraries(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    septet_host *host = host_on(L, &reports, NULL);
    assert_non_null(host);
    assert_runs(host, "n = 1");
    assert_int_equal(global(L, "n"), 1);
    /* `require` finds the modules when it comes later. */
    luaL_openlibs(L);
    assert_runs(host, PRELUDE "task.sleep(0.001) n = 2");
    assert_int_equal(global(L, "n"), 2);
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
    lua_close(L);
}

static void test_state_given_by_one_of_its_coroutines(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_State *co = lua_newthread(L);
    septet_host *host = host_on(co, &reports, NULL);
    assert_non_null(host);
    assert_ptr_equal(septet_host_of(L), host);
    assert_runs(host, PRELUDE "task.sleep(0.001) n = 1");
    assert_int_equal(run_script(host, "error 'x'"), SEPTET_ESCRIPT);
    assert_int_equal(reports.errors, 1);
    assert_int_equal(global(L, "n"), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(lua_gettop(L), 1);
    lua_close(L);
}

static int warned;

static void count_warning(void *ud, const char *message, int to_continue)
{
    warned++;
}

static void test_state_keeps_its_own_warnings(void **state)
{
    struct foreign_fixture *f = *state;
    lua_setwarnf(f->L, count_warning, NULL);
    warned = 0;
    assert_runs(f->host, "warn('@on') warn('x')");
    assert_int_equal(warned, 2);
    assert_silent(&f->reports);
}

/* --- memory, on the embedder's state --- */

static void test_new_with_memory_that_runs_out(void **state)
{
    bool enough = false;
    int failed = 0;
    for (long allowed = 0; !enough; allowed += STRIDE) {
        struct reports reports;
        struct pool pool = {.allowed = -1};
        int status = 1;
        lua_State *L = lua_newstate(pool_alloc, &pool);
        luaL_openlibs(L);
        pool.allowed = pool.calls + allowed;
        septet_host *host = host_on(L, &reports, &status);
        enough = host != NULL;
        pool.allowed = -1;
        if (!host) {
            failed++;
            assert_int_equal(status, SEPTET_ENOMEM);
            assert_null(septet_host_of(L));
            host = host_on(L, &reports, &status); /* the state is as good as before */
            assert_non_null(host);
        }
        assert_runs(host, PRELUDE "coroutine.wrap(function() task.sleep(0) end)()");
        assert_int_equal(septet_free(host), SEPTET_OK);
        lua_close(L);
        assert_int_equal(pool.bytes, 0);
    }
    assert_true(failed > 50 / STRIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_STATE(test_state_survives_its_host),
        TEST_ON_STATE(test_state_keeps_its_stack),
        TEST_ON_STATE(test_state_outside_of_tasks),
        TEST_ON_STATE(test_state_with_a_host_takes_no_second),
        TEST_ON_STATE(test_state_takes_one_host_after_another),
        cmocka_unit_test(test_state_without_libraries),
        cmocka_unit_test(test_state_given_by_one_of_its_coroutines),
        TEST_ON_STATE(test_state_keeps_its_own_warnings),
        cmocka_unit_test(test_new_with_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
