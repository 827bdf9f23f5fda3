/* SPDX-License-Identifier: MIT */
/* Hosts on clocks of their own, in orders of their own, and with limits on a turn. */
#include "support/host_fixture.h"

#include <uv.h>

static septet_host *host_on(struct reports *reports, int clock)
{
    septet_config config = config_for(reports);
    config.clock = clock;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    return host;
}

static void use_virtual_clock(septet_config *config)
{
    config->clock = SEPTET_CLOCK_VIRTUAL;
}

static int setup_virtual(void **state)
{
    return host_fixture_setup_with(state, use_virtual_clock);
}

static void use_manual_clock(septet_config *config)
{
    config->clock = SEPTET_CLOCK_MANUAL;
}

static int setup_manual(void **state)
{
    return host_fixture_setup_with(state, use_manual_clock);
}

#define TEST_ON_VIRTUAL(fn)                                                                        \
    cmocka_unit_test_setup_teardown(fn, setup_virtual, host_fixture_teardown)
#define TEST_ON_MANUAL(fn) cmocka_unit_test_setup_teardown(fn, setup_manual, host_fixture_teardown)

static void assert_global(septet_host *host, const char *name, double expected)
{
    lua_State *L = septet_lua(host);
    lua_getglobal(L, name);
    if (!lua_isnumber(L, -1) || lua_tonumber(L, -1) != expected)
        fail_msg("%s is %f, not %f", name, lua_tonumber(L, -1), expected);
    lua_pop(L, 1);
}

static void test_virtual_clock_jumps(void **state)
{
    struct host_fixture *f = *state;
    uint64_t t0 = uv_hrtime();
    assert_runs(f->host, PRELUDE "a = task.now() task.sleep(86400) b = task.now()");
    assert_true(uv_hrtime() - t0 < UINT64_C(3600000000000)); /* it did not wait */
    assert_global(f->host, "a", 1);
    assert_global(f->host, "b", 86401);
    assert_silent(&f->reports);
}

