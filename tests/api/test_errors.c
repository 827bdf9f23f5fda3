/* SPDX-License-Identifier: MIT */
/* What a host reports: errors, with their kinds and tracebacks, and warnings. */
#include "support/host_fixture.h"

static void test_error_of_a_main_task(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(
        septet_load_string(f->host, "@boot.lua",
                           PRELUDE "\n"
                                   "local function inner() task.sleep(0) error('no luck') end\n"
                                   "inner()"),
        SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    assert_int_equal(f->reports.errors, 1);
    assert_string_equal(f->reports.kind, "error");
    assert_string_equal(f->reports.message, "boot.lua:2: no luck");
    assert_text(f->reports.traceback, "stack traceback:");
    assert_text(f->reports.traceback, "boot.lua:2:");
    assert_text(f->reports.traceback, "boot.lua:3:");
    assert_string_equal(f->reports.task, "main");
    assert_int_equal(f->reports.task_id, 1);
    assert_true(f->reports.is_main);
}

static void test_error_of_a_background_task(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(run_script(f->host,
                                PRELUDE "local t = task.background(error, {}) t.name = 'fetcher'"
                                        " task.sleep(0.001) after = 1"),
                     SEPTET_ESCRIPT);
    assert_int_equal(f->reports.errors, 1);
    assert_string_equal(f->reports.kind, "error");
    assert_string_equal(f->reports.message, "(error object is a table value)");
    assert_string_equal(f->reports.task, "fetcher");
    assert_int_equal(f->reports.task_id, 2);
    assert_false(f->reports.is_main);
    assert_int_equal(global(f->L, "after"), 1);
}

static void check_error(struct host_fixture *f, const char *source, const char *kind,
                        const char *message)
{
    f->reports.errors = 0;
    assert_int_equal(run_script(f->host, source), SEPTET_ESCRIPT);
    assert_int_equal(f->reports.errors, 1);
    assert_string_equal(f->reports.kind, kind);
    assert_text(f->reports.message, message);
}

static void test_error_kinds(void **state)
{
    check_error(*state, PRELUDE "task.sleep(-1)", "Usage", "script:1: bad argument #1 to 'sleep'");
    check_error(*state, PRELUDE "task.group(function(g) g:spawn(error, 'a') end)", "ErrorGroup",
                "1. a");
    check_error(*state, "error(nil)", "error", "nil");
    check_error(*state, "error(setmetatable({}, {__tostring = function() return 'mine' end}))",
                "error", "mine");
    check_error(*state, "error(12)", "error", "12");
    check_error(*state, PRELUDE "http.get 'http://127.0.0.1:1/'", "HttpError",
                "GET http://127.0.0.1:1/: ");
}

static void test_t_r_error_whose_tostring_fails_is_told_all_the_same(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(
        run_script(f->host, "error(setmetatable({}, {__tostring = function() error 'worse' end}))"),
        SEPTET_ESCRIPT);
    assert_int_equal(f->reports.errors, 1);
    assert_text(f->reports.message, "(error object is a table value)");
    assert_text(f->reports.traceback, "stack traceback:");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
}

static void test_errors_come_before_the_last_step_says_zero(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, "error 'x'");
    while (septet_step(f->host, 0) > 0)
        ;
    assert_int_equal(f->reports.errors, 1);
    host_fixture_close(f);
    assert_int_equal(f->reports.errors, 1);
}

static void test_warnings_of_lua(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, "warn('off') warn('@on') warn('a', 'b', '@off') warn('@off') warn('c')");
    assert_int_equal(f->reports.warnings, 1);
    assert_string_equal(f->reports.warned, "ab@off\n");
}

static void test_warning_that_is_very_long_is_cut(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, "warn('@on') warn(('x'):rep(5000), ('y'):rep(5000))");
    assert_int_equal(f->reports.warnings, 1);
    assert_int_equal(f->reports.warned[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_error_of_a_main_task),
        TEST(test_error_of_a_background_task),
        TEST(test_error_kinds),
        TEST(test_t_r_error_whose_tostring_fails_is_told_all_the_same),
        TEST(test_errors_come_before_the_last_step_says_zero),
        TEST(test_warnings_of_lua),
        TEST(test_warning_that_is_very_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
