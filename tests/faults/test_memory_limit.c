/* SPDX-License-Identifier: MIT */
/* Memory is limited: what exceeds the limit fails in its task, and the others go on. */
#include "support/host_fixture.h"

#define MIB   (1024L * 1024)
#define LIMIT (6 * MIB)
#define TASKS "local task = require 'septet.task' "

/* An allocator that knows the most it ever gave. */
struct meter {
    long bytes, peak;
};

static void *meter_alloc(void *ud, void *block, size_t old, size_t size)
{
    struct meter *meter = ud;
    long had = block ? (long)old : 0;
    if (size == 0) {
        free(block);
        meter->bytes -= had;
        return NULL;
    }
    void *moved = realloc(block, size);
    if (moved)
        meter->bytes += (long)size - had;
    if (meter->bytes > meter->peak)
        meter->peak = meter->bytes;
    return moved;
}

/* The state of a test: a host with a limit, and one for scripts. */
struct limited {
    struct reports reports;
    struct meter meter;
    septet_host *host;
    lua_State *L;
};

static void open(struct limited *l, size_t limit, bool scripts)
{
    septet_config config = config_for(&l->reports);
    l->meter = (struct meter){0};
    config.alloc = meter_alloc;
    config.alloc_ud = &l->meter;
    config.limits.memory = limit;
    config.script_memory = scripts;
    l->host = septet_new(&config, NULL);
    assert_non_null(l->host);
    l->L = septet_lua(l->host);
}

static void close(struct limited *l)
{
    assert_int_equal(septet_free(l->host), SEPTET_OK);
    assert_int_equal(l->meter.bytes, 0);
}

/* Fills memory until that fails. */
#define FILL "local kept = {} for i = 1, 1e9 do kept[i] = ('x'):rep(1000) .. i end "

static void test_fault_46_a_task_at_the_limit_fails_and_the_others_go_on(void **state)
{
    struct limited l;
    open(&l, LIMIT, false);
    for (int i = 0; i < 3; i++) {
        l.reports = (struct reports){0};
        assert_loads(l.host, FILL);
        assert_loads(l.host, TASKS "for i = 1, 100 do task.sleep(0) ticks = i end");
        assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
        assert_int_equal(l.reports.errors, 1);
        assert_string_equal(l.reports.kind, "OutOfMemory");
        assert_string_equal(l.reports.message, "not enough memory");
        assert_int_equal(global(l.L, "ticks"), 100);
        assert_in_range(l.meter.peak, LIMIT / 2, LIMIT + 64 * 1024);
    }
    assert_runs(l.host, "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) .. i end");
    close(&l);
}

static void test_fault_46_a_task_may_catch_it_and_go_on(void **state)
{
    struct limited l;
    open(&l, LIMIT, false);
    assert_runs(l.host, TASKS "for i = 1, 30 do "
                              "  local ok, e = pcall(function() " FILL "end) "
                              "  assert(not ok and e == 'not enough memory') "
                              "  assert(not pcall(string.rep, 'x', 1 << 30)) "

                              "  assert(task.spawn(function() return 7 end):await() == 7) "
                              "  task.sleep(0) "
                              "end");
    assert_silent(&l.reports);
    close(&l);
}

/* Garbage is collected before anything fails. */
static void test_garbage_does_not_count(void **state)
{
    struct limited l;
    open(&l, LIMIT, false);
    assert_runs(l.host, "for i = 1, 2000 do local s = ('x'):rep(100000) .. i end");
    assert_runs(l.host, "for i = 1, 200000 do local t = { i, {}, function() return i end } end");
    assert_silent(&l.reports);
    assert_in_range(l.meter.peak, 1, LIMIT + 64 * 1024);
    close(&l);
}

/* Lua's string buffers ask for memory once. Their result needs as much again. */
#define BUFFERS                                                                                    \
    "for i = 1, 60 do local s = ('x'):rep(350000) end "                                            \
    "for i = 1, 20 do "                                                                            \
    "  local t = {} "                                                                              \
    "  for k = 1, 100 do t[k] = ('%d,%d'):format(i, k):rep(300) end "                              \
    "  local s = table.concat(t) "                                                                 \
    "  s = s:gsub(',', ';') "                                                                      \
    "end"

static void test_garbage_does_not_count_for_string_buffers(void **state)
{
    struct limited l;
    open(&l, 3 * MIB, false);
    for (int i = 0; i < 3; i++)
        assert_runs(l.host, BUFFERS);
    assert_silent(&l.reports);
    close(&l);
}

