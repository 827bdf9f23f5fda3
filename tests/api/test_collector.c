/* SPDX-License-Identifier: MIT */
/* The garbage collector in what is left of a step's budget. */
#include "support/foreign_fixture.h"

/* Long enough for a cycle on any machine, and never used up: a step ends with the cycle. */
#define A_MINUTE_US 60000000

static void run_outside_host(struct host_fixture *f, const char *source)
{
    assert_int_equal(luaL_dostring(f->L, source), LUA_OK);
}

/* Each piece of garbage counts in `finalized` once it is collected. */
static void load_litter(struct host_fixture *f)
{
    run_outside_host(f, "finalized = 0"
                        " local m = {__gc = function() finalized = finalized + 1 end}"
                        " function litter(n) for _ = 1, n do"
                        " setmetatable({('x'):rep(1000)}, m) end end");
}

static uint64_t collector_max_ns(septet_host *host)
{
    septet_stats stats = {.size = sizeof stats};
    assert_int_equal(septet_get_stats(host, &stats), SEPTET_OK);
    return stats.collector_max_ns;
}

static void test_e_10_collector_runs_in_what_is_left_of_a_step(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    assert_int_equal(septet_step(f->host, A_MINUTE_US), SEPTET_DONE);
    assert_int_equal(collector_max_ns(f->host), 0);
    /* The litter is made while Lua's own collector is stopped. */
    run_outside_host(f, "collectgarbage 'stop' litter(2000) collectgarbage 'restart'");
    assert_int_equal(global(f->L, "finalized"), 0);
    for (int i = 0; i < 4; i++) /* garbage of finalizers is that of the next cycle */
        assert_int_equal(septet_step(f->host, A_MINUTE_US), SEPTET_DONE);
    assert_int_equal(global(f->L, "finalized"), 2000);
    assert_true(collector_max_ns(f->host) > 0);
}

static void test_e_10_collector_takes_many_steps_if_little_is_left(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    septet_step(f->host, 1);
    run_outside_host(f, "collectgarbage 'stop' litter(5000) collectgarbage 'restart'");
    unsigned steps = 0;
    for (; global(f->L, "finalized") < 5000; steps++)
        assert_int_equal(septet_step(f->host, 5), SEPTET_DONE);
    assert_true(steps > 10);
}

static void test_e_10_step_that_is_late_does_not_collect(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    septet_step(f->host, A_MINUTE_US);
    run_outside_host(f, "collectgarbage 'stop' litter(2000) collectgarbage 'restart'");
    for (int i = 0; i < 1000; i++)
        septet_step(f->host, 0);
    assert_int_equal(global(f->L, "finalized"), 0);
}

static void test_idle_host_does_not_collect(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    for (int i = 0; i < 10; i++)
        septet_step(f->host, A_MINUTE_US);
    run_outside_host(f, "collectgarbage() collectgarbage() finalized = 0 litter(1)");
    for (int i = 0; i < 1000; i++)
        septet_step(f->host, A_MINUTE_US);
    assert_int_equal(global(f->L, "finalized"), 0);
}

static void test_collector_that_a_script_stopped_stays_stopped(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    septet_step(f->host, A_MINUTE_US);
    assert_runs(f->host, "collectgarbage 'stop' litter(5000)");
    for (int i = 0; i < 10; i++)
        septet_step(f->host, A_MINUTE_US);
    assert_int_equal(global(f->L, "finalized"), 0);
    assert_runs(f->host, "running = collectgarbage 'isrunning' and 1 or 0");
    assert_int_equal(global(f->L, "running"), 0);
}

static void test_collector_keeps_its_settings(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    run_outside_host(f, "collectgarbage('setpause', 180) collectgarbage('setstepmul', 240)");
    septet_step(f->host, A_MINUTE_US);
    run_outside_host(f, "collectgarbage 'stop' litter(2000) collectgarbage 'restart'");
    septet_step(f->host, A_MINUTE_US);
    assert_true(collector_max_ns(f->host) > 0);
    run_outside_host(f, "pause = collectgarbage('setpause', 180)"
                        " mul = collectgarbage('setstepmul', 240)");
    assert_int_equal(global(f->L, "pause"), 180);
    assert_int_equal(global(f->L, "mul"), 240);
}

