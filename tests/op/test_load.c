/* SPDX-License-Identifier: MIT */
/* What of waits for the load of a module scripts cannot see: the tasks on a circle, what is left
 * where memory runs out, and what becomes of waiters when the load's task or the host ends under
 * them. */
#include "core/pass.h"
#include "core/deadlock.h"
#include "support/sched_fixture.h"

#define CIRCLE "op/circle.lua"

static void test_t_j_a_load_names_the_tasks_of_its_circle(void **state)
{
    start_file(CIRCLE);
    script("log(OVER, #PATH, PATH[1] == A.id, PATH[2] == INNER.id, OTHERS)");
    assert_log("false 2 true true true");
    advance(1);
    advance(1);
}

static void test_t_j_a_load_over_many_tasks_names_some_of_them(void **state)
{
    start_script("a_load_over_many_tasks_names_some_of_them");
    assert_log("false 33");
}

static void test_t_j_a_load_whose_task_has_ended_blocks_nobody(void **state)
{
    start("local t = core.spawn(function() LOAD = core.load(core.current()) end)\n"
          "t:await()\n"
          "W = core.spawn(function() OVER = LOAD:wait() end)\n"
          "B = core.spawn(function() W:await() end) fake 'main'");
    struct spt_task *path[4];
    assert_int_equal(spt_deadlock_path(task("B"), task("W"), path, 4), 1);
    assert_ptr_equal(path[0], task("B"));
    assert_int_equal(spt_deadlock_path(task("W"), task("B"), path, 4), 0);
    script("log(W:waits_for()) LOAD:finish()");
    assert_log("load by 'test.lua:1#2'");
    run();
    script("log(OVER, B:status())");
    assert_log("true done");
    done("main", 0);
    run();
}

static void test_t_j_waiters_for_a_load_are_unwound_with_the_host(void **state)
{
    start("LOAD = core.load(core.current())\n"
          "for _ = 1, 3 do core.spawn(function() LOAD:wait() end) end fake 'main'");
    fake("main");
    spt_pass_unwind(&fixture.sched);
    assert_int_equal(fixture.sched.counts.live, 0);
    assert_true(spt_list_is_empty(&fixture.sched.queues.acyclic_waits));
    script("collectgarbage() LOAD:finish()");
    fixture.sched.run.shutting_down = false;
}

static void check_sweep(long n, bool failed)
{
    assert_int_equal(fixture.sched.counts.live, 0);
    assert_true(spt_list_is_empty(&fixture.sched.queues.acyclic_waits));
    script("log(OVER, OTHERS)");
    if (!failed)
        assert_log("false true");
}

static const struct sweep sweep = {CIRCLE, NULL, 3, 1, check_sweep};

static void test_t_j_out_of_memory_leaves_no_load_waiting(void **state)
{
    fail_each_allocation(&sweep, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_t_j_a_load_names_the_tasks_of_its_circle),
        TEST(test_t_j_a_load_over_many_tasks_names_some_of_them),
        TEST(test_t_j_a_load_whose_task_has_ended_blocks_nobody),
        TEST(test_t_j_waiters_for_a_load_are_unwound_with_the_host),
        cmocka_unit_test(test_t_j_out_of_memory_leaves_no_load_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
