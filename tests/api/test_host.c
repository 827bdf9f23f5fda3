/* SPDX-License-Identifier: MIT */
/* Hosts with a Lua state and a loop of their own: what they run, by runs and by steps. */
#include "support/host_fixture.h"

/* --- words --- */

static void test_version_is_the_headers(void **state)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SEPTET_VERSION_MAJOR, SEPTET_VERSION_MINOR,
             SEPTET_VERSION_PATCH);
    assert_string_equal(septet_version(), version);
    assert_string_equal(septet_version(), SEPTET_VERSION);
}

static void test_strerror_has_words_for_every_status(void **state)
{
#define XX(name, value, text) assert_string_equal(septet_strerror(SEPTET_##name), text);
    SEPTET_STATUS_MAP(XX)
#undef XX
    assert_non_null(septet_strerror(1));
    assert_non_null(septet_strerror(-9999));
    assert_true(strlen(septet_strerror(-9999)) > 0);
}

/* --- running --- */

static void test_a_run_without_tasks_succeeds_at_once(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(septet_step(f->host, 0), 0);
}

static void test_a_host_runs_more_than_once(void **state)
{
    struct host_fixture *f = *state;
    for (int i = 1; i <= 3; i++) {
        assert_runs(f->host, PRELUDE "task.sleep(0.001) n = (n or 0) + 1");
        assert_int_equal(global(f->L, "n"), i);
        assert_int_equal(septet_tasks(f->host), 0);
    }
    assert_silent(&f->reports);
}

static void test_a_run_goes_on_after_one_of_its_mains_fails(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_load_string(f->host, "=a", PRELUDE "task.sleep(0.002) a = true"),
                     SEPTET_OK);
    assert_int_equal(septet_load_string(f->host, "=b", "error 'b'"), SEPTET_OK);
    assert_int_equal(septet_load_string(f->host, "=c", PRELUDE "task.sleep(0.001) c = true"),
                     SEPTET_OK);
    assert_int_equal(septet_tasks(f->host), 3);
    assert_int_equal(septet_run(f->host), SEPTET_ESCRIPT);
    assert_int_equal(f->reports.errors, 1);
    lua_State *L = f->L;
    assert_int_equal(lua_getglobal(L, "a"), LUA_TBOOLEAN);
    assert_int_equal(lua_getglobal(L, "c"), LUA_TBOOLEAN);
}

static void test_background_ends_with_the_last_main(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "background");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(global(f->L, "closed"), 1);
    assert_silent(&f->reports);
}

/* --- stepping, and hosts side by side --- */

static void test_step_never_waits(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "task.sleep(1000)");
    for (int i = 0; i < 100; i++)
        assert_true(septet_step(f->host, 0) > 0); /* the sleep would outlast the test */
    assert_int_equal(septet_tasks(f->host), 1);
}

static void test_step_gives_back_after_its_budget(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 0 while true do n = n + 1 task.sleep(0) end");
    assert_int_equal(septet_step(f->host, 1000), SEPTET_MORE);
    long after_one = global(f->L, "n");
    assert_true(after_one > 0);
    assert_int_equal(septet_step(f->host, 0), SEPTET_MORE);
    assert_true(global(f->L, "n") > after_one);
}

static void test_two_hosts_interleave(void **state)
{
    static const char source[] = PRELUDE "n = 0 for _ = 1, 100 do task.sleep(0) n = n + 1 end";
    struct reports reports[2];
    septet_host *hosts[2] = {new_host(&reports[0]), new_host(&reports[1])};
    int busy[2], both = 0;
    assert_ptr_not_equal(septet_lua(hosts[0]), septet_lua(hosts[1]));
    assert_ptr_not_equal(septet_loop(hosts[0]), septet_loop(hosts[1]));
    for (int i = 0; i < 2; i++)
        assert_loads(hosts[i], source);
    do {
        for (int i = 0; i < 2; i++)
            busy[i] = septet_step(hosts[i], 0);
        both += busy[0] && busy[1] && global(septet_lua(hosts[0]), "n") > 0 &&
                global(septet_lua(hosts[1]), "n") > 0;
    } while (busy[0] || busy[1]);
    assert_true(both > 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(global(septet_lua(hosts[i]), "n"), 100);
        assert_silent(&reports[i]);
    }
    /* The first can go while the other lives. */
    assert_int_equal(septet_free(hosts[0]), SEPTET_OK);
    assert_runs(hosts[1], PRELUDE "task.sleep(0.001)");
    assert_int_equal(septet_free(hosts[1]), SEPTET_OK);
}

static int l_run_other(lua_State *L)
{
    septet_host *other = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushinteger(L, run_script(other, PRELUDE "task.sleep(0.001) n = 1"));
    return 1;
}

static void test_a_host_runs_inside_a_task_of_another(void **state)
{
    struct reports reports[2];
    septet_host *outer = new_host(&reports[0]), *inner = new_host(&reports[1]);
    lua_pushlightuserdata(septet_lua(outer), inner);
    lua_pushcclosure(septet_lua(outer), l_run_other, 1);
    lua_setglobal(septet_lua(outer), "run_other");
    assert_runs(outer, PRELUDE "task.sleep(0) assert(run_other() == 0) task.sleep(0)");
    assert_int_equal(global(septet_lua(inner), "n"), 1);
    assert_silent(&reports[0]);
    assert_silent(&reports[1]);
    assert_int_equal(septet_free(outer), SEPTET_OK);
    assert_int_equal(septet_free(inner), SEPTET_OK);
}

/* --- deadlock --- */

static void test_deadlock_is_reported_and_ended(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_load_string(f->host, "@knot.lua",
                                        PRELUDE
                                        "\n"
                                        "local main = task.current()\n"
                                        "local t = task.spawn(function()\n"
                                        "  main:await()\n"
                                        "end)\n"
                                        "t.name = 'knot'\n"
                                        "local _ <close> = setmetatable({}, {__close = function()"
                                        " closed = 1 end})\n"
                                        "t:await()\n"),
                     SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_EDEADLOCK);
    assert_int_equal(f->reports.errors, 0);
    assert_int_equal(f->reports.warnings, 4); /* the deadlock, its two tasks and the circle */
    assert_text(f->reports.warned, "deadlock: all 2 tasks wait");
    assert_text(f->reports.warned, "in a circle: 'main' -> 'knot' -> 'main'\n");
    assert_text(f->reports.warned, "\n#1 main            wait join ");
    assert_text(f->reports.warned,
                "s #2 knot  knot.lua:8 in main chunk\n└─ #2 knot         wait join");
    assert_text(f->reports.warned, "s #1 main  knot.lua:4\n");
    assert_int_equal(global(f->L, "closed"), 1);
    assert_int_equal(septet_tasks(f->host), 0);
    assert_runs(f->host, "return");
}

static void test_deadlock_of_a_background_task_alone_is_none(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, PRELUDE "local m = task.current() task.background(m.await, m)");
    assert_int_equal(f->reports.warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_the_headers),
        cmocka_unit_test(test_strerror_has_words_for_every_status),
        TEST(test_a_run_without_tasks_succeeds_at_once),
        TEST(test_a_host_runs_more_than_once),
        TEST(test_a_run_goes_on_after_one_of_its_mains_fails),
        TEST(test_background_ends_with_the_last_main),
        TEST(test_step_never_waits),
        TEST(test_step_gives_back_after_its_budget),
        cmocka_unit_test(test_two_hosts_interleave),
        cmocka_unit_test(test_a_host_runs_inside_a_task_of_another),
        TEST(test_deadlock_is_reported_and_ended),
        TEST(test_deadlock_of_a_background_task_alone_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
