/* SPDX-License-Identifier: MIT */
/* Shields, and tasks that are moved from scope to scope. */
#include "support/sched_fixture.h"

/* --- moving --- */

static void test_scope_move_takes_cancellation_and_deadline_along(void **state)
{
    start_script("move_takes_cancellation_and_deadline_along");
    assert_log("from");
    advance(1);
    assert_log("");
    done("b", 0);
    run();
    assert_log("");
    advance(4);
    assert_log("deadline 5.0 to");
}

static void test_scope_move_into_a_cancelled_one_cancels(void **state)
{
    start_script("move_into_a_cancelled_one_cancels");
    done("b", 0);
    run();
    assert_log("moved gone");
    assert_counts("a", 1, 1, 0, 0);
}

static void test_scope_move_of_the_last_task_ends_the_join(void **state)
{
    start_script("move_of_the_last_task_ends_the_join");
    assert_log("");
    script("core.scope_move(T, TO)");
    run();
    assert_log("joined");
    done("a", 0);
    run();
    assert_log("end");
}

/* --- shields --- */

static void test_scope_shield_stops_cancellation(void **state)
{
    fake_closing("a");
    start_script("shield_stops_cancellation");
    cancel("T", NULL);
    assert_counts("a", 1, 0, 0, 0);
    run();
    done("a", 1);
    done("b", 2);
    run();
    assert_log("1 a child 2 Cancelled");
    assert_counts("c", 0, 0, 0, 0);
}

static void test_scope_shield_opened_in_a_cancelled_task(void **state)
{
    start_script("shield_opened_in_a_cancelled_task");
    cancel("T", NULL);
    run();
    done("cleanup", 1);
    run();
    assert_log("1 cleanup Cancelled TaskCancelled");
}

static void test_scope_shield_obeys_its_own_cancel_and_deadline(void **state)
{
    start_script("shield_obeys_its_own_cancel_and_deadline");
    advance(1);
    script("S:cancel()");
    run();
    assert_log("deadline cancel");
}

static void test_scope_block_inside_a_shield_is_shielded(void **state)
{
    start_script("block_inside_a_shield_is_shielded");
    cancel("T", NULL);
    done("a", 1);
    run();
    assert_log("1 a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scope_move_takes_cancellation_and_deadline_along),
        TEST(test_scope_move_into_a_cancelled_one_cancels),
        TEST(test_scope_move_of_the_last_task_ends_the_join),
        TEST(test_scope_shield_stops_cancellation),
        TEST(test_scope_shield_opened_in_a_cancelled_task),
        TEST(test_scope_shield_obeys_its_own_cancel_and_deadline),
        TEST(test_scope_block_inside_a_shield_is_shielded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