static void test_generational_collector_is_left_alone(void **state)
{
    struct host_fixture *f = *state;
    load_litter(f);
    run_outside_host(f, "collectgarbage 'generational'");
    septet_step(f->host, A_MINUTE_US);
    run_outside_host(f, "collectgarbage 'stop' litter(2000) collectgarbage 'restart'");
    for (int i = 0; i < 10; i++)
        septet_step(f->host, A_MINUTE_US);
    assert_int_equal(collector_max_ns(f->host), 0);
    run_outside_host(f, "kept = collectgarbage 'incremental' == 'generational' and 1 or 0");
    assert_int_equal(global(f->L, "kept"), 1);
}

/* A script that makes garbage in every step, none of which leaves anything of its budget. */
static void test_memory_is_bounded_if_nothing_is_ever_left(void **state)
{
    struct host_fixture *f = *state;
    int most_kb = 0;
    assert_loads(f->host, PRELUDE "while true do local t = {('x'):rep(100000)} task.sleep(0) end");
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(septet_step(f->host, 0), SEPTET_MORE);
        int kb = lua_gc(f->L, LUA_GCCOUNT);
        most_kb = kb > most_kb ? kb : most_kb;
    }
    assert_true(most_kb < 20000); /* of 200 MB */
}

/* Likewise, but only one short step of the collector fits each time. */
static void test_memory_is_bounded_if_little_is_left(void **state)
{
    struct host_fixture *f = *state;
    int most_kb = 0;
    assert_loads(f->host, PRELUDE "while true do local t = {} for i = 1, 100 do t[i] = {} end"
                                  " task.sleep(1) end");
    for (int i = 0; i < 2000; i++) {
        assert_true(septet_step(f->host, 30) > 0);
        assert_int_equal(septet_advance(f->host, 1000000000), SEPTET_OK);
        int kb = lua_gc(f->L, LUA_GCCOUNT);
        most_kb = kb > most_kb ? kb : most_kb;
    }
    assert_true(most_kb < 20000);
}

static void set_manual(septet_config *config)
{
    config->clock = SEPTET_CLOCK_MANUAL;
}

static int manual_setup(void **state)
{
    return host_fixture_setup_with(state, set_manual);
}

static int l_step(lua_State *L)
{
    lua_pushinteger(L, septet_step(lua_touserdata(L, lua_upvalueindex(1)), 1000));
    return 1;
}

static void test_finalizer_in_a_step_may_not_step(void **state)
{
    struct host_fixture *f = *state;
    lua_pushlightuserdata(f->L, f->host);
    lua_pushcclosure(f->L, l_step, 1);
    lua_setglobal(f->L, "step");
    septet_step(f->host, A_MINUTE_US);
    run_outside_host(f, "collectgarbage 'stop' for i = 1, 2000 do setmetatable({('x'):rep(1000)},"
                        " {__gc = function() status = step() end}) end collectgarbage 'restart'");
    for (int i = 0; i < 4; i++)
        septet_step(f->host, A_MINUTE_US);
    assert_int_equal(global(f->L, "status"), SEPTET_EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_e_10_collector_runs_in_what_is_left_of_a_step),
        TEST(test_e_10_collector_takes_many_steps_if_little_is_left),
        TEST(test_e_10_step_that_is_late_does_not_collect),
        TEST(test_idle_host_does_not_collect),
        TEST(test_collector_that_a_script_stopped_stays_stopped),
        TEST(test_collector_keeps_its_settings),
        TEST(test_generational_collector_is_left_alone),
        TEST(test_memory_is_bounded_if_nothing_is_ever_left),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded_if_little_is_left, manual_setup,
                                        host_fixture_teardown),
        TEST(test_finalizer_in_a_step_may_not_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
