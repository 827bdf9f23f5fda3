/* The public API on a Lua state and a libuv loop that belong to the embedder. */
#include "support/host_fixture.h"

#include <uv.h>

#include "septet/op.h"

/* --- the embedder's Lua state --- */

struct world {
    struct reports reports;
    struct pool pool;
    lua_State *L;
    septet_host *host;
};

static septet_host *host_on(lua_State *L, struct reports *reports, int *status)
{
    septet_config config = config_for(reports);
    config.lua = L;
    return septet_new(&config, status);
}

static struct world *open_world(void)
{
    struct world *w = calloc(1, sizeof *w);
    w->pool.allowed = -1;
    w->L = lua_newstate(pool_alloc, &w->pool);
    assert_non_null(w->L);
    luaL_openlibs(w->L);
    set_origin(w->L);
    w->host = host_on(w->L, &w->reports, NULL);
    assert_non_null(w->host);
    assert_int_equal(lua_gettop(w->L), 0);
    return w;
}

static void close_world(struct world *w)
{
    assert_int_equal(lua_gettop(w->L), 0);
    lua_close(w->L);
    assert_int_equal(w->pool.bytes, 0);
    free(w);
}

/* Runs Lua on the state itself, outside of any task. */
static void do_lua(lua_State *L, const char *source)
{
    if (luaL_dostring(L, source) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_settop(L, 0);
}

static void test_state_survives_its_host(void **state)
{
    struct world *w = open_world();
    do_lua(w->L, "before = 1");
    assert_ptr_equal(septet_lua(w->host), w->L);
    assert_ptr_equal(septet_host_of(w->L), w->host);
    assert_runs(w->host, PRELUDE "task.sleep(0.001) during = before + 1");
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    assert_null(septet_host_of(w->L));
    do_lua(w->L, "assert(before == 1 and during == 2)");
    close_world(w);
}

static void test_state_keeps_its_stack(void **state)
{
    struct world *w = open_world();
    lua_pushliteral(w->L, "mine");
    assert_int_equal(septet_load_string(w->host, "=bad", "x x"), SEPTET_ELOAD);
    assert_runs(w->host, PRELUDE "task.gather(task.map(task.sleep, {0, 0.001}))");
    assert_int_equal(run_script(w->host, "error 'x'"), SEPTET_ESCRIPT);
    assert_int_equal(septet_load_string(w->host, "=slow", PRELUDE "task.sleep(1000)"), SEPTET_OK);
    assert_int_equal(septet_step(w->host, 0), 1);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    assert_int_equal(lua_gettop(w->L), 1);
    assert_string_equal(lua_tostring(w->L, 1), "mine");
    lua_settop(w->L, 0);
    close_world(w);
}

static void test_state_outside_of_tasks(void **state)
{
    struct world *w = open_world();
    do_lua(w->L,
           PRELUDE "local ok, e = pcall(task.sleep, 0)"
                   " assert(not ok and task.is(e, 'Usage') and e.message:find 'not inside a task')"
                   " ok, e = pcall(task.spawn, print)"
                   " assert(not ok and task.is(e, 'Usage') and e.message:find 'not inside a task')"
                   " ok, e = pcall(http.get, origin)"
                   " assert(not ok and task.is(e, 'Usage'))"
                   " assert(task.current() == nil and task.now() > 0)");
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_world(w);
}

static void test_state_with_a_host_takes_no_second(void **state)
{
    struct reports reports;
    int status = SEPTET_OK;
    struct world *w = open_world();
    assert_null(host_on(w->L, &reports, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    assert_ptr_equal(septet_host_of(w->L), w->host);
    assert_int_equal(lua_gettop(w->L), 0);
    assert_runs(w->host, PRELUDE "task.sleep(0.001)");
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_world(w);
}

static void test_state_takes_one_host_after_another(void **state)
{
    struct world *w = open_world();
    size_t bytes = 0;
    for (int i = 0; i < 20; i++) {
        assert_runs(w->host, PRELUDE "assert(not pcall(old and old.sleep or error, 0) or not old)"
                                     " old = old or task"
                                     " local t = task.spawn(function() task.sleep(0) return 7 end)"
                                     " assert(t:await() == 7)"
                                     " coroutine.wrap(function() task.sleep(0) end)()"
                                     " local s <close> = http.session()"
                                     " assert(s:get(origin .. '/bytes/10').status == 200)");
        assert_silent(&w->reports);
        assert_int_equal(septet_free(w->host), SEPTET_OK);
        lua_gc(w->L, LUA_GCCOLLECT);
        lua_gc(w->L, LUA_GCCOLLECT);
        if (i == 9)
            bytes = w->pool.bytes;
        w->host = host_on(w->L, &w->reports, NULL);
        assert_non_null(w->host);
    }
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    lua_gc(w->L, LUA_GCCOLLECT);
    lua_gc(w->L, LUA_GCCOLLECT);
    assert_in_range(w->pool.bytes, 0, bytes + bytes / 10);
    close_world(w);
}

static void test_state_without_libraries(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    septet_host *host = host_on(L, &reports, NULL);
    assert_non_null(host);
    assert_runs(host, "n = 1");
    assert_int_equal(global(L, "n"), 1);
    /* `require` finds the modules when it comes later. */
    luaL_openlibs(L);
    assert_runs(host, PRELUDE "task.sleep(0.001) n = 2");
    assert_int_equal(global(L, "n"), 2);
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
    lua_close(L);
}

static void test_state_given_by_one_of_its_coroutines(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_State *co = lua_newthread(L);
    septet_host *host = host_on(co, &reports, NULL);
    assert_non_null(host);
    assert_ptr_equal(septet_host_of(L), host);
    assert_runs(host, PRELUDE "task.sleep(0.001) n = 1");
    assert_int_equal(run_script(host, "error 'x'"), SEPTET_ESCRIPT);
    assert_int_equal(reports.errors, 1);
    assert_int_equal(global(L, "n"), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(lua_gettop(L), 1);
    lua_close(L);
}

static int warned;

static void count_warning(void *ud, const char *message, int to_continue)
{
    warned++;
}

static void test_state_keeps_its_own_warnings(void **state)
{
    struct world *w = open_world();
    lua_setwarnf(w->L, count_warning, NULL);
    warned = 0;
    assert_runs(w->host, "warn('@on') warn('x')");
    assert_int_equal(warned, 2);
    assert_silent(&w->reports);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_world(w);
}

/* --- what scripts hold of a host that has ended --- */

/* Runs a script that leaves things in globals, until it ends or sets `ready`; ends the host; uses
 * them. */
static void check_leftovers(const char *source, const char *after)
{
    struct world *w = open_world();
    assert_loads(w->host, source);
    while (septet_step(w->host, 0) == 1 && global(w->L, "ready") == 0)
        ;
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    memset(&w->reports, 0, sizeof w->reports);
    do_lua(w->L, after);
    lua_gc(w->L, LUA_GCCOLLECT);
    assert_silent(&w->reports); /* nobody listens any more */
    close_world(w);
}

static void test_leftover_functions(void **state)
{
    check_leftovers(
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
    check_leftovers("", "local ok, e = pcall(require('septet.task').sleep, 0)"
                        " assert(not ok and tostring(e):find 'not inside a task')"
                        " assert(not pcall(require('septet.http').session))");
}

static void test_leftover_session(void **state)
{
    check_leftovers(PRELUDE "s = http.session() assert(s:get(origin .. '/bytes/10').status == 200)",
                    "local ok, e = pcall(s.get, s, origin)"
                    " assert(not ok and e.kind == 'Usage', e)"
                    " s:close() s:close() s = nil");
}

static void test_leftover_session_whose_hooks_fail(void **state)
{
    check_leftovers(
        PRELUDE "s = http.session{trace = {request_exception = function() error 'hook' end}}",
        "local ok, e = pcall(s.get, s, origin) assert(not ok and e.kind == 'Usage', e)");
}

static void test_leftover_session_with_requests(void **state)
{
    check_leftovers(PRELUDE "s = http.session() " SOON_READY
                            " for i = 1, 3 do task.spawn(s.get, s, origin .. '/stall') end"
                            " s:get(origin .. '/stall')",
                    "assert(not pcall(s.get, s, origin)) s = nil");
}

static void test_leftover_response(void **state)
{
    check_leftovers(PRELUDE "r = http.get(origin .. '/bytes/10')",
                    "assert(r.status == 200 and #r.body == 10 and r.times.total > 0)"
                    " assert(r.headers['content-length'] == '10' and r.version == '1.1')");
}

static void test_leftover_tasks(void **state)
{
    check_leftovers(
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
    struct world *w = open_world();
    assert_loads(w->host, "ran = 1");
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_world(w);
}

static void test_leftover_group(void **state)
{
    check_leftovers(
        PRELUDE "task.group(function(group) g = group ready = 1 g:spawn(task.sleep, 1000) end)",
        "assert(not pcall(g.spawn, g, print) and g:cancel() == false and g:is_cancelled() ~= nil)");
}

static void test_leftover_iterator(void **state)
{
    check_leftovers(PRELUDE
                    "next_one = task.as_completed{task.spawn(task.sleep, 1000), task.spawn(print)}"
                    " next_one() ready = 1 task.sleep(1000)",
                    "assert(not pcall(next_one)) assert(not pcall(next_one)) next_one = nil");
}

static void test_leftover_coroutines(void **state)
{
    check_leftovers(
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
    check_leftovers("require 'septet.trace'.subscribe(function() end)", "collectgarbage()");
}

/* --- memory, on the embedder's state --- */

static void test_new_with_memory_that_runs_out(void **state)
{
    bool enough = false;
    int failed = 0;
    for (long allowed = 0; !enough; allowed++) {
        struct reports reports;
        struct pool pool = {.allowed = -1};
        int status = 1;
        lua_State *L = lua_newstate(pool_alloc, &pool);
        luaL_openlibs(L);
        pool.allowed = pool.calls + allowed;
        septet_host *host = host_on(L, &reports, &status);
        enough = host != NULL;
        pool.allowed = -1;
        if (!host) {
            failed++;
            assert_int_equal(status, SEPTET_ENOMEM);
            assert_null(septet_host_of(L));
            host = host_on(L, &reports, &status); /* the state is as good as before */
            assert_non_null(host);
        }
        assert_runs(host, PRELUDE "coroutine.wrap(function() task.sleep(0) end)()");
        assert_int_equal(septet_free(host), SEPTET_OK);
        lua_close(L);
        assert_int_equal(pool.bytes, 0);
    }
    assert_true(failed > 50);
}

/* --- the embedder's loop --- */

struct on_loop {
    uv_loop_t loop;
    struct reports reports;
    septet_host *host;
    uv_timer_t timer;
    int ticks;
};

static septet_host *host_on_loop(uv_loop_t *loop, struct reports *reports)
{
    septet_config config = config_for(reports);
    config.loop = loop;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_ptr_equal(septet_loop(host), loop);
    set_origin(septet_lua(host));
    return host;
}

static struct on_loop *open_loop(void)
{
    struct on_loop *w = calloc(1, sizeof *w);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->host = host_on_loop(&w->loop, &w->reports);
    return w;
}

/* Turns the loop until nothing is left on it. */
static void close_loop(struct on_loop *w)
{
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

static void load(septet_host *host, const char *source)
{
    assert_loads(host, source);
}

static void test_loop_runs_the_tasks(void **state)
{
    struct on_loop *w = open_loop();
    load(w->host, PRELUDE "task.gather(task.map(task.sleep, {0, 0.001, 0.002}))"
                          " assert(http.get(origin .. '/delay/0.01').status == 200) done = 1");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "done"), 1);
    assert_int_equal(septet_tasks(w->host), 0);
    assert_silent(&w->reports);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void test_loop_is_not_kept_by_an_idle_host(void **state)
{
    struct on_loop *w = open_loop();
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    load(w->host,
         PRELUDE "s = http.session() s:get(origin .. '/bytes/10')"); /* keeps its connection */
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(septet_tasks(w->host), 0);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void test_loop_takes_work_that_comes_later(void **state)
{
    struct on_loop *w = open_loop();
    for (int i = 1; i <= 3; i++) {
        load(w->host, PRELUDE "task.sleep(0.001) n = (n or 0) + 1");
        assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(global(septet_lua(w->host), "n"), i);
    }
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void on_tick(uv_timer_t *timer)
{
    struct on_loop *w = timer->data;
    w->ticks++;
}

static void start_ticks(struct on_loop *w, uv_timer_cb cb, bool keeps_loop)
{
    assert_int_equal(uv_timer_init(&w->loop, &w->timer), 0);
    w->timer.data = w;
    assert_int_equal(uv_timer_start(&w->timer, cb, 1, 1), 0);
    if (!keeps_loop)
        uv_unref((uv_handle_t *)&w->timer);
}

static void test_loop_is_shared_with_a_timer(void **state)
{
    struct on_loop *w = open_loop();
    start_ticks(w, on_tick, false);
    load(w->host, PRELUDE "task.sleep(0.03)");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_true(w->ticks > 1);
    int ticks = w->ticks;
    load(w->host, PRELUDE "task.sleep(0.03)"); /* septet_run turns it too */
    assert_int_equal(septet_run(w->host), SEPTET_OK);
    assert_true(w->ticks > ticks + 1);
    uv_close((uv_handle_t *)&w->timer, NULL);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void free_on_tick(uv_timer_t *timer)
{
    struct on_loop *w = timer->data;
    if (++w->ticks < 10)
        return;
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_loop_survives_a_free_in_a_callback_of_its(void **state)
{
    int before = count_descriptors();
    struct on_loop *w = open_loop();
    start_ticks(w, free_on_tick, true);
    load(w->host,
         PRELUDE "for i = 1, 3 do task.spawn(http.get, origin .. '/stall') end"
                 " task.spawn(task.sleep, 1000) http.get(origin .. '/stall?after=10&length=99')");
    close_loop(w); /* ends because the host did */
    assert_int_equal(count_descriptors(), before);
}

static void test_loop_closes_what_a_freed_host_had_open(void **state)
{
    int before = count_descriptors();
    struct on_loop *w = open_loop();
    load(w->host, PRELUDE
         "s = http.session() s:get(origin .. '/bytes/10')"
         " task.spawn(s.get, s, origin .. '/stall') task.sleep(0.01) done = 1 task.sleep(1000)");
    while (global(septet_lua(w->host), "done") == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    assert_silent(&w->reports);
    close_loop(w);
    assert_int_equal(count_descriptors(), before);
}

static void test_loop_of_two_hosts(void **state)
{
    struct on_loop *w = open_loop();
    struct reports reports;
    septet_host *other = host_on_loop(&w->loop, &reports);
    static const char source[] = PRELUDE "n = 0 for _ = 1, 50 do task.sleep(0.0001) n = n + 1 end"
                                         " assert(http.get(origin .. '/bytes/10').status == 200)";
    load(w->host, source);
    load(other, source);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "n"), 50);
    assert_int_equal(global(septet_lua(other), "n"), 50);
    assert_silent(&w->reports);
    assert_silent(&reports);
    assert_int_equal(septet_free(other), SEPTET_OK);
    load(w->host, PRELUDE "task.sleep(0.001) n = -1");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "n"), -1);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void test_loop_and_errors(void **state)
{
    struct on_loop *w = open_loop();
    load(w->host, PRELUDE "task.sleep(0.001) error 'x'");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(w->reports.errors, 1);
    assert_string_equal(w->reports.message, "script:1: x");
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void interrupt_on_tick(uv_timer_t *timer)
{
    struct on_loop *w = timer->data;
    w->ticks++;
    septet_interrupt(w->host);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_loop_and_interruption(void **state)
{
    struct on_loop *w = open_loop();
    start_ticks(w, interrupt_on_tick, true);
    load(w->host,
         PRELUDE "local _ <close> = setmetatable({}, {__close = function() closed = 1 end})"
                 " task.sleep(1000)");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "closed"), 1);
    assert_int_equal(septet_tasks(w->host), 0);
    assert_silent(&w->reports);
    assert_int_equal(septet_free(w->host), SEPTET_OK);
    close_loop(w);
}

static void test_new_without_memory_on_a_loop(void **state)
{
    uv_loop_t loop;
    struct reports reports;
    struct pool pool = {.allowed = 200};
    int status = 1;
    assert_int_equal(uv_loop_init(&loop), 0);
    septet_config config = config_for(&reports);
    config.loop = &loop;
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_ENOMEM);
    assert_int_equal(pool.bytes, 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_state_and_loop_of_the_embedder(void **state)
{
    struct reports reports;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    septet_config config = config_for(&reports);
    config.lua = L;
    config.loop = &loop;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    load(host, PRELUDE "task.sleep(0.001) n = 1");
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(L, "n"), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    lua_close(L); /* the state may go before the loop has closed the host's handles */
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_silent(&reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_survives_its_host),
        cmocka_unit_test(test_state_keeps_its_stack),
        cmocka_unit_test(test_state_outside_of_tasks),
        cmocka_unit_test(test_state_with_a_host_takes_no_second),
        cmocka_unit_test(test_state_takes_one_host_after_another),
        cmocka_unit_test(test_state_without_libraries),
        cmocka_unit_test(test_state_given_by_one_of_its_coroutines),
        cmocka_unit_test(test_state_keeps_its_own_warnings),
        cmocka_unit_test(test_leftover_functions),
        cmocka_unit_test(test_leftover_modules_are_loaded_first_afterwards),
        cmocka_unit_test(test_leftover_session),
        cmocka_unit_test(test_leftover_session_whose_hooks_fail),
        cmocka_unit_test(test_leftover_session_with_requests),
        cmocka_unit_test(test_leftover_response),
        cmocka_unit_test(test_leftover_tasks),
        cmocka_unit_test(test_leftover_main_task_that_never_ran),
        cmocka_unit_test(test_leftover_group),
        cmocka_unit_test(test_leftover_iterator),
        cmocka_unit_test(test_leftover_coroutines),
        cmocka_unit_test(test_leftover_trace_sink),
        cmocka_unit_test(test_new_with_memory_that_runs_out),
        cmocka_unit_test(test_loop_runs_the_tasks),
        cmocka_unit_test(test_loop_is_not_kept_by_an_idle_host),
        cmocka_unit_test(test_loop_takes_work_that_comes_later),
        cmocka_unit_test(test_loop_is_shared_with_a_timer),
        cmocka_unit_test(test_loop_survives_a_free_in_a_callback_of_its),
        cmocka_unit_test(test_loop_closes_what_a_freed_host_had_open),
        cmocka_unit_test(test_loop_of_two_hosts),
        cmocka_unit_test(test_loop_and_errors),
        cmocka_unit_test(test_loop_and_interruption),
        cmocka_unit_test(test_new_without_memory_on_a_loop),
        cmocka_unit_test(test_state_and_loop_of_the_embedder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
