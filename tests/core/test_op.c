/* SPDX-License-Identifier: MIT */
/* The laws of awaiting an operation: it completes, it is cancelled, its task unwinds. Each
 * interleaving is written by hand. */
#include "core/inspect.h"
#include "support/sched_fixture.h"

/* --- completing --- */

static void test_op_results_pass_through(void **state)
{
    start("log(fake 'a')");
    assert_int_equal(fixture.sched.counts.live, 1);
    done("a", 7);
    run();
    assert_log("7 a");
    assert_counts("a", 1, 0, 1, 0);
}

static void test_op_arguments_stay_below_its_results(void **state)
{
    start("local t = {'x', fake('a')} ; log(t[1], t[2], t[3], #t)");
    done("a", 1);
    run();
    assert_log("x 1 a 3");
}

static void test_op_failed_status_reaches_push(void **state)
{
    fake_closing("a");
    start("log(fake 'a')");
    done("a", SEPTET_ECLOSED);
    run();
    assert_log("-8 a");
    assert_counts("a", 1, 0, 1, 1);
}

static unsigned count_records(enum spt_rec_kind kind)
{
    unsigned n = 0;
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    while (spt_trace_read(&fixture.sched.trace, &cursor, &e, &lost))
        n += e.rec.kind == kind;
    return n;
}

static void test_op_done_inside_start_leaves_no_wait_record(void **state)
{
    fake("a")->done_in_start = true;
    fake_closing("b")->done_in_start = true;
    fake("b")->result = 5;
    start("log(fake 'a') log(fake 'b')");
    assert_log("0 a 5 b");
    assert_int_equal(count_records(SPT_REC_WAIT), 0);
    assert_int_equal(count_records(SPT_REC_RUN), 1);
    assert_counts("a", 1, 0, 1, 0);
    assert_counts("b", 1, 0, 1, 1);
    fake("c");
    start("fake 'c'");
    assert_int_equal(count_records(SPT_REC_WAIT), 1);
    done("c", 0);
    run();
}

static void test_op_that_fails_to_start_is_pushed_and_closed(void **state)
{
    fake("a")->start_fails = SEPTET_ENOMEM;
    fake_closing("b")->start_fails = SEPTET_EINVAL;
    start("log(fake 'a') log(fake 'b')");
    assert_log("-1 a -2 b");
    assert_counts("a", 1, 0, 1, 0);
    assert_counts("b", 1, 0, 1, 1);
}

static void test_op_done_inside_a_start_that_fails_raises_usage(void **state)
{
    fake("a")->done_in_start = true;
    fake("a")->start_fails = SEPTET_ENOMEM;
    fake_closing("b")->done_in_start = true;
    fake("b")->start_fails = SEPTET_EINVAL;
    start("for _, name in ipairs {'a', 'b'} do\n"
          "  local ok, err = pcall(fake, name)\n"
          "  log(ok, tostring(err):match \"'start' of .*\")\n"
          "end");
    assert_log("false 'start' of the operation 'fake' returned -1 although it was done "
               "(SEPTET_OK expected) "
               "false 'start' of the operation 'fake' returned -2 although it was done "
               "(SEPTET_OK expected)");
    assert_counts("a", 1, 0, 0, 0);
    assert_counts("b", 1, 0, 0, 1);
    fakes_reset(); /* neither pushed nor cancelled, as it is a mistake of the type */
}

/* Of two tasks, one has waits that are over at once. Checks how often the other got a turn. */
static void inline_completions(int n, const char *expected)
{
    char code[256];
    fake("a")->done_in_start = true;
    snprintf(code, sizeof code, "for i = 1, %d do fake 'a' end log 'end'", n);
    spawn(code);
    spawn("log 'other'");
    run();
    assert_log(expected);
}

static void test_op_budget_of_inline_completions(void **state)
{
    inline_completions(128, "end other");
}

static void test_op_129_inline_completions_yield_once(void **state)
{
    inline_completions(129, "other end");
    assert_int_equal(count_records(SPT_REC_RUN), 3);
    assert_int_equal(count_records(SPT_REC_WAIT), 0);
}

static void test_op_258_inline_completions_yield_twice(void **state)
{
    inline_completions(258, "other end");
    assert_int_equal(count_records(SPT_REC_RUN), 4);
}

static void test_op_done_outside_the_drain_wakes(void **state)
{
    start("fake 'a'");
    unsigned wakes = fixture.wakes;
    done("a", 0);
    assert_int_equal(fixture.wakes, wakes + 1);
    run();
}

static void test_op_done_inside_the_drain_needs_no_wake(void **state)
{
    start("fake 'a'");
    spawn("done 'a'");
    unsigned wakes = fixture.wakes;
    run();
    assert_int_equal(fixture.wakes, wakes);
    assert_int_equal(fixture.sched.counts.live, 0);
}

