/* SPDX-License-Identifier: MIT */
/* Statistics, and the dump of live tasks. */
#include "support/host_fixture.h"

/* --- the dump --- */

struct dump {
    unsigned lines;
    size_t longest;
    char text[8192]; /* the first lines, each with a newline */
};

static void add_line(void *ud, const char *text)
{
    struct dump *dump = ud;
    size_t at = strlen(dump->text), length = strlen(text);
    dump->lines++;
    if (length > dump->longest)
        dump->longest = length;
    snprintf(dump->text + at, sizeof dump->text - at, "%s\n", text);
}

static struct dump dump_of(septet_host *host)
{
    struct dump dump = {0};
    septet_dump(host, add_line, &dump);
    return dump;
}

static void set_virtual_clock(septet_config *config)
{
    config->clock = SEPTET_CLOCK_MANUAL;
}

static int setup_virtual(void **state)
{
    return host_fixture_setup_with(state, set_virtual_clock);
}

#define VIRTUAL(fn) cmocka_unit_test_setup_teardown(fn, setup_virtual, host_fixture_teardown)

static void settle(septet_host *host)
{
    while (septet_step(host, 1000000) == SEPTET_MORE)
        ;
}

static void test_a_dump_of_no_tasks_has_no_lines(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(dump_of(f->host).lines, 0);
}

static void test_a_dump_shows_the_tree(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    const char *source = PRELUDE "\ntask.background(task.sleep, 5)\n"
                                 "local t = task.spawn(function() task.group(function(g)\n"
                                 "  g:spawn(task.sleep, 3)\n"
                                 "  coroutine.wrap(function()\n"
                                 "    task.sleep(4)\n"
                                 "  end)() end) end)\n"
                                 "t.name = 'a\\n\\27b' t:await()";
    assert_int_equal(septet_script_load(script, "=boot", source, strlen(source)), SEPTET_OK);
    assert_string_equal(dump_of(f->host).text, "#1 main  has not begun\n");
    settle(f->host);
    assert_loads(f->host, "");
    struct dump dump = dump_of(f->host);
    assert_int_equal(dump.lines, 5);
    assert_text(dump.text, "#1 main  waits for join");
    assert_text(dump.text, "  boot:8\n");
    assert_text(dump.text, "\n  #3 a\\n\\x1bb  waits for sleep");
    assert_text(dump.text, "  boot:6\n    #4 ");
    assert_text(dump.text, "\n#5 main  has not begun\n");
    settle(f->host);
}

static int l_dump(lua_State *L)
{
    struct dump *dump = lua_touserdata(L, lua_upvalueindex(1));
    septet_dump(lua_touserdata(L, lua_upvalueindex(2)), add_line, dump);
    return 0;
}

static void test_a_dump_is_called_by_a_task(void **state)
{
    struct host_fixture *f = *state;
    struct dump dump = {0};
    lua_pushlightuserdata(f->L, &dump);
    lua_pushlightuserdata(f->L, f->host);
    lua_pushcclosure(f->L, l_dump, 2);
    lua_setglobal(f->L, "dump");
    assert_runs(f->host, "\ndump()");
    assert_text(dump.text, "#1 main  runs  script:2\n");
}

/* A chain of spawns, each by the one before. */
static void test_a_dump_of_a_hundred_thousand_tasks(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "local function spawn(n)"
                                  "  if n > 0 then task.spawn(spawn, n - 1) end task.sleep(9)"
                                  " end spawn(50000)"
                                  " ");
    assert_loads(f->host, PRELUDE "for i = 1, 50000 do task.spawn(task.sleep, 9) end"
                                  " task.sleep(9)");
    settle(f->host);
    assert_silent(&f->reports);
    struct dump dump = dump_of(f->host);
    assert_int_equal(dump.lines, septet_tasks(f->host));
    assert_true(dump.lines > 100000);
    assert_true(dump.longest < 512);
}

static void test_a_dump_needs_no_memory(void **state)
{
    struct reports reports;
    struct pool pool = {.allowed = -1};
    septet_config config = config_for(&reports);
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    config.clock = SEPTET_CLOCK_MANUAL;
    septet_host *host = septet_new(&config, NULL);
    assert_loads(host, PRELUDE "for i = 1, 10 do task.spawn(task.sleep, 9).name = 'x' end"
                               " task.sleep(9)");
    settle(host);
    pool.allowed = pool.calls;
    long before = pool.calls;
    assert_silent(&reports);
    assert_int_equal(dump_of(host).lines, 11);
    assert_int_equal(pool.calls, before);
    pool.allowed = -1;
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- statistics --- */

static septet_stats stats_of(septet_host *host)
{
    septet_stats stats = {.size = sizeof stats};
    assert_int_equal(septet_get_stats(host, &stats), SEPTET_OK);
    return stats;
}

static void test_the_statistics_count(void **state)
{
    struct host_fixture *f = *state;
    septet_stats before = stats_of(f->host);
    assert_int_equal(before.tasks, 0);
    assert_int_equal(before.turns, 0);
    assert_true(before.memory > 10000);
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    assert_loads(f->host, PRELUDE "task.spawn(task.sleep, 9) for i = 1, 10 do task.sleep(0) end"
                                  " task.spawn(error, 'x') task.sleep(9)");
    settle(f->host);
    septet_stats stats = stats_of(f->host);
    assert_int_equal(stats.tasks, 2);
    assert_int_equal(stats.mains, 1);
    assert_int_equal(stats.spawned, 3);
    assert_int_equal(stats.scripts, 1);
    assert_int_equal(stats.turns, 13);
    assert_true(stats.polls > before.polls);
    assert_int_equal(stats.requests, 0);
    assert_int_equal(stats.external, 0);
    septet_script_unload(script);
    assert_int_equal(stats_of(f->host).scripts, 0);
    assert_int_equal(septet_advance(f->host, 9000000000), SEPTET_OK);
    settle(f->host);
    stats = stats_of(f->host);
    assert_int_equal(stats.tasks, 0);
    assert_int_equal(stats.mains, 0);
    assert_int_equal(stats.failures, 1);
}

static void test_the_statistics_of_an_older_embedder_are_shorter(void **state)
{
    struct host_fixture *f = *state;
    septet_stats stats;
    memset(&stats, 0xff, sizeof stats);
    stats.size = 0;
    assert_int_equal(septet_get_stats(f->host, &stats), SEPTET_EINVAL);
    stats.size = offsetof(septet_stats, spawned);
    assert_int_equal(septet_get_stats(f->host, &stats), SEPTET_OK);
    assert_int_equal(stats.size, offsetof(septet_stats, spawned));
    assert_int_equal(stats.mains, 0);
    assert_int_equal(stats.spawned, UINT64_MAX);
    struct {
        septet_stats stats;
        uint64_t newer;
    } long_one = {.stats.size = sizeof long_one, .newer = 5};
    assert_int_equal(septet_get_stats(f->host, &long_one.stats), SEPTET_OK);
    assert_int_equal(long_one.newer, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_dump_of_no_tasks_has_no_lines),
        VIRTUAL(test_a_dump_shows_the_tree),
        TEST(test_a_dump_is_called_by_a_task),
        VIRTUAL(test_a_dump_of_a_hundred_thousand_tasks),
        cmocka_unit_test(test_a_dump_needs_no_memory),
        VIRTUAL(test_the_statistics_count),
        TEST(test_the_statistics_of_an_older_embedder_are_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
