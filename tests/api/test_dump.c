/* SPDX-License-Identifier: MIT */
/* Statistics, and the dump of live tasks. */
#include "support/host_fixture.h"

#include <unistd.h>

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

static struct dump dump_in(septet_host *host, int form)
{
    struct dump dump = {0};
    septet_dump_options options;
    septet_dump_options_init(&options);
    options.form = form;
    options.title = "a.lua";
    assert_int_equal(septet_dump_with(host, &options, add_line, &dump), SEPTET_OK);
    return dump;
}

static struct dump dump_of(septet_host *host)
{
    struct dump dump = {0};
    septet_dump(host, add_line, &dump);
    return dump;
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

static void settle(septet_host *host)
{
    while (septet_step(host, 1000000) == SEPTET_MORE)
        ;
}

static void test_a_dump_of_no_tasks_is_a_line(void **state)
{
    struct host_fixture *f = *state;
    struct dump dump = dump_of(f->host);
    assert_int_equal(dump.lines, 1);
    assert_text(dump.text, "  tasks 0 (0 run, 0 ready, 0 wait)  lua ");
    assert_string_equal(dump_in(f->host, SEPTET_DUMP_JSON).text, "[\n]\n");
    assert_int_equal(dump_in(f->host, SEPTET_DUMP_WHERE).lines, 0);
}

static const char tree[] = "\
#1 main            wait join       2.000s #3 a\\n\\x1bb  boot:8 in main chunk\n\
└─ #3 a\\n\\x1bb     wait sleep      2.000s 4 s  boot:5 ← boot:5 ← boot:3\n\
   └─ #4 [C]       wait sleep      2.000s 3 s  [C]\n\
#2 [C]             wait sleep      2.000s 5 s  [C]\n\
#5 main            new             0.000s  script\n";

static void test_a_dump_shows_the_tree(void **state)
{
    struct host_fixture *f = *state;
    char pid[64];
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    const char *source = PRELUDE "\ntask.background(task.sleep, 5)\n"
                                 "local t = task.spawn(function() task.group(function(g)\n"
                                 "  g:spawn(task.sleep, 3)\n"
                                 "  coroutine.wrap(function() task.sleep(4) end)()\n"
                                 "  end) end)\n"
                                 "t.name = 'a\\n\\27b'\n t:await()";
    assert_int_equal(septet_script_load(script, "=boot", source, strlen(source)), SEPTET_OK);
    assert_text(dump_of(f->host).text, "\n#1 main            new             0.000s  boot\n");
    settle(f->host);
    assert_int_equal(septet_advance(f->host, 2000000000), SEPTET_OK);
    assert_loads(f->host, "");
    struct dump dump = dump_in(f->host, SEPTET_DUMP_TREE);
    assert_int_equal(dump.lines, 6);
    snprintf(pid, sizeof pid, "septet %d a.lua  up 2.0s  tasks 5 (0 run, 1 ready, 4 wait)  lua ",
             (int)getpid());
    assert_memory_equal(dump.text, pid, strlen(pid));
    assert_string_equal(strchr(dump.text, '\n') + 1, tree);
    assert_string_equal(dump_in(f->host, SEPTET_DUMP_WHERE).text,
                        "task #1 'main' waited for join #3 a\\n\\x1bb, at boot:8 in main chunk\n");
    settle(f->host);
}

/* Calls septet_dump_with() from a task, with the form that `form` says, and keeps the text. */
struct dumper {
    septet_host *host;
    int form;
    struct dump dump;
    uint32_t running;
};

static int l_dump(lua_State *L)
{
    struct dumper *dumper = lua_touserdata(L, lua_upvalueindex(1));
    uint64_t ns = 1;
    dumper->running = septet_running(dumper->host, &ns);
    dumper->dump = dump_in(dumper->host, dumper->form);
    return 0;
}

static void give_dump(struct host_fixture *f, struct dumper *dumper)
{
    dumper->host = f->host;
    lua_pushlightuserdata(f->L, dumper);
    lua_pushcclosure(f->L, l_dump, 1);
    lua_setglobal(f->L, "dump");
}

static void test_a_dump_is_called_by_a_task(void **state)
{
    struct host_fixture *f = *state;
    struct dumper dumper = {.form = SEPTET_DUMP_TREE};
    uint64_t ns = 1;
    give_dump(f, &dumper);
    assert_runs(f->host, "\nlocal function inner() dump() end\n"
                         "coroutine.wrap(function() inner() return 1 end)()");
    assert_text(dumper.dump.text,
                "\n#1 main            run             0.000s  script:2 in inner ← "
                "script:3 ← script:3 in main chunk\n");
    assert_int_equal(dumper.running, 1);
    assert_int_equal(septet_running(f->host, &ns), 0);
    assert_int_equal(ns, 0);
    dumper.form = SEPTET_DUMP_WHERE;
    assert_runs(f->host, "dump()");
    assert_string_equal(dumper.dump.text, "task #2 'main' ran, at script:1 in main chunk\n");
}

static void test_remarks_on_waits(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    const char *source = PRELUDE "local sync = require 'septet.sync'\n"
                                 "task.spawn(function() sync.event():wait() end)\n"
                                 "task.shield(function() task.sleep(8) end)";
    assert_int_equal(septet_script_load(script, "=boot", source, strlen(source)), SEPTET_OK);
    settle(f->host);
    assert_null(strstr(dump_of(f->host).text, " ! "));
    assert_int_equal(septet_advance(f->host, 4000000000), SEPTET_OK);
    assert_text(dump_of(f->host).text, " wait event      4.000s  ! idle > 3 s  boot:2\n");
    assert_int_equal(septet_script_cancel(script, NULL), SEPTET_OK);
    settle(f->host);
    assert_text(dump_of(f->host).text,
                " wait sleep      4.000s 8 s  ! cancelled  boot:3 ← boot:3 ");
}

static void test_requests_are_counted(void **state)
{
    struct host_fixture *f = *state;
    set_origin(f->L);
    assert_loads(f->host, PRELUDE "local session <close> = http.session { limit = 2 }\n"
                                  "for i = 1, 5 do task.spawn(session.get, session, origin .. "
                                  "'/delay/60') end task.sleep(60)");
    while (!strstr(dump_of(f->host).text, "  in-flight 2  queued 3  lua "))
        septet_step(f->host, 1000);
    assert_text(dump_of(f->host).text, " wait http ");
}

static void test_a_stack_has_eight_frames(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "local function f(n) if n == 0 then task.sleep(9) end f(n - 1) "
                                  "return 1 end f(100)");
    settle(f->host);
    const char *at = dump_of(f->host).text;
    unsigned n = 0;
    for (; (at = strstr(at, "script:1 in f")); at++)
        n++;
    assert_int_equal(n, 8);
}

