/* SPDX-License-Identifier: MIT */
/* The limits of one script: it is ended where it exceeds them, and its neighbours go on. */
#include "support/host_fixture.h"

#define TASKS "local task = require 'septet.task' "

static septet_script *new_script(septet_host *host, const septet_limits *limits)
{
    septet_script_options options;
    septet_script_options_init(&options);
    options.limits = *limits;
    septet_script *script = septet_script_new(host, &options, NULL);
    assert_non_null(script);
    return script;
}

static void load(septet_script *script, const char *source)
{
    assert_int_equal(septet_script_load(script, "=script", source, strlen(source)), SEPTET_OK);
}

/* Returns the integer that the script's last chunk has returned. */
static long result(septet_script *script, lua_State *L)
{
    assert_int_equal(septet_script_status(script), SEPTET_OK);
    assert_int_equal(septet_script_push_results(script, L), 1);
    long value = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

/* --- tasks --- */

#define FILL                                                                                       \
    TASKS "local n, last = 0 "                                                                     \
          "while n < 50 do "                                                                       \
          "  local ok, e = pcall(task.spawn, task.sleep, 0.01) "                                   \
          "  if not ok then last = e break end "                                                   \
          "  n = n + 1 "                                                                           \
          "end "                                                                                   \
          "assert(n == 50 or task.is(last, 'LimitExceeded') and last.limit == 'tasks') "           \
          "task.sleep(0) "                                                                         \
          "return n "

static void test_tasks_of_one_script_are_limited(void **state)
{
    struct host_fixture *f = *state;
    septet_script *limited = new_script(f->host, &(septet_limits){.tasks = 4});
    septet_script *neighbour = new_script(f->host, &(septet_limits){0});
    for (int i = 0; i < 3; i++) {
        load(limited, FILL);
        load(neighbour, FILL);
        assert_int_equal(septet_run(f->host), SEPTET_OK);
        assert_int_equal(result(limited, f->L), 3);
        assert_int_equal(result(neighbour, f->L), 50);
    }
    assert_silent(&f->reports);
}

static void on_result(void *ud, const septet_result *result)
{
    fail_msg("a call that was refused has a result");
}

static void test_a_main_task_more_of_a_script_is_refused(void **state)
{
    struct host_fixture *f = *state;
    septet_script *limited = new_script(f->host, &(septet_limits){.tasks = 1});
    load(limited, TASKS "task.sleep(0.001)");
    assert_int_equal(septet_script_load(limited, "=script", "", 0), SEPTET_ELIMIT);
    lua_pushcfunction(f->L, luaopen_base);
    assert_int_equal(septet_call(f->host, limited, NULL, 0, on_result, NULL), SEPTET_ELIMIT);
    assert_int_equal(lua_gettop(f->L), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    load(limited, "return 1");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_silent(&f->reports);
}

static void ten_tasks(septet_config *config)
{
    config->limits.tasks = 10;
}

static int setup_tasks(void **state)
{
    return host_fixture_setup_with(state, ten_tasks);
}

/* What one script has, the others do not have. */
static void test_a_script_is_subject_to_its_limit_and_its_hosts(void **state)
{
    struct host_fixture *f = *state;
    septet_script *small = new_script(f->host, &(septet_limits){.tasks = 4});
    septet_script *large = new_script(f->host, &(septet_limits){.tasks = 1000});
    load(small, FILL);
    load(large, FILL);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(result(small, f->L), 3);
    assert_int_equal(result(large, f->L), 10 - 4 - 1);
    load(large, FILL);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(result(large, f->L), 9);
    assert_silent(&f->reports);
}

/* --- slices --- */

static int l_hooked(lua_State *L)
{
    lua_pushboolean(L, lua_gethook(L) != NULL);
    return 1;
}

#define COMPUTE "for i = 1, 1000000 do end "

static void check_slices(struct host_fixture *f, const septet_limits *limits, const char *message)
{
    lua_register(f->L, "hooked", l_hooked);
    septet_script *limited = new_script(f->host, limits);
    septet_script *neighbour = new_script(f->host, &(septet_limits){0});
    for (int i = 0; i < 3; i++) {
        f->reports = (struct reports){0};
        load(limited, "assert(hooked()) while true do pcall(function() while true do end end) end");
        load(neighbour, TASKS COMPUTE "assert(not hooked()) "
                                      "assert(not coroutine.wrap(hooked)()) "
                                      "task.sleep(0) assert(not hooked()) return 7");
        assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
        assert_int_equal(f->reports.errors, 1);
        assert_string_equal(f->reports.kind, "TaskHog");
        assert_text(f->reports.message, message);
        assert_int_equal(result(neighbour, f->L), 7);
        load(limited, TASKS "task.sleep(0) return 8");
        assert_int_equal(septet_run(f->host), SEPTET_OK);
        assert_int_equal(result(limited, f->L), 8);
    }
}

static void test_instructions_of_one_script_are_limited(void **state)
{
    check_slices(*state, &(septet_limits){.slice_instructions = 10000}, "10000 instructions");
}

static void test_the_time_of_one_script_is_limited(void **state)
{
    check_slices(*state, &(septet_limits){.slice_ms = 100}, "0.1 s");
}

static void limit_slices(septet_config *config)
{
    config->limits.slice_instructions = 200000;
}

static int setup_slices(void **state)
{
    return host_fixture_setup_with(state, limit_slices);
}

static void test_a_script_may_have_less_than_its_host(void **state)
{
    struct host_fixture *f = *state;
    septet_script *small = new_script(f->host, &(septet_limits){.slice_instructions = 5000});
    septet_script *large = new_script(f->host, &(septet_limits){.slice_instructions = 1u << 30});
    load(small, "for i = 1, 6000 do end");
    load(large, "for i = 1, 150000 do end return 1");
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    assert_text(f->reports.message, "5000 instructions");
    assert_int_equal(result(large, f->L), 1);
    load(large, "for i = 1, 250000 do end");
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    assert_text(f->reports.message, "200000 instructions");
}

/* A coroutine of a script that others pass on: it counts for what resumes it. */
static void test_a_coroutine_of_another_script_does_not_escape(void **state)
{
    struct host_fixture *f = *state;
    septet_script *limited = new_script(f->host, &(septet_limits){.slice_instructions = 10000});
    assert_runs(f->host, "shared = coroutine.create(function() "
                         "  coroutine.yield() while true do end end) "
                         "coroutine.resume(shared)");
    load(limited, "coroutine.resume(shared) while true do end");
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    assert_string_equal(f->reports.kind, "TaskHog");
    assert_int_equal(f->reports.errors, 1);
}

/* --- memory --- */

static void set_memory(septet_config *config)
{
    config->script_memory = 1;
    config->limits.memory = 64 << 20;
}

static int setup_memory(void **state)
{
    return host_fixture_setup_with(state, set_memory);
}

/* A page whose tree takes some hundred times its bytes, in C. */
#define PARSE                                                                                      \
    TASKS "local html = require 'septet.html' "                                                    \
          "local tags = {} "                                                                       \
          "for i = 1, 200 do tags[i] = '<b a' .. i .. '>' end "                                    \
          "local page = '<p>' .. table.concat(tags) .. ('</p><p>x'):rep(2000) "                    \
          "local ok, e = pcall(html.parse, page, { max_memory = 1 << 40 }) "                       \
          "assert(ok or task.is(e, 'HtmlError') and e.code == 'too_big', e) "                      \
          "return ok and 1 or tonumber(e.message:match '%((%d+)%)') "

static void test_a_page_takes_no_more_memory_than_a_script_may_have(void **state)
{
    struct host_fixture *f = *state;
    lua_State *L = septet_lua(f->host);
    septet_script *limited = new_script(f->host, &(septet_limits){.memory = 8 << 20});
    septet_script *neighbour = new_script(f->host, &(septet_limits){0});
    load(limited, PARSE);
    load(neighbour, PARSE);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(result(limited, L), 8 << 20);
    assert_int_equal(result(neighbour, L), 64 << 20);
}

/* Reads of what never ends, in all ways. */
#define READ                                                                                       \
    TASKS "local zero = require 'septet.io'.open('/dev/zero', { max_line = 1 << 40 }) "            \
          "for method, code in pairs { read_line = 'line_too_long', read_all = 'too_big', "        \
          "                            read_exactly = 'too_big' } do "                             \
          "  local ok, e = pcall(zero[method], zero, method ~= 'read_line' and 1 << 40 or nil) "   \
          "  assert(not ok and e.code == code, e) "                                                \
          "end "                                                                                   \
          "return #zero:read(1 << 10) "

static void test_a_read_holds_no_more_than_a_script_may_have(void **state)
{
    struct host_fixture *f = *state;
    septet_script *limited = new_script(f->host, &(septet_limits){.memory = 4 << 20});
    load(limited, READ);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(result(limited, septet_lua(f->host)), 1 << 10);
}

#define LIMITED(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tasks_of_one_script_are_limited),
        TEST(test_a_main_task_more_of_a_script_is_refused),
        LIMITED(test_a_script_is_subject_to_its_limit_and_its_hosts, setup_tasks),
        TEST(test_instructions_of_one_script_are_limited),
        TEST(test_the_time_of_one_script_is_limited),
        LIMITED(test_a_script_may_have_less_than_its_host, setup_slices),
        TEST(test_a_coroutine_of_another_script_does_not_escape),
        LIMITED(test_a_page_takes_no_more_memory_than_a_script_may_have, setup_memory),
        LIMITED(test_a_read_holds_no_more_than_a_script_may_have, setup_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
