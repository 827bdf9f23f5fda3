/* Circles of waiting: found whatever stands before, beside and behind them. */
#include "core/inspect.h"
#include "support/sched_fixture.h"

#include "core/deadlock.h"

/* The names of the circle, by spaces. */
static void assert_circle(const char *expected)
{
    struct spt_task *tasks[8];
    char text[256] = "", name[64];
    uint32_t n = spt_deadlock_cycle(&fixture.sched, tasks, 8);
    for (uint32_t i = 0; i < n && i < 8; i++) {
        spt_inspect_name(tasks[i], name, sizeof name);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", name);
    }
    assert_string_equal(text, expected);
}

/* named(name, fn): a task; waits(name, ...): one that awaits others by name. */
#define PRELUDE                                                                                    \
    "T = {}\n"                                                                                     \
    "function named(name, fn) local t = core.spawn(fn) t.name = name T[name] = t return t end\n"   \
    "function waits(name, other) return named(name, function() T[other]:await() end) end\n"

static void test_deadlock_of_none(void **state)
{
    assert_circle("");
    start(PRELUDE
          "waits('a', 'b') waits('b', 'c') named('c', function() fake 'f' end) fake 'main'");
    assert_circle("");
    done("f", 0);
    done("main", 0);
    run();
}

static void test_deadlock_of_two(void **state)
{
    start(PRELUDE "waits('a', 'b') waits('b', 'a') fake 'main'");
    assert_circle("a b");
    script("T.a:cancel() T.b:cancel()");
    done("main", 0);
    run();
}

static void test_deadlock_behind_a_tail(void **state)
{
    start(PRELUDE "waits('x', 'y') waits('y', 'a') waits('a', 'b') waits('b', 'c') waits('c', 'a') "
                  "fake 'main'");
    assert_circle("a b c");
    script("for _, t in pairs(T) do t:cancel() end");
    done("main", 0);
    run();
}

static void test_deadlock_through_one_of_many(void **state)
{
    start(PRELUDE "named('free', function() fake 'f' end)\n"
                  "named('all', function()\n"
                  "  local set = completions {T.free, T.other} set:wait 'all' end)\n"
                  "named('other', function() T.all:await() end) fake 'main'");
    assert_circle("all other");
    script("for _, t in pairs(T) do t:cancel() end");
    done("main", 0);
    run();
}

static void test_deadlock_of_a_group_and_its_task(void **state)
{
    start(PRELUDE
          "named('owner', function()\n"
          "  block(true, false, nil, function(g)\n"
          "    local t = g:spawn(function() T.owner:await() end) t.name = 'member' end) end)\n"
          "fake 'main'");
    assert_circle("owner member");
    script("T.owner:cancel()");
    done("main", 0);
    run();
}

static void test_deadlock_of_a_task_that_waits_for_its_children(void **state)
{
    start(PRELUDE "named('parent', function()\n"
                  "  core.spawn(function() block(false, true, nil, function(s) S = s "
                  "T.parent:await() end) end).name = 'child'\n"
                  "  core.sleep(0)\n"
                  "end)\n"
                  "fake 'main'");
    assert_circle("parent child");
    script("S:cancel()");
    done("main", 0);
    run();
}

static void test_deadlock_of_more_than_asked_for(void **state)
{
    start(PRELUDE "for i = 1, 20 do waits('t' .. i, 't' .. i % 20 + 1) end fake 'main'");
    struct spt_task *tasks[3];
    assert_int_equal(spt_deadlock_cycle(&fixture.sched, tasks, 3), 20);
    script("for _, t in pairs(T) do t:cancel() end");
    done("main", 0);
    run();
}

static void test_deadlock_chain_of_100000_without_recursion(void **state)
{
    start(PRELUDE
          "named('first', function() T[2]:await() end) T[1] = T.first\n"
          "for i = 2, 100000 do local t t = core.spawn(function() (T[i + 1] or T[1]):await() end) "
          "T[i] = t end\n"
          ""
          "fake 'main'");
    struct spt_task *tasks[1];
    assert_int_equal(spt_deadlock_cycle(&fixture.sched, tasks, 1), 100000);
    script("for i = 1, 100000 do T[i]:cancel() end");
    done("main", 0);
    run();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deadlock_of_none),
        TEST(test_deadlock_of_two),
        TEST(test_deadlock_behind_a_tail),
        TEST(test_deadlock_through_one_of_many),
        TEST(test_deadlock_of_a_group_and_its_task),
        TEST(test_deadlock_of_a_task_that_waits_for_its_children),
        TEST(test_deadlock_of_more_than_asked_for),
        TEST(test_deadlock_chain_of_100000_without_recursion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
