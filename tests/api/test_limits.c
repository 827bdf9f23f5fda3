/* SPDX-License-Identifier: MIT */
/* The limits of a host: what exceeds one gets a typed error, and the others go on. */
#include "support/host_fixture.h"

#include "support/test_file.h"

/* --- tasks --- */

static void ten_tasks(septet_config *config)
{
    config->limits.tasks = 10;
}

static int setup_tasks(void **state)
{
    return host_fixture_setup_with(state, ten_tasks);
}

static void run_alone(struct host_fixture *f, const char *name)
{
    test_file_push(f->L, TEST_SCRIPTS, name);
    assert_int_equal(septet_spawn(f->host, name, 0), SEPTET_OK);
    if (septet_run(f->host) != SEPTET_OK)
        fail_msg("%s: %s\n%s", name, f->reports.message, f->reports.traceback);
    assert_silent(&f->reports);
    assert_int_equal(septet_tasks(f->host), 0);
}

static void test_one_task_more_raises_and_the_others_go_on(void **state)
{
    run_alone(*state, "one_task_more");
}

static void test_tasks_are_counted_right_however_they_end(void **state)
{
    struct host_fixture *f = *state;
    for (int i = 0; i < 3; i++)
        run_alone(f, "tasks_end_in_every_way");
}

static void test_a_main_task_more_is_refused(void **state)
{
    struct host_fixture *f = *state;
    for (int i = 0; i < 10; i++)
        assert_loads(f->host, PRELUDE "task.sleep(0.001) ended = (ended or 0) + 1");
    assert_int_equal(septet_load_string(f->host, "=script", "ended = 100"), SEPTET_ELIMIT);
    assert_int_equal(lua_gettop(f->L), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_silent(&f->reports);
    assert_int_equal(global(f->L, "ended"), 10);
    assert_runs(f->host, "ended = ended + 1");
    assert_int_equal(global(f->L, "ended"), 11);
}

#define LIMITED(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED(test_one_task_more_raises_and_the_others_go_on, setup_tasks),
        LIMITED(test_tasks_are_counted_right_however_they_end, setup_tasks),
        LIMITED(test_a_main_task_more_is_refused, setup_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