static void test_fault_46_a_task_that_goes_on_to_allocate_is_ended(void **state)
{
    static const char *const loops[] = {
        "while true do pcall(string.rep, 'x', 1 << 30) end",
        "while true do pcall(function() " FILL "end) end",
        "while true do pcall(pcall, pcall, string.rep, 'x', 1 << 30) end",
        "while true do coroutine.resume(coroutine.create(string.rep), 'x', 1 << 30) end",
    };
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        struct limited l;
        open(&l, LIMIT, false);
        assert_loads(l.host, loops[i]);
        assert_loads(l.host, TASKS "for i = 1, 100 do task.sleep(0) ticks = i end");
        assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
        assert_int_equal(l.reports.errors, 1);
        assert_string_equal(l.reports.kind, "LimitExceeded");
        assert_int_equal(global(l.L, "ticks"), 100);
        assert_runs(l.host, TASKS "assert(task.spawn(function() return 7 end):await() == 7)");
        close(&l);
    }
}

/* --- scripts --- */

static septet_script *new_script(struct limited *l, size_t memory)
{
    septet_script_options options;
    septet_script_options_init(&options);
    options.limits.memory = memory;
    options.limits.tasks = 30;
    septet_script *script = septet_script_new(l->host, &options, NULL);
    assert_non_null(script);
    return script;
}

static void load(septet_script *script, const char *source)
{
    assert_int_equal(septet_script_load(script, "=script", source, strlen(source)), SEPTET_OK);
}

static uint64_t scripts_of(septet_host *host)
{
    septet_stats stats = {.size = sizeof stats};
    assert_int_equal(septet_get_stats(host, &stats), SEPTET_OK);
    return stats.scripts;
}

/* What the neighbour needs is more than the limit of the other. */
#define NEED                                                                                       \
    TASKS "local t = {} "                                                                          \
          "for i = 1, 20 do "                                                                      \
          "  for k = 1, 200 do t[#t + 1] = ('x'):rep(1000) .. i .. ',' .. k end "                  \
          "  task.sleep(0) "                                                                       \
          "end "                                                                                   \
          "return #t"

static void check_neighbour(struct limited *l, septet_script *neighbour)
{
    assert_int_equal(septet_script_status(neighbour), SEPTET_OK);
    assert_int_equal(septet_script_push_results(neighbour, l->L), 1);
    assert_int_equal(lua_tointeger(l->L, -1), 4000);
    lua_settop(l->L, 0);
}

static void test_fault_46_a_script_at_its_limit_fails_and_its_neighbour_goes_on(void **state)
{
    struct limited l;
    open(&l, 0, true);
    septet_script *limited = new_script(&l, MIB), *neighbour = new_script(&l, 0);
    for (int i = 0; i < 3; i++) {
        l.reports = (struct reports){0};
        load(limited, FILL);
        load(neighbour, NEED);
        assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
        assert_int_equal(l.reports.errors, 1);
        assert_string_equal(l.reports.kind, "OutOfMemory");
        assert_ptr_equal(septet_script_status(limited), SEPTET_ESCRIPT);
        check_neighbour(&l, neighbour);
        load(limited, "local t = {} for i = 1, 500 do t[i] = ('x'):rep(1000) .. i end");
        assert_int_equal(septet_run(l.host), SEPTET_OK);
    }
    close(&l);
}

/* Garbage of a script is collected although the host has much more. */
static void test_garbage_of_a_script_does_not_count(void **state)
{
    struct limited l;
    open(&l, 0, true);
    septet_script *script = new_script(&l, MIB);
    assert_runs(l.host, "kept = {} for i = 1, 20000 do kept[i] = { i } end");
    for (int i = 0; i < 3; i++) {
        load(script, BUFFERS);
        if (septet_run(l.host) != SEPTET_OK)
            fail_msg("%s\n%s", l.reports.message, l.reports.traceback);
    }
    assert_silent(&l.reports);
    close(&l);
}

/* The host's limit and the script's hold at once. */
static void test_a_script_is_subject_to_its_hosts_limit_on_memory(void **state)
{
    struct limited l;
    open(&l, LIMIT, true);
    septet_script *small = new_script(&l, MIB), *large = new_script(&l, 1024 * MIB);
    load(small, FILL);
    assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
    assert_true(l.meter.peak < 4 * MIB);
    load(large, FILL);
    assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
    assert_in_range(l.meter.peak, LIMIT / 2, 2 * LIMIT); /* with headers */
    assert_int_equal(l.reports.errors, 2);
    close(&l);
}

static void test_fault_46_a_script_that_goes_on_to_allocate_is_ended(void **state)
{
    static const char *const loops[] = {
        "while true do pcall(string.rep, 'x', 1 << 30) end",
        "while true do pcall(function() " FILL "end) end",
        TASKS "while true do pcall(string.rep, 'x', 1 << 30) task.sleep(0) end",
        TASKS "while true do pcall(string.rep, 'x', 1 << 30) pcall(task.sleep, 0) end",
        TASKS "local function again() "
              "  while true do "
              "    pcall(string.rep, 'x', 1 << 30) pcall(task.sleep, 0) "
              "    pcall(task.background, again) pcall(task.spawn, again) "
              "  end "
              "end "
              "again()",
    };
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        struct limited l;
        open(&l, 0, true);
        septet_script *limited = new_script(&l, MIB), *neighbour = new_script(&l, 0);
        load(limited, loops[i]);
        load(limited, TASKS "task.sleep(1e9)");
        load(neighbour, NEED);
        assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
        assert_int_equal(septet_tasks(l.host), 0);
        check_neighbour(&l, neighbour);
        l.reports = (struct reports){0};
        load(limited, "return 1");
        assert_int_equal(septet_run(l.host), SEPTET_OK);
        assert_silent(&l.reports);
        close(&l);
    }
}

