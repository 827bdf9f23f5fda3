/* SPDX-License-Identifier: MIT */
/* Scripts: handles of what one load has started. */
#include "support/host_fixture.h"

#include "septet/op.h"

#define ENDLESS PRELUDE "while true do task.sleep(1) end"

static septet_script *new_script(septet_host *host)
{
    int status = 1;
    septet_script *script = septet_script_new(host, NULL, &status);
    assert_non_null(script);
    assert_int_equal(status, SEPTET_OK);
    return script;
}

static int load(septet_script *script, const char *source)
{
    return septet_script_load(script, "=script", source, strlen(source));
}

#define assert_script_loads(script, source) assert_int_equal(load(script, source), SEPTET_OK)

static uint64_t scripts_of(septet_host *host)
{
    septet_stats stats = {.size = sizeof stats};
    assert_int_equal(septet_get_stats(host, &stats), SEPTET_OK);
    return stats.scripts;
}

/* Steps until the host waits or is done. */
static void settle(septet_host *host)
{
    while (septet_step(host, 100000) == SEPTET_MORE)
        ;
}

static void set_manual_clock(septet_config *config)
{
    config->clock = SEPTET_CLOCK_MANUAL;
}

static int setup_manual(void **state)
{
    return host_fixture_setup_with(state, set_manual_clock);
}

#define MANUAL(fn) cmocka_unit_test_setup_teardown(fn, setup_manual, host_fixture_teardown)

/* Expects an integer that the script returned. */
static void assert_result(septet_script *script, lua_State *L, lua_Integer expected)
{
    int top = lua_gettop(L);
    assert_int_equal(septet_script_push_results(script, L), 1);
    assert_int_equal(lua_gettop(L), top + 1);
    assert_int_equal(lua_tointeger(L, -1), expected);
    lua_settop(L, top);
}

static void test_a_script_runs_and_its_results_are_kept(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    assert_int_equal(septet_script_status(script), SEPTET_OK);
    assert_int_equal(septet_script_push_results(script, f->L), 0);
    assert_script_loads(script, PRELUDE "task.sleep(1) return 1, nil, 'three'");
    assert_int_equal(septet_script_status(script), 1);
    assert_int_equal(septet_script_tasks(script), 1);
    assert_int_equal(septet_script_push_results(script, f->L), 0);
    settle(f->host);
    assert_int_equal(septet_advance(f->host, 1000000000), SEPTET_OK);
    settle(f->host);
    assert_int_equal(septet_script_status(script), SEPTET_OK);
    assert_int_equal(septet_script_push_results(script, f->L), 3);
    assert_int_equal(lua_tointeger(f->L, 1), 1);
    assert_true(lua_isnil(f->L, 2));
    assert_string_equal(lua_tostring(f->L, 3), "three");
    lua_settop(f->L, 0);
    assert_script_loads(script, "return 2");
    assert_int_equal(septet_script_push_results(script, f->L), 0);
    settle(f->host);
    assert_result(script, f->L, 2);
    assert_silent(&f->reports);
}

static void test_a_script_that_fails_keeps_its_error(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    assert_script_loads(script, "error({code = 7})");
    settle(f->host);
    assert_int_equal(septet_script_status(script), SEPTET_ESCRIPT);
    assert_int_equal(f->reports.errors, 1);
    assert_ptr_equal(f->reports.script, script);
    assert_int_equal(septet_script_push_results(script, f->L), 1);
    lua_getfield(f->L, -1, "code");
    assert_int_equal(lua_tointeger(f->L, -1), 7);
    lua_settop(f->L, 0);
    assert_script_loads(script, "return 8");
    settle(f->host);
    assert_int_equal(septet_script_status(script), SEPTET_OK);
    assert_result(script, f->L, 8);
}

static void test_a_script_that_does_not_compile_is_reported_for_it(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    assert_int_equal(load(script, "x x"), SEPTET_ELOAD);
    assert_int_equal(f->reports.errors, 1);
    assert_ptr_equal(f->reports.script, script);
    assert_int_equal(septet_script_load_file(script, "no/such/file.lua"), SEPTET_ELOAD);
    assert_int_equal(septet_script_load_file(script, NULL), SEPTET_EINVAL);
    assert_int_equal(septet_script_load(script, NULL, NULL, 1), SEPTET_EINVAL);
    assert_int_equal(load(script, LUA_SIGNATURE "T"), SEPTET_ELOAD);
    assert_int_equal(septet_script_status(script), SEPTET_OK);
    assert_int_equal(septet_script_tasks(script), 0);
    assert_int_equal(lua_gettop(f->L), 0);
}

