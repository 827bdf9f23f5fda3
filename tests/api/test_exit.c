/* SPDX-License-Identifier: MIT */
/* septet_exit, and what on_interrupted reports. */
#include "support/host_fixture.h"

static int interrupted;
static septet_host *to_interrupt;

static void on_interrupted(void *ud)
{
    interrupted++;
}

static int l_exit(lua_State *L)
{
    lua_pushinteger(L, septet_exit(L));
    return 1;
}

static int l_interrupt(lua_State *L)
{
    septet_interrupt(to_interrupt);
    return 0;
}

static septet_host *host_with_exit(struct reports *reports)
{
    septet_config config = config_for(reports);
    config.on_interrupted = on_interrupted;
    interrupted = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    to_interrupt = host;
    lua_register(septet_lua(host), "exit", l_exit);
    lua_register(septet_lua(host), "interrupt", l_interrupt);
    return host;
}

static void ends(const char *source, int status)
{
    struct reports reports;
    septet_host *host = host_with_exit(&reports);
    assert_int_equal(run_script(host, source), status);
    assert_int_equal(reports.errors, 0);
    assert_runs(host, PRELUDE "task.sleep(0.001)"); /* nothing of it is left */
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_t_g_exit_cancels_all(void **state)
{
    ends(PRELUDE "task.spawn(task.sleep, 1e6) task.sleep(0) exit() error 'after'",
         SEPTET_EINTERRUPTED);
}

static void test_t_g_exit_again_abandons_the_task(void **state)
{
    ends(PRELUDE "while true do pcall(exit) end", SEPTET_EINTERRUPTED);
    ends(PRELUDE "task.spawn(function() while true do pcall(exit) end end) task.sleep(1e6)",
         SEPTET_EINTERRUPTED);
}

static void test_t_g_exit_returns_where_the_task_cannot_be_left(void **state)
{
    ends(PRELUDE "pcall(exit) local code; ('x'):gsub('x', function() code = exit() end)"
                 "assert(code == -7)",
         SEPTET_OK);
}

static void test_t_g_exit_outside_of_a_host(void **state)
{
    lua_State *L = luaL_newstate();
    assert_int_equal(septet_exit(L), SEPTET_ECLOSED);
    lua_close(L);
}

static void test_t_d_an_interrupt_is_told_once_it_is_felt(void **state)
{
    struct reports reports;
    septet_host *host = host_with_exit(&reports);
    assert_int_equal(run_script(host, PRELUDE "interrupt() task.sleep(1e6)"), SEPTET_EINTERRUPTED);
    assert_int_equal(interrupted, 1);
    septet_interrupt(host);
    assert_int_equal(interrupted, 1);
    assert_int_equal(run_script(host, PRELUDE "task.sleep(1e6)"), SEPTET_EINTERRUPTED);
    assert_int_equal(interrupted, 2);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_t_d_a_finalizer_does_not_feel_an_interrupt(void **state)
{
    struct reports reports;
    septet_host *host = host_with_exit(&reports);
    assert_int_equal(run_script(host, PRELUDE
                                "setmetatable({}, {__gc = function() interrupt() for i = 1, "
                                "1e5 do end seen = true end})"
                                "collectgarbage() task.sleep(1e6)"),
                     SEPTET_EINTERRUPTED);
    assert_int_equal(interrupted, 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t_g_exit_cancels_all),
        cmocka_unit_test(test_t_g_exit_again_abandons_the_task),
        cmocka_unit_test(test_t_g_exit_returns_where_the_task_cannot_be_left),
        cmocka_unit_test(test_t_g_exit_outside_of_a_host),
        cmocka_unit_test(test_t_d_an_interrupt_is_told_once_it_is_felt),
        cmocka_unit_test(test_t_d_a_finalizer_does_not_feel_an_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
