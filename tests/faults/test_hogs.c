/* SPDX-License-Identifier: MIT */
/* Code that computes without end is ended by the limits of a slice, wherever it runs. */
#include "support/host_fixture.h"

#define LIMIT 20000

static void limit_instructions(septet_config *config)
{
    config->limits.slice_instructions = LIMIT;
}

static void limit_time(septet_config *config)
{
    config->limits.slice_ms = 20;
}

static void limit_both(septet_config *config)
{
    config->limits.slice_instructions = LIMIT;
    config->limits.slice_ms = 60 * 60 * 1000;
}

static int setup_instructions(void **state)
{
    return host_fixture_setup_with(state, limit_instructions);
}

static int setup_time(void **state)
{
    return host_fixture_setup_with(state, limit_time);
}

static int setup_both(void **state)
{
    return host_fixture_setup_with(state, limit_both);
}

/* Leaves the table of scripts on the stack. */
static void push_scripts(lua_State *L)
{
    if (luaL_loadfilex(L, TEST_SCRIPTS, "t") != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
}

static void spawn(struct host_fixture *f, const char *name)
{
    lua_getfield(f->L, -1, name);
    assert_int_equal(septet_spawn(f->host, name, 0), SEPTET_OK);
}

/* Runs one that never ends, beside a neighbour. */
static void run_hog(struct host_fixture *f, const char *name, const char *limit)
{
    f->reports = (struct reports){0};
    spawn(f, name);
    spawn(f, "neighbour");
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    if (f->reports.errors != 1 || strcmp(f->reports.kind, "TaskHog") != 0 ||
        !strstr(f->reports.message, limit))
        fail_msg("%s: %d errors, the last: %s\n%s", name, f->reports.errors, f->reports.message,
                 f->reports.traceback);
    assert_int_equal(global(f->L, "ticks"), 100);
    assert_int_equal(septet_tasks(f->host), 0);
}

static void run_hogs(struct host_fixture *f, const char *limit)
{
    char names[64][64];
    int n = 0;
    push_scripts(f->L);
    for (lua_pushnil(f->L); lua_next(f->L, -2); lua_pop(f->L, 1))
        snprintf(names[n++], sizeof names[0], "%s", lua_tostring(f->L, -2));
    assert_in_range(n, 30, 63);
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], "neighbour") != 0)
            run_hog(f, names[i], limit);
    lua_pop(f->L, 1);
}

static void test_fault_48_each_hog_ends_by_the_limit_on_instructions(void **state)
{
    run_hogs(*state, "20000 instructions");
}

static void test_fault_48_each_hog_ends_by_the_limit_on_time(void **state)
{
    run_hogs(*state, "0.02 s");
}

static void test_fault_48_the_limit_that_is_reached_first_counts(void **state)
{
    run_hogs(*state, "20000 instructions");
}

/* A call of C cannot be interrupted: the task ends after it. */
static void test_fault_49_a_long_call_of_c_ends_first(void **state)
{
    static const char *const scripts[] = {
        "while true do string.rep('', 1 << 20) end",
        "while true do table.move({}, 1, 1 << 14, 2, {}) end",
        "while true do (('a'):rep(18)):find(('a?'):rep(18) .. ('a'):rep(19)) end",
        "while true do ('x'):rep(1 << 20) end",
        "while true do table.concat({('x'):rep(1 << 18), 'y'}) end",
    };
    struct host_fixture *f = *state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        assert_int_equal(run_script(f->host, scripts[i]), SEPTET_ESCRIPT);
        assert_string_equal(f->reports.kind, "TaskHog");
    }
    assert_int_equal(f->reports.errors, sizeof scripts / sizeof *scripts);
}

/* --- what is below the limit --- */

static void test_a_task_below_the_limit_is_not_ended(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, PRELUDE "for _ = 1, 20 do"
                                 "  for i = 1, 9000 do end"
                                 "  for i = 1, 20 do coroutine.wrap(function() end)() end"
                                 "  task.sleep(0) end");
    assert_silent(&f->reports);
}

static void test_the_error_names_the_limit(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host,
                "local task = require 'septet.task' "
                "local ok, e = pcall(task.gather, { task.spawn(function() while true do end end) })"
                "assert(not ok and task.is(e, 'TaskHog') and e.limit == 'instructions')"
                "assert(math.type(e.max) == 'integer' and e.max == 20000)");
}

static void test_the_error_names_the_limit_on_time(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(luaL_dostring(f->L, "task = require 'septet.task'"), LUA_OK);
    assert_runs(f->host,

                "local ok, e = pcall(task.gather, { task.spawn(function() while true do end end) })"
                "assert(not ok and task.is(e, 'TaskHog') and e.limit == 'time' and e.max == 0.02)");
}

/* Counts the iterations of a loop until it is ended. */
static long iterations(struct host_fixture *f, const char *body)
{
    char script[512];
    snprintf(script, sizeof script,
             PRELUDE
             "n = 0 pcall(task.gather, { task.spawn(function() while true do n = n + 1 %s end "
             "end) })",
             body);
    assert_runs(f->host, script);
    return global(f->L, "n");
}

/* A turn of each loop takes at least so many instructions. */
static void test_coroutines_do_not_hide_instructions(void **state)
{
    struct host_fixture *f = *state;
    assert_in_range(iterations(f, ""), LIMIT / 8, LIMIT / 3);
    assert_in_range(iterations(f, "coroutine.wrap(function() for i = 1, 90 do end end)()"), 10,
                    LIMIT / 90);
    assert_in_range(iterations(f, "coroutine.wrap(function() for i = 1, 990 do end end)()"), 10,
                    LIMIT / 990);
}

#define LIMITED(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED(test_fault_48_each_hog_ends_by_the_limit_on_instructions, setup_instructions),
        LIMITED(test_fault_48_each_hog_ends_by_the_limit_on_time, setup_time),
        LIMITED(test_fault_48_the_limit_that_is_reached_first_counts, setup_both),
        LIMITED(test_fault_49_a_long_call_of_c_ends_first, setup_time),
        LIMITED(test_a_task_below_the_limit_is_not_ended, setup_instructions),
        LIMITED(test_the_error_names_the_limit, setup_both),
        LIMITED(test_the_error_names_the_limit_on_time, setup_time),
        LIMITED(test_coroutines_do_not_hide_instructions, setup_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