static void test_scripts_have_globals_of_their_own(void **state)
{
    struct host_fixture *f = *state;
    septet_script_options options;
    septet_script_options_init(&options);
    options.shared_globals = 1;
    septet_script *one = new_script(f->host), *two = new_script(f->host);
    septet_script *shared = septet_script_new(f->host, &options, NULL);
    assert_script_loads(one, "x = 1 function get() return x end return 0");
    assert_script_loads(two, "x = 2 assert(_G.x == 2 and _ENV == _G)");
    assert_script_loads(shared, "x = 3");
    settle(f->host);
    assert_int_equal(global(f->L, "x"), 3);
    assert_int_equal(septet_script_push_globals(one, f->L), SEPTET_OK);
    lua_getfield(f->L, -1, "x");
    assert_int_equal(lua_tointeger(f->L, -1), 1);
    lua_getfield(f->L, 1, "get");
    lua_call(f->L, 0, 1);
    assert_int_equal(lua_tointeger(f->L, -1), 1);
    lua_settop(f->L, 0);
    assert_int_equal(septet_script_push_globals(shared, f->L), SEPTET_OK);
    lua_pushglobaltable(f->L);
    assert_true(lua_rawequal(f->L, 1, 2));
    lua_settop(f->L, 0);
    assert_silent(&f->reports);
}

