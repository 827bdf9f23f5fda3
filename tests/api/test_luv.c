/* SPDX-License-Identifier: MIT */
/* luv on the host's loop: an internal one, the embedder's, in the host's state and in the
 * embedder's. What scripts leave open ends with the host, whatever ends first. */
#include "support/host_fixture.h"

#include <uv.h>

/* Leaves a handle of many kinds open, and requests in flight. */
#define HANDLES                                                                                    \
    "local uv = require 'luv' kept = uv "                                                          \
    "local timer = uv.new_timer() timer:start(60000, 0, print) "                                   \
    "local server = uv.new_tcp() server:bind('127.0.0.1', 0) server:listen(8, print) "             \
    "local client = uv.new_tcp() "                                                                 \
    "client:connect('127.0.0.1', server:getsockname().port, function() end) "                      \
    "client:write(('x'):rep(100000)) "                                                             \
    "local async, signal = uv.new_async(print), uv.new_signal() "                                  \
    "signal:start('sigusr1', print) "                                                              \
    "uv.fs_stat('/', function() end) "                                                             \
    "uv.fs_scandir('/', function() end) "                                                          \
    "uv.getaddrinfo('localhost', nil, nil, function() end) "                                       \
    "uv.new_timer():close() "

/* Each thread of the pool that works keeps a state, with a loop of its own. */
#define LEFTOVERS HANDLES "uv.new_work(function() return 1 end, function() end):queue() "

#define WAITS                                                                                      \
    "local task, uv = require 'septet.task', require 'luv' "                                       \
    "local f, timer = task.future(), uv.new_timer() "                                              \
    "timer:start(5, 0, function() timer:close() f:set(42) end) done = f:await() "

struct state {
    struct reports reports;
    septet_config config;
    uv_loop_t loop;
    unsigned found;
};

static struct state test;

static septet_host *make(bool foreign, lua_State *L)
{
    test.config = config_for(&test.reports);
    test.config.profile = SEPTET_PROFILE_TRUSTED;
    test.config.lua = L;
    if (foreign) {
        assert_int_equal(uv_loop_init(&test.loop), 0);
        test.config.loop = &test.loop;
    }
    septet_host *host = septet_new(&test.config, NULL);
    assert_non_null(host);
    return host;
}

static void end_loop(void)
{
    uv_run(&test.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&test.loop), 0);
}

static void test_what_is_left_open_ends_with_the_host(void **state)
{
    int descriptors = 0;
    for (int i = 0; i <= 5; i++) {
        bool foreign = i % 2 == 1;
        septet_host *host = make(foreign, NULL);
        assert_runs(host, i < 2 ? LEFTOVERS : HANDLES);
        assert_silent(&test.reports);
        assert_int_equal(septet_free(host), SEPTET_OK);
        if (foreign)
            end_loop();
        if (i >= 2)
            assert_int_equal(count_descriptors(), descriptors);
        descriptors = count_descriptors();
    }
}

static void look(uv_handle_t *handle, void *ud)
{
    bool is_it = handle->type == UV_TIMER && uv_is_active(handle) &&
                 uv_timer_get_due_in((uv_timer_t *)handle) > 50000;
    test.found += is_it;
}

