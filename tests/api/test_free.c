/* SPDX-License-Identifier: MIT */
/* septet_free, while the script has not ended. */
#include "support/host_fixture.h"

static void test_free_of_nothing(void **state)
{
    assert_int_equal(septet_free(NULL), SEPTET_OK);
}

/* Frees a host once the script of that name, which never ends by itself, has set `ready`. */
static void check_free(struct host_fixture *f, const char *name, const char *warned)
{
    assert_spawns(f->host, name);
    while (global(f->L, "ready") == 0)
        assert_true(septet_step(f->host, 0) > 0);
    host_fixture_close(f);
    assert_int_equal(f->reports.errors, 0);
    assert_string_equal(f->reports.warned, warned);
}

static void test_free_with_a_task_that_never_ran(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, "warn '@on' warn 'ran'");
    host_fixture_close(f);
    assert_int_equal(f->reports.errors, 0);
}

static void test_free_with_tasks_that_sleep(void **state)
{
    check_free(*state, "with_tasks_that_sleep", "");
}

static void test_free_unwinds_to_be_closed_variables(void **state)
{
    check_free(*state, "unwinds_to_be_closed_variables", "second true\nfirst true\nchild true\n");
}

static void test_free_refuses_to_wait_in_to_be_closed_variables(void **state)
{
    check_free(*state, "refuses_to_wait_in_to_be_closed_variables", "false true\n");
}

static void test_free_ends_a_task_that_goes_on_waiting(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "while true do pcall(task.sleep, 1000) end");
    assert_int_equal(septet_step(f->host, 0), 1);
    host_fixture_close(f);
    assert_int_equal(f->reports.errors, 1);
    assert_text(f->reports.message, "abandoned");
}

static void test_free_with_a_request_in_flight(void **state)
{
    struct host_fixture *f = *state;
    check_free(f, "with_a_request_in_flight", "");
    assert_int_equal(count_descriptors(), f->descriptors);
}

static void test_free_with_requests_that_wait_for_a_place(void **state)
{
    check_free(*state, "with_requests_that_wait_for_a_place", "");
}

static void test_free_with_a_name_being_looked_up(void **state)
{
    /* Again and again: how long a lookup takes is not ours to say. */
    check_free(*state, "with_a_name_being_looked_up", "");
}

static void test_free_with_idle_connections(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host,
                PRELUDE "keep = http.session() assert(keep:get(origin .. '/bytes/10').status"
                        " == 200)");
    host_fixture_close(f);
    assert_int_equal(count_descriptors(), f->descriptors);
    assert_silent(&f->reports);
}

static void test_free_runs_finalizers_that_use_the_library(void **state)
{
    check_free(*state, "runs_finalizers_that_use_the_library", "finalized\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_of_nothing),
        TEST(test_free_with_a_task_that_never_ran),
        TEST(test_free_with_tasks_that_sleep),
        TEST(test_free_unwinds_to_be_closed_variables),
        TEST(test_free_refuses_to_wait_in_to_be_closed_variables),
        TEST(test_free_ends_a_task_that_goes_on_waiting),
        TEST(test_free_with_a_request_in_flight),
        TEST(test_free_with_requests_that_wait_for_a_place),
        TEST(test_free_with_idle_connections),
        TEST(test_free_runs_finalizers_that_use_the_library),
        /* Last: the thread that looks the name up may hold a descriptor for a while. */
        TEST(test_free_with_a_name_being_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
