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

static void test_sched_completions_of_what_is_no_task_are_refused(void **state)
{
    start("log(try(completions, {core.spawn(print), 1}))");
    assert_log("Usage");
    assert_warned("is cancelled before it ran");
}

static void test_sched_completions_refuse_more_tasks_than_they_have_room_for(void **state)
{
    start("local t = core.spawn(tostring, 7) local set = core.completions(1) set:add(t)\n"
          "log(try(set.add, set, t), try(core.completions, -1), try(core.completions, "
          "math.maxinteger))\n"
          "set:wait 'all' log(set:take(), set:values{t}[1])");
    assert_log("Usage Usage string 1 7");
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
        TEST(test_sched_completions_of_what_is_no_task_are_refused),
        TEST(test_sched_completions_refuse_more_tasks_than_they_have_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
