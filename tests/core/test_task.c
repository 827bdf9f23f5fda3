/* SPDX-License-Identifier: MIT */
/* Tasks: their birth, what they give, and how others observe their end. */
#include "support/sched_fixture.h"

/* --- birth --- */

static void test_task_spawn_is_deferred_and_first_in_first_out(void **state)
{
    start("for i = 1, 3 do T = core.spawn(function(n) log(n) end, i) end log 'parent' T:await()");
    assert_log("parent 1 2 3");
}

static void test_task_gets_its_arguments(void **state)
{
    start("log(core.spawn(function(...) return select('#', ...), ... end, nil, 1, nil):await())");
    assert_log("3 nil 1 nil");
}

static void test_task_takes_what_can_be_called(void **state)
{
    start("local f = setmetatable({}, {__call = function(_, x) return x + 1 end})\n"
          "log(core.spawn(f, 4):await()) log(try(core.spawn, 1), try(core.spawn, {}))");
    assert_log("5 Usage Usage");
}

static void test_task_spawn_outside_a_task_is_refused(void **state)
{
    script("log(try(core.spawn, print), try(core.background, print))");
    assert_log("Usage Usage");
}

static void test_task_that_nobody_holds_is_not_collected(void **state)
{
    start("core.background(function() fake 'a' log 'a' end) collectgarbage() fake 'main'");
    lua_gc(fixture.L, LUA_GCCOLLECT);
    done("a", 0);
    run();
    assert_log("a");
    done("main", 0);
    run();
}

static void test_task_that_ended_is_collected(void **state)
{
    start("weak = setmetatable({core.spawn(function() end)}, {__mode = 'v'}) fake 'a'");
    lua_gc(fixture.L, LUA_GCCOLLECT);
    script("log(weak[1])");
    assert_log("nil");
    done("a", 0);
    run();
}

static void test_task_states_in_words(void **state)
{
    start_script("states_in_words");
    script("log(T:status())");
    done("a", 0);
    script("log(T:status())");
    run();
    done("b", 0);
    run();
    assert_log("pending running suspended suspended done failed cancelled");
}

/* --- what it gives --- */

static void test_task_results_pass_to_each_who_awaits(void **state)
{
    start_script("results_pass_to_each_who_awaits");
    assert_log("0 true 1 1 true 1 1 nil true nil 4 1 nil 3 nil true 1 nil 3 nil");
}

static void test_task_result_before_the_end_is_refused(void **state)
{
    start("log(try(core.spawn(function() end).result, core.spawn(function() end)))");
    assert_log("Usage");
    assert_warned("task 'test.lua:1#2' is cancelled before it ran");
}

static void test_task_with_very_many_results(void **state)
{
    start("local t = core.spawn(function() return table.unpack({}, 1, 200000) end)\n"
          "log(select('#', t:await()))");
    assert_log("200000");
}

static void test_task_error_is_the_same_value_each_time(void **state)
{
    start(
        "local e = {} local t = core.spawn(error, e)\n"
        "local _, e1 = pcall(t.await, t) local _, e2 = pcall(t.await, t) local _, e3 = t:result()\n"
        "log(e1 == e, e2 == e, e3 == e)");
    assert_log("true true true");
}

static void test_task_error_of_nil_is_replaced(void **state)
{
    start("local t = core.spawn(error) local _, e = pcall(t.await, t) log(e)\n"
          "t = core.spawn(error, false) _, e = pcall(t.await, t) log(e)");
    assert_log("nil error false");
}

static void test_task_traceback_shows_the_raising_frame(void **state)
{
    start_script("traceback_shows_the_raising_frame");
    assert_log("true");
}

/* An error object travels from task to task; where it was raised first is what matters. */
static void test_task_traceback_of_an_error_object_is_of_its_first_raise(void **state)
{
    start_script("traceback_of_an_error_object_is_of_its_first_raise");
    assert_log("true");
}

static void test_task_cancelled_is_told_apart_by_who_awaits(void **state)
{
    start("T = core.spawn(fake, 'a') T.name = 'tee' fake 'go'\n"
          "local ok, e = pcall(T.await, T)\n"
          "log(kind(e), e.message, e.reason, e.task == T, T:status())\n"
          "log(T:cancel())");
    cancel("T", "why");
    done("go", 0);
    run();
    assert_log("TaskCancelled task 'tee' was cancelled why true cancelled false");
}

static void test_task_cancelled_that_returns_is_done(void **state)
{
    start("T = core.spawn(function() pcall(fake, 'a') return 5 end) fake 'go' log(T:await())");
    cancel("T", NULL);
    done("go", 0);
    run();
    assert_log("5");
}

static void test_task_cancelled_that_raises_otherwise_is_failed(void **state)
{
    start("T = core.spawn(function() pcall(fake, 'a') error('other', 0) end) fake 'go'\n"
          "local _, e = pcall(T.await, T) log(e, T:status())");
    cancel("T", NULL);
    done("go", 0);
    run();
    assert_log("other failed");
}

