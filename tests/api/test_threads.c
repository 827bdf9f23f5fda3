/* SPDX-License-Identifier: MIT */
/* Interrupts from other threads and from signal handlers, wherever the host is. */
#include "support/host_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "septet/op.h"

#define ROUNDS 1000

/* Scripts that never end by themselves. Those that compute allocate: ThreadSanitizer delivers a
 * signal only when the thread calls the C library. */
#define SLEEPS PRELUDE "task.sleep(1e6)"
#define SPINS  "while true do local t = {} end"

static septet_host *_Atomic handled; /* interrupted by on_signal() */

static void on_signal(int number)
{
    septet_host *host = handled;
    if (host)
        septet_interrupt(host);
}

static void catch_signal(int number)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

/* Another thread, which interrupts the host once in each round. */
struct interrupter {
    septet_host *host;
    atomic_int round; /* begun */
    atomic_int done;  /* rounds in which it has interrupted */
    int rounds;
};

static void *interrupt_each_round(void *ud)
{
    struct interrupter *other = ud;
    for (int i = 1; i <= other->rounds; i++) {
        while (other->round < i)
            sched_yield();
        septet_interrupt(other->host);
        other->done = i;
    }
    return NULL;
}

static int run_to_end(septet_host *host)
{
    return septet_run(host);
}

static int step_to_end(septet_host *host)
{
    while (septet_step(host, 100) > 0)
        ;
    return SEPTET_EINTERRUPTED;
}

/* now(): begins the round. */
static int l_now(lua_State *L)
{
    struct interrupter *other = lua_touserdata(L, lua_upvalueindex(1));
    other->round++;
    return 0;
}

/* Has another thread interrupt a run of `source` in each round: at any point of it, or once it has
 * called now(). */