/* --- groups --- */

static void test_siblings_that_wait_alike_are_grouped(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "local function page() task.sleep(9) end\n"
                                  "local function child() task.spawn(page) task.sleep(8) end\n"
                                  "for i = 1, 10 do task.spawn(page).name = 'page' end\n"
                                  "for i = 1, 10 do task.spawn(child).name = 'c' .. i end\n"
                                  "for i = 1, 4 do task.spawn(task.sleep, 3) end\n"
                                  "task.sleep(9)");
    settle(f->host);
    struct dump dump = dump_of(f->host);
    assert_text(dump.text, "├─ #4 page");
    assert_text(dump.text,
                "├─ … 7 more \"page\" waiting on sleep (grouped; -a for all)\n├─ #12 c1");
    assert_text(dump.text, "│  └─ #");
    assert_text(dump.text,
                "├─ … 7 more like \"c4\" waiting on sleep (grouped; -a for all)\n├─ #22 [C]");
    assert_text(dump.text, "├─ #24 [C]");
    assert_text(dump.text, "└─ #25 [C]");
    assert_int_equal(dump.lines, 1 + 1 + 4 + 3 * 2 + 1 + 4);
    assert_int_equal(dump_in(f->host, SEPTET_DUMP_ALL).lines, 1 + 1 + 10 + 20 + 4);
    assert_int_equal(dump_in(f->host, SEPTET_DUMP_JSON).lines, 1 + 1 + 10 + 20 + 4 + 1);
    assert_string_equal(dump_of(f->host).text, dump.text); /* the marks are cleared */
}

/* The last line of a level may be that of a group. */
static void test_a_group_may_come_last(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "for i = 1, 5 do task.spawn(task.sleep, i) end task.sleep(9)");
    settle(f->host);
    struct dump dump = dump_of(f->host);
    assert_text(dump.text, "\n├─ #4 [C]");
    assert_text(dump.text, "\n└─ … 2 more \"[C]\" waiting on sleep (grouped; -a for all)\n");
    assert_int_equal(dump.lines, 6);
}

static void test_a_dump_of_many_kinds_of_tasks_groups_the_first(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "for i = 1, 20 do local fn = load('local task = ... '"
                                  ".. ('\\n'):rep(i) .. 'task.sleep(9)')"
                                  "  for _ = 1, 6 do task.spawn(fn, task) end end task.sleep(9)");
    settle(f->host);
    assert_int_equal(dump_of(f->host).lines, 2 + 16 * 4 + 4 * 6);
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
    struct dump dump = dump_in(f->host, SEPTET_DUMP_ALL);
    assert_int_equal(dump.lines, septet_tasks(f->host) + 1);
    assert_true(dump.lines > 100000);
    assert_true(dump.longest < 512);
    dump = dump_of(f->host);
    assert_int_equal(dump.lines, 50001 + 1 + 1 + 4);
    assert_int_equal(dump_in(f->host, SEPTET_DUMP_JSON).lines, septet_tasks(f->host) + 2);
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
    assert_int_equal(dump_of(host).lines, 1 + 1 + 3 + 1);
    for (int form = SEPTET_DUMP_TREE; form <= SEPTET_DUMP_WHERE; form++)
        dump_in(host, form);
    assert_int_equal(pool.calls, before);
    pool.allowed = -1;
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- JSON --- */

