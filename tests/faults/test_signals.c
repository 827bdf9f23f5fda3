/* A storm of signals, whose handler lets every system call be interrupted, does nothing to
 * requests. */
#include "support/host_fixture.h"

#include <signal.h>
#include <sys/time.h>

enum { PERIOD_US = 1000, ENOUGH = 500 };

static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
    (void)number;
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

static const char script[] = PRELUDE
    "local session <close> = http.session { limit = 40, limit_per_host = 20 } "
    "local port = origin:match ':(%d+)$' "
    "local kinds = { "
    "  function() return #session:get(origin .. '/bytes/200000').body == 200000 end, "
    "  function() return #session:get(origin .. '/chunked?chunks=50').body == 12800 end, "
    "  function() return session:get('http://localhost:' .. port .. '/close').status == 200 end, "
    "  function() "
    "    return session:post(origin .. '/echo', { body = ('x'):rep(300000) }).status == 200 end, "
    "  function() return session:get(origin .. '/delay/0.01').status == 200 end, "
    "  function() local ok, e = pcall(session.get, session, 'http://127.0.0.1:1/') "
    "    return not ok and e.code == 'connect' and e.reason == 'refused' end, "
    "  function() local t0 = task.now() "
    "    local ok, e = pcall(session.get, session, origin .. '/stall', { timeout = 0.03 }) "
    "    return not ok and e.code == 'timeout' and task.now() - t0 >= 0.03 end, "
    "  function() local t0 = task.now() task.sleep(0.02) return task.now() - t0 >= 0.02 end, "
    "} "
    "rounds = 0 "
    "while signals() < enough do "
    "  local list = {} "
    "  for i = 1, 24 do list[i] = kinds[i % #kinds + 1] end "
    "  for i, good in ipairs(task.gather(list)) do assert(good, i % #kinds + 1) end "
    "  rounds = rounds + 1 "
    "end";

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
    int rc = run_script(f->host, script);
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
