/* SPDX-License-Identifier: MIT */
/* A storm of signals, with a handler that lets every system call be interrupted, does nothing to
 * requests. */
#include "support/host_fixture.h"

#include <signal.h>
#include <sys/time.h>

enum { PERIOD_US = 1000, ENOUGH = 500 };

static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
    signals++;
}

static int l_signals(lua_State *L)
{
    lua_pushinteger(L, signals);
    return 1;
}

static void set_storm(long period_us)
{
    struct itimerval every = {{0, period_us}, {0, period_us}};
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void test_fault_44_a_storm_of_signals(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    struct host_fixture *f = *state;
    lua_State *L = f->L;
    lua_pushinteger(L, ENOUGH);
    lua_setglobal(L, "enough");
    lua_register(L, "signals", l_signals);
    set_storm(PERIOD_US);
    int rc = run_test_file(f->host, "faults/signals.lua");
    set_storm(0);
    if (rc != SEPTET_OK)
        fail_msg("%s\n%s", f->reports.message, f->reports.traceback);
    assert_silent(&f->reports);
    assert_true(signals >= ENOUGH);
    assert_true(global(L, "rounds") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fault_44_a_storm_of_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
