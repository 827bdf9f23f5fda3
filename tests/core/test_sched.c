/* SPDX-License-Identifier: MIT */
/* The scheduler: laps, order, wake-ups, sleeps on a clock that the test moves. */
#include "core/core.h"
#include "core/pass.h"
#include "support/sched_fixture.h"

/* --- order --- */

static void test_sched_batches_are_first_in_first_out(void **state)
{
    for (int i = 1; i <= 3; i++) {
        char code[64];
        snprintf(code, sizeof code, "for i = 1, 3 do log('%d' .. i) core.checkpoint() end", i);
        spawn(code);
    }
    assert_int_equal(lap(), 3);
    assert_log("11 21 31");
    assert_int_equal(lap(), 3);
    assert_log("12 22 32");
    run();
    assert_log("13 23 33");
}

static void test_sched_what_becomes_ready_in_a_lap_waits_for_the_next(void **state)
{
    spawn("core.spawn(function() log 'child' end) log 'parent' fake 'a'");
    assert_int_equal(lap(), 1);
    assert_log("parent");
    assert_int_equal(lap(), 1);
    assert_log("child");
    done("a", 0);
    run();
}

static void test_sched_lap_of_few_keeps_the_order(void **state)
{
    for (int i = 0; i < 5; i++)
        spawn("n = (n or 0) + 1 local mine = n log(mine) core.checkpoint() log(mine)");
    fixture.sched.run.draining = true;
    assert_int_equal(spt_pass_run(&fixture.sched, &(struct spt_pass_limit){.resumes = 2}), 2);
    assert_log("1 2");
    assert_int_equal(spt_pass_run(&fixture.sched, &(struct spt_pass_limit){.resumes = 4}), 4);
    assert_log("3 4 5 1");
    assert_int_equal(spt_pass_run(&fixture.sched, &(struct spt_pass_limit){.resumes = 0}), 0);
    assert_true(spt_sched_busy(&fixture.sched));
    run();
    assert_log("2 3 4 5");
    assert_int_equal(spt_pass_run(&fixture.sched, &(struct spt_pass_limit){.resumes = ALL}), 0);
}

/* --- deferred callbacks, failures, then tasks --- */

struct deferred {
    struct spt_deferred deferred;
    const char *name;
};

static void on_deferred(struct spt_deferred *deferred, lua_State *main)
{
    log_word(SPT_OF(deferred, struct deferred, deferred)->name);
}

static void test_sched_deferred_callbacks_come_before_any_task(void **state)
{
    struct deferred a = {{.run = on_deferred}, "a"}, b = {{.run = on_deferred}, "b"};
    spt_link_init(&a.deferred.link);
    spt_link_init(&b.deferred.link);
    spawn("log 'task'");
    unsigned wakes = fixture.wakes;
    spt_sched_defer(&fixture.sched, &a.deferred);
    spt_sched_defer(&fixture.sched, &b.deferred);
    assert_int_equal(fixture.wakes, wakes + 2);
    assert_true(spt_sched_busy(&fixture.sched));
    run();
    assert_log("a b task");
}

static struct deferred from_task = {{.run = on_deferred}, "deferred"};

static int l_deferred(lua_State *L)
{
    spt_link_init(&from_task.deferred.link);
    spt_sched_defer(&fixture.sched, &from_task.deferred);
    return 0;
}

static void test_sched_callbacks_deferred_by_a_task_come_before_the_next(void **state)
{
    lua_register(fixture.L, "deferred", l_deferred);
    spawn("log 'first' deferred()");
    spawn("log 'second'");
    run();
    assert_log("first deferred second");
}

static void on_failure_log(struct spt_task *t)
{
    log_word("told");
}

static void test_sched_failures_are_told_before_tasks_run_on(void **state)
{
    fixture.on_unhandled = on_failure_log;
    spawn("error 'x'");
    spawn("log 'one' core.checkpoint() log 'two'");
    run();
    assert_log("one told two");
}

/* --- wake-ups --- */

static void test_sched_spawn_outside_the_drain_wakes(void **state)
{
    spawn("fake 'a'");
    assert_int_equal(fixture.wakes, 1);
    run();
    assert_int_equal(fixture.wakes, 1);
    spt_scope_cancel(
        SPT_OF(fixture.sched.tree.mains_lists.children.next, struct spt_scope, sibling), "cancel",
        NULL);
    assert_int_equal(fixture.wakes, 2);
    run();
    assert_int_equal(fixture.wakes, 2);
}

