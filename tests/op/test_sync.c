/* SPDX-License-Identifier: MIT */
/* What of events, semaphores, locks and channels scripts cannot see: what is reported of a lock
 * that was left held, what is left where memory runs out, and what becomes of waiters when the host
 * or the state ends under them. */
#include "core/core.h"
#include "core/pass.h"
#include "support/sched_fixture.h"

/* --- locks and the tasks that hold them --- */

static void test_sync_lock_of_an_ended_task_goes_to_the_next(void **state)
{
    start_script("lock_of_an_ended_task_goes_to_the_next");
    done("a", 0);
    run();
    assert_warned("task 'a' ended holding a lock");
    assert_warned("task 'b' ended holding a lock");
    assert_log("b true c");
    script("log(L:locked())");
    assert_log("false");
    done("main", 0);
    run();
}

static void test_sync_lock_of_a_failed_and_of_a_cancelled_task_is_released(void **state)
{
    start_script("lock_of_a_failed_and_of_a_cancelled_task_is_released");
    cancel("B", NULL);
    done("a", 0);
    run();
    assert_warned("ended holding a lock");
    assert_warned("ended holding a lock");
    script("log(L:locked(), M:locked())");
    assert_log("false false");
}

static void test_sync_lock_stays_with_a_task_until_its_children_have_ended(void **state)
{
    start_script("lock_stays_with_a_task_until_its_children_have_ended");
    assert_log("true");
    assert_warned("ended holding a lock");
    script("log(L:locked())");
    assert_log("false");
    done("main", 0);
    run();
}

static void test_sync_locks_are_released_last_first(void **state)
{
    start_script("locks_are_released_last_first");
    advance(1);
    assert_log("M L");
    assert_warned("ended holding a lock");
    assert_warned("ended holding a lock");
    advance(1);
}

static void test_sync_lock_that_only_its_owner_has_is_kept(void **state)
{
    start_script("lock_that_only_its_owner_has_is_kept");
    done("a", 0);
    run();
    for (int i = 0; i < 4; i++)
        assert_warned("ended holding a lock");
    script("collectgarbage()");
}

static void visit(void *ud, void *t)
{
    assert_null(*(void **)ud);
    *(void **)ud = t;
}

static void test_sync_lock_names_its_owner_as_the_blocker(void **state)
{
    start_script("lock_names_its_owner_as_the_blocker");
    void *blocker = NULL;
    const septet_op *op = task("C")->wait.op;
    op->type->blockers(op, visit, &blocker);
    assert_ptr_equal(blocker, task("A"));
    done("a", 0);
    run();
    blocker = NULL;
    op->type->blockers(op, visit, &blocker);
    assert_ptr_equal(blocker, task("B"));
    done("b", 0);
    done("main", 0);
    run();
}

/* --- the loop --- */

static void test_sync_what_is_done_outside_the_drain_wakes(void **state)
{
    start_script("what_is_done_outside_the_drain_wakes");
    unsigned wakes = fixture.wakes;
    script("E:set() S:release() C:try_send 'C'");
    assert_int_equal(fixture.wakes, wakes + 3);
    assert_log("");
    run();
    assert_log("E S C");
    done("a", 0);
    run();
}

static void test_sync_a_lock_needs_a_task(void **state)
{
    script("L = core.lock() log(try(L.acquire, L), try(L.try_acquire, L), try(L.release, L), "
           "L:locked())");
    assert_log("Usage Usage Usage false");
}

static void test_sync_waits_for_each_other_are_a_deadlock(void **state)
{
    struct spt_task *t =
        start("core.spawn(function() core.channel():recv() end) core.event():wait()");
    assert_true(spt_sched_deadlocked(&fixture.sched));
    spt_scope_cancel(&t->root, "cancel", NULL);
    run();
}

/* --- deadlines --- */

/* A clock that goes on each time it is read: the deadline passes between any two readings of it. */
static uint64_t ticking(void *ud)
{
    return ++fixture.now;
}

static void test_sync_channel_that_has_acted_is_not_refused(void **state)
{
    fixture.sched.hooks.now = ticking;
    start("C, D, in_time = core.channel(1), core.channel(1), 0");
    for (int ns = 0; ns < 50; ns++) {
        char code[512];
        snprintf(code, sizeof code,
                 "while C:try_recv() do end D:try_send 'x'\n"
                 "block(false, false, %d * 1e-9, function()\n"
                 "  SENT = pcall(C.send, C, 'y')\n"
                 "end)\n"
                 "block(false, false, %d * 1e-9, function()\n"
                 "  RECEIVED = pcall(D.recv, D)\n"
                 "end)\n"
                 "assert(SENT == (#C == 1)) assert(RECEIVED == (#D == 0))\n"
                 "in_time = in_time + (SENT and 1 or 0) + (RECEIVED and 1 or 0)",
                 ns, ns);
        start(code);
    }
    script("log(in_time > 20, in_time < 100)"); /* some were late, some were not */
    assert_log("true true");
}

