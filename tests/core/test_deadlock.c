/* SPDX-License-Identifier: MIT */
/* Circles of waiting: found whatever stands before, beside and behind them. */
#include "core/inspect.h"
#include "support/sched_fixture.h"

#include "core/deadlock.h"

/* The names of the circle, by spaces. */
static void assert_circle(const char *expected)
{
    struct spt_task *tasks[8];
    char text[256] = "", name[64];
    uint32_t n = spt_deadlock_cycle(&fixture.sched, tasks, 8);
    for (uint32_t i = 0; i < n && i < 8; i++) {
        spt_inspect_name(tasks[i], name, sizeof name);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", name);
    }
    assert_string_equal(text, expected);
}

static void test_deadlock_of_none(void **state)
{
    assert_circle("");
    start_script("none");
    assert_circle("");
    done("f", 0);
    done("main", 0);
    run();
}

static void test_deadlock_of_two(void **state)
{
    start_script("two");
    assert_circle("a b");
    script("T.a:cancel() T.b:cancel()");
    done("main", 0);
    run();
}

static void test_deadlock_behind_a_tail(void **state)
{
    start_script("behind_a_tail");
    assert_circle("a b c");
    script("for _, t in pairs(T) do t:cancel() end");
    done("main", 0);
    run();
}

static void test_deadlock_through_one_of_many(void **state)
{
    start_script("through_one_of_many");
    assert_circle("all other");
    script("for _, t in pairs(T) do t:cancel() end");
    done("main", 0);
    run();
}

static void test_deadlock_of_a_group_and_its_task(void **state)
{
    start_script("a_group_and_its_task");
    assert_circle("owner member");
    script("T.owner:cancel()");
    done("main", 0);
    run();
}

static void test_deadlock_of_a_task_that_waits_for_its_children(void **state)
{
    start_script("a_task_that_waits_for_its_children");
    assert_circle("parent child");
    script("S:cancel()");
    done("main", 0);
    run();
}

static void test_deadlock_of_more_than_asked_for(void **state)
{
    start_script("more_than_asked_for");
    struct spt_task *tasks[3];
    assert_int_equal(spt_deadlock_cycle(&fixture.sched, tasks, 3), 20);
    script("for _, t in pairs(T) do t:cancel() end");
    done("main", 0);
    run();
}

static void test_deadlock_chain_of_100000_without_recursion(void **state)
{
    start_script("chain_of_100000");
    struct spt_task *tasks[1];
    assert_int_equal(spt_deadlock_cycle(&fixture.sched, tasks, 1), 100000);
    script("for i = 1, 100000 do T[i]:cancel() end");
    done("main", 0);
    run();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deadlock_of_none),
        TEST(test_deadlock_of_two),
        TEST(test_deadlock_behind_a_tail),
        TEST(test_deadlock_through_one_of_many),
        TEST(test_deadlock_of_a_group_and_its_task),
        TEST(test_deadlock_of_a_task_that_waits_for_its_children),
        TEST(test_deadlock_of_more_than_asked_for),
        TEST(test_deadlock_chain_of_100000_without_recursion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