static void test_task_stray_cancelled_is_a_failure(void **state)
{
    start_script("stray_cancelled_is_a_failure");
    cancel("T", NULL);
    done("go", 0);
    run();
    assert_log("stray Cancelled failed");
}

/* --- observing the end --- */

struct watcher {
    struct spt_watch watch;
    const char *name;
};

static void on_watched(struct spt_watch *watch, struct spt_task *t)
{
    struct watcher *w = SPT_OF(watch, struct watcher, watch);
    char text[16];
    snprintf(text, sizeof text, "%s%d", w->name, t->state);
    log_word(text);
}

static void test_task_watches_fire_in_order(void **state)
{
    struct watcher a = {{.fire = on_watched}, "a"}, b = {{.fire = on_watched}, "b"},
                   c = {{.fire = on_watched}, "c"}, d = {{.fire = on_watched}, "d"};
    struct spt_task *t = start("fake 'x'");
    spt_task_watch(t, &a.watch);
    spt_task_watch(t, &b.watch);
    spt_task_watch(t, &c.watch);
    spt_task_watch(t, &d.watch);
    spt_link_remove(&b.watch.link);
    done("x", 0);
    assert_log("");
    run();
    assert_log("a4 c4 d4");
    assert_true(spt_link_alone(&a.watch.link));
}

static void test_task_waiters_wake_in_order(void **state)
{
    start("T = core.spawn(fake, 'a')\n"
          "for i = 1, 4 do W = core.spawn(function() log(i, T:await()) end) end W:await()");
    done("a", 3);
    run();
    assert_log("1 3 a 2 3 a 3 3 a 4 3 a");
}

static void test_task_await_of_an_ended_task_is_a_checkpoint(void **state)
{
    start("local t = core.spawn(function() return 1 end) log(t:await())\n"
          "core.current():cancel() log(try(t.await, t))");
    assert_log("1 Cancelled");
}

static void test_task_awaits_of_ended_tasks_let_others_run(void **state)
{
    spawn("local t = core.spawn(function() end) t:await()\n"
          "for i = 1, 1000 do n = i t:await() end");
    spawn("for i = 1, 4 do core.checkpoint() end log(n < 1000)");
    run();
    assert_log("true");
}

static void test_task_awaiting_itself_is_refused(void **state)
{
    start("local t = core.current() local ok, e = pcall(function() t:await() end) log(kind(e), "
          "e.message)\n"
          "log(try(coroutine.wrap(function() t:await() end)))");
    assert_log("Usage test.lua:1: a task cannot await itself Usage");
}

static void test_task_cancel_of_the_one_who_awaits_leaves_the_other(void **state)
{
    start("T = core.spawn(fake, 'a') W = core.spawn(function() T:await() end) fake 'b'");
    cancel("W", NULL);
    run();
    script("log(W:status(), T:status())");
    done("a", 0);
    run();
    script("log(T:status())");
    assert_log("cancelled suspended done");
    done("b", 0);
    run();
}

/* --- the end of the host --- */

static void test_task_that_spawns_itself_does_not_outlive_the_host(void **state)
{
    start("local function hydra() pcall(core.sleep, 9) core.spawn(hydra) pcall(core.sleep, 9) end\n"
          "core.spawn(hydra) fake 'a'");
    fixture.sched.run.shutting_down = true;
    spt_scope_cancel(
        SPT_OF(fixture.sched.tree.mains_lists.children.next, struct spt_scope, sibling), "shutdown",
        NULL);
    for (int i = 0; i < 1000; i++)
        lap();
    assert_int_equal(fixture.sched.counts.live, 0);
    fixture.unhandled.n = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_task_spawn_is_deferred_and_first_in_first_out),
        TEST(test_task_gets_its_arguments),
        TEST(test_task_takes_what_can_be_called),
        TEST(test_task_spawn_outside_a_task_is_refused),
        TEST(test_task_that_nobody_holds_is_not_collected),
        TEST(test_task_that_ended_is_collected),
        TEST(test_task_states_in_words),
        TEST(test_task_results_pass_to_each_who_awaits),
        TEST(test_task_result_before_the_end_is_refused),
        TEST(test_task_with_very_many_results),
        TEST(test_task_error_is_the_same_value_each_time),
        TEST(test_task_error_of_nil_is_replaced),
        TEST(test_task_traceback_shows_the_raising_frame),
        TEST(test_task_traceback_of_an_error_object_is_of_its_first_raise),
        TEST(test_task_cancelled_is_told_apart_by_who_awaits),
        TEST(test_task_cancelled_that_returns_is_done),
        TEST(test_task_cancelled_that_raises_otherwise_is_failed),
        TEST(test_task_stray_cancelled_is_a_failure),
        TEST(test_task_watches_fire_in_order),
        TEST(test_task_waiters_wake_in_order),
        TEST(test_task_await_of_an_ended_task_is_a_checkpoint),
        TEST(test_task_awaits_of_ended_tasks_let_others_run),
        TEST(test_task_awaiting_itself_is_refused),
        TEST(test_task_cancel_of_the_one_who_awaits_leaves_the_other),
        TEST(test_task_that_spawns_itself_does_not_outlive_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
