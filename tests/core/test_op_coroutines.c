/* SPDX-License-Identifier: MIT */
/* Operations that are awaited inside a script's own coroutines. */
#include "support/sched_fixture.h"

/* fake('a') below `depth` coroutines, made alternately by wrap and create. */
static void nest(int depth)
{
    set_integer("depth", depth);
    start_script("nest");
}

static void test_op_in_coroutines_passes_outward_at_every_depth(void **state)
{
    for (int depth = 1; depth <= 60; depth++) {
        nest(depth);
        assert_int_equal(fixture.sched.counts.live, 2);
        done("a", depth);
        run();
        char expected[16];
        snprintf(expected, sizeof expected, "%d a ok", depth);
        assert_log(expected);
    }
    assert_counts("a", 60, 0, 60, 0);
}

static void test_op_in_coroutines_is_cancelled_at_every_depth(void **state)
{
    fake_closing("a");
    for (int depth = 1; depth <= 60; depth++) {
        nest(depth);
        cancel("T", NULL);
        run();
        assert_log("TaskCancelled");
    }
    assert_counts("a", 60, 60, 0, 60);
}

static void test_op_in_a_coroutine_keeps_the_scripts_own_yields(void **state)
{
    start_script("in_a_coroutine_keeps_the_scripts_own_yields");
    assert_log("x");
    done("a", 0);
    run();
    assert_log("1 y");
    done("b", 0);
    run();
    assert_log("2");
    done("c", 0);
    run();
    assert_log("3");
}

static void test_op_done_inside_start_in_a_coroutine(void **state)
{
    fake("a")->done_in_start = true;
    nest(5);
    assert_log("0 a ok");
}

static void test_op_waiting_coroutine_is_not_resumed_by_another_task(void **state)
{
    start("co = coroutine.create(function() fake 'a' log 'mine' return 1 end)\n"
          "log(coroutine.resume(co))");
    start("local ok, e = coroutine.resume(co) log(ok, e)");
    assert_log("false cannot resume a coroutine that waits in a task");
    start("log(pcall(coroutine.wrap(function() return coroutine.resume(co) end)))");
    assert_log("true false cannot resume a coroutine that waits in a task");
    done("a", 0);
    run();
    assert_log("mine true 1");
}

static void test_op_waiting_wrapped_coroutine_is_not_called_by_another_task(void **state)
{
    start("gen = coroutine.wrap(function() fake 'a' return 1 end) log(gen())");
    start("local ok, e = pcall(gen) log(ok, e)");
    assert_log_has("waits in a task");
    clear_log();
    done("a", 0);
    run();
    assert_log("1");
}

static void test_op_waiting_coroutine_is_not_closed_by_another_task(void **state)
{
    start("co = coroutine.create(function() fake 'a' return 1 end) log(coroutine.resume(co))");
    start("local ok, e = pcall(coroutine.close, co) log(ok, kind(e))");
    assert_log("false Usage");
    done("a", 0);
    run();
    assert_log("true 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_op_in_coroutines_passes_outward_at_every_depth),
        TEST(test_op_in_coroutines_is_cancelled_at_every_depth),
        TEST(test_op_in_a_coroutine_keeps_the_scripts_own_yields),
        TEST(test_op_done_inside_start_in_a_coroutine),
        TEST(test_op_waiting_coroutine_is_not_resumed_by_another_task),
        TEST(test_op_waiting_wrapped_coroutine_is_not_called_by_another_task),
        TEST(test_op_waiting_coroutine_is_not_closed_by_another_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