static void test_sched_deadlock_is_all_waiting_for_nothing(void **state)
{
    assert_false(spt_sched_deadlocked(&fixture.sched));
    start("local me = core.current() local t = core.spawn(function() me:await() end) t:await()");
    assert_true(spt_sched_deadlocked(&fixture.sched));
    start("core.sleep(1)");
    assert_false(spt_sched_deadlocked(&fixture.sched));
    advance(1);
    assert_true(spt_sched_deadlocked(&fixture.sched));
    start("core.sleep(math.huge)"); /* waits for a signal, as scripts do that run until then */
    assert_false(spt_sched_deadlocked(&fixture.sched));
    cancel_mains();
    assert_false(spt_sched_deadlocked(&fixture.sched));
    run();
}

/* --- sleeping --- */

/* hog(seconds): the clock moves while the task runs. */
static int l_hog(lua_State *L)
{
    fixture.now += (uint64_t)(luaL_checknumber(L, 1) * 1e9);
    return 0;
}

static void test_sched_sleep_counts_from_its_own_start(void **state)
{
    lua_register(fixture.L, "hog", l_hog);
    start("hog(0.75) core.sleep(1) log 'woke'");
    assert_int_equal(spt_timer_next(&fixture.sched.tree.timers), fixture.now + SECOND);
    fixture.now += SECOND - 1;
    run();
    assert_log("");
    fixture.now += 1;
    run();
    assert_log("woke");
}

static void test_sched_sleeps_that_fall_together_wake_in_order(void **state)
{
    start("for i = 1, 5 do core.background(function() core.sleep(i % 2 + 1) log(i) end) end fake "
          "'a'");
    advance(1);
    assert_log("2 4");
    advance(1);
    assert_log("1 3 5");
    done("a", 0);
    run();
}

static void test_sched_sleep_of_zero_gives_a_turn_and_no_more(void **state)
{
    spawn("core.sleep(0) log 'a'");
    spawn("log 'b'");
    lap();
    assert_log("b");
    lap();
    assert_log("a");
    assert_int_equal(spt_timer_next(&fixture.sched.tree.timers), SPT_NEVER);
}

static void test_sched_sleep_of_a_nanosecond_waits(void **state)
{
    start("core.sleep(1e-10) log 'woke'");
    assert_log("");
    fixture.now += 1;
    run();
    assert_log("woke");
}

static void test_sched_sleep_checks_its_argument(void **state)
{
    start("log(try(core.sleep, -1), try(core.sleep, 0/0), try(core.sleep, '1'), try(core.sleep))");
    assert_log("Usage Usage Usage Usage");
}

static void test_sched_cancelled_sleep_leaves_no_timer(void **state)
{
    start("T = core.spawn(core.sleep, 100) pcall(T.await, T)");
    cancel("T", NULL);
    assert_int_equal(spt_timer_next(&fixture.sched.tree.timers), SPT_NEVER);
    run();
}

static void test_sched_sleeps_in_virtual_time(void **state)
{
    start_script("sleeps_in_virtual_time");
    for (uint64_t due; (due = spt_timer_next(&fixture.sched.tree.timers)) != SPT_NEVER;) {
        fixture.now = due;
        run();
    }
    assert_log("1 1.0 2 2.0 3 3.0");
}

/* --- one cancellation --- */

static void test_sched_one_cancellation_raises_one_error(void **state)
{
    start_script("one_cancellation_raises_one_error");
    assert_log("true true false no 1 - no 2");
}

/* --- the same again --- */

static bool same_records(const struct spt_rec *a, const struct spt_rec *b)
{
    return a->kind == b->kind && a->sub == b->sub && a->task == b->task && a->ref == b->ref;
}

static size_t record(struct spt_rec *records, size_t max)
{
    size_t n = 0;
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    assert_int_equal(sched_fixture_setup(NULL), 0);
    start_script("program");
    for (int i = 0; i < 40; i++)
        advance(0.1);
    assert_log("1 ok 2 ok 3 ok 4 string 5 ok");
    while (n < max && spt_trace_read(&fixture.sched.trace, &cursor, &e, &lost))
        records[n++] = e.rec;
    assert_int_equal(sched_fixture_teardown(NULL), 0);
    return n;
}

static void test_sched_same_program_twice_gives_the_same_trace(void **state)
{
    static struct spt_rec a[4096], b[4096];
    size_t n = record(a, 4096);
    assert_in_range(n, 100, 4095);
    assert_int_equal(record(b, 4096), n);
    for (size_t i = 0; i < n; i++) {
        assert_true(same_records(&a[i], &b[i]));
        assert_true(a[i].t == b[i].t);
    }
}