static void interrupt_rounds(septet_config config, int rounds, int (*run)(septet_host *),
                             const char *source)
{
    struct interrupter other = {.rounds = rounds};
    pthread_t thread;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    other.host = host;
    handled = host;
    lua_pushlightuserdata(septet_lua(host), &other);
    lua_pushcclosure(septet_lua(host), l_now, 1);
    lua_setglobal(septet_lua(host), "now");
    assert_int_equal(pthread_create(&thread, NULL, interrupt_each_round, &other), 0);
    for (int i = 1; i <= rounds; i++) {
        assert_loads(host, source);
        if (!strstr(source, "now()"))
            other.round = i;
        assert_int_equal(run(host), SEPTET_EINTERRUPTED);
        assert_int_equal(septet_tasks(host), 0);
        while (other.done < i)
            sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_runs(host, PRELUDE "task.sleep(0.001)");
    handled = NULL;
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static struct reports reports;

static void test_e_1_a_thread_interrupts_a_host_that_waits(void **state)
{
    interrupt_rounds(config_for(&reports), ROUNDS, run_to_end, SLEEPS);
    assert_silent(&reports);
}

static void test_e_1_a_thread_interrupts_a_host_that_is_stepped(void **state)
{
    interrupt_rounds(config_for(&reports), ROUNDS, step_to_end, SLEEPS);
    assert_silent(&reports);
}

static void test_e_1_a_thread_interrupts_tasks_that_take_turns(void **state)
{
    interrupt_rounds(config_for(&reports), ROUNDS, run_to_end,
                     PRELUDE "for i = 1, 5 do task.spawn(function() while true do "
                             "task.checkpoint() end end) end task.sleep(1e6)");
    assert_silent(&reports);
}

/* The other thread has on_signal() called on this one. */
static septet_config config_with_signal(void)
{
    septet_config config = config_for(&reports);
    config.interrupt_signal = SIGUSR1;
    catch_signal(SIGUSR1);
    return config;
}

static void test_e_1_a_signal_reaches_a_script_that_spins(void **state)
{
    interrupt_rounds(config_with_signal(), ROUNDS, run_to_end, SPINS);
    assert_silent(&reports);
}

static void test_e_1_a_signal_reaches_a_coroutine_that_spins(void **state)
{
    interrupt_rounds(config_with_signal(), ROUNDS / 10, run_to_end,
                     "coroutine.wrap(function() " SPINS " end)()");
    assert_silent(&reports);
}

static void test_e_1_a_signal_reaches_a_host_that_waits(void **state)
{
    interrupt_rounds(config_with_signal(), ROUNDS, run_to_end, SLEEPS);
    assert_silent(&reports);
}

static septet_config config_with_count(void)
{
    septet_config config = config_for(&reports);
    config.interrupt_count = 100;
    return config;
}

static void test_e_1_a_count_reaches_a_script_that_spins(void **state)
{
    interrupt_rounds(config_with_count(), ROUNDS, run_to_end, "while true do end");
    assert_silent(&reports);
}

static void test_e_1_a_count_reaches_a_coroutine_that_spins(void **state)
{
    interrupt_rounds(config_with_count(), ROUNDS / 10, run_to_end,
                     "coroutine.wrap(function() while true do end end)()");
    assert_silent(&reports);
}

static void test_e_1_a_count_reaches_a_script_with_a_hook_of_its_own(void **state)
{
    septet_config config = config_with_count();
    config.profile = SEPTET_PROFILE_TRUSTED;
    interrupt_rounds(config, ROUNDS / 10, run_to_end,
                     "debug.sethook(function() end, '', 1000) while true do end");
    assert_silent(&reports);
}

static void test_e_1_a_count_goes_with_a_limit_of_time(void **state)
{
    septet_config config = config_with_count();
    config.limits.slice_ms = 1000000;
    interrupt_rounds(config, ROUNDS / 10, run_to_end, "while true do end");
    assert_silent(&reports);
}

/* The script spins between two turns: in a hook of a trace. */
static void test_e_1_a_count_reaches_what_runs_between_two_turns(void **state)
{
    interrupt_rounds(config_with_count(), ROUNDS / 100, run_to_end,
                     PRELUDE
                     "local s = http.session { trace = { request_exception = function() "
                     "now() while true do end end } } pcall(s.get, s, 'http://127.0.0.1:1/') "
                     "task.sleep(1e6)");
}

static void test_e_1_an_interrupt_from_a_handler_at_any_point(void **state)
{
    const struct itimerval often = {.it_interval.tv_usec = 300, .it_value.tv_usec = 300}, off = {0};
    septet_config config = config_for(&reports);
    septet_host *host = septet_new(&config, NULL);
    int interrupted = 0;
    catch_signal(SIGALRM);
    handled = host;
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        interrupted += run_script(host, i % 2 ? SPINS
                                              : PRELUDE "for i = 1, 20 do "
                                                        "task.spawn(task.sleep, 1e-4) end "
                                                        "task.sleep(1e6)") == SEPTET_EINTERRUPTED;
    handled = NULL;
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(interrupted, ROUNDS);
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- the end of the host --- */

/* Another thread, which interrupts the host until it is told to stop. */
struct pest {
    septet_host *host;
    pthread_t thread;
    atomic_bool stop;
    atomic_long calls;
};

static void *interrupt_for_ever(void *ud)
{
    struct pest *pest = ud;
    while (!pest->stop) {
        septet_interrupt(pest->host);
        pest->calls++;
    }
    return NULL;
}

/* Stops the thread, in a finalizer: the last point at which the host still exists. */
static int l_stop(lua_State *L)
{
    struct pest *pest = *(struct pest **)lua_touserdata(L, 1);
    long calls = pest->calls;
    while (pest->calls < calls + 10)
        sched_yield();
    pest->stop = true;
    assert_int_equal(pthread_join(pest->thread, NULL), 0);
    return 0;
}

static void stop_in_finalizer(lua_State *L, struct pest *pest)
{
    *(struct pest **)lua_newuserdatauv(L, sizeof pest, 0) = pest;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_stop);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    luaL_ref(L, LUA_REGISTRYINDEX);
}

static void interrupt_while_it_ends(septet_config config)
{
    for (int i = 0; i < ROUNDS / 20; i++) {
        septet_host *host = septet_new(&config, NULL);
        struct pest pest = {.host = host};
        handled = host;
        stop_in_finalizer(septet_lua(host), &pest);
        assert_loads(host, PRELUDE "for i = 1, 20 do task.spawn(function() local _ <close> = "
                                   "setmetatable({}, {__close = function() for i = 1, 100 do local "
                                   "t = {} end end}) task.sleep(1e6) end) end task.sleep(1e6)");
        assert_int_equal(pthread_create(&pest.thread, NULL, interrupt_for_ever, &pest), 0);
        septet_step(host, 100);
        handled = NULL;
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_true(pest.stop);
    }
}

static void test_e_1_interrupts_while_the_host_ends(void **state)
{
    interrupt_while_it_ends(config_for(&reports));
}

static void test_e_1_signals_while_the_host_ends(void **state)
{
    interrupt_while_it_ends(config_with_signal());
}

static void test_e_1_a_bad_signal_is_refused(void **state)
{
    septet_config config = config_for(&reports);
    int status = 0;
    config.interrupt_signal = -1;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    config.interrupt_signal = NSIG;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_1_a_thread_interrupts_a_host_that_waits),
        cmocka_unit_test(test_e_1_a_thread_interrupts_a_host_that_is_stepped),
        cmocka_unit_test(test_e_1_a_thread_interrupts_tasks_that_take_turns),
        cmocka_unit_test(test_e_1_a_signal_reaches_a_script_that_spins),
        cmocka_unit_test(test_e_1_a_signal_reaches_a_coroutine_that_spins),
        cmocka_unit_test(test_e_1_a_signal_reaches_a_host_that_waits),
        cmocka_unit_test(test_e_1_a_count_reaches_a_script_that_spins),
        cmocka_unit_test(test_e_1_a_count_reaches_a_coroutine_that_spins),
        cmocka_unit_test(test_e_1_a_count_reaches_a_script_with_a_hook_of_its_own),
        cmocka_unit_test(test_e_1_a_count_goes_with_a_limit_of_time),
        cmocka_unit_test(test_e_1_a_count_reaches_what_runs_between_two_turns),
        cmocka_unit_test(test_e_1_an_interrupt_from_a_handler_at_any_point),
        cmocka_unit_test(test_e_1_interrupts_while_the_host_ends),
        cmocka_unit_test(test_e_1_signals_while_the_host_ends),
        cmocka_unit_test(test_e_1_a_bad_signal_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
