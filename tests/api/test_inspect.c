/* SPDX-License-Identifier: MIT */
/* septet_inspect: on_inspect is called wherever the host is, and scripts do not notice. */
#include "support/host_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/hook.h"
#include "core/sched.h"

static struct {
    septet_host *host;
    atomic_int calls;
    int wrong_thread;  /* number of calls on another thread */
    int again;         /* number of calls that ask for another one */
    bool ends;         /* the first call ends the run */
    char where[512];   /* of the first call */
    char running[512]; /* of the first call with a task that runs */
    pthread_t thread;
} inspected;

static void keep_where(void *ud, const char *text)
{
    if (!*inspected.where)
        snprintf(inspected.where, sizeof inspected.where, "%s", text);
    if (!*inspected.running && strstr(text, " ran, "))
        snprintf(inspected.running, sizeof inspected.running, "%s", text);
}

static void on_inspect(void *ud)
{
    septet_dump_options options;
    septet_dump_options_init(&options);
    options.form = SEPTET_DUMP_WHERE;
    septet_dump_with(inspected.host, &options, keep_where, NULL);
    inspected.wrong_thread += !pthread_equal(pthread_self(), inspected.thread);
    inspected.calls++;
    if (inspected.again-- > 0)
        septet_inspect(inspected.host);
    else if (inspected.ends)
        septet_interrupt(inspected.host);
}

/* inspected(): returns the number of calls of on_inspect. */
static int l_inspected(lua_State *L)
{
    lua_pushinteger(L, inspected.calls);
    return 1;
}

static void on_alarm(int number)
{
    septet_inspect(inspected.host);
}

/* alarm(): inspects from a signal handler a few milliseconds later. */
static int l_alarm(lua_State *L)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 3000}};
    if (setitimer(ITIMER_REAL, &soon, NULL) != 0)
        return luaL_error(L, "cannot set a timer");
    return 0;
}

static void configure(septet_config *config)
{
    config->profile = SEPTET_PROFILE_TRUSTED;
    config->on_inspect = on_inspect;
}

static void setup_with(void **state, void (*change)(septet_config *))
{
    memset(&inspected, 0, sizeof inspected);
    host_fixture_setup_with(state, change);
    struct host_fixture *f = *state;
    inspected.host = f->host;
    inspected.thread = pthread_self();
    lua_register(f->L, "alarm", l_alarm);
    lua_register(f->L, "inspected", l_inspected);
    signal(SIGALRM, on_alarm);
}

static int setup(void **state)
{
    setup_with(state, configure);
    return 0;
}

static int teardown(void **state)
{
    int rc = host_fixture_teardown(state);
    signal(SIGALRM, SIG_DFL);
    return rc ? rc : inspected.wrong_thread;
}

#define INSPECT(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* Runs a script that does not end, until on_inspect ends it, and checks what that saw. */
static void check_endless(struct host_fixture *f, const char *source, const char *where)
{
    inspected.ends = true;
    assert_int_equal(run_script(f->host, source), SEPTET_EINTERRUPTED);
    assert_int_equal(inspected.calls, 1);
    assert_string_equal(inspected.where, where);
    assert_silent(&f->reports);
}

static void test_of_a_script_that_spins(void **state)
{
    check_endless(*state, "alarm() while true do end",
                  "task #1 'main' ran, at script:1 in main chunk");
}

static void test_of_a_coroutine_that_spins(void **state)
{
    check_endless(*state,
                  "local function f()\nlocal function g() alarm() while true do end end\n"
                  "coroutine.wrap(function() coroutine.wrap(g)() end)() end\nf()",
                  "task #1 'main' ran, at script:2 ← script:3 ← script:3 in f ← script:4 in main "
                  "chunk");
}

static void test_of_a_script_that_waits(void **state)
{
    check_endless(*state, PRELUDE "alarm() task.sleep(1000)",
                  "task #1 'main' waited for sleep 1000 s, at script:1 in main chunk");
}

static void test_of_a_script_that_only_yields(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, PRELUDE "alarm() while inspected() == 0 do task.sleep(0) end");
    assert_int_equal(inspected.calls, 1);
    assert_non_null(strstr(inspected.where, "task #1 'main' "));
}

static void test_of_a_loop_in_a_c_function(void **state)
{
    check_endless(*state,
                  "alarm() string.gsub(('x'):rep(9), 'x', function() while true do end end)",
                  "task #1 'main' ran, at script:1 ← script:1 in main chunk");
}

static void test_before_the_run(void **state)
{
    struct host_fixture *f = *state;
    septet_inspect(f->host);
    assert_int_equal(inspected.calls, 0);
    assert_loads(f->host, PRELUDE "task.sleep(0)");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(inspected.calls, 1);
    assert_string_equal(inspected.where, "task #1 'main' was ready to run, at script");
}

static void test_of_a_host_that_is_stepped(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "task.sleep(1000)");
    while (septet_step(f->host, 1000000) == SEPTET_MORE)
        ;
    septet_inspect(f->host);
    septet_wait wait;
    assert_int_equal(septet_next(f->host, &wait), SEPTET_OK);
    assert_int_equal(wait.timeout_ms, 0);
    assert_int_equal(septet_step(f->host, 1000000), SEPTET_IDLE);
    assert_int_equal(inspected.calls, 1);
}

static void test_that_asks_for_another_one(void **state)
{
    struct host_fixture *f = *state;
    inspected.again = 5;
    assert_runs(f->host, "alarm() while inspected() < 6 do end");
    assert_int_equal(inspected.calls, 6);
}