static void test_op_external_is_counted_while_it_waits(void **state)
{
    fake("a")->type.flags = SEPTET_OP_EXTERNAL;
    fake_closing("b")->type.flags = SEPTET_OP_EXTERNAL;
    fake("c")->type.flags = SEPTET_OP_EXTERNAL;
    fake("c")->done_in_start = true;
    start("fake 'c' A = core.spawn(fake, 'a') B = core.spawn(fake, 'b') fake 'd'");
    assert_int_equal(fixture.sched.counts.external, 2);
    assert_false(spt_sched_deadlocked(&fixture.sched));
    done("a", 0);
    assert_int_equal(fixture.sched.counts.external, 1);
    cancel("B", NULL);
    assert_int_equal(fixture.sched.counts.external, 0);
    run();
    assert_true(spt_sched_deadlocked(&fixture.sched));
    done("d", 0);
    run();
}

static void test_op_describes_what_it_waits_for(void **state)
{
    char text[64];
    fake("a")->type.describe = fake_describe;
    struct spt_task *t = start("fake 'a' fake 'b'");
    spt_inspect_waits_for(t, text, sizeof text);
    assert_string_equal(text, "fake the a");
    done("a", 0);
    spt_inspect_waits_for(t, text, sizeof text);
    assert_string_equal(text, "");
    run();
    spt_inspect_waits_for(t, text, sizeof text);
    assert_string_equal(text, "fake");
    done("b", 0);
    run();
}

/* --- cancelling --- */

static void spawn_cancellable(void)
{
    start_script("spawn_cancellable");
}

static void end_cancellable(void)
{
    done("main", 0);
    run();
}

static void test_op_cancelled_while_waiting(void **state)
{
    fake_closing("a");
    spawn_cancellable();
    cancel("T", "enough");
    assert_counts("a", 1, 1, 0, 1);
    run();
    assert_log("Cancelled cancel enough Cancelled");
    assert_counts("b", 0, 0, 0, 0);
    end_cancellable();
}

static void test_op_without_close_cancelled_while_waiting(void **state)
{
    spawn_cancellable();
    cancel("T", NULL);
    assert_counts("a", 1, 1, 0, 0);
    run();
    assert_log("Cancelled cancel - Cancelled");
    end_cancellable();
}

static void test_op_done_then_cancelled_keeps_its_result(void **state)
{
    fake_closing("a");
    spawn_cancellable();
    done("a", 3);
    cancel("T", NULL);
    assert_counts("a", 1, 0, 0, 0);
    run();
    assert_log("ok Cancelled");
    assert_counts("a", 1, 0, 1, 1);
    assert_counts("b", 0, 0, 0, 0);
    end_cancellable();
}

static void test_op_cancelled_twice_keeps_the_first_reason(void **state)
{
    fake_closing("a");
    spawn_cancellable();
    assert_true(spt_scope_cancel(&task("T")->root, "cancel", "first"));
    assert_false(spt_scope_cancel(&task("T")->root, "deadline", "second"));
    assert_counts("a", 1, 1, 0, 1);
    run();
    assert_log("Cancelled cancel first Cancelled");
    end_cancellable();
}

static void test_op_cancelled_while_it_yields_with_a_result_keeps_it(void **state)
{
    fake_closing("a")->done_in_start = true;
    spawn("T = core.current() for i = 1, 129 do fake 'a' end log 'kept' log(try(fake, 'a'))");
    spawn("T:cancel()");
    run();
    assert_log("kept Cancelled");
    assert_counts("a", 129, 0, 129, 129);
}

