/* What scripts still hold of a host that has ended: each use is refused or does nothing. */
#include "support/foreign_fixture.h"

/* Runs a script that leaves things in globals, until it ends or sets `ready`; ends the host; uses
 * them. */
static void check_leftovers(struct foreign_fixture *f, const char *source, const char *after)
{
    assert_loads(f->host, source);
    while (septet_step(f->host, 0) == 1 && global(f->L, "ready") == 0)
        ;
    foreign_fixture_free(f);
    memset(&f->reports, 0, sizeof f->reports);
    run_outside(f->L, after);
    lua_gc(f->L, LUA_GCCOLLECT);
    assert_silent(&f->reports); /* nobody listens any more */
}

static void test_leftover_functions(void **state)
{
    check_leftovers(
        *state,
        "task, http, trace = require 'septet.task', require 'septet.http', require 'septet.trace'",
        "local function fails(f, ...)"
        "  local ok, e = pcall(f, ...) assert(not ok and task.is(e, 'Usage'), e) end"
        " fails(task.sleep, 0) fails(task.sleep, 1) fails(task.checkpoint) fails(task.spawn, print)"
        " fails(task.background, print) fails(task.group) fails(task.group, print)"
        " fails(task.gather, {print}) fails(task.map, print, {1}) fails(task.as_completed, {print})"
        " fails(http.session) fails(http.get, origin)"
        " assert(task.current() == nil and task.now() > 0 and #task.tree() == 0)"
        " trace.subscribe(print) trace.lines(io.stderr)"
        " assert(require 'septet'.versions():find '^Septet')");
}

static void test_leftover_modules_are_loaded_first_afterwards(void **state)
{
    check_leftovers(*state, "",
                    "local ok, e = pcall(require('septet.task').sleep, 0)"
                    " assert(not ok and tostring(e):find 'not inside a task')"
                    " assert(not pcall(require('septet.http').session))");
}

static void test_leftover_session(void **state)
{
    check_leftovers(*state,
                    PRELUDE "s = http.session() assert(s:get(origin .. '/bytes/10').status == 200)",
                    "local ok, e = pcall(s.get, s, origin)"
                    " assert(not ok and e.kind == 'Usage', e)"
                    " s:close() s:close() s = nil");
}

static void test_leftover_session_whose_hooks_fail(void **state)
{
    check_leftovers(
        *state,
        PRELUDE "s = http.session{trace = {request_exception = function() error 'hook' end}}",
        "local ok, e = pcall(s.get, s, origin) assert(not ok and e.kind == 'Usage', e)");
}

static void test_leftover_session_with_requests(void **state)
{
    check_leftovers(*state,
                    PRELUDE "s = http.session() " SOON_READY
                            " for i = 1, 3 do task.spawn(s.get, s, origin .. '/stall') end"
                            " s:get(origin .. '/stall')",
                    "assert(not pcall(s.get, s, origin)) s = nil");
}

static void test_leftover_response(void **state)
{
    check_leftovers(*state, PRELUDE "r = http.get(origin .. '/bytes/10')",
                    "assert(r.status == 200 and #r.body == 10 and r.times.total > 0)"
                    " assert(r.headers['content-length'] == '10' and r.version == '1.1')");
}

static void test_leftover_tasks(void **state)
{
    check_leftovers(
        *state,
        PRELUDE "is = task.is"
                " done = task.spawn(function() return 1, 2 end)"
                " failed = task.spawn(error, 'x')"
                " slept = task.spawn(task.sleep, 1000)"
                " named = task.spawn(task.sleep, 1000) named.name = 'n'"
                " task.wait{failed} ready = 1 task.sleep(1000)",
        "assert(done:status() == 'done' and select('#', done:result()) == 3)"
        " assert(failed:status() == 'failed' and failed:result() == false)"
        " for _, t in ipairs{slept, named} do"
        "   assert(t:status() == 'cancelled' and not t:cancel() and not t:cancel 'again')"
        "   assert(t:waits_for() == '' and t:traceback() == '' and tostring(t) and t.name and t.id "
        "> 0)"
        "   local ok, e = t:result() assert(not ok and is(e, 'Cancelled'))"
        "   t.name = 'new' assert(t.name == 'new')"
        "   assert(not pcall(t.await, t))"
        " end");
}

static void test_leftover_main_task_that_never_ran(void **state)
{
    struct foreign_fixture *f = *state;
    assert_loads(f->host, "ran = 1");
}

static void test_leftover_group(void **state)
{
    check_leftovers(
        *state,
        PRELUDE "task.group(function(group) g = group ready = 1 g:spawn(task.sleep, 1000) end)",
        "assert(not pcall(g.spawn, g, print) and g:cancel() == false and g:is_cancelled() ~= nil)");
}

static void test_leftover_iterator(void **state)
{
    check_leftovers(*state,
                    PRELUDE
                    "next_one = task.as_completed{task.spawn(task.sleep, 1000), task.spawn(print)}"
                    " next_one() ready = 1 task.sleep(1000)",
                    "assert(not pcall(next_one)) assert(not pcall(next_one)) next_one = nil");
}

static void test_leftover_coroutines(void **state)
{
    check_leftovers(
        *state,
        PRELUDE "co = coroutine.create(function(a)"
                "   local ok, e = pcall(task.sleep, 1000) coroutine.yield(a, ok) return 'end' end)"
                " plain = coroutine.wrap(function() coroutine.yield(1) return 2 end) plain()"
                " own = coroutine.running() ready = 1"
                " coroutine.resume(co, 'a')",
        "assert(coroutine.status(co) == 'suspended' or coroutine.status(co) == 'dead')"
        " coroutine.resume(co) coroutine.close(co)"
        " assert(plain() == 2)"
        " assert(coroutine.status(own) == 'dead' and not coroutine.resume(own))"
        " assert(coroutine.wrap(function() return coroutine.isyieldable() end)())"
        " assert(select(2, coroutine.running()))");
}

static void test_leftover_trace_sink(void **state)
{
    check_leftovers(*state, "require 'septet.trace'.subscribe(function() end)", "collectgarbage()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_STATE(test_leftover_functions),
        TEST_ON_STATE(test_leftover_modules_are_loaded_first_afterwards),
        TEST_ON_STATE(test_leftover_session),
        TEST_ON_STATE(test_leftover_session_whose_hooks_fail),
        TEST_ON_STATE(test_leftover_session_with_requests),
        TEST_ON_STATE(test_leftover_response),
        TEST_ON_STATE(test_leftover_tasks),
        TEST_ON_STATE(test_leftover_main_task_that_never_ran),
        TEST_ON_STATE(test_leftover_group),
        TEST_ON_STATE(test_leftover_iterator),
        TEST_ON_STATE(test_leftover_coroutines),
        TEST_ON_STATE(test_leftover_trace_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
