/* SPDX-License-Identifier: MIT */
/* The Nth allocation of a script fails, for one N after the other: once, 2, 4, 8 or 20 running, or
 * for ever after. Nothing crashes, hangs or is left, and the host still runs an ordinary script.
 *
 * SEPTET_TORTURE is the number of N to try for each script and length (default 12; 0: all of
 * them), SEPTET_TORTURE_SEED chooses them (default: the month's). */
#include "faults/failing_calls.h"
#include "support/host_fixture.h"

#define SCRIPTS_FILE TESTS_FOLDER "/faults/allocations.lua"

static const char *const names[] = {"sequence",
                                    "gather",
                                    "gather_of_a_failure",
                                    "wait",
                                    "as_completed",
                                    "race",
                                    "group_whose_body_fails",
                                    "group_whose_task_fails",
                                    "group_in_a_variable",
                                    "groups_in_groups",
                                    "timeouts",
                                    "cancels",
                                    "start",
                                    "channel",
                                    "locks",
                                    "event",
                                    "future",
                                    "pool",
                                    "receive_in_time",
                                    "generator",
                                    "coroutines",
                                    "background_and_locals",
                                    "recording",
                                    "pages",
                                    "sockets",
                                    "requests",
                                    "texts",
                                    "files",
                                    "queue_in_a_file",
                                    "processes"};
enum { NAMES = sizeof names / sizeof *names };

static char wrong[8192]; /* what went wrong in the last round */

static void note(const char *what, const char *text)
{
    if (!wrong[0])
        snprintf(wrong, sizeof wrong, "%s: %s", what, text);
}

/* An ordinary script, on what the fault has left. */
static void check_sound(septet_host *host, struct reports *reports)
{
    reports->errors = 0;
    int rc = septet_load_string(host, "=sound",
                                "local task = require 'septet.task' "
                                "local list = task.gather(task.map(function(n) "
                                "  task.sleep(n) return n end, { 2, 1 })) "
                                "assert(list[1] == 2 and list[2] == 1) "
                                "assert(not pcall(task.group, function(g) "
                                "  g:spawn(task.sleep, 9) error 'x' end))");
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    if (rc != SEPTET_OK || reports->errors)
        note("afterwards", reports->errors ? reports->message : septet_strerror(rc));
    if (septet_tasks(host) != 0)
        note("afterwards", "tasks are alive");
}

static void round_of(const char *name, enum kind kind, long from, long run)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.alloc = fault_lua_memory;
    config.clock = SEPTET_CLOCK_VIRTUAL;
    config.processes = 1;
    wrong[0] = '\0';
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(spawn_function(host, SCRIPTS_FILE, name), SEPTET_OK);
    fault_arm(kind, from, run);
    int rc = septet_run(host);
    fault.armed = false;
    if (rc != SEPTET_OK && rc != SEPTET_ESCRIPT)
        note(septet_strerror(rc), reports.warned);
    if (rc == SEPTET_OK && fault.failed == 0 && reports.errors)
        note("without a fault", reports.message);
    if (rc == SEPTET_ESCRIPT && fault.failed == 0)
        note("without a fault", reports.message);
    if (septet_tasks(host) != 0)
        note("at the end", "tasks are alive");
    check_sound(host, &reports);
    septet_free(host);
}

static long own_before;

static void check_point(const char *name, enum kind kind, long from, long run)
{
    char what[128];
    snprintf(what, sizeof what, "%s, %s, %ld from number %ld", name, kind_names[kind], run, from);
    if (getenv("SEPTET_TORTURE_VERBOSE"))
        fprintf(stderr, "%s\n", what);
    round_of(name, kind, from, run);
    if (wrong[0])
        fail_msg("%s: %s", what, wrong);
    if (live.lua != 0)
        fail_msg("%s: %zu bytes of Lua's are left", what, live.lua);
    if (live.own != own_before)
        fail_msg("%s: %ld blocks of our own are left", what, live.own - own_before);
}

