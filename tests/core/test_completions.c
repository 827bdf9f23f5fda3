/* SPDX-License-Identifier: MIT */
/* Sets of tasks: one task waits for their completions. */
#include "support/sched_fixture.h"

static void test_sched_completions_come_in_order_of_ending(void **state)
{
    start_script("come_in_order_of_ending");
    done("f3", 0);
    run();
    assert_log("3");
    done("f4", 0);
    done("f1", 0);
    run();
    assert_log("4 1");
    done("f2", 0);
    run();
    assert_log("2 end");
}

static void waits_until(const char *until, const char *expected)
{
    lua_pushstring(fixture.L, until);
    lua_setglobal(fixture.L, "until_what");
    start_script("wait_until");
    done("a", 0);
    run();
    cancel("b", NULL);
    run();
    done("c", 0);
    run();
    done("d", 0);
    run();
    assert_log(expected);
}

static void test_sched_completions_until_words(void **state)
{
    waits_until("first", "1 string");
    waits_until("not_done", "2 string");
    waits_until("failure", "3 string");
    waits_until("all", "4 string");
}

static void test_sched_completions_of_ended_tasks(void **state)
{
    start_script("of_ended_tasks");
    assert_log("2 true 0");
}

static void test_sched_completions_cancelled_wait_may_be_repeated(void **state)
{
    start_script("cancelled_wait_may_be_repeated");
    advance(1);
    assert_log("deadline");
    done("a", 0);
    run();
    assert_log("1");
}

static void test_sched_completions_serve_one_waiter(void **state)
{
    start_script("serve_one_waiter");
    assert_log("Usage");
    done("a", 0);
    run();
    assert_log("first");
}

static void test_sched_completions_that_are_dropped_leave_the_tasks_alone(void **state)
{
    start("T = core.spawn(fake, 'a') do completions{T, (core.spawn(fake, 'b'))} end fake 'c'");
    lua_gc(fixture.L, LUA_GCCOLLECT);
    done("a", 0);
    done("b", 0);
    done("c", 0);
    run();
}

static void test_sched_completions_of_other_lists_are_none(void **state)
{
    start_script("of_other_lists");
    assert_log("0 0 0 0 0 string 2");
}

static void test_sched_completions_of_a_refused_list_watch_nothing(void **state)
{
    start("local t = core.spawn(fake, 'a') assert(not completions{t, t})\n"
          "collectgarbage() t:cancel()");
}

static void test_sched_completions_results_take_the_places_of_the_tasks(void **state)
{
    start_script("results");
    assert_log("7 nil 1 nil 5 true Usage");
}

static void test_sched_completions_split_into_ended_and_live(void **state)
{
    start_script("split");
    run();
    assert_log("2 true true 1 true 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_completions_come_in_order_of_ending),
        TEST(test_sched_completions_until_words),
        TEST(test_sched_completions_of_ended_tasks),
        TEST(test_sched_completions_cancelled_wait_may_be_repeated),
        TEST(test_sched_completions_serve_one_waiter),
        TEST(test_sched_completions_that_are_dropped_leave_the_tasks_alone),
        TEST(test_sched_completions_of_other_lists_are_none),
        TEST(test_sched_completions_of_a_refused_list_watch_nothing),
        TEST(test_sched_completions_results_take_the_places_of_the_tasks),
        TEST(test_sched_completions_split_into_ended_and_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
