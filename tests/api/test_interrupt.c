/* SPDX-License-Identifier: MIT */
/* septet_interrupt, from wherever it may be called. */
#include "support/host_fixture.h"

#include <signal.h>
#include <sys/time.h>
#include <uv.h>

#include "septet/op.h"

static septet_host *to_interrupt;

static int l_interrupt(lua_State *L)
{
    septet_interrupt(septet_host_of(L));
    return 0;
}

/* The script was ended, and the host runs the next. */
static void check_interrupted(struct host_fixture *f)
{
    assert_int_equal(f->reports.errors, 0);
    assert_int_equal(septet_tasks(f->host), 0);
    assert_int_equal(global(f->L, "closed"), 1);
    assert_runs(f->host, PRELUDE "task.sleep(0.001) again = 1");
    assert_int_equal(global(f->L, "again"), 1);
}

#define ON_CLOSE                                                                                   \
    "local _ <close> = setmetatable({}, {__close = function() closed = (closed or 0) + 1 end}) "

static void test_interrupt_from_a_task(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "interrupt", l_interrupt);
    assert_int_equal(run_script(f->host, PRELUDE ON_CLOSE "interrupt() task.sleep(1000)"),
                     SEPTET_EINTERRUPTED);
    check_interrupted(f);
}

static void test_interrupt_from_another_task_ends_the_main(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "interrupt", l_interrupt);
    assert_int_equal(run_script(f->host, PRELUDE ON_CLOSE
                                "task.background(function() task.sleep(0.001) interrupt() end)"
                                "task.sleep(1000)"),
                     SEPTET_EINTERRUPTED);
    check_interrupted(f);
}

static void test_interrupt_from_a_task_of_another_ones_shield(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "interrupt", l_interrupt);
    assert_int_equal(run_script(f->host, PRELUDE ON_CLOSE
                                "task.shield(function()"
                                "  task.spawn(function()"
                                "    interrupt() for _ = 1, 1e5 do end task.sleep(0) kept = 1"
                                "  end):await() "
                                "end) task.sleep(1000)"),
                     SEPTET_EINTERRUPTED);
    assert_int_equal(global(f->L, "kept"), 1);
    check_interrupted(f);
}

static void on_timer_interrupt(uv_timer_t *timer)
{
    septet_interrupt(to_interrupt);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_interrupt_from_a_callback_of_the_loop(void **state)
{
    uv_timer_t timer;
    struct host_fixture *f = *state;
    to_interrupt = f->host;
    assert_int_equal(uv_timer_init(septet_loop(f->host), &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_timer_interrupt, 1, 0), 0);
    assert_int_equal(run_script(f->host, PRELUDE ON_CLOSE "task.sleep(1000)"), SEPTET_EINTERRUPTED);
    check_interrupted(f);
}

static void test_interrupt_before_the_run(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE ON_CLOSE "task.sleep(1000)");
    assert_int_equal(septet_step(f->host, 0), 1);
    septet_interrupt(f->host);
    assert_int_equal(septet_run(f->host), SEPTET_EINTERRUPTED);
    check_interrupted(f);
}

static void on_alarm(int number)
{
    septet_interrupt(to_interrupt);
}

/* alarm(): interrupts from a signal handler a few milliseconds later. */
static int l_alarm(lua_State *L)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 5000}};
    if (setitimer(ITIMER_REAL, &soon, NULL) != 0)
        return luaL_error(L, "cannot set a timer");
    return 0;
}

static void check_spin(struct host_fixture *f, const char *source)
{
    to_interrupt = f->host;
    lua_register(f->L, "alarm", l_alarm);
    signal(SIGALRM, on_alarm);
    assert_int_equal(run_script(f->host, source), SEPTET_EINTERRUPTED);
    signal(SIGALRM, SIG_DFL);
    check_interrupted(f);
}

static void test_interrupt_from_a_signal_handler(void **state)
{
    check_spin(*state, PRELUDE ON_CLOSE "alarm() task.sleep(1000)");
}

static void test_interrupt_of_a_script_that_spins(void **state)
{
    check_spin(*state, ON_CLOSE "alarm() while true do end");
}

static void test_interrupt_of_a_coroutine_that_spins(void **state)
{
    check_spin(*state, ON_CLOSE "alarm() coroutine.wrap(function() while true do end end)()");
}

static void test_interrupt_of_a_script_that_yields_for_ever(void **state)
{
    check_spin(*state, PRELUDE ON_CLOSE "alarm() while true do task.sleep(0) end");
}

static int pause_start(septet_op *op)
{
    return SEPTET_OK;
}

static void pause_cancel(septet_op *op)
{
}

static int pause_push(septet_op *op, lua_State *L)
{
    return 0;
}

static const septet_op_type pause_type = {.name = "pause",
                                          .size = sizeof(septet_op),
                                          .abi = SEPTET_OP_ABI,
                                          .start = pause_start,
                                          .cancel = pause_cancel,
                                          .push = pause_push};

/* Runs no code after the interrupt that could feel it. */
static int l_interrupt_and_wait(lua_State *L)
{
    septet_op *op = septet_op_new(L, &pause_type);
    septet_interrupt(septet_host_of(L));
    return septet_op_await(L, op);
}

/* A task that is one request, and whose response has come, is the first to feel the interrupt: it
 * fails before it takes the response, which is freed then. */
static void test_interrupt_of_a_request_that_is_done(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "interrupt_and_wait", l_interrupt_and_wait);
    assert_int_equal(run_script(f->host, PRELUDE ON_CLOSE
                                "local session, get = http.session() "
                                "repeat "
                                "  get = task.spawn(session.get, session, origin .. '/bytes/9999') "
                                "  task.sleep(0) "
                                "  while get:waits_for() ~= '' do task.sleep(0) end "
                                "until get:status() == 'suspended' "
                                "interrupt_and_wait()"),
                     SEPTET_EINTERRUPTED);
    check_interrupted(f);
}

static void test_interrupt_of_a_script_that_has_ended(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, "return");
    septet_interrupt(f->host);
    host_fixture_close(f);
    assert_silent(&f->reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_interrupt_from_a_task),
        TEST(test_interrupt_from_another_task_ends_the_main),
        TEST(test_interrupt_from_a_task_of_another_ones_shield),
        TEST(test_interrupt_from_a_callback_of_the_loop),
        TEST(test_interrupt_before_the_run),
        TEST(test_interrupt_from_a_signal_handler),
        TEST(test_interrupt_of_a_script_that_spins),
        TEST(test_interrupt_of_a_coroutine_that_spins),
        TEST(test_interrupt_of_a_script_that_yields_for_ever),
        TEST(test_interrupt_of_a_request_that_is_done),
        TEST(test_interrupt_of_a_script_that_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
