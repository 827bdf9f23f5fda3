/* SPDX-License-Identifier: MIT */
/* Calls of the API from inside a host that runs: each is refused. */
#include "support/host_fixture.h"

#include <uv.h>

#include "septet/op.h"

/* All that is refused. */
enum { CALLS = 5 };

static void call_all(septet_host *host, int results[CALLS])
{
    septet_wait wait;
    results[0] = septet_run(host);
    results[1] = septet_step(host, 1000);
    results[2] = septet_free(host);
    results[3] = septet_step_until(host, UINT64_MAX);
    results[4] = septet_next(host, &wait);
}

static int l_call_all(lua_State *L)
{
    int results[CALLS];
    call_all(septet_host_of(L), results);
    for (int i = 0; i < CALLS; i++)
        lua_pushinteger(L, results[i]);
    return CALLS;
}

/* Runs a script that checks from inside. */
static void check_busy_inside(struct host_fixture *f, const char *name)
{
    lua_register(f->L, "call_all", l_call_all);
    assert_spawns(f->host, name);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_true(global(f->L, "n") > 0);
    assert_silent(&f->reports);
}

static void test_calls_from_a_task_are_refused(void **state)
{
    check_busy_inside(*state, "task");
}

static void test_calls_from_a_coroutine_of_a_task_are_refused(void **state)
{
    check_busy_inside(*state, "coroutine");
}

static void test_calls_from_a_trace_sink_are_refused(void **state)
{
    check_busy_inside(*state, "trace_sink");
}

static void test_calls_from_a_request_hook_are_refused(void **state)
{
    check_busy_inside(*state, "request_hook");
}

static void test_calls_while_it_unwinds_are_refused(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "call_all", l_call_all);
    assert_spawns(f->host, "unwinding");
    assert_int_equal(septet_step(f->host, 0), 1);
    host_fixture_close(f);
    assert_int_equal(f->reports.errors, 0);
    assert_string_equal(f->reports.warned, "checked\n");
}

struct inside {
    septet_host *host;
    int results[CALLS];
    int calls;
};

static void on_error_inside(void *ud, const septet_error *error)
{
    struct inside *inside = ud;
    inside->calls++;
    call_all(inside->host, inside->results);
}

static void on_warning_inside(void *ud, const char *message)
{
    struct inside *inside = ud;
    inside->calls++;
    call_all(inside->host, inside->results);
}

static void assert_all_busy(const struct inside *inside)
{
    assert_true(inside->calls > 0);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(inside->results[i], SEPTET_EBUSY);
}

static void test_calls_from_on_error_are_refused(void **state)
{
    struct inside inside = {0};
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error_inside;
    config.ud = &inside;
    inside.host = septet_new(&config, NULL);
    assert_int_equal(run_script(inside.host, "error 'x'"), SEPTET_ESCRIPT);
    assert_all_busy(&inside);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_calls_from_the_warning_of_a_deadlock_are_refused(void **state)
{
    struct inside inside = {0};
    septet_config config;
    septet_config_init(&config);
    config.on_warning = on_warning_inside;
    config.ud = &inside;
    inside.host = septet_new(&config, NULL);
    assert_int_equal(
        run_script(inside.host, PRELUDE "local t = task.current() task.spawn(t.await, t):await()"),
        SEPTET_EDEADLOCK);
    assert_all_busy(&inside);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void on_timer_inside(uv_timer_t *timer)
{
    struct inside *inside = timer->data;
    inside->calls++;
    call_all(inside->host, inside->results);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_calls_from_a_callback_of_its_loop_are_refused(void **state)
{
    struct reports reports;
    uv_timer_t timer;
    struct inside inside = {.host = new_host(&reports)};
    timer.data = &inside;
    assert_int_equal(uv_timer_init(septet_loop(inside.host), &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_timer_inside, 1, 0), 0);
    assert_runs(inside.host, PRELUDE "task.sleep(0.02)");
    assert_all_busy(&inside);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_a_trace_sink_that_cancels_a_task_wakes_the_loop(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "sink_that_cancels");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_silent(&f->reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_calls_from_a_task_are_refused),
        TEST(test_calls_from_a_coroutine_of_a_task_are_refused),
        TEST(test_calls_from_a_trace_sink_are_refused),
        TEST(test_calls_from_a_request_hook_are_refused),
        TEST(test_calls_while_it_unwinds_are_refused),
        cmocka_unit_test(test_calls_from_on_error_are_refused),
        cmocka_unit_test(test_calls_from_the_warning_of_a_deadlock_are_refused),
        cmocka_unit_test(test_calls_from_a_callback_of_its_loop_are_refused),
        TEST(test_a_trace_sink_that_cancels_a_task_wakes_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