static void test_op_of_a_task_cancelled_before_its_start_never_starts(void **state)
{
    spawn("T = core.spawn(function() log 'body' ; log(try(fake, 'a')) end) ; T:cancel()\n"
          "log(T:status())");
    run();
    assert_log("pending body Cancelled");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_refused_is_neither_started_nor_closed(void **state)
{
    fake_closing("a");
    spawn("core.current():cancel() log(try(fake, 'a'), try(fake, 'a'))");
    run();
    assert_log("Cancelled Cancelled");
    assert_counts("a", 0, 0, 0, 0);
    assert_int_equal(count_records(SPT_REC_WAIT), 0);
}

static void test_op_refused_in_a_retry_loop_lets_others_run(void **state)
{
    spawn("core.current():cancel()\n"
          "for i = 1, 50 do if pcall(fake, 'a') then log 'started' end seen = i end");
    spawn("for i = 1, 10 do core.checkpoint() end log(seen < 50)");
    run();
    assert_log("true");
}

static void on_cancel_done_b(struct fake *f)
{
    done("b", 0);
}

/* A lock that is given to the next waiter when the first gives up. */
static void test_op_cancel_may_complete_another(void **state)
{
    fake("a")->on_cancel = on_cancel_done_b;
    start("A = core.spawn(fake, 'a') B = core.spawn(fake, 'b') log(try(B.await, B))");
    cancel("A", NULL);
    run();
    assert_log("ok");
}

/* --- unwinding --- */

static void test_op_awaited_in_close_during_an_error(void **state)
{
    start_script("awaited_in_close_during_an_error");
    assert_log("");
    done("a", 1);
    run();
    assert_log("closing 1 false the error");
}

static void test_op_awaited_in_close_of_a_task_that_fails(void **state)
{
    start("local c <close> = closer(function() log('closing', (fake 'a')) end)\n"
          "error('the error', 0)");
    assert_int_equal(fixture.sched.counts.live, 1);
    done("a", 1);
    run();
    assert_log("closing 1");
    assert_unhandled("the error");
}

static void test_op_awaited_in_close_of_a_task_that_returns(void **state)
{
    start("T = core.spawn(function()\n"
          "  local c <close> = closer(function() fake 'a' end)\n"
          "  return 1, 2, 3\n"
          "end)\n"
          "log(T:await())");
    done("a", 0);
    run();
    assert_log("1 2 3");
}

static void test_op_awaited_in_close_when_cancelled_raises_at_once(void **state)
{
    start("T = core.spawn(function()\n"
          "  local c <close> = closer(function(_, e) log(kind(e), try(fake, 'b')) end)\n"
          "  fake 'a'\n"
          "end)\n"
          "log(try(T.await, T))");
    cancel("T", NULL);
    run();
    assert_log("Cancelled Cancelled TaskCancelled");
    assert_counts("b", 0, 0, 0, 0);
}

/* --- the end of the host --- */

static void test_op_is_refused_when_the_host_closes(void **state)
{
    start("log(try(fake, 'a')) log(try(fake, 'b'))");
    fixture.sched.run.shutting_down = true;
    cancel_mains();
    run();
    assert_log("Cancelled Cancelled");
    assert_counts("b", 0, 0, 0, 0);
}

static void test_op_task_that_absorbs_the_end_is_abandoned(void **state)
{
    start("local c <close> = closer(function() log 'closed' end)\n"
          "while true do pcall(fake, 'a') n = (n or 0) + 1 end");
    start("log(try(fake, 'b'))");
    fixture.sched.run.shutting_down = true;
    cancel_mains();
    run();
    assert_log("Cancelled closed");
    assert_int_equal(fixture.sched.counts.live, 0);
    assert_counts("a", 1, 1, 0, 0);
    assert_unhandled("?");
    script("log(n)");
    assert_log("101");
}

static void test_op_task_with_children_that_absorbs_the_end_is_abandoned(void **state)
{
    start_script("task_with_children_that_absorbs_the_end_is_abandoned");
    fixture.sched.run.shutting_down = true;
    cancel_mains();
    run();
    assert_log("child");
    assert_int_equal(fixture.sched.counts.live, 0);
    assert_unhandled("?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_op_results_pass_through),
        TEST(test_op_arguments_stay_below_its_results),
        TEST(test_op_failed_status_reaches_push),
        TEST(test_op_done_inside_start_leaves_no_wait_record),
        TEST(test_op_that_fails_to_start_is_pushed_and_closed),
        TEST(test_op_done_inside_a_start_that_fails_raises_usage),
        TEST(test_op_budget_of_inline_completions),
        TEST(test_op_129_inline_completions_yield_once),
        TEST(test_op_258_inline_completions_yield_twice),
        TEST(test_op_done_outside_the_drain_wakes),
        TEST(test_op_done_inside_the_drain_needs_no_wake),
        TEST(test_op_external_is_counted_while_it_waits),
        TEST(test_op_describes_what_it_waits_for),
        TEST(test_op_cancelled_while_waiting),
        TEST(test_op_without_close_cancelled_while_waiting),
        TEST(test_op_done_then_cancelled_keeps_its_result),
        TEST(test_op_cancelled_twice_keeps_the_first_reason),
        TEST(test_op_cancelled_while_it_yields_with_a_result_keeps_it),
        TEST(test_op_of_a_task_cancelled_before_its_start_never_starts),
        TEST(test_op_refused_is_neither_started_nor_closed),
        TEST(test_op_refused_in_a_retry_loop_lets_others_run),
        TEST(test_op_cancel_may_complete_another),
        TEST(test_op_awaited_in_close_during_an_error),
        TEST(test_op_awaited_in_close_of_a_task_that_fails),
        TEST(test_op_awaited_in_close_of_a_task_that_returns),
        TEST(test_op_awaited_in_close_when_cancelled_raises_at_once),
        TEST(test_op_is_refused_when_the_host_closes),
        TEST(test_op_task_that_absorbs_the_end_is_abandoned),
        TEST(test_op_task_with_children_that_absorbs_the_end_is_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