/* A table of the host's that a script lets grow is the script's. */
static void test_a_script_pays_for_what_it_lets_grow(void **state)
{
    struct limited l;
    open(&l, 0, true);
    septet_script *limited = new_script(&l, MIB);
    assert_runs(l.host, "shared = {}");
    load(limited, "for i = 1, 1e9 do shared[i] = i end");
    assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
    assert_string_equal(l.reports.kind, "OutOfMemory");
    load(limited, "local function f() return 1 + f() end f()");
    assert_int_equal(septet_run(l.host), SEPTET_ESCRIPT);
    assert_int_equal(l.reports.errors, 2);
    close(&l);
}

/* What a script leaves to others stays charged to it, until it is freed. */
static void test_a_script_lives_as_long_as_its_memory(void **state)
{
    struct limited l;
    open(&l, 0, true);
    septet_script *script = new_script(&l, MIB);
    load(script, "_G.shared = getmetatable(_G).__index getmetatable(_G).__index.left = {} "
                 "for i = 1, 100 do left[i] = {} end");
    assert_int_equal(septet_run(l.host), SEPTET_OK);
    septet_script_unload(script);
    assert_int_equal(septet_run(l.host), SEPTET_OK);
    lua_gc(l.L, LUA_GCCOLLECT);
    septet_step(l.host, 0);
    assert_runs(l.host, "assert(#left == 100) left = nil collectgarbage()");
    septet_step(l.host, 0);
    assert_int_equal(scripts_of(l.host), 0);
    close(&l);
}

/* --- bad arguments --- */

static void test_memory_of_the_embedders_state_is_not_limited(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    septet_config config = config_for(&reports);
    int status = 0;
    config.lua = L;
    config.limits.memory = LIMIT;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    config.limits.memory = 0;
    config.script_memory = 1;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    lua_close(L);
}

static void test_memory_of_a_script_is_only_limited_if_the_host_allows(void **state)
{
    struct limited l;
    septet_script_options options;
    int status = 0;
    open(&l, LIMIT, false);
    septet_script_options_init(&options);
    options.limits.memory = MIB;
    assert_null(septet_script_new(l.host, &options, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    close(&l);
}

static void test_a_limit_that_is_too_small_for_the_host(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    int made = 0;
    for (size_t limit = 1; limit < 4 * MIB; limit = limit * 5 / 4 + 1) {
        int status = 1;
        config.limits.memory = limit;
        config.script_memory = (int)(limit & 1);
        septet_host *host = septet_new(&config, &status);
        made += host != NULL;
        assert_int_equal(status, host ? SEPTET_OK : SEPTET_ENOMEM);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
    assert_true(made > 0);
}

static void test_the_peak_is_known(void **state)
{
    struct limited l;
    septet_stats stats = {.size = sizeof stats};
    open(&l, 0, false);
    assert_runs(l.host, "local s = ('x'):rep(3000000)");
    assert_int_equal(septet_get_stats(l.host, &stats), SEPTET_OK);
    assert_int_equal(stats.memory_peak, l.meter.peak);
    assert_in_range(stats.memory, 1, stats.memory_peak);
    close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_46_a_task_at_the_limit_fails_and_the_others_go_on),
        cmocka_unit_test(test_fault_46_a_task_may_catch_it_and_go_on),
        cmocka_unit_test(test_garbage_does_not_count),
        cmocka_unit_test(test_garbage_does_not_count_for_string_buffers),
        cmocka_unit_test(test_garbage_of_a_script_does_not_count),
        cmocka_unit_test(test_fault_46_a_task_that_goes_on_to_allocate_is_ended),
        cmocka_unit_test(test_fault_46_a_script_at_its_limit_fails_and_its_neighbour_goes_on),
        cmocka_unit_test(test_a_script_is_subject_to_its_hosts_limit_on_memory),
        cmocka_unit_test(test_fault_46_a_script_that_goes_on_to_allocate_is_ended),
        cmocka_unit_test(test_a_script_pays_for_what_it_lets_grow),
        cmocka_unit_test(test_a_script_lives_as_long_as_its_memory),
        cmocka_unit_test(test_memory_of_the_embedders_state_is_not_limited),
        cmocka_unit_test(test_memory_of_a_script_is_only_limited_if_the_host_allows),
        cmocka_unit_test(test_a_limit_that_is_too_small_for_the_host),
        cmocka_unit_test(test_the_peak_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
