/* SPDX-License-Identifier: MIT */
/* The functions of `coroutine`, and what `debug` shows of coroutines, beside those of stock Lua:
 * one script runs in a plain state and in a task, and says the same. */
#include "support/host_fixture.h"
#include "support/test_file.h"

static const char *const scripts[] = {"each_function_in_each_state", "wrong_arguments", "yields",
                                      "wrapped", "levels"};

static char *log_of(lua_State *L)
{
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "concat");
    lua_getglobal(L, "log");
    lua_pushliteral(L, "\n");
    lua_call(L, 2, 1);
    char *text = strdup(lua_tostring(L, -1));
    assert_non_null(text);
    lua_settop(L, 0);
    return text;
}

static char *stock_log(const char *name)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    test_file_push(L, TEST_SCRIPTS, name);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    char *text = log_of(L);
    lua_close(L);
    return text;
}

/* Runs a script in a main task. */
static void run_in_task(septet_host *host, const char *name)
{
    assert_spawns(host, name);
    assert_int_equal(septet_run(host), SEPTET_OK);
}

static char *task_log(const char *name)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.slow_ms = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    run_in_task(host, name);
    assert_silent(&reports);
    char *text = log_of(septet_lua(host));
    assert_int_equal(septet_free(host), SEPTET_OK);
    return text;
}

/* Fails with the first line that differs. */
static void assert_same(const char *stock, const char *ours)
{
    const char *line = stock;
    for (size_t i = 0; stock[i] || ours[i]; i++) {
        if (stock[i] != ours[i])
            fail_msg("stock Lua says\n%.300s\nand a task\n%.300s", line, ours + (line - stock));
        if (stock[i] == '\n')
            line = stock + i + 1;
    }
}

static void test_t_s_each_function_is_as_stock(void **state)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        char *stock = stock_log(scripts[i]), *ours = task_log(scripts[i]);
        assert_true(strlen(stock) > 200);
        assert_same(stock, ours);
        free(stock);
        free(ours);
    }
}

static void test_x_6_embedder_that_took_a_function_away_does_not_get_it_back(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "debug.getinfo = nil coroutine.close = nil"), LUA_OK);
    septet_config config = config_for(&reports);
    config.lua = L;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, "n = (debug.getinfo or coroutine.close) and 1 or 2");
    assert_int_equal(global(L, "n"), 2);
    assert_int_equal(septet_free(host), SEPTET_OK);
    lua_close(L);
}

static void test_x_6_second_host_of_a_state_has_stock_functions_too(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    for (int i = 0; i < 3; i++) {
        septet_config config = config_for(&reports);
        config.lua = L;
        septet_host *host = septet_new(&config, NULL);
        assert_non_null(host);
        run_in_task(host, scripts[1]);
        char *stock = stock_log(scripts[1]), *ours = log_of(L);
        assert_same(stock, ours);
        free(stock);
        free(ours);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t_s_each_function_is_as_stock),
        cmocka_unit_test(test_x_6_embedder_that_took_a_function_away_does_not_get_it_back),
        cmocka_unit_test(test_x_6_second_host_of_a_state_has_stock_functions_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
