/* SPDX-License-Identifier: MIT */
/* The times of tasks in a dump, on a clock that the test moves in the middle of turns. */
#include "core/dump.h"

#include <stdlib.h>

#include "core/core.h"
#include "core/pass.h"
#include "support/sched_fixture.h"

static char text[16384];

static void add_line(void *ud, const char *line)
{
    size_t at = strlen(text);
    snprintf(text + at, sizeof text - at, "%s\n", line);
}

static void dump(int form)
{
    *text = '\0';
    spt_dump_write(&(struct spt_dump){.s = &fixture.sched, .form = form, .line = add_line});
}

/* compute(ms): a task computes for that long. */
static int l_compute(lua_State *L)
{
    fixture.now += (uint64_t)luaL_checkinteger(L, 1) * 1000000;
    return 0;
}

/* dump(): writes JSON of all tasks into `text`. */
static int l_dump(lua_State *L)
{
    dump(SEPTET_DUMP_JSON);
    return 0;
}

static void give_functions(void)
{
    lua_register(fixture.L, "compute", l_compute);
    lua_register(fixture.L, "dump", l_dump);
}

/* Returns the number in a field of the task's line of JSON. */
static double number_of(unsigned id, const char *field)
{
    char start[32], name[32];
    snprintf(start, sizeof start, "{\"id\":%u,", id);
    snprintf(name, sizeof name, "\"%s\":", field);
    const char *line = strstr(text, start), *at = line ? strstr(line, name) : NULL;
    assert_non_null(at);
    return atof(at + strlen(name));
}

static void assert_times(unsigned id, double since_ms, long busy_us, long sched_us, long longest_us)
{
    assert_true(number_of(id, "since_ms") == since_ms);
    assert_int_equal(number_of(id, "busy_us"), busy_us);
    assert_int_equal(number_of(id, "sched_us"), sched_us);
    assert_int_equal(number_of(id, "longest_us"), longest_us);
}

static void test_times_of_each_state(void **state)
{
    give_functions();
    fixture.sched.run.draining = true;
    spawn("compute(20) core.checkpoint() compute(2) core.sleep(9)");
    spawn("compute(1) core.sleep(9)");
    spawn("compute(7) dump()");
    assert_int_equal(lap(), 3);
    assert_times(1, 8, 20000, 8000, 20000); /* ready */
    assert_times(2, 7, 1000, 20000, 1000);  /* waits */
    assert_times(3, 7, 7000, 21000, 7000);  /* runs */
    run();
    fixture.now += 500000;
    dump(SEPTET_DUMP_JSON);
    assert_times(1, 0.5, 22000, 8000, 20000);
    cancel_mains();
    run();
}

static void test_the_longest_turn_has_a_place(void **state)
{
    give_functions();
    start("compute(3)\ncore.sleep(1)\ncompute(30)\ncore.sleep(1)\ncompute(3) core.sleep(9)");
    advance(1);
    advance(1);
    dump(SEPTET_DUMP_TREE);
    assert_non_null(strstr(
        text, "\ntop busy: #1 test.lua 0.036s (3 resumes, max slice 30.0ms at test.lua:4)\n"));
    dump(SEPTET_DUMP_JSON);
    assert_non_null(strstr(text, "\"longest_at\":\"test.lua:4\""));
    cancel_mains();
    run();
}

static void test_a_short_turn_has_none(void **state)
{
    start("core.sleep(1)");
    dump(SEPTET_DUMP_TREE);
    assert_null(strstr(text, "top busy"));
    dump(SEPTET_DUMP_JSON);
    assert_null(strstr(text, "longest_at"));
    run();
    cancel_mains();
    run();
}

/* A task that a callback of the loop wakes is ready from then on, not from the last turn on. */
static void test_ready_outside_of_a_drain(void **state)
{
    give_functions();
    start("fake 'a' core.sleep(9)");
    fixture.now += 5 * SECOND;
    done("a", 0);
    fixture.now += SECOND / 1000;
    run();
    dump(SEPTET_DUMP_JSON);
    assert_times(1, 0, 0, 1000, 0);
    cancel_mains();
    run();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_times_of_each_state),
        TEST(test_the_longest_turn_has_a_place),
        TEST(test_a_short_turn_has_none),
        TEST(test_ready_outside_of_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