/* --- the end --- */

/* A state that is closed under waiting tasks: what owns something gives it back all the same. */
static void test_sched_state_closed_under_waiting_tasks_closes_operations(void **state)
{
    assert_int_equal(sched_fixture_setup(NULL), 0);
    fake_large("a");
    fake_large("b");
    start("core.spawn(fake, 'a') core.spawn(fake, 'b') fake 'c'");
    done("b", 0);
    spt_core_release(&fixture.sched);
    lua_close(fixture.L);
    assert_counts("a", 1, 1, 0, 1);
    assert_counts("b", 1, 0, 0, 1);
    assert_int_equal(fixture.memory.blocks, 0);
    assert_int_equal(fakes_wrong(), 0);
}

/* Memory that runs out while the first operation is made must not cost the later ones their net. */
static void test_sched_safety_net_survives_out_of_memory(void **state)
{
    bool failed = true;
    for (long n = 1; failed; n++) {
        assert_int_equal(sched_fixture_setup(NULL), 0);
        fake_large("a");
        fake_large("go");
        start("fake 'open' pcall(fake, 'go') fake 'a'");
        fail_memory(n, 2);
        done("open", 0);
        lap();
        mend_memory();
        run();
        failed = fixture.memory.failed > 0;
        if (fake("go")->op)
            done("go", 0);
        run();
        bool waits = fake("a")->op != NULL;
        spt_core_release(&fixture.sched);
        lua_close(fixture.L);
        if (waits)
            assert_counts("a", 1, 1, 0, 1);
        assert_int_equal(fixture.memory.blocks, 0);
    }
}

static int l_init_again(lua_State *L)
{
    const struct spt_hooks w = fixture.sched.hooks;
    memset(&fixture.sched, 0, sizeof fixture.sched);
    spt_core_open(&fixture.sched, L, &w, 16);
    return 0;
}

static void test_sched_init_out_of_memory_is_released(void **state)
{
    int status = LUA_ERRMEM;
    for (long n = 1; status != LUA_OK; n++) {
        assert_int_equal(sched_fixture_setup(NULL), 0);
        spt_core_release(&fixture.sched);
        lua_pushcfunction(fixture.L, l_init_again);
        fail_memory(n, 2);
        status = lua_pcall(fixture.L, 0, 0, 0);
        mend_memory();
        if (status == LUA_OK)
            start("log 'runs'");
        else
            lua_pop(fixture.L, 1);
        assert_log(status == LUA_OK ? "runs" : "");
        spt_core_release(&fixture.sched);
        lua_close(fixture.L);
        assert_int_equal(fixture.memory.blocks, 0);
    }
}

static void test_sched_of_a_state_without_one_is_null(void **state)
{
    lua_State *L = luaL_newstate();
    assert_null(spt_sched_of(L));
    assert_ptr_equal(spt_sched_of(fixture.L), &fixture.sched);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_batches_are_first_in_first_out),
        TEST(test_sched_what_becomes_ready_in_a_lap_waits_for_the_next),
        TEST(test_sched_lap_of_few_keeps_the_order),
        TEST(test_sched_deferred_callbacks_come_before_any_task),
        TEST(test_sched_callbacks_deferred_by_a_task_come_before_the_next),
        TEST(test_sched_failures_are_told_before_tasks_run_on),
        TEST(test_sched_spawn_outside_the_drain_wakes),
        TEST(test_sched_deadlock_is_all_waiting_for_nothing),
        TEST(test_sched_sleep_counts_from_its_own_start),
        TEST(test_sched_sleeps_that_fall_together_wake_in_order),
        TEST(test_sched_sleep_of_zero_gives_a_turn_and_no_more),
        TEST(test_sched_sleep_of_a_nanosecond_waits),
        TEST(test_sched_sleep_checks_its_argument),
        TEST(test_sched_cancelled_sleep_leaves_no_timer),
        TEST(test_sched_sleeps_in_virtual_time),
        TEST(test_sched_one_cancellation_raises_one_error),
        cmocka_unit_test(test_sched_same_program_twice_gives_the_same_trace),
        cmocka_unit_test(test_sched_state_closed_under_waiting_tasks_closes_operations),
        cmocka_unit_test(test_sched_safety_net_survives_out_of_memory),
        cmocka_unit_test(test_sched_init_out_of_memory_is_released),
        TEST(test_sched_of_a_state_without_one_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
