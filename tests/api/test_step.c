/* SPDX-License-Identifier: MIT */
/* septet_step and septet_step_until: where a step ends, and what it returns. */
#include "support/host_fixture.h"

#include <uv.h>

#define A_MS 1000000 /* nanoseconds */

static uint64_t until_ns; /* the deadline of the step that runs */

/* Computes until the step's deadline has passed. */
static int l_outlast(lua_State *L)
{
    while (uv_hrtime() < until_ns)
        ;
    return 0;
}

static int step_for(septet_host *host, uint64_t ns)
{
    until_ns = uv_hrtime() + ns;
    return septet_step_until(host, until_ns);
}

/* Loads five main tasks, each of which runs once. */
static void load_five(struct host_fixture *f, const char *source)
{
    lua_register(f->L, "outlast", l_outlast);
    for (int i = 0; i < 5; i++)
        assert_loads(f->host, source);
}

/* Each of the tasks takes a step of its own; a step used to run 128 of them. */
static void check_one_task_a_step(struct host_fixture *f)
{
    load_five(f, "outlast() n = (n or 0) + 1");
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(step_for(f->host, A_MS), i < 5 ? SEPTET_MORE : SEPTET_DONE);
        assert_int_equal(global(f->L, "n"), i);
    }
    assert_silent(&f->reports);
}

static void test_e_2_step_looks_at_the_clock_after_each_task(void **state)
{
    check_one_task_a_step(*state);
}

static void test_e_2_step_on_a_virtual_clock_looks_at_the_real_one(void **state)
{
    check_one_task_a_step(*state);
}

static void set_virtual(septet_config *config)
{
    config->clock = SEPTET_CLOCK_VIRTUAL;
}

static int virtual_setup(void **state)
{
    return host_fixture_setup_with(state, set_virtual);
}

static void test_e_2_step_without_a_budget_runs_one_task(void **state)
{
    struct host_fixture *f = *state;
    load_five(f, "n = (n or 0) + 1");
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(septet_step(f->host, 0), i < 5 ? SEPTET_MORE : SEPTET_DONE);
        assert_int_equal(global(f->L, "n"), i);
    }
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
}

static void test_e_2_step_until_an_instant_that_has_passed_runs_one_task(void **state)
{
    struct host_fixture *f = *state;
    load_five(f, "n = (n or 0) + 1");
    assert_int_equal(septet_step_until(f->host, 0), SEPTET_MORE);
    assert_int_equal(septet_step_until(f->host, 1), SEPTET_MORE);
    assert_int_equal(global(f->L, "n"), 2);
}

static void test_step_without_an_end_runs_until_the_tasks_wait(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 0 task.spawn(task.sleep, 1000) for i = 1, 1000 do"
                                  " task.sleep(0) n = i end task.sleep(1000)");
    assert_int_equal(septet_step(f->host, UINT64_MAX), SEPTET_IDLE);
    assert_int_equal(global(f->L, "n"), 1000);
    assert_int_equal(septet_step_until(f->host, UINT64_MAX), SEPTET_IDLE);
}

static void test_step_that_ran_all_there_was_is_idle_though_late(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "outlast", l_outlast);
    assert_loads(f->host, PRELUDE "outlast() task.sleep(1000)");
    assert_int_equal(step_for(f->host, A_MS), SEPTET_IDLE);
    assert_int_equal(septet_step(f->host, 0), SEPTET_IDLE);
}

static void test_step_fires_some_timers_and_then_runs_a_task(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 0 for _ = 1, 1000 do task.spawn(function()"
                                  " task.sleep(1) n = n + 1 end) end task.sleep(2)");
    assert_int_equal(septet_step(f->host, 1000000), SEPTET_IDLE);
    assert_int_equal(septet_advance(f->host, 3000000000), SEPTET_OK);
    for (int i = 1; i <= 1001; i++) {
        assert_int_equal(septet_step(f->host, 0), i < 1001 ? SEPTET_MORE : SEPTET_DONE);
        assert_int_equal(global(f->L, "n"), i < 1001 ? i : 1000);
    }
}

static void set_manual(septet_config *config)
{
    config->clock = SEPTET_CLOCK_MANUAL;
}

static int manual_setup(void **state)
{
    return host_fixture_setup_with(state, set_manual);
}

/* A task that is always ready does not keep a step from reading sockets. */
static void test_step_serves_sockets_while_tasks_are_ready(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "task.spawn(function() while true do task.sleep(0) end end)"
                                  " assert(http.get(origin .. '/bytes/10').status == 200)");
    while (septet_step(f->host, 0) == SEPTET_MORE)
        ;
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
    assert_silent(&f->reports);
}

static void test_step_with_a_failing_task_goes_on(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, "error 'x'");
    assert_loads(f->host, "n = 1");
    while (septet_step(f->host, 0) != SEPTET_DONE)
        ;
    assert_int_equal(f->reports.errors, 1);
    assert_int_equal(global(f->L, "n"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_e_2_step_looks_at_the_clock_after_each_task),
        cmocka_unit_test_setup_teardown(test_e_2_step_on_a_virtual_clock_looks_at_the_real_one,
                                        virtual_setup, host_fixture_teardown),
        TEST(test_e_2_step_without_a_budget_runs_one_task),
        TEST(test_e_2_step_until_an_instant_that_has_passed_runs_one_task),
        TEST(test_step_without_an_end_runs_until_the_tasks_wait),
        TEST(test_step_that_ran_all_there_was_is_idle_though_late),
        cmocka_unit_test_setup_teardown(test_step_fires_some_timers_and_then_runs_a_task,
                                        manual_setup, host_fixture_teardown),
        TEST(test_step_serves_sockets_while_tasks_are_ready),
        TEST(test_step_with_a_failing_task_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