/* Fails `run` allocations of each script. */
static void torture(enum kind kind, long run)
{
    for (int i = 0; i < NAMES; i++) {
        round_of(names[i], kind, 0, 0); /* what is made once in a process is made */
        own_before = live.own;
        check_point(names[i], kind, 0, 0);
        struct fault_points points = fault_points(fault.calls, 12);
        long hits = 0;
        for (long n; (n = fault_next_point(&points)) != 0;) {
            check_point(names[i], kind, n, run);
            hits += fault.failed > 0;
        }
        assert_true(hits > points.n / 2 || fault.calls == 0);
    }
}

static void test_e_4_one_allocation_of_lua_fails(void **state)
{
    torture(LUA, 1);
}

static void test_e_4_2_allocations_of_lua_fail(void **state)
{
    torture(LUA, 2);
}

static void test_e_4_4_allocations_of_lua_fail(void **state)
{
    torture(LUA, 4);
}

static void test_e_4_8_allocations_of_lua_fail(void **state)
{
    torture(LUA, 8);
}

static void test_e_4_20_allocations_of_lua_fail(void **state)
{
    torture(LUA, 20);
}

static void test_e_4_all_later_allocations_of_lua_fail(void **state)
{
    torture(LUA, FOR_EVER);
}

static void test_fault_45_one_allocation_of_our_own_fails(void **state)
{
    torture(OWN, 1);
}

static void test_fault_45_all_later_allocations_of_our_own_fail(void **state)
{
    torture(OWN, FOR_EVER);
}

enum { TIMES = 12 };

#define CORE "local core = debug.getregistry()['septet.core'] "

/* The Nth allocation fails while septet.core is filled at its first use; 0: none does. What is then
 * opened anew is whole. Returns the number of allocations. */
static long open_core(long from)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.alloc = fault_lua_memory;
    config.clock = SEPTET_CLOCK_VIRTUAL;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    for (int i = 0; i < TIMES; i++) { /* a group that failed is collected, and opened anew */
        assert_loads(host, CORE "assert(core.trace_level)");
        fault_arm(LUA, from, 1);
        const int rc = septet_run(host);
        fault.armed = false;
        assert_true(rc == SEPTET_OK || fault.failed > 0);
        lua_gc(septet_lua(host), LUA_GCCOLLECT);
        if (from == 0 || rc == SEPTET_OK)
            break;
    }
    assert_runs(host, CORE "local n = 0 "
                           "for _ in pairs(core) do n = n + 1 end "
                           "assert(n > 150) "
                           "local channel = require 'septet.sync'.channel(1) "
                           "channel:send(1) "
                           "assert(channel:recv() == 1) "
                           "require 'septet.net'.listen():close() "
                           "require 'septet.http'.session():close()");
    septet_free(host);
    return fault.calls;
}

static void test_septet_core_is_opened_anew_after_a_failure(void **state)
{
    struct fault_points points = fault_points(open_core(0), 40);
    for (long n; (n = fault_next_point(&points)) != 0;)
        open_core(n);
}

static char folder[] = "/tmp/septet-allocations-XXXXXX";

/* Has temporary files made in a folder, because one whose removal fails for want of memory is
 * left. */
static int make_folder(void **state)
{
    return mkdtemp(folder) && setenv("TMPDIR", folder, 1) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* With an argument: the tests of which it is the pattern. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_4_one_allocation_of_lua_fails),
        cmocka_unit_test(test_e_4_2_allocations_of_lua_fail),
        cmocka_unit_test(test_e_4_4_allocations_of_lua_fail),
        cmocka_unit_test(test_e_4_8_allocations_of_lua_fail),
        cmocka_unit_test(test_e_4_20_allocations_of_lua_fail),
        cmocka_unit_test(test_e_4_all_later_allocations_of_lua_fail),
        cmocka_unit_test(test_fault_45_one_allocation_of_our_own_fails),
        cmocka_unit_test(test_fault_45_all_later_allocations_of_our_own_fail),
        cmocka_unit_test(test_septet_core_is_opened_anew_after_a_failure),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    printf("seed %lu\n", fault_seed());
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