static void test_the_options_are_read_up_to_their_size(void **state)
{
    struct host_fixture *f = *state;
    septet_script_options options;
    int status = 0;
    septet_script_options_init(&options);
    options.name = "boss";
    options.shared_globals = 1;
    options.size = 0;
    assert_null(septet_script_new(f->host, &options, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    options.size = offsetof(septet_script_options, shared_globals);
    septet_script *script = septet_script_new(f->host, &options, &status);
    assert_non_null(script);
    assert_script_loads(script, PRELUDE "x = 1 error(task.current().name)");
    settle(f->host);
    assert_int_equal(global(f->L, "x"), 0);
    assert_text(f->reports.message, "boss");
}

static void test_scripts_have_numbers_of_their_own(void **state)
{
    struct host_fixture *f = *state;
    septet_script *one = new_script(f->host), *two = new_script(f->host);
    assert_int_not_equal(septet_script_id(one), 0);
    assert_int_not_equal(septet_script_id(one), septet_script_id(two));
    uint32_t id = septet_script_id(two);
    septet_script_unload(two);
    two = new_script(f->host);
    assert_int_not_equal(septet_script_id(two), id);
    assert_int_equal(scripts_of(f->host), 2);
}

static void test_background_tasks_belong_to_their_script(void **state)
{
    struct host_fixture *f = *state;
    septet_script_options options;
    septet_script_options_init(&options);
    options.keep_background = 1;
    septet_script *usual = new_script(f->host);
    septet_script *keeps = septet_script_new(f->host, &options, NULL);
    const char *source = PRELUDE "task.background(function() while true do task.sleep(1) end end)"
                                 " task.sleep(1)";
    assert_script_loads(usual, source);
    assert_script_loads(keeps, source);
    settle(f->host);
    assert_int_equal(septet_script_tasks(usual), 2);
    assert_int_equal(septet_script_tasks(keeps), 2);
    assert_int_equal(septet_advance(f->host, 1000000000), SEPTET_OK);
    settle(f->host);
    assert_int_equal(septet_script_tasks(usual), 0);
    assert_int_equal(septet_script_tasks(keeps), 1);
    assert_int_equal(septet_script_status(keeps), 1);
    assert_int_equal(septet_script_cancel(keeps, NULL), SEPTET_OK);
    settle(f->host);
    assert_int_equal(septet_script_status(keeps), SEPTET_OK);
    assert_silent(&f->reports);
}

static void test_a_background_task_cannot_outlive_its_script_by_spawning_another(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    septet_script *other = new_script(f->host);
    assert_script_loads(other, ENDLESS);
    assert_script_loads(script, PRELUDE "local function again()"
                                        "   local x <close> = setmetatable({}, {__close ="
                                        "     function() again() end})"
                                        "   task.sleep(1)"
                                        " end"
                                        " again = function()"
                                        "   n = (n or 0) + 1 task.background(task.sleep, 1)"
                                        " end"
                                        " task.background(function() pcall(task.sleep, 100) again()"
                                        " end) task.sleep(0) return 0");
    settle(f->host);
    assert_int_equal(septet_script_tasks(script), 0);
    assert_int_equal(septet_script_tasks(other), 1);
    assert_silent(&f->reports);
}

static void test_cancelling_a_script_cancels_no_other(void **state)
{
    struct host_fixture *f = *state;
    septet_script *one = new_script(f->host), *two = new_script(f->host);
    assert_script_loads(one, PRELUDE "task.spawn(task.sleep, 9) task.background(task.sleep, 9)"
                                     " local ok, e = pcall(task.sleep, 9) why = e.reason error(e)");
    assert_script_loads(two, ENDLESS);
    settle(f->host);
    assert_int_equal(septet_script_tasks(one), 3);
    char reason[] = "the level is over";
    assert_int_equal(septet_script_cancel(one, reason), SEPTET_OK);
    reason[0] = 'T';
    assert_int_equal(septet_script_status(one), 1);
    assert_script_loads(one, PRELUDE "task.background(task.sleep, 1) task.sleep(1) return why");
    settle(f->host);
    assert_int_equal(septet_script_tasks(one), 2); /* the new ones */
    assert_int_equal(septet_script_tasks(two), 1);
    assert_int_equal(septet_advance(f->host, 1000000000), SEPTET_OK);
    settle(f->host);
    assert_int_equal(septet_script_status(one), SEPTET_OK);
    assert_int_equal(septet_script_push_results(one, f->L), 1);
    assert_string_equal(lua_tostring(f->L, -1), "the level is over");
    lua_settop(f->L, 0);
    assert_silent(&f->reports);
}

static void test_a_cancelled_script_says_so_and_is_no_failure(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    assert_script_loads(script, ENDLESS);
    settle(f->host);
    assert_int_equal(septet_script_cancel(script, NULL), SEPTET_OK);
    assert_int_equal(septet_script_cancel(script, "again"), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(septet_script_status(script), SEPTET_ECANCELLED);
    assert_int_equal(septet_script_push_results(script, f->L), 1);
    lua_getfield(f->L, -1, "kind");
    assert_string_equal(lua_tostring(f->L, -1), "Cancelled");
    lua_settop(f->L, 0);
    assert_silent(&f->reports);
}

static void test_an_unloaded_script_unwinds(void **state)
{
    struct host_fixture *f = *state;
    septet_script_unload(NULL);
    septet_script *script = new_script(f->host);
    assert_script_loads(script, PRELUDE "local G = getmetatable(_ENV).__index"
                                        " local x <close> = setmetatable({}, {__close ="
                                        "   function() G.closed = 1 end})"
                                        " task.spawn(task.sleep, 9) task.background(task.sleep, 9)"
                                        " task.sleep(9)");
    settle(f->host);
    assert_int_equal(septet_tasks(f->host), 3);
    septet_script_unload(script);
    assert_int_equal(scripts_of(f->host), 0);
    assert_int_equal(global(f->L, "closed"), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(global(f->L, "closed"), 1);
    assert_int_equal(septet_tasks(f->host), 0);
    assert_silent(&f->reports);
}

static void test_an_unloaded_script_cannot_hold_out(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host), *other = new_script(f->host);
    assert_script_loads(script, PRELUDE "while true do pcall(task.sleep, 1) end");
    assert_script_loads(other, ENDLESS);
    settle(f->host);
    septet_script_unload(script);
    settle(f->host);
    assert_int_equal(septet_tasks(f->host), 1);
    assert_int_equal(f->reports.errors, 1);
    assert_text(f->reports.message, "abandoned");
    assert_null(f->reports.script);
}

/* --- the end of a script --- */

struct ends {
    septet_host *host;
    int calls, status;
    int loads;   /* number of chunks to load in the callback */
    bool unload; /* ... or to unload the script there */
    bool raise;  /* ... or to raise */
};

static void on_end(void *ud, septet_script *script, int status)
{
    struct ends *ends = ud;
    ends->calls++;
    ends->status = status;
    if (ends->loads-- > 0)
        load(script, PRELUDE "task.sleep(0)");
    if (ends->unload)
        septet_script_unload(script);
    if (ends->raise)
        luaL_error(septet_lua(ends->host), "raised in %s", "on_end");
}

static septet_script *new_with_end(septet_host *host, struct ends *ends)
{
    septet_script_options options;
    septet_script_options_init(&options);
    options.on_end = on_end;
    options.ud = ends;
    ends->host = host;
    septet_script *script = septet_script_new(host, &options, NULL);
    assert_non_null(script);
    return script;
}

static void test_the_end_of_a_script_is_told_each_time(void **state)
{
    struct host_fixture *f = *state;
    struct ends ends = {0};
    septet_script *script = new_with_end(f->host, &ends);
    assert_script_loads(script, PRELUDE "task.background(task.sleep, 1)");
    assert_script_loads(script, PRELUDE "task.sleep(0) error 'x'");
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    assert_int_equal(ends.calls, 1);
    assert_int_equal(ends.status, SEPTET_ESCRIPT);
    assert_script_loads(script, "");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(ends.calls, 2);
    assert_int_equal(ends.status, SEPTET_OK);
    ends.loads = 3;
    assert_script_loads(script, "");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(ends.calls, 6);
}

static void test_a_script_is_unloaded_at_its_end(void **state)
{
    struct host_fixture *f = *state;
    struct ends ends = {.unload = true};
    septet_script *script = new_with_end(f->host, &ends);
    assert_script_loads(script, "");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(ends.calls, 1);
    assert_int_equal(scripts_of(f->host), 0);
    assert_silent(&f->reports);
}

static void test_an_unloaded_script_tells_nothing(void **state)
{
    struct host_fixture *f = *state;
    struct ends ends = {0};
    septet_script *script = new_with_end(f->host, &ends);
    assert_script_loads(script, ENDLESS);
    settle(f->host);
    septet_script_unload(script);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(ends.calls, 0);
}

static void test_scripts_end_with_their_host(void **state)
{
    struct host_fixture *f = *state;
    struct ends ends = {.loads = 1}, other = {.unload = true};
    assert_script_loads(new_with_end(f->host, &ends), ENDLESS);
    assert_script_loads(new_with_end(f->host, &other), ENDLESS);
    new_with_end(f->host, &ends);
    settle(f->host);
    host_fixture_close(f);
    assert_int_equal(ends.calls, 1);
    assert_int_equal(ends.status, SEPTET_ECANCELLED);
    assert_int_equal(other.calls, 1);
    assert_silent(&f->reports);
}

static void test_nothing_is_loaded_once_the_end_has_begun(void **state)
{
    struct host_fixture *f = *state;
    struct ends ends = {.loads = 1};
    int status = 0;
    septet_script *script = new_with_end(f->host, &ends);
    assert_script_loads(script, ENDLESS);
    settle(f->host);
    assert_int_equal(septet_close_begin(f->host), SEPTET_OK);
    assert_int_equal(load(script, ""), SEPTET_ECLOSED);
    assert_null(septet_script_new(f->host, NULL, &status));
    assert_int_equal(status, SEPTET_ECLOSED);
    settle(f->host);
    assert_int_equal(ends.calls, 1);
    assert_int_equal(ends.status, SEPTET_ECANCELLED);
    septet_script_unload(script);
    host_fixture_close(f);
    assert_silent(&f->reports);
}

/* --- from inside --- */

static septet_script *inside;

static int l_unload(lua_State *L)
{
    septet_script_unload(inside);
    return 0;
}

static int l_cancel(lua_State *L)
{
    lua_pushinteger(L, septet_script_cancel(inside, "enough"));
    return 1;
}

static void test_a_script_cancels_itself(void **state)
{
    struct host_fixture *f = *state;
    inside = new_script(f->host);
    lua_register(f->L, "cancel", l_cancel);
    assert_script_loads(inside, PRELUDE "assert(cancel() == 0)"
                                        " local ok, e = pcall(task.sleep, 1) return e.reason");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(septet_script_push_results(inside, f->L), 1);
    assert_string_equal(lua_tostring(f->L, -1), "enough");
    lua_settop(f->L, 0);
}

static void test_a_script_unloads_itself(void **state)
{
    struct host_fixture *f = *state;
    inside = new_script(f->host);
    lua_register(f->L, "unload", l_unload);
    assert_script_loads(inside, PRELUDE "task.background(task.sleep, 9) unload() task.sleep(1)");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(scripts_of(f->host), 0);
    assert_silent(&f->reports);
}

static void test_an_interrupt_ends_scripts_and_not_their_handles(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    assert_script_loads(script, PRELUDE "task.background(task.sleep, 9) task.sleep(9)");
    settle(f->host);
    septet_interrupt(f->host);
    assert_int_equal(septet_run(f->host), SEPTET_EINTERRUPTED);
    assert_int_equal(septet_script_status(script), SEPTET_ECANCELLED);
    assert_script_loads(script, "return 5");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_result(script, f->L, 5);
}

static void test_a_deadlock_in_scripts_is_reported_and_broken(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = new_script(f->host);
    assert_script_loads(script, PRELUDE "local t = task.current() task.spawn(t.await, t):await()");
    assert_int_equal(septet_run(f->host), SEPTET_EDEADLOCK);
    assert_text(f->reports.warned, "all 2 tasks wait");
    assert_text(f->reports.warned, "in a circle");
    assert_script_loads(script, "return 6");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_result(script, f->L, 6);
}

/* --- memory --- */

static void test_scripts_leave_nothing(void **state)
{
    struct reports reports;
    struct pool pool = {.allowed = -1};
    septet_config config = config_for(&reports);
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    septet_host *host = septet_new(&config, NULL);
    size_t most = 0;
    for (int i = 0; i < 1100; i++) {
        septet_script *script = new_script(host);
        assert_script_loads(script, PRELUDE "big = ('x'):rep(10000) task.background(task.sleep, 9)"
                                            " task.sleep(0) return big");
        settle(host);
        if (i % 2)
            septet_script_load(script, "=s", "more = 1", 8);
        septet_script_unload(script);
        settle(host);
        if (i % 100 == 99) {
            lua_gc(septet_lua(host), LUA_GCCOLLECT);
            if (i > 300) /* at first, tables still grow to their size */
                assert_true(pool.bytes <= most);
            else if (pool.bytes > most)
                most = pool.bytes;
        }
    }
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

/* Makes a script, loads into it, cancels it and loads again, with memory for ever more allocations
 * from `after` on. */
static bool run_with_memory_for(long allowed, long fails, int *failed)
{
    struct reports reports;
    struct pool pool = {.allowed = -1, .fails = fails};
    septet_config config = config_for(&reports);
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    septet_host *host = septet_new(&config, NULL);
    pool.allowed = pool.calls + allowed;
    int status;
    septet_script *script = septet_script_new(host, NULL, &status);
    if (script) {
        status = load(script, PRELUDE "task.background(task.sleep, 9) task.sleep(1) return 1, 2");
        settle(host);
        septet_script_cancel(script, "enough");
        int again = load(script, "return 3");
        status = status ? status : again;
        settle(host);
        status = status ? status : septet_script_status(script);
        septet_script_push_results(script, septet_lua(host));
    }
    bool enough = pool.calls <= pool.allowed;
    if (status != SEPTET_OK) {
        (*failed)++;
        assert_true(status == SEPTET_ENOMEM || (status == SEPTET_ESCRIPT && reports.errors > 0));
    }
    pool.allowed = -1;
    if (script) {
        assert_script_loads(script, "return 4");
        settle(host);
        assert_result(script, septet_lua(host), 4);
        septet_script_unload(script);
    }
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
    return enough;
}

static void test_scripts_with_memory_that_runs_out(void **state)
{
    static const long fails[] = {0, 1, 2, 4, 8, 20};
    for (size_t i = 0; i < sizeof fails / sizeof *fails; i++) {
        int failed = 0;
        for (long allowed = 0; !run_with_memory_for(allowed, fails[i], &failed);)
            allowed += STRIDE + allowed / 50;
        assert_true(failed > 10 / STRIDE || fails[i] == 1); /* Lua tries again */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MANUAL(test_a_script_runs_and_its_results_are_kept),
        TEST(test_a_script_that_fails_keeps_its_error),
        TEST(test_a_script_that_does_not_compile_is_reported_for_it),
        TEST(test_scripts_have_globals_of_their_own),
        TEST(test_the_options_are_read_up_to_their_size),
        TEST(test_scripts_have_numbers_of_their_own),
        MANUAL(test_background_tasks_belong_to_their_script),
        MANUAL(test_a_background_task_cannot_outlive_its_script_by_spawning_another),
        MANUAL(test_cancelling_a_script_cancels_no_other),
        MANUAL(test_a_cancelled_script_says_so_and_is_no_failure),
        MANUAL(test_an_unloaded_script_unwinds),
        MANUAL(test_an_unloaded_script_cannot_hold_out),
        TEST(test_the_end_of_a_script_is_told_each_time),
        TEST(test_a_script_is_unloaded_at_its_end),
        MANUAL(test_an_unloaded_script_tells_nothing),
        MANUAL(test_scripts_end_with_their_host),
        MANUAL(test_nothing_is_loaded_once_the_end_has_begun),
        TEST(test_a_script_cancels_itself),
        TEST(test_a_script_unloads_itself),
        TEST(test_an_interrupt_ends_scripts_and_not_their_handles),
        TEST(test_a_deadlock_in_scripts_is_reported_and_broken),
        cmocka_unit_test(test_scripts_leave_nothing),
        cmocka_unit_test(test_scripts_with_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
