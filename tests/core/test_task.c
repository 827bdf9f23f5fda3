/* Tasks: their birth, what they give, their end, and what is told of it. */
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
    start("T = core.spawn(function() log(T:status()) fake 'a' end)\n"
          "log(T:status()) fake 'b' log(T:status())\n"
          "F = core.spawn(error, 'x') C = core.spawn(fake, 'c') C:cancel()\n"
          "pcall(F.await, F) pcall(C.await, C) log(F:status(), C:status())");
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
    start("local function give(...) local t = core.spawn(function(...) return ... end, ...)\n"
          "  log(select('#', t:await()), t:await()) log(t:result()) end\n"
          "give() give(1) give(nil) give(1, nil, 3, nil)");
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
    start("local function raiser() error('x') end\n"
          "local t = core.spawn(function() raiser() return 1 end) pcall(t.await, t)\n"
          "log(t:traceback():find('raiser') ~= nil)");
    assert_log("true");
}

/* An error object travels from task to task; where it was raised first is what matters. */
static void test_task_traceback_of_an_error_object_is_of_its_first_raise(void **state)
{
    start("local function raiser() error(core.error{kind = 'Mine', message = 'x'}) end\n"
          "local inner = core.spawn(function() raiser() return 1 end)\n"
          "local outer = core.spawn(function() inner:await() return 1 end)\n"
          "local _, e = pcall(outer.await, outer)\n"
          "log(e.traceback:find('raiser') ~= nil)");
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
    start("T = core.spawn(function() local _, e = pcall(fake, 'a') saved = e end) fake 'go'\n"
          "local t = core.spawn(function() error(saved, 0) end)\n"
          "local _, e = pcall(t.await, t) log(e, t:status())");
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

/* --- what it leaves --- */

static void test_task_orphans_are_cancelled_and_joined_at_its_end(void **state)
{
    start("T = core.spawn(function()\n"
          "  for i = 1, 3 do core.spawn(function()\n"
          "    local c <close> = closer(function(_, e) log(i, e.source) end)\n"
          "    fake('f' .. i)\n"
          "  end) end\n"
          "  fake 'a' return 'value'\n"
          "end)\n"
          "log(T:await())");
    done("a", 0);
    run();
    assert_log("1 owner 2 owner 3 owner value");
    assert_counts("f1", 1, 1, 0, 0);
}

static void test_task_waits_for_what_its_orphans_clean_up(void **state)
{
    start("T = core.spawn(function()\n"
          "  core.spawn(function() block(false, true, nil, function() fake 'slow' end) end)\n"
          "  fake 'a'\n"
          "end)\n"
          "T:await() log 'joined'");
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
    start("T = core.spawn(function()\n"
          "  core.spawn(function() block(false, true, nil, function() fake 'slow' end) end)\n"
          "  core.checkpoint() return 1\n"
          "end)\n"
          "log(T:await())");
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
    start("local t = core.spawn(error, 'x') pcall(t.await, t)\n"
          "t = core.spawn(error, 'y') core.checkpoint() core.checkpoint() t:result()\n"
          "t = core.spawn(error, 'z') core.checkpoint() core.checkpoint() pcall(t.await, t)");
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

/* The callback may see the failure, and may let go of the task. */
static void test_task_failure_may_be_retrieved_while_it_is_told(void **state)
{
    fixture.on_unhandled = retrieve_and_collect;
    start("error('x', 0)");
    assert_log("false x");
}

/* --- the coroutine beneath --- */

static void test_task_coroutine_is_used_again(void **state)
{
    start("local first = core.spawn(function() return thread_of(core.current()) end):await()\n"
          "local again = core.spawn(function() return thread_of(core.current()) end):await()\n"
          "log(first == again)");
    assert_log("true");
}

static void test_task_coroutine_of_a_failed_task_is_used_again(void **state)
{
    start("local first local t = core.spawn(function() first = thread_of(core.current()) error 'x' "
          "end)\n"
          "pcall(t.await, t)\n"
          "log(first == core.spawn(function() return thread_of(core.current()) end):await())\n"
          "log(core.spawn(function(...) return select('#', ...) end):await())");
    assert_log("true 0");
}

static void test_task_coroutine_that_a_script_has_seen_is_not_used_again(void **state)
{
    start("local co = core.spawn(function() return (coroutine.running()) end):await()\n"
          "local t = core.spawn(function() return (coroutine.running()) end)\n"
          "log(t:await() == co, coroutine.status(co))\n"
          "local ok, e = coroutine.resume(co) log(ok, e)");
    assert_log("false dead false cannot resume dead coroutine");
}

static void test_task_coroutines_at_rest_go_with_the_garbage(void **state)
{
    lua_gc(fixture.L, LUA_GCCOLLECT);
    int before = lua_gc(fixture.L, LUA_GCCOUNT);
    start("local ts = {} for i = 1, 3000 do ts[i] = core.spawn(core.checkpoint) end\n"
          "for i = 1, 3000 do ts[i]:await() end");
    assert_true(fixture.sched.npool > 1000);
    lua_gc(fixture.L, LUA_GCCOLLECT);
    lua_gc(fixture.L, LUA_GCCOLLECT);
    assert_true(lua_gc(fixture.L, LUA_GCCOUNT) < before + 500);
    start("local n = 0 for i = 1, 3000 do core.spawn(function() n = n + 1 end) end\n"
          "core.checkpoint() log(n)");
    assert_log("3000");
}

static void test_task_foreign_yield_is_a_turn_and_a_warning(void **state)
{
    spawn("log('before', raw_yield(1, 2, 3)) log(fake 'a')");
    spawn("log 'other'");
    run();
    assert_log("other before");
    assert_warned("yielded outside any coroutine");
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

static const char sweep_code[] =
    "local function child(...)\n"
    "  local c <close> = closer(function() try(fake, 'inline') end)\n"
    "  core.sleep(1) local n = select('#', ...) fake 'closing' return n, ...\n"
    "end\n"
    "local t = core.spawn(child, 1, 2, 3)\n"
    "local u = core.spawn(function() return coroutine.wrap(child)(4) end)\n"
    "block(true, false, 5, function(g) g:spawn(core.sleep, 2) g:spawn(error, 'x') core.sleep(3) "
    "end)\n"
    "local set = completions{t, u} set:wait('all') set:close()\n"
    "log(t:await()) log(u:await())\n"
    "core.spawn(core.sleep, 9) u:cancel() log(try(core.spawn(error, 'y').await, t))\n";

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

static const struct sweep sweep = {sweep_code, prepare_sweep, 5, 1, check_sweep};

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
        assert_int_equal(fixture.sched.live, spawned);
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

static const char meddling[] =
    "tasks = setmetatable({}, {__mode = 'v'}) meddled = 0\n"
    "local function meddle()\n"
    "  setmetatable({}, {__gc = function()\n"
    "    meddled = meddled + 1\n"
    "    if meddled > 3000 then return end\n"
    "    if core.current() then tasks[meddled] = core.background(core.sleep, 3) end\n"
    "    if meddled % 3 == 0 then for _, t in pairs(tasks) do t:cancel('meddled') break end end\n"
    "    try(core.sleep, 1)\n"
    "    meddle()\n"
    "  end})\n"
    "end\n"
    "meddle()\n";

static void test_task_finalizers_that_spawn_and_cancel_break_nothing(void **state)
{
    fake_closing("inline")->done_in_start = true;
    fake_closing("closing")->done_in_start = true;
    script(meddling);
    lua_gc(fixture.L, LUA_GCINC, 10, 1000, 5);
    for (int i = 0; i < 20; i++) {
        start(sweep_code);
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

/* --- the end of the host --- */

static void test_task_that_spawns_itself_does_not_outlive_the_host(void **state)
{
    start("local function hydra() pcall(core.sleep, 9) core.spawn(hydra) pcall(core.sleep, 9) end\n"
          "core.spawn(hydra) fake 'a'");
    fixture.sched.shutting_down = true;
    spt_scope_cancel(
        &SPT_OF(fixture.sched.main_scope.children.next, struct spt_scope, sibling)->task->root,
        "shutdown", NULL);
    for (int i = 0; i < 1000; i++)
        lap();
    assert_int_equal(fixture.sched.live, 0);
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
        TEST(test_task_that_spawns_itself_does_not_outlive_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
