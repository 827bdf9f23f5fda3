/* SPDX-License-Identifier: MIT */
/* Deadlines of scopes: when they cancel, which one is in force, and how they are extended. */
#include "core/turn.h"
#include "support/sched_fixture.h"

static void test_scope_deadline_cancels_with_its_source(void **state)
{
    start("local ok, e, absorbed, source = block(false, false, 2, function() fake 'a' end)\n"
          "log(kind(e), e.source, absorbed, source)");
    advance(1.999999999);
    assert_log("");
    advance(0.000000001);
    assert_log("Cancelled deadline true deadline");
    assert_counts("a", 1, 1, 0, 0);
}

static void test_scope_deadline_is_disarmed_by_closing(void **state)
{
    start("block(false, false, 2, function() end) fake 'a'");
    assert_int_equal(spt_timer_next(&fixture.sched.tree.timers), SPT_NEVER);
    done("a", 0);
    run();
}

static void test_scope_deadline_gone_by_raises_at_the_first_wait(void **state)
{
    start(
        "local ok, e = block(false, false, 0, function() core.checkpoint() core.checkpoint() end)\n"
        "log(ok, e and e.source)");
    assert_log("false deadline");
    start("log(block(false, false, 0, function() return 'no wait' end))");
    assert_log("true no wait false nil");
}

static void test_scope_deadline_reaches_tasks_of_the_block(void **state)
{
    start("block(true, false, 1, function(g) g:spawn(function()\n"
          "  local _, e = pcall(fake, 'a') log(e.source) end) end)");
    advance(1);
    assert_log("deadline");
}

static void test_scope_deadlines_that_fall_together_are_the_outers(void **state)
{
    start_script("deadlines_that_fall_together_are_the_outers");
    advance(1);
    assert_log("inner false outer true");
}

static void test_scope_deadline_after_a_result_keeps_the_result(void **state)
{
    start("block(false, false, 1, function() log(fake 'a') log(try(fake, 'b')) end)");
    fixture.now += SECOND;
    done("a", 1);
    run();
    assert_log("1 a Cancelled");
}

static void test_scope_deadline_gone_by_refuses_what_would_complete_at_once(void **state)
{
    fake("a")->done_in_start = true;
    start("log(try(fake, 'main')) local ok, e = block(false, false, 1, function() fake 'wait' fake "
          "'a' end)\n"
          "log(ok, e and e.source)");
    done("main", 0);
    run();
    script("done 'wait'");
    fixture.now += 2 * SECOND; /* passes before the task has run on */
    fixture.sched.run.draining = true;
    spt_turn_run(SPT_OF(spt_list_pop(&fixture.sched.queues.ready), struct spt_task, link));
    fixture.sched.run.draining = false;
    run();
    assert_log("ok false deadline");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_scope_deadline_in_force_is_the_earliest_up_to_a_shield(void **state)
{
    start_script("deadline_in_force_is_the_earliest_up_to_a_shield");
    done("a", 0);
    run();
    assert_log("inf 3.0 3.0 2.0 inf 3.0 inf inf");
}

static void test_scope_deadline_of_a_cancelled_task_is_long_past(void **state)
{
    start("block(false, false, nil, function(s) s:cancel() log(core.deadline()) end)");
    assert_log("-inf");
}

static void test_scope_extend_moves_the_deadline_of_all_below(void **state)
{
    start_script("extend_moves_the_deadline_of_all_below");
    script("log(G:extend(2), G.deadline - T0, G.expired)");
    done("a", 0);
    run();
    advance(2.5);
    assert_log("1.0 true 3.0 false 3.0");
    advance(0.5);
    assert_log("ended 3.0");
    script("log(G.expired, G:extend(1))");
    assert_log("true false");
}

static void test_scope_extend_is_refused_without_a_deadline(void **state)
{
    start("log(block(false, false, nil, function(s) s:extend(1) end))");
    assert_log_has("cannot extend: the block has no deadline");
    clear_log();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scope_deadline_cancels_with_its_source),
        TEST(test_scope_deadline_is_disarmed_by_closing),
        TEST(test_scope_deadline_gone_by_raises_at_the_first_wait),
        TEST(test_scope_deadline_reaches_tasks_of_the_block),
        TEST(test_scope_deadlines_that_fall_together_are_the_outers),
        TEST(test_scope_deadline_after_a_result_keeps_the_result),
        TEST(test_scope_deadline_gone_by_refuses_what_would_complete_at_once),
        TEST(test_scope_deadline_in_force_is_the_earliest_up_to_a_shield),
        TEST(test_scope_deadline_of_a_cancelled_task_is_long_past),
        TEST(test_scope_extend_moves_the_deadline_of_all_below),
        TEST(test_scope_extend_is_refused_without_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
