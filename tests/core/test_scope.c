/* SPDX-License-Identifier: MIT */
/* Scopes: what is cancelled, by what, in which order, and what a scope does when it closes. */
#include "support/sched_fixture.h"

/* --- cancellation flows down --- */

static void test_scope_cancel_reaches_all_below_in_order_of_spawning(void **state)
{
    start_script("cancel_reaches_all_below_in_order_of_spawning");
    cancel("T", NULL);
    assert_counts("b3", 1, 1, 0, 0);
    run();
    assert_log("t 1a 1b 2a 2b 3a 3b");
    done("main", 0);
    run();
}

static void test_scope_cancel_of_a_block_leaves_what_is_around(void **state)
{
    start_script("cancel_of_a_block_leaves_what_is_around");
    script("log(G:cancel('r'), G:cancel('s'))");
    run();
    assert_log("true false false Cancelled true");
    done("out", 1);
    done("after", 0);
    run();
    assert_log("sibling 1 after");
}

static void test_scope_task_spawned_in_a_cancelled_scope_is_born_cancelled(void **state)
{
    start("block(true, false, nil, function(g) g:cancel() g:spawn(function()\n"
          "  log 'runs' log(try(fake, 'a')) end) end)");
    assert_log("runs Cancelled");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_scope_canceller_gives_the_reason_of_the_outermost(void **state)
{
    start_script("canceller_gives_the_reason_of_the_outermost");
    script("G:cancel('inner')");
    cancel("T", "outer");
    run();
    assert_log("cancelled: outer outer cancel cancelled: outer outer");
}

static void test_scope_cancelled_error_names_the_task_that_asked(void **state)
{
    start_script("cancelled_error_names_the_task_that_asked");
    assert_log("true");
}

/* A task that is cancelled by its own block's end is absorbed there; one cancelled from outside too
 * is not. */
static void test_scope_absorbs_unless_one_around_is_cancelled(void **state)
{
    start_script("absorbs_unless_one_around_is_cancelled");
    script("G:cancel()");
    cancel("T", NULL);
    run();
    assert_log("false");
}

#define DEEP 100000

/* Each task waits in the one above; the walk and the joins back up take no stack. */
static void test_scope_chain_of_100000_spawns_is_cancelled_without_recursion(void **state)
{
    set_integer("deep", DEEP);
    start_script("chain_of_spawns");
    assert_int_equal(fixture.sched.counts.live, DEEP + 1);
    cancel("T", NULL);
    run();
    script("log(n)");
    char expected[16];
    snprintf(expected, sizeof expected, "%d", DEEP);
    assert_log(expected);
}

/* Every body is over at once, and only the last task still runs. */
static void test_scope_chain_of_100000_ends_is_joined_without_recursion(void **state)
{
    set_integer("deep", DEEP);
    start_script("chain_of_ends");
    assert_int_equal(fixture.sched.counts.live, DEEP + 1);
    done("last", 0);
    run();
    assert_log("joined");
}

static void test_scope_wide_cancel(void **state)
{
    start_script("wide_cancel");
    script("G:cancel()");
    run();
    assert_log("10000");
}

/* --- groups --- */

static void test_scope_failing_child_of_a_group_cancels_its_siblings(void **state)
{
    start_script("failing_child_of_a_group_cancels_its_siblings");
    done("bad", 0);
    run();
    assert_log("body sibling 1 sibling 2 sibling closed");
    assert_unhandled("bad");
}

static void test_scope_failing_child_of_a_plain_scope_cancels_nobody(void **state)
{
    start("block(false, false, nil, function(g) g:spawn(error, 'bad') log(fake 'a') end)");
    assert_int_equal(fixture.unhandled.n, 0);
    done("a", 1);
    run();
    assert_log("1 a");
    assert_unhandled("bad");
}

static void test_scope_failures_are_told_once_at_its_close(void **state)
{
    start_script("failures_are_told_once_at_its_close");
    done("x", 0);
    run();
    assert_unhandled("one");
    assert_unhandled("two");
    assert_int_equal(fixture.unhandled.n, 0);
    done("after", 0);
    run();
}

static void test_scope_failures_that_were_awaited_are_not_told(void **state)
{
    start("block(false, false, nil, function(g)\n"
          "  local t = g:spawn(error, 'seen') log(try(t.await, t)) end)");
    assert_log("string");
    assert_int_equal(fixture.unhandled.n, 0);
}

static void test_scope_failures_are_handed_out_oldest_first(void **state)
{
    start_script("failures_are_handed_out_oldest_first");
    assert_log("e1 e2 e3");
    assert_int_equal(fixture.unhandled.n, 0);
}

static void test_scope_close_tells_of_its_tasks(void **state)
{
    start_script("close_tells_of_its_tasks");
    assert_log("false false false true true true");
}

/* --- the join of a closing scope --- */

static void test_scope_join_is_not_cancelled(void **state)
{
    start_script("join_is_not_cancelled");
    cancel("T", NULL);
    run();
    assert_log("");
    done("slow", 0);
    run();
    assert_log("joined Cancelled");
}

static void test_scope_join_of_an_empty_one_does_not_wait(void **state)
{
    start("local s = core.scope(true) core.scope_join(s) core.scope_close(s) log 'x'");
    assert_log("x");
}

static void test_scope_left_open_is_closed_with_a_warning(void **state)
{
    start_script("left_open_is_closed_with_a_warning");
    assert_log("owner 1");
    assert_warned("left a block open");
}

static void test_scope_group_left_open_cancels_its_tasks(void **state)
{
    start_script("group_left_open_cancels_its_tasks");
    assert_log("owner 1");
    assert_warned("left a block open");
}

static void test_scopes_left_open_close_last_in_first_out(void **state)
{
    start_script("left_open_close_last_in_first_out");
    assert_log("inner middle outer string");
    assert_warned("left a block open");
    assert_warned("left a block open");
    assert_warned("left a block open");
}

/* --- misuse --- */

static void test_scopes_close_last_in_first_out(void **state)
{
    start("local a, b = core.scope(false), core.scope(false)\n"
          "local ok, e = pcall(core.scope_close, a) log(ok, e.message)\n"
          "core.scope_close(b) core.scope_close(a)\n"
          "ok, e = pcall(core.scope_close, a) log(ok, e.message)");
    assert_log("false test.lua:2: scopes close last in, first out, in the task that opened them "
               "false test.lua:4: the group is closed");
}

static void test_scope_is_closed_by_its_own_task(void **state)
{
    start("S = core.scope(false) local t = core.spawn(function() core.scope_close(S) end)\n"
          "log(try(t.await, t)) core.scope_close(S)");
    assert_log("Usage");
}

static void test_scope_with_live_tasks_does_not_close(void **state)
{
    start("local s = core.scope(false) s:spawn(fake, 'a')\n"
          "log(try(core.scope_close, s)) core.scope_join(s) core.scope_close(s)");
    assert_log("Usage");
    done("a", 0);
    run();
}

static void test_scope_that_is_closed_takes_no_tasks(void **state)
{
    start(
        "local s = core.scope(false) core.scope_close(s) log(try(s.spawn, s, print), s:cancel())");
    assert_log("Usage false");
}

static void test_scope_outside_a_task_is_refused(void **state)
{
    script("log(try(core.scope))");
    assert_log("Usage");
}

/* --- resources --- */

struct resource {
    struct spt_resource resource;
    const char *name;
};

static void on_release(struct spt_resource *r)
{
    log_word(SPT_OF(r, struct resource, resource)->name);
}

static void test_scope_releases_its_resources_last_first(void **state)
{
    struct resource r[3] = {{{.release = on_release}, "a"},
                            {{.release = on_release}, "b"},
                            {{.release = on_release}, "c"}};
    start("T = core.spawn(function() local c <close> = closer(function() log 'closer' end) fake "
          "'x' end)\n"
          "pcall(T.await, T)");
    for (int i = 0; i < 3; i++) {
        spt_link_init(&r[i].resource.link);
        spt_scope_add(&task("T")->root, &r[i].resource);
    }
    spt_link_remove(&r[1].resource.link);
    cancel("T", NULL);
    assert_log("");
    run();
    assert_log("closer c a");
}

/* --- the host's own scopes --- */

static void test_scope_background_ends_with_the_last_main(void **state)
{
    start("core.background(function() local _, e = pcall(fake, 'bg') log(e.source) end) fake 'a'");
    start("fake 'b'");
    done("a", 0);
    run();
    assert_log("");
    done("b", 0);
    run();
    assert_log("owner");
}

static void test_scope_background_serves_the_next_mains(void **state)
{
    start("core.background(pcall, fake, 'bg')");
    assert_int_equal(fixture.sched.counts.live, 0);
    start("core.background(function() log(fake 'bg2') end) fake 'a'");
    done("bg2", 1);
    run();
    assert_log("1 bg2");
    done("a", 0);
    run();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scope_cancel_reaches_all_below_in_order_of_spawning),
        TEST(test_scope_cancel_of_a_block_leaves_what_is_around),
        TEST(test_scope_task_spawned_in_a_cancelled_scope_is_born_cancelled),
        TEST(test_scope_canceller_gives_the_reason_of_the_outermost),
        TEST(test_scope_cancelled_error_names_the_task_that_asked),
        TEST(test_scope_absorbs_unless_one_around_is_cancelled),
        TEST(test_scope_chain_of_100000_spawns_is_cancelled_without_recursion),
        TEST(test_scope_chain_of_100000_ends_is_joined_without_recursion),
        TEST(test_scope_wide_cancel),
        TEST(test_scope_failing_child_of_a_group_cancels_its_siblings),
        TEST(test_scope_failing_child_of_a_plain_scope_cancels_nobody),
        TEST(test_scope_failures_are_told_once_at_its_close),
        TEST(test_scope_failures_that_were_awaited_are_not_told),
        TEST(test_scope_failures_are_handed_out_oldest_first),
        TEST(test_scope_close_tells_of_its_tasks),
        TEST(test_scope_join_is_not_cancelled),
        TEST(test_scope_join_of_an_empty_one_does_not_wait),
        TEST(test_scope_left_open_is_closed_with_a_warning),
        TEST(test_scope_group_left_open_cancels_its_tasks),
        TEST(test_scopes_left_open_close_last_in_first_out),
        TEST(test_scopes_close_last_in_first_out),
        TEST(test_scope_is_closed_by_its_own_task),
        TEST(test_scope_with_live_tasks_does_not_close),
        TEST(test_scope_that_is_closed_takes_no_tasks),
        TEST(test_scope_outside_a_task_is_refused),
        TEST(test_scope_releases_its_resources_last_first),
        TEST(test_scope_background_ends_with_the_last_main),
        TEST(test_scope_background_serves_the_next_mains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
