/* SPDX-License-Identifier: MIT */
/* What a task leaves at its end: children, and a failure that no task has seen. */
#include "support/sched_fixture.h"

/* --- what it leaves --- */

static void test_task_orphans_are_cancelled_and_joined_at_its_end(void **state)
{
    start_script("orphans_are_cancelled_and_joined_at_its_end");
    done("a", 0);
    run();
    assert_log("1 owner 2 owner 3 owner value");
    assert_counts("f1", 1, 1, 0, 0);
}

static void test_task_waits_for_what_its_orphans_clean_up(void **state)
{
    start_script("waits_for_what_its_orphans_clean_up");
    done("a", 0);
    run();
    assert_log("");
    script("log(T:status(), T:waits_for())");
    assert_log("suspended children (1)");
    done("slow", 0);
    run();
    assert_log("joined");
}

static void test_task_that_ended_is_cancelled_no_more(void **state)
{
    start("T = core.spawn(function() end) T:await() log(T:cancel()) log(T:status())");
    assert_log("false done");
}

static void test_task_cancelled_between_its_end_and_its_childrens_is_done(void **state)
{
    start_script("cancelled_between_its_end_and_its_childrens_is_done");
    cancel("T", NULL);
    done("slow", 0);
    run();
    assert_log("1");
}

/* --- failures nobody saw --- */

static void test_task_failure_of_a_main_is_told_once(void **state)
{
    start("error('main failed', 0)");
    assert_unhandled("main failed");
}

static void test_task_failure_is_told_when_its_owner_ends(void **state)
{
    start("core.spawn(error, 'child failed', 0) fake 'a'");
    assert_int_equal(fixture.unhandled.n, 0);
    done("a", 0);
    run();
    assert_unhandled("child failed");
}

static void test_task_failures_are_told_in_order(void **state)
{
    start("for i = 1, 3 do core.spawn(error, 'child ' .. i, 0) end fake 'a' error('main', 0)");
    done("a", 0);
    run();
    assert_unhandled("child 1");
    assert_unhandled("child 2");
    assert_unhandled("child 3");
    assert_unhandled("main");
}

static void test_task_failure_that_was_awaited_is_not_told(void **state)
{
    start_script("failure_that_was_awaited_is_not_told");
    assert_int_equal(fixture.unhandled.n, 0);
}

static void test_task_failure_in_the_background_is_told_at_once(void **state)
{
    start("core.background(error, 'behind', 0) fake 'a'");
    assert_unhandled("behind");
    done("a", 0);
    run();
}

static void retrieve_and_collect(struct spt_task *t)
{
    spt_task_push(fixture.sched.main, t);
    lua_setglobal(fixture.sched.main, "told");
    script("log(told:result()) told = nil collectgarbage() collectgarbage()");
}

/* The callback may see the failure, and may drop the task. */
static void test_task_failure_may_be_retrieved_while_it_is_told(void **state)
{
    fixture.on_unhandled = retrieve_and_collect;
    start("error('x', 0)");
    assert_log("false x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_task_orphans_are_cancelled_and_joined_at_its_end),
        TEST(test_task_waits_for_what_its_orphans_clean_up),
        TEST(test_task_that_ended_is_cancelled_no_more),
        TEST(test_task_cancelled_between_its_end_and_its_childrens_is_done),
        TEST(test_task_failure_of_a_main_is_told_once),
        TEST(test_task_failure_is_told_when_its_owner_ends),
        TEST(test_task_failures_are_told_in_order),
        TEST(test_task_failure_that_was_awaited_is_not_told),
        TEST(test_task_failure_in_the_background_is_told_at_once),
        TEST(test_task_failure_may_be_retrieved_while_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
