/* SPDX-License-Identifier: MIT */
/* The coroutine beneath a task, and what is left where memory runs out and finalizers run. */
#include "support/sched_fixture.h"

/* --- the coroutine beneath --- */

static void test_task_coroutine_is_used_again(void **state)
{
    lua_gc(fixture.L, LUA_GCSTOP); /* a collection empties the pool */
    start_script("coroutine_is_used_again");
    assert_log("true");
}

static void test_task_coroutine_of_a_failed_task_is_used_again(void **state)
{
    lua_gc(fixture.L, LUA_GCSTOP);
    start_script("coroutine_of_a_failed_task_is_used_again");
    assert_log("true 0");
}

static void test_task_coroutine_that_a_script_has_seen_is_not_used_again(void **state)
{
    start_script("coroutine_that_a_script_has_seen_is_not_used_again");
    assert_log("false dead false cannot resume dead coroutine");
}

static void test_task_coroutines_at_rest_go_with_the_garbage(void **state)
{
    lua_gc(fixture.L, LUA_GCCOLLECT);
    int before = lua_gc(fixture.L, LUA_GCCOUNT);
    start("local ts = {} for i = 1, 3000 do ts[i] = core.spawn(core.checkpoint) end\n"
          "for i = 1, 3000 do ts[i]:await() end");
    assert_true(fixture.sched.pool.n > 1000);
    lua_gc(fixture.L, LUA_GCCOLLECT);
    lua_gc(fixture.L, LUA_GCCOLLECT);
    assert_true(lua_gc(fixture.L, LUA_GCCOUNT) < before + 500);
    start_script("coroutines_at_rest_go_with_the_garbage");
    assert_log("3000");
}

static void test_task_foreign_yield_is_a_turn_and_a_warning(void **state)
{
    spawn("log('before', raw_yield(1, 2, 3)) log(fake 'a')");
    spawn("log 'other'");
    run();
    assert_log("other before");
    assert_warned("a C function yielded a task's own coroutine");
    done("a", 1);
    run();
    assert_log("1 a");
}

static void test_task_foreign_yield_in_a_coroutine_is_the_scripts(void **state)
{
    start("log(coroutine.wrap(function() raw_yield(1, 2) end)())");
    assert_log("1 2");
}

static void test_task_yield_at_its_own_level_is_refused(void **state)
{
    start("log(select(2, pcall(coroutine.yield)), coroutine.isyieldable())");
    assert_log("attempt to yield from outside a coroutine false");
}

/* --- out of memory, everywhere --- */

static void prepare_sweep(void)
{
    fake_closing("inline")->done_in_start = true;
    fake_closing("closing")->done_in_start = true;
}

static void check_sweep(long n, bool failed)
{
    if (!failed)
        assert_log("3 1 2 3 1 4 ok");
}

#define SWEEP "core/sweep_tasks.lua"

static const struct sweep sweep = {SWEEP, prepare_sweep, 5, 1, check_sweep};

static void test_task_out_of_memory_once_leaves_everything_consistent(void **state)
{
    fail_each_allocation(&sweep, 2);
}

static void test_task_out_of_memory_for_ever_leaves_everything_consistent(void **state)
{
    fail_each_allocation(&sweep, 1000000);
}

static void test_task_spawn_out_of_memory_spawns_nothing(void **state)
{
    long n = 1;
    for (bool spawned = false; !spawned; n++) {
        assert_int_equal(sched_fixture_setup(NULL), 0);
        fail_memory(n, 2);
        spawned = spawn("log 'ran'") != NULL;
        mend_memory();
        assert_int_equal(fixture.sched.counts.live, spawned);
        run();
        assert_log(spawned ? "ran" : "");
        assert_non_null(spawn("log 'again'"));
        run();
        assert_log("again");
        assert_int_equal(sched_fixture_teardown(NULL), 0);
    }
    assert_true(n > 3);
}

/* --- finalizers, everywhere: any allocation may run them --- */

static void test_task_finalizers_that_spawn_and_cancel_break_nothing(void **state)
{
    fake_closing("inline")->done_in_start = true;
    fake_closing("closing")->done_in_start = true;
    script(test_file_read("core/meddling.lua"));
    lua_gc(fixture.L, LUA_GCINC, 10, 1000, 5);
    for (int i = 0; i < 25; i++) {
        start_file(SWEEP);
        for (int j = 0; j < 10; j++)
            advance(1);
        assert_log("3 1 2 3 1 4 ok");
        assert_unhandled("x");
        assert_unhandled("y");
    }
    lua_gc(fixture.L, LUA_GCCOLLECT);
    script("log(meddled > 1000)");
    assert_log("true");
    fixture.warnings.n =
        0; /* what the finalizers spawned at the end of a task never ran, if they did it there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_task_coroutine_is_used_again),
        TEST(test_task_coroutine_of_a_failed_task_is_used_again),
        TEST(test_task_coroutine_that_a_script_has_seen_is_not_used_again),
        TEST(test_task_coroutines_at_rest_go_with_the_garbage),
        TEST(test_task_foreign_yield_is_a_turn_and_a_warning),
        TEST(test_task_foreign_yield_in_a_coroutine_is_the_scripts),
        TEST(test_task_yield_at_its_own_level_is_refused),
        cmocka_unit_test(test_task_out_of_memory_once_leaves_everything_consistent),
        cmocka_unit_test(test_task_out_of_memory_for_ever_leaves_everything_consistent),
        cmocka_unit_test(test_task_spawn_out_of_memory_spawns_nothing),
        TEST(test_task_finalizers_that_spawn_and_cancel_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