static void test_a_dump_in_json(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "local function f() task.sleep(9) return 1 end\n"
                                  "local t = task.spawn(f) t.name = 'a\"\\\\\\n\\xff\\u{e9}' f()");
    settle(f->host);
    assert_int_equal(septet_advance(f->host, 1500000), SEPTET_OK);
    assert_string_equal(
        dump_in(f->host, SEPTET_DUMP_JSON).text,
        "[\n"
        " {\"id\":1,\"parent\":0,\"name\":\"main\",\"state\":\"wait\",\"wait\":{\"kind\":\"sleep\","
        "\"ref\":0,\"detail\":\"9 "
        "s\"},\"since_ms\":1.500,\"busy_us\":0,\"sched_us\":0,\"resumes\":1,"
        "\"longest_us\":0,\"stack\":[{\"src\":\"script\",\"line\":1,\"fn\":\"f\"},"
        "{\"src\":\"script\",\"line\":2,\"fn\":\"main chunk\"}]}\n"
        ",{\"id\":2,\"parent\":1,\"name\":\"a\\\"\\\\\\\\n\\\\xff\u00e9\",\"state\":\"wait\","
        "\"wait\":{\"kind\":\"sleep\",\"ref\":0,\"detail\":\"9 "
        "s\"},\"since_ms\":1.500,\"busy_us\":0,"
        "\"sched_us\":0,\"resumes\":1,\"longest_us\":0,"
        "\"stack\":[{\"src\":\"script\",\"line\":1}]}\n"
        "]\n");
}

static void set_standard_profile(septet_config *config)
{
    set_manual_clock(config);
    config->profile = SEPTET_PROFILE_STANDARD;
}

static int setup_standard(void **state)
{
    return host_fixture_setup_with(state, set_standard_profile);
}

/* In the standard profile, trace.ps() shows a script its own tasks. */
static void test_a_script_sees_its_own_tasks(void **state)
{
    struct host_fixture *f = *state;
    static const char other[] = PRELUDE "task.current().name = 'secret' task.sleep(9)";
    static const char asks[] = "local task, trace = require 'septet.task', require 'septet.trace'\n"
                               "task.spawn(task.sleep, 9).name = 'own'\n"
                               "text, rows = trace.ps(), trace.ps { json = true }\n"
                               "assert(text:find '^septet  up [%d.]+s  tasks 2 %(1 run, 1 ready')\n"
                               "assert(text:find '\\n#%d+ main +run')\n"
                               "assert(text:find '\\n└─ #%d+ own +new')\n"
                               "assert(not text:find 'secret' and #rows == 2)\n"
                               "task.sleep(0)";
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    assert_loads(f->host, other);
    settle(f->host);
    assert_int_equal(septet_script_load(script, "=asks", asks, strlen(asks)), SEPTET_OK);
    settle(f->host);
    assert_silent(&f->reports);
    assert_int_equal(septet_script_status(script), SEPTET_OK);
}

static void test_options_of_a_dump_that_are_not_valid(void **state)
{
    struct host_fixture *f = *state;
    struct dump dump = {0};
    septet_dump_options options;
    septet_dump_options_init(&options);
    options.size = 1;
    assert_int_equal(septet_dump_with(f->host, &options, add_line, &dump), SEPTET_EINVAL);
    septet_dump_options_init(&options);
    options.form = SEPTET_DUMP_WHERE + 1;
    assert_int_equal(septet_dump_with(f->host, &options, add_line, &dump), SEPTET_EINVAL);
    options.form = -1;
    assert_int_equal(septet_dump_with(f->host, &options, add_line, &dump), SEPTET_EINVAL);
    assert_int_equal(dump.lines, 0);
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
        TEST(test_a_dump_of_no_tasks_is_a_line),
        MANUAL(test_a_dump_shows_the_tree),
        MANUAL(test_a_dump_is_called_by_a_task),
        MANUAL(test_remarks_on_waits),
        TEST(test_requests_are_counted),
        MANUAL(test_a_stack_has_eight_frames),
        MANUAL(test_siblings_that_wait_alike_are_grouped),
        MANUAL(test_a_group_may_come_last),
        MANUAL(test_a_dump_of_many_kinds_of_tasks_groups_the_first),
        MANUAL(test_a_dump_of_a_hundred_thousand_tasks),
        cmocka_unit_test(test_a_dump_needs_no_memory),
        MANUAL(test_a_dump_in_json),
        cmocka_unit_test_setup_teardown(test_a_script_sees_its_own_tasks, setup_standard,
                                        host_fixture_teardown),
        TEST(test_options_of_a_dump_that_are_not_valid),
        MANUAL(test_the_statistics_count),
        TEST(test_the_statistics_of_an_older_embedder_are_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