static void test_keeps_the_hook_of_a_script(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, "local n = 0 local function hook() n = n + 1 end\n"
                         "debug.sethook(hook, '', 100)\n"
                         "alarm() while inspected() == 0 do end\n"
                         "local before = n for i = 1, 10000 do end assert(n > before)\n"
                         "local now, mask, count = debug.gethook()\n"
                         "assert(now == hook and mask == '' and count == 100)");
    assert_int_equal(inspected.calls, 1);
}

static void nothing(lua_State *L, lua_Debug *ar)
{
}

/* set_hook(): sets a hook as an embedder's debugger does. has_hook() returns whether it is set. */
static int l_set_hook(lua_State *L)
{
    lua_sethook(L, nothing, LUA_MASKCALL, 0);
    return 0;
}

static int l_has_hook(lua_State *L)
{
    lua_pushboolean(L, lua_gethook(L) == nothing && lua_gethookmask(L) == LUA_MASKCALL);
    return 1;
}

static void test_keeps_the_hook_of_an_embedder(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "set_hook", l_set_hook);
    lua_register(f->L, "has_hook", l_has_hook);
    assert_runs(f->host, "set_hook() alarm() while inspected() == 0 do end assert(has_hook())");
    assert_int_equal(inspected.calls, 1);
}

/* --- at any point --- */

enum { ROUNDS = 300 };

/* Tasks and coroutines take turns, and compute what is known. */
static const char sums[] = PRELUDE
    "local function add(n) local s = 0 for i = 1, n do s = s + i if i % 7 == 0 then "
    "task.sleep(0) end end return s end "
    "local function each(n) return coroutine.wrap(function() coroutine.yield(add(n)) end)() end "
    "repeat local values = task.gather(task.map(each, {10, 50, 90})) "
    "assert(values[1] == 55 and values[2] == 1275 and values[3] == 4095) until inspected() >= 300";

static void test_from_a_handler_at_any_point(void **state)
{
    const struct itimerval often = {.it_value = {.tv_usec = 100}, .it_interval = {.tv_usec = 100}};
    const struct itimerval never = {0};
    struct host_fixture *f = *state;
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    int rc = run_script(f->host, sums);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(rc, SEPTET_OK);
    assert_silent(&f->reports);
    assert_true(inspected.calls >= ROUNDS);
}

/* late(): leaves what a handler does that comes while on_inspect is about to be called for the one
 * before: that call serves both. */
static int l_late(lua_State *L)
{
    struct spt_sched *s = spt_sched_of(L);
    spt_sched_set_urgent(s, SPT_URGENT_INSPECTION);
    spt_hook_urge(L, s);
    return 0;
}

static int l_hooked(lua_State *L)
{
    lua_pushboolean(L, lua_gethook(L) != NULL);
    return 1;
}

static void test_leaves_no_hook_behind(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "late", l_late);
    lua_register(f->L, "hooked", l_hooked);
    assert_runs(f->host, "late() for i = 1, 9 do end assert(not hooked())");
    assert_int_equal(inspected.calls, 0);
}

/* --- from another thread --- */

static void *inspect_from_thread(void *ud)
{
    for (int calls = 0, before = -1; calls < ROUNDS; calls = inspected.calls) {
        if (calls != before) /* otherwise the last one is to come */
            septet_inspect(inspected.host);
        before = calls;
    }
    return NULL;
}

static void check_thread(void **state, const char *source)
{
    struct host_fixture *f = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, inspect_from_thread, NULL), 0);
    int rc = run_script(f->host, source);
    pthread_join(thread, NULL);
    assert_int_equal(rc, SEPTET_OK);
    assert_silent(&f->reports);
    assert_int_equal(inspected.calls, ROUNDS);
}

static void with_signal(septet_config *config)
{
    configure(config);
    config->inspect_signal = SIGALRM;
}

static int setup_signal(void **state)
{
    setup_with(state, with_signal);
    return 0;
}

static void with_count(septet_config *config)
{
    configure(config);
    config->interrupt_count = 100;
}

static int setup_count(void **state)
{
    setup_with(state, with_count);
    return 0;
}

static void test_from_a_thread_by_a_signal(void **state)
{
    check_thread(state, "while inspected() < 300 do end");
}

static void test_from_a_thread_by_a_count(void **state)
{
    check_thread(state, "while inspected() < 300 do end");
}

static void test_from_a_thread_while_the_host_waits(void **state)
{
    check_thread(state, PRELUDE "while inspected() < 300 do task.sleep(0.0001) end");
}

/* --- misuse --- */

static void test_without_a_callback(void **state)
{
    struct reports reports;
    septet_host *host = new_host(&reports);
    septet_inspect(host);
    assert_runs(host, PRELUDE "task.sleep(0)");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_bad_signals(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    int status;
    config.inspect_signal = -1;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    config.inspect_signal = 1000;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INSPECT(test_of_a_script_that_spins),
        INSPECT(test_of_a_coroutine_that_spins),
        INSPECT(test_of_a_script_that_waits),
        INSPECT(test_of_a_script_that_only_yields),
        INSPECT(test_of_a_loop_in_a_c_function),
        INSPECT(test_before_the_run),
        INSPECT(test_of_a_host_that_is_stepped),
        INSPECT(test_that_asks_for_another_one),
        INSPECT(test_keeps_the_hook_of_a_script),
        INSPECT(test_keeps_the_hook_of_an_embedder),
        INSPECT(test_from_a_handler_at_any_point),
        INSPECT(test_leaves_no_hook_behind),
        cmocka_unit_test_setup_teardown(test_from_a_thread_by_a_signal, setup_signal, teardown),
        cmocka_unit_test_setup_teardown(test_from_a_thread_by_a_count, setup_count, teardown),
        INSPECT(test_from_a_thread_while_the_host_waits),
        cmocka_unit_test(test_without_a_callback),
        cmocka_unit_test(test_bad_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