static void test_luv_has_the_loop_of_the_embedder(void **state)
{
    septet_host *host = make(true, NULL);
    assert_runs(host, LEFTOVERS);
    test.found = 0;
    uv_walk(&test.loop, look, NULL);
    assert_int_equal(test.found, 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    end_loop();
}

static void test_a_future_wakes_a_task_on_any_loop(void **state)
{
    for (int foreign = 0; foreign <= 1; foreign++) {
        septet_host *host = make(foreign, NULL);
        assert_runs(host, WAITS);
        assert_int_equal(global(septet_lua(host), "done"), 42);
        if (foreign) {
            assert_loads(host, WAITS "done = 43");
            uv_run(&test.loop, UV_RUN_DEFAULT); /* the embedder's own run */
            assert_int_equal(global(septet_lua(host), "done"), 43);
        }
        assert_silent(&test.reports);
        septet_free(host);
        if (foreign)
            end_loop();
    }
}

static void test_steps_serve_luv(void **state)
{
    septet_host *host = make(false, NULL);
    assert_loads(host, WAITS);
    while (septet_step(host, 1000) != SEPTET_DONE)
        continue;
    assert_int_equal(global(septet_lua(host), "done"), 42);
    septet_free(host);
}

/* Runs a chunk in the embedder's state, outside of tasks. Returns true if it raised no error. */
static bool does(lua_State *L, const char *chunk)
{
    bool ok = luaL_dostring(L, chunk) == LUA_OK;
    lua_settop(L, 0);
    return ok;
}

static void test_the_state_of_the_embedder_outlives_the_host(void **state)
{
    for (int foreign = 0; foreign <= 1; foreign++) {
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        septet_host *host = make(foreign, L);
        assert_runs(host, LEFTOVERS);
        septet_free(host);
        assert_false(does(L, "kept.new_timer()"));
        assert_true(does(L, "collectgarbage() assert(not package.loaded.luv)"));
        if (foreign)
            end_loop();
        host = make(foreign, L);
        assert_runs(host, WAITS LEFTOVERS);
        assert_int_equal(global(L, "done"), 42);
        septet_free(host);
        lua_close(L);
        if (foreign)
            end_loop();
    }
}

static void test_the_state_may_be_closed_before_the_host(void **state)
{
    for (int foreign = 0; foreign <= 1; foreign++) {
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        septet_host *host = make(foreign, L);
        assert_runs(host, LEFTOVERS);
        lua_close(L);
        assert_int_equal(septet_free(host), SEPTET_OK);
        if (foreign)
            end_loop();
    }
}

static void close_any(uv_handle_t *handle, void *ud)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void test_the_embedder_may_close_all_handles_of_its_loop(void **state)
{
    for (int runs = 0; runs <= 1; runs++) {
        septet_host *host = make(true, NULL);
        assert_runs(host, "local t = require 'luv'.new_timer() t:start(60000, 0, print)");
        uv_walk(&test.loop, close_any, NULL);
        if (runs)
            uv_run(&test.loop, UV_RUN_DEFAULT);
        assert_int_equal(septet_free(host), SEPTET_OK);
        end_loop();
    }
}

static septet_host *freed;
static int free_status;

static int l_free(lua_State *L)
{
    free_status = septet_free(freed);
    return 0;
}

static void test_a_callback_cannot_end_the_host(void **state)
{
    septet_host *host = freed = make(true, NULL);
    lua_register(septet_lua(host), "free_host", l_free);
    assert_loads(host, "local uv, task = require 'luv', require 'septet.task' "
                       "local t, f = uv.new_timer(), task.future() "
                       "t:start(1, 0, function() free_host() t:close() f:set() end) f:await()");
    free_status = 1;
    uv_run(&test.loop, UV_RUN_DEFAULT);
    assert_int_equal(free_status, SEPTET_EBUSY);
    assert_silent(&test.reports);
    septet_free(host);
    end_loop();
}

static void test_an_error_in_a_callback_reaches_the_embedder(void **state)
{
    septet_host *host = make(false, NULL);
    assert_int_equal(run_script(host, "local uv, task = require 'luv', require 'septet.task' "
                                      "local t = uv.new_timer() "
                                      "t:start(1, 0, function() error 'broken' end) "
                                      "task.sleep(0.05)"),
                     SEPTET_ESCRIPT);
    assert_int_equal(test.reports.errors, 1);
    assert_text(test.reports.message, "broken");
    assert_text(test.reports.task, "callback of luv");
    assert_text(test.reports.traceback, "in function <");
    septet_free(host);
}

static void test_without_a_live_handle_a_future_is_a_deadlock(void **state)
{
    static const char *const dead[] = {
        "",
        "local t = uv.new_timer() ",
        "local t = uv.new_timer() t:start(60000, 0, print) t:unref() ",
        "local t = uv.new_timer() t:start(60000, 0, print) t:close() ",
        "uv.fs_scandir('.', function() end) uv.fs_stat('.', function() end) ",
        NULL};
    for (int i = 0; dead[i]; i++) {
        char script[512];
        septet_host *host = make(false, NULL);
        snprintf(script, sizeof script,
                 "local uv, task = require 'luv', require 'septet.task' %s task.future():await()",
                 dead[i]);
        assert_int_equal(run_script(host, script), SEPTET_EDEADLOCK);
        assert_text(test.reports.warned, "made at script:1");
        septet_free(host);
    }
}

static void test_a_virtual_clock_flows_while_luv_works(void **state)
{
    test.config = config_for(&test.reports);
    test.config.profile = SEPTET_PROFILE_TRUSTED;
    test.config.clock = SEPTET_CLOCK_VIRTUAL;
    septet_host *host = septet_new(&test.config, NULL);
    assert_runs(host, WAITS "assert(task.now() < 30) "
                            "local began = task.now() task.sleep(3600) "
                            "assert(task.now() - began >= 3600) "
                            "local t = uv.new_timer() t:start(5, 0, function() t:close() end) "
                            "task.timeout(3600, task.sleep, 3000)");
    assert_silent(&test.reports);
    septet_free(host);
}

static void test_the_standard_profile_has_no_luv(void **state)
{
    test.config = config_for(&test.reports);
    test.config.profile = SEPTET_PROFILE_STANDARD;
    septet_host *host = septet_new(&test.config, NULL);
    assert_runs(host, "assert(not pcall(require, 'luv')) assert(not pcall(require, 'septet.luv')) "
                      "assert(not rawget(package.preload, 'luv'))");
    septet_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_open_ends_with_the_host),
        cmocka_unit_test(test_luv_has_the_loop_of_the_embedder),
        cmocka_unit_test(test_a_future_wakes_a_task_on_any_loop),
        cmocka_unit_test(test_steps_serve_luv),
        cmocka_unit_test(test_the_state_of_the_embedder_outlives_the_host),
        cmocka_unit_test(test_the_state_may_be_closed_before_the_host),
        cmocka_unit_test(test_the_embedder_may_close_all_handles_of_its_loop),
        cmocka_unit_test(test_a_callback_cannot_end_the_host),
        cmocka_unit_test(test_an_error_in_a_callback_reaches_the_embedder),
        cmocka_unit_test(test_without_a_live_handle_a_future_is_a_deadlock),
        cmocka_unit_test(test_a_virtual_clock_flows_while_luv_works),
        cmocka_unit_test(test_the_standard_profile_has_no_luv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