/* --- the end of the host, and of the state --- */

static void test_sync_waiters_are_unwound_with_the_host(void **state)
{
    start_script("waiters");
    fake("main");
    spt_pass_unwind(&fixture.sched);
    assert_warned("ended holding a lock");
    assert_int_equal(fixture.sched.counts.live, 0);
    script("collectgarbage() log(E:is_set(), S:value(), L:locked(), #D, D:try_recv()) E:set() "
           "S:release() C:close() "
           "log(try(C.try_send, C, 1), try(L.try_acquire, L))");
    assert_log("false 0 false 1 kept ChannelClosed Usage");
    assert_warned("collected before it was closed");
    assert_warned("collected before it was closed");
    fixture.sched.run.shutting_down = false;
}

static void test_sync_state_closed_under_waiters_is_left_alone(void **state)
{
    assert_int_equal(sched_fixture_setup(NULL), 0);
    start_script("waiters");
    spt_core_release(&fixture.sched);
    lua_close(fixture.L);
    assert_int_equal(fixture.memory.blocks, 0);
    assert_int_equal(fixture.warnings.n, 0);
}

/* --- out of memory, everywhere --- */

/* Whatever failed, permits, locks and items are conserved. */
static void check_sweep(long n, bool failed)
{
    script("if D then\n"
           "  local v repeat v = D:try_recv() got = got + (v and 1 or 0) until not v\n"
           "  log(S:value(), L:locked(), sent == got or sent .. ' sent, ' .. got .. ' received', "
           "complete)\n"
           "end");
    if (logged()[0] && strncmp(logged(), "2 false true", 12) != 0)
        fail_msg("allocation %ld: %s", n, logged());
    if (!failed)
        assert_log("2 false true true");
}

static const struct sweep sweep = {"op/sweep_sync.lua", NULL, 3, 5, check_sweep};

static void test_sync_out_of_memory_once_loses_nothing(void **state)
{
    fail_each_allocation(&sweep, 2);
}

static void test_sync_out_of_memory_for_ever_loses_nothing(void **state)
{
    fail_each_allocation(&sweep, 1000000);
}

static int length_of(const char *channel)
{
    lua_getglobal(fixture.L, channel);
    int n = (int)luaL_len(fixture.L, -1);
    lua_pop(fixture.L, 1);
    return n;
}

/* Sends with no memory at all, and where that fails, again. */
static void growth_fails(const char *method)
{
    char code[256];
    snprintf(code, sizeof code,
             "C, failures = core.channel(math.huge), 0\n"
             "for i = 1, 20 do\n"
             "  fake 'go'\n"
             "  while not pcall(C.%s, C, i) do failures = failures + 1 fake 'go' end\n"
             "end",
             method);
    start(code);
    for (int item = 1; item <= 20; item++) {
        fail_memory(1, 1000000);
        done("go", 0);
        run();
        mend_memory();
        if (length_of("C") < item) {
            done("go", 0);
            run();
        }
        assert_int_equal(length_of("C"), item);
    }
    script("for i = 1, 20 do assert(C:try_recv() == i) end log(#C, failures)");
    assert_log("0 4"); /* it grew to 4, 8, 16 and 32 */
}

static void test_sync_channel_that_cannot_grow_is_as_it_was(void **state)
{
    growth_fails("send");
    growth_fails("try_send");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sync_lock_of_an_ended_task_goes_to_the_next),
        TEST(test_sync_lock_of_a_failed_and_of_a_cancelled_task_is_released),
        TEST(test_sync_lock_stays_with_a_task_until_its_children_have_ended),
        TEST(test_sync_locks_are_released_last_first),
        TEST(test_sync_lock_that_only_its_owner_has_is_kept),
        TEST(test_sync_lock_names_its_owner_as_the_blocker),
        TEST(test_sync_what_is_done_outside_the_drain_wakes),
        TEST(test_sync_a_lock_needs_a_task),
        TEST(test_sync_waits_for_each_other_are_a_deadlock),
        TEST(test_sync_channel_that_has_acted_is_not_refused),
        TEST(test_sync_waiters_are_unwound_with_the_host),
        cmocka_unit_test(test_sync_state_closed_under_waiters_is_left_alone),
        cmocka_unit_test(test_sync_out_of_memory_once_loses_nothing),
        cmocka_unit_test(test_sync_out_of_memory_for_ever_loses_nothing),
        TEST(test_sync_channel_that_cannot_grow_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