/* The turn in which the last task ends still has its poll before it. */
static void test_run_that_ends_before_the_poll_does_not_wait_in_it(void **state)
{
    struct reports reports;
    for (int sleeps = 1; sleeps < 70; sleeps++) {
        char script[128];
        septet_host *host = host_on(&reports, SEPTET_CLOCK_VIRTUAL);
        snprintf(script, sizeof script, PRELUDE "for i = 1, %d do task.sleep(1) end", sleeps);
        assert_runs(host, script);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

static void test_virtual_clock_jumps_when_stepped(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "task.sleep(3600) b = task.now()");
    while (septet_step(f->host, 0) > 0)
        ;
    assert_global(f->host, "b", 3601);
}

static void test_virtual_clock_of_a_wait_for_ever_is_a_deadlock(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(run_script(f->host, PRELUDE "task.sleep(math.huge)"), SEPTET_EDEADLOCK);
    assert_text(f->reports.warned, "wait sleep      0.000s for ever");
}

static void test_manual_clock_moves_by_advance(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 0 for i = 1, 3 do task.sleep(1) n = i end");
    for (int i = 0; i < 5; i++)
        assert_int_equal(septet_step(f->host, 0), 1);
    assert_global(f->host, "n", 0);
    assert_int_equal(septet_advance(f->host, UINT64_MAX), SEPTET_EINVAL);
    assert_int_equal(septet_advance(f->host, UINT64_MAX - 1000000000), SEPTET_EINVAL);
    assert_int_equal(septet_advance(f->host, 999999999), SEPTET_OK);
    assert_int_equal(septet_step(f->host, 0), 1);
    assert_global(f->host, "n", 0);
    assert_int_equal(septet_advance(f->host, 1), SEPTET_OK);
    assert_int_equal(septet_step(f->host, 0), 1);
    assert_global(f->host, "n", 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(septet_advance(f->host, 5000000000), SEPTET_OK);
        while (septet_step(f->host, 0) > 0 && i == 1)
            ;
    }
    assert_global(f->host, "n", 3);
    assert_silent(&f->reports);
}

static void test_manual_clock_that_nobody_moves_is_a_deadlock(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(run_script(f->host, PRELUDE "task.sleep(1)"), SEPTET_EDEADLOCK);
    assert_text(f->reports.warned, "wait sleep      0.000s 1 s");
}

/* Scripts that move the clock across several deadlines; each counts to 3. */
static const char *const movers[] = {"advance_to_the_last", "advance_beyond", "busy_three_times",
                                     "busy_once"};

/* Checks what a mover did. To be busy is a turn that takes long, which is reported; to advance is
 * none. */
static void check_mover(septet_host *host, const struct reports *reports, const char *name)
{
    assert_global(host, "n", 3);
    assert_int_equal(reports->errors, 0);
    assert_null(strstr(reports->warned, "deadlock"));
    if (!strstr(name, "busy"))
        assert_silent(reports);
}

static void test_x_1_run_on_a_manual_clock_crosses_deadlines(void **state)
{
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++) {
        struct reports reports;
        septet_host *host = host_on(&reports, SEPTET_CLOCK_MANUAL);
        assert_spawns(host, movers[i]);
        assert_int_equal(septet_run(host), SEPTET_OK);
        check_mover(host, &reports, movers[i]);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

static void test_x_1_step_on_a_manual_clock_crosses_deadlines(void **state)
{
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++) {
        struct reports reports;
        septet_host *host = host_on(&reports, SEPTET_CLOCK_MANUAL);
        assert_spawns(host, movers[i]);
        for (int steps = 0; septet_step(host, 1000000) > 0; steps++)
            assert_true(steps < 100);
        check_mover(host, &reports, movers[i]);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

static void test_x_1_embedder_advances_past_several_deadlines(void **state)
{
    for (int by_run = 0; by_run < 2; by_run++) {
        struct reports reports;
        septet_host *host = host_on(&reports, SEPTET_CLOCK_MANUAL);
        assert_loads(host, PRELUDE "n = 0 for i = 1, 300 do task.spawn(function() "
                                   "task.sleep(i / 100) n = n + 1 end) end "
                                   "task.sleep(4)");
        assert_int_equal(septet_step(host, 1000000), 1);
        assert_global(host, "n", 0);
        assert_int_equal(septet_advance(host, 5000000000), SEPTET_OK);
        if (by_run)
            assert_int_equal(septet_run(host), SEPTET_OK);
        else
            assert_int_equal(septet_step(host, 1000000), 0);
        assert_global(host, "n", 300);
        assert_silent(&reports);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

static septet_host *advanced;

static int l_advance(lua_State *L)
{
    lua_pushinteger(L, septet_advance(advanced, 1));
    return 1;
}

static void test_advance_is_refused_on_the_real_clock_and_from_inside(void **state)
{
    struct reports reports;
    septet_host *host = host_on(&reports, SEPTET_CLOCK_REAL);
    assert_int_equal(septet_advance(host, 1), SEPTET_EINVAL);
    assert_int_equal(septet_free(host), SEPTET_OK);
    advanced = host = host_on(&reports, SEPTET_CLOCK_VIRTUAL);
    lua_register(septet_lua(host), "advance", l_advance);
    assert_runs(host, "r = advance()");
    assert_global(host, "r", SEPTET_EBUSY);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_clock_of_no_kind_is_refused(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    int status = SEPTET_OK;
    config.clock = 3;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
}

/* --- order by lot --- */

#define ORDER                                                                                      \
    PRELUDE "order = '' for i = 1, 9 do task.spawn(function() order = order .. i end) end "        \
            "task.sleep(0)"

static void order_of(uint64_t seed, char *order, size_t size)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.shuffle_seed = seed;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, ORDER);
    lua_getglobal(septet_lua(host), "order");
    snprintf(order, size, "%s", lua_tostring(septet_lua(host), -1));
    lua_pop(septet_lua(host), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_shuffle_gives_each_seed_its_order(void **state)
{
    char a[16], again[16], b[16];
    order_of(0, a, sizeof a);
    assert_string_equal(a, "123456789");
    order_of(1, a, sizeof a);
    order_of(1, again, sizeof again);
    order_of(2, b, sizeof b);
    assert_string_equal(a, again);
    assert_string_not_equal(a, "123456789");
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 9);
}

/* --- turns that take too long --- */

static void test_slow_turn_is_told_with_where_it_waits_then(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.slow_ms = 20;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, PRELUDE "task.current().name = 'hog' local t = os.clock()\n"
                              "while os.clock() - t < 0.05 do end\n"
                              "task.sleep(0)");
    assert_text(reports.warned, "task 'hog' ran for ");
    const char *place = " s without waiting, at script:3: everything else stood still";
    const char *told = strstr(reports.warned, place);
    assert_non_null(told);
    assert_null(strstr(told + 1, place));
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_slow_turns_are_not_told_where_that_is_off(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.slow_ms = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, "local t = os.clock() while os.clock() - t < 0.15 do end");
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void limit_turns(septet_config *config)
{
    config->limits.slice_ms = 50;
}

/* No machine stands still for so long in a turn that is to end well. */
static void limit_turns_loosely(septet_config *config)
{
    config->limits.slice_ms = 3000;
}

static int setup_limited(void **state)
{
    return host_fixture_setup_with(state, limit_turns);
}

static int setup_loosely_limited(void **state)
{
    return host_fixture_setup_with(state, limit_turns_loosely);
}

#define TEST_LIMITED(fn) cmocka_unit_test_setup_teardown(fn, setup_limited, host_fixture_teardown)
#define TEST_LOOSELY_LIMITED(fn)                                                                   \
    cmocka_unit_test_setup_teardown(fn, setup_loosely_limited, host_fixture_teardown)

static void test_turn_over_its_limit_ends_by_an_error(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(run_script(f->host, "while true do end"), SEPTET_ESCRIPT);
    assert_string_equal(f->reports.kind, "TaskHog");
}

static void test_turn_over_its_limit_cannot_swallow_the_error(void **state)
{
    static const char *const loops[] = {
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(pcall, pcall, function() while true do end end) end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        ("local function close() while true do end end\n"
         "local c <close> = setmetatable({}, {__close = close}) while true do end"),
    };
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        struct reports reports;
        septet_config config = config_for(&reports);
        limit_turns(&config);
        septet_host *host = septet_new(&config, NULL);
        assert_non_null(host);
        assert_int_equal(run_script(host, loops[i]), SEPTET_ESCRIPT);
        assert_runs(host, "x = 1");
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

/* Also turns that take longer than the limit all together. */
static void test_limit_leaves_the_others_alone(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, PRELUDE
                "local t = task.spawn(function() while true do end end)\n"
                "local u = task.spawn(function() task.sleep(0.05) return 7 end)\n"
                "ok, err = pcall(t.await, t) got = u:await() hog = task.is(err, 'TaskHog') and 1\n"
                "t = task.now() while task.now() - t < 3.2 do task.sleep(0) end");
    assert_global(f->host, "got", 7);
    assert_global(f->host, "hog", 1);
    assert_silent(&f->reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_VIRTUAL(test_virtual_clock_jumps),
        cmocka_unit_test(test_run_that_ends_before_the_poll_does_not_wait_in_it),
        TEST_ON_VIRTUAL(test_virtual_clock_jumps_when_stepped),
        TEST_ON_VIRTUAL(test_virtual_clock_of_a_wait_for_ever_is_a_deadlock),
        TEST_ON_MANUAL(test_manual_clock_moves_by_advance),
        TEST_ON_MANUAL(test_manual_clock_that_nobody_moves_is_a_deadlock),
        cmocka_unit_test(test_x_1_run_on_a_manual_clock_crosses_deadlines),
        cmocka_unit_test(test_x_1_step_on_a_manual_clock_crosses_deadlines),
        cmocka_unit_test(test_x_1_embedder_advances_past_several_deadlines),
        cmocka_unit_test(test_advance_is_refused_on_the_real_clock_and_from_inside),
        cmocka_unit_test(test_clock_of_no_kind_is_refused),
        cmocka_unit_test(test_shuffle_gives_each_seed_its_order),
        cmocka_unit_test(test_slow_turn_is_told_with_where_it_waits_then),
        cmocka_unit_test(test_slow_turns_are_not_told_where_that_is_off),
        TEST_LIMITED(test_turn_over_its_limit_ends_by_an_error),
        cmocka_unit_test(test_turn_over_its_limit_cannot_swallow_the_error),
        TEST_LOOSELY_LIMITED(test_limit_leaves_the_others_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
