/* Shields, and tasks that are moved from scope to scope. */
#include "support/sched_fixture.h"

/* --- moving --- */

static void test_scope_move_takes_cancellation_and_deadline_along(void **state)
{
    start("block(true, false, 5, function(to)\n"
          "  block(true, false, 1, function(from)\n"
          "    local t = from:spawn(function() local _, e = pcall(fake, 'a') log(e.source, "
          "core.now() - T0) end)\n"
          "    T0 = core.now() core.scope_move(t, to)\n"
          "  end) log 'from' fake 'b'\n"
          "end) log 'to'");
    assert_log("from");
    advance(1);
    assert_log("");
    done("b", 0);
    run();
    assert_log("");
    advance(4);
    assert_log("deadline 5.0 to");
}

static void test_scope_move_into_a_cancelled_one_cancels(void **state)
{
    start("block(true, false, nil, function(to) to:cancel 'gone'\n"
          "  block(true, true, nil, function(from)\n"
          "    local t = from:spawn(function() local _, e = pcall(fake, 'a') log(e.reason) end)\n"
          "    fake 'b' core.scope_move(t, to) log 'moved'\n"
          "  end)\n"
          "end)");
    done("b", 0);
    run();
    assert_log("moved gone");
    assert_counts("a", 1, 1, 0, 0);
}

static void test_scope_move_of_the_last_task_ends_the_join(void **state)
{
    start("block(true, false, nil, function(to)\n"
          "  block(true, false, nil, function(from) T = from:spawn(function() fake 'a' end) TO = "
          "to end)\n"
          "  log 'joined'\n"
          "end) log 'end'");
    assert_log("");
    script("core.scope_move(T, TO)");
    run();
    assert_log("joined");
    done("a", 0);
    run();
    assert_log("end");
}

/* --- shields --- */

static void test_scope_shield_stops_cancellation(void **state)
{
    fake_closing("a");
    start("T = core.spawn(function()\n"
          "  block(false, true, nil, function(s) s:spawn(function() log('child', (fake 'b')) end)\n"
          "    log(fake 'a') core.scope_join(s) end)\n"
          "  log(try(fake, 'c'))\n"
          "end) pcall(T.await, T)");
    cancel("T", NULL);
    assert_counts("a", 1, 0, 0, 0);
    run();
    done("a", 1);
    done("b", 2);
    run();
    assert_log("1 a child 2 Cancelled");
    assert_counts("c", 0, 0, 0, 0);
}

static void test_scope_shield_opened_in_a_cancelled_task(void **state)
{
    start("T = core.spawn(function()\n"
          "  local c <close> = closer(function()\n"
          "    block(false, true, nil, function() log(fake 'cleanup') end) log(try(fake, 'x'))\n"
          "  end)\n"
          "  fake 'a'\n"
          "end) log(try(T.await, T))");
    cancel("T", NULL);
    run();
    done("cleanup", 1);
    run();
    assert_log("1 cleanup Cancelled TaskCancelled");
}

static void test_scope_shield_obeys_its_own_cancel_and_deadline(void **state)
{
    start("local _, e = block(false, true, 1, function() fake 'a' end) log(e.source)\n"
          "_, e = block(false, true, nil, function(s) S = s fake 'b' end) log(e.source)");
    advance(1);
    script("S:cancel()");
    run();
    assert_log("deadline cancel");
}

static void test_scope_block_inside_a_shield_is_shielded(void **state)
{
    start("T = core.spawn(function() block(false, true, nil, function()\n"
          "  block(false, false, nil, function() log(fake 'a') end) end) end) pcall(T.await, T)");
    cancel("T", NULL);
    done("a", 1);
    run();
    assert_log("1 a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scope_move_takes_cancellation_and_deadline_along),
        TEST(test_scope_move_into_a_cancelled_one_cancels),
        TEST(test_scope_move_of_the_last_task_ends_the_join),
        TEST(test_scope_shield_stops_cancellation),
        TEST(test_scope_shield_opened_in_a_cancelled_task),
        TEST(test_scope_shield_obeys_its_own_cancel_and_deadline),
        TEST(test_scope_block_inside_a_shield_is_shielded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
