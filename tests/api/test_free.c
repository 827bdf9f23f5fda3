/* septet_free, while the script has not ended. */
#include "support/host_fixture.h"

static void test_free_of_nothing(void **state)
{
    assert_int_equal(septet_free(NULL), SEPTET_OK);
}

/* Frees a host whose script never ends by itself, once it has set `ready`. */
static void check_free(struct host_fixture *f, const char *source, const char *warned)
{
    assert_loads(f->host, source);
    while (global(f->L, "ready") == 0)
        assert_int_equal(septet_step(f->host, 0), 1);
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
    check_free(*state,
               PRELUDE "for i = 1, 100 do task.spawn(task.sleep, 1000) end task.sleep(0) ready = 1 "
                       "task.sleep(1000)",
               "");
}

static void test_free_unwinds_to_be_closed_variables(void **state)
{
    check_free(*state,
               PRELUDE
               "warn '@on'"
               " local function guard(name) return setmetatable({}, {__close = function(_, e)"
               "   warn(name .. ' ' .. tostring(task.is_cancelled(e))) end}) end"
               " task.spawn(function() local _ <close> = guard 'child' task.sleep(1000) end)"
               " local a <close> = guard 'first'"
               " local b <close> = guard 'second'"
               " task.sleep(0) ready = 1 task.sleep(1000)",
               "second true\nfirst true\nchild true\n");
}

static void test_free_refuses_to_wait_in_to_be_closed_variables(void **state)
{
    check_free(*state,
               PRELUDE "warn '@on'"
                       " local _ <close> = setmetatable({}, {__close = function(_, e)"
                       "   local ok, err = pcall(task.sleep, 1000)"
                       "   warn(tostring(ok) .. ' ' .. tostring(task.is_cancelled(err))) end})"
                       " ready = 1 task.sleep(1000)",
               "false true\n");
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
    check_free(f,
               PRELUDE SOON_READY "for i = 1, 5 do task.spawn(http.get, origin .. '/stall') end"
                                  " http.get(origin .. '/stall?after=10&length=100')",
               "");
    assert_int_equal(count_descriptors(), f->descriptors);
}

static void test_free_with_requests_that_wait_for_a_place(void **state)
{
    check_free(*state,
               PRELUDE SOON_READY "local s = http.session{limit = 1}"
                                  " for i = 1, 5 do task.spawn(s.get, s, origin .. '/stall') end"
                                  " s:get(origin .. '/stall')",
               "");
}

static void test_free_with_a_name_being_looked_up(void **state)
{
    /* Again and again: how long a lookup takes is not ours to say. */
    check_free(*state,
               PRELUDE
               "repeat ready = 1 local _, e = pcall(http.get, 'http://no-such-host.invalid/')"
               " until task.is_cancelled(e)",
               "");
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
    check_free(*state,
               PRELUDE
               "warn '@on'"
               " local s, t = http.session(), task.current()"
               " keep = setmetatable({}, {__gc = function()"
               "   assert(not pcall(task.sleep, 1))"
               "   assert(not pcall(task.spawn, print))"
               "   assert(not pcall(http.session))"
               "   assert(not pcall(s.get, s, origin))"
               "   assert(t:status() == 'cancelled' and not t:cancel() and t.name and tostring(t))"
               "   assert(#task.tree() == 0 and not task.current() and task.now() > 0)"
               "   require 'septet.trace'.subscribe(print)"
               "   s:close() s:close()"
               "   warn 'finalized' end})"
               " ready = 1 task.sleep(1000)",
               "finalized\n");
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
