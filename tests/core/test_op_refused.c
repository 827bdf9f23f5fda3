/* SPDX-License-Identifier: MIT */
/* Places in which nothing can wait: an operation is refused there and never started. */
#include "support/sched_fixture.h"

/* Each is a way to call fake 'a' where it cannot be suspended; the error names the one in the
 * way. */
static void refuses(const char *code, const char *named)
{
    char text[1024];
    snprintf(text, sizeof text,
             "local function wait() return fake 'a' end\n"
             "local ok, e = pcall(function() %s end)\n"
             "log(kind(e), tostring(type(e) == 'table' and e.message or e))",
             code);
    start(text);
    assert_log_has("Usage");
    assert_log_has(named);
    assert_counts("a", 0, 0, 0, 0);
    clear_log();
}

static void test_op_refused_below_c_functions_names_them(void **state)
{
    refuses("table.sort({3, 2, 1}, wait)", "called from 'table.sort'");
    refuses("string.gsub('x', '.', wait)", "called from 'string.gsub'");
    refuses("('x'):gsub('.', wait)", "called from 'string.gsub'");
    refuses("package.preload.x = wait require 'x'", "called from 'require'");
    refuses("tostring(setmetatable({}, {__tostring = wait}))", "called from 'tostring'");
    refuses("assert(load(wait))", "called from 'load'");
    refuses("in_c(wait)", "called from 'in_c'");
}

static void test_op_refused_below_c_functions_in_coroutines_names_them(void **state)
{
    refuses("table.sort({3, 2, 1}, coroutine.wrap(wait))", "called from 'table.sort'");
    refuses("local gen = coroutine.wrap(wait) table.sort({3, 2, 1}, function() gen() end)",
            "called from 'table.sort'");
    refuses("string.gsub('x', '.', function() assert(coroutine.resume(coroutine.create(function()\n"
            "  assert(coroutine.resume(coroutine.create(wait))) end))) end)",
            "called from 'string.gsub'");
    refuses("coroutine.wrap(function() table.sort({3, 2, 1}, wait) end)()",
            "called from 'table.sort'");
}

static void test_op_refused_in_a_message_handler(void **state)
{
    start("xpcall(error, function() local ok, e = pcall(fake, 'a') log(kind(e)) end)");
    assert_log("Usage");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_refused_in_a_finalizer(void **state)
{
    start("setmetatable({}, {__gc = function()\n"
          "  local ok, e = pcall(fake, 'a') log(kind(e), e.message)\n"
          "end}) collectgarbage()");
    assert_log_has("called from a finalizer");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_refused_in_a_hook(void **state)
{
    start_script("refused_in_a_hook");
    assert_log_has("called from a hook");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_in_a_lua_metamethod_waits(void **state)
{
    start_script("in_a_lua_metamethod_waits");
    done("a", 1);
    run();
    done("b", 2);
    run();
    assert_log("1 2");
}

static void test_op_in_a_coroutine_that_c_resumed_is_refused(void **state)
{
    start("local ok, e = raw_resume(coroutine.create(function() fake 'a' end))\n"
          "log(ok, kind(e), e.message) log(fake 'b')");
    assert_log_has("false Usage");
    assert_log_has("resumed by C code that septet does not know");
    clear_log();
    done("b", 0);
    run();
    assert_log("0 b");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_in_a_coroutine_below_one_that_c_resumed_is_refused(void **state)
{
    start("local ok, e = raw_resume(coroutine.create(function()\n"
          "  coroutine.wrap(function() fake 'a' end)()\n"
          "end))\n"
          "log(ok, kind(e), e.message)");
    assert_log_has("false Usage");
    assert_log_has("resumed by C code that septet does not know");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_outside_a_task_is_refused(void **state)
{
    script("local ok, e = pcall(fake, 'a') log(ok, kind(e), e.message)");
    assert_log_has("false Usage");
    assert_log_has("not inside a task");
    clear_log();
    script("log(try(coroutine.wrap(function() fake 'a' end)), try(core.sleep, 1), "
           "try(core.checkpoint))");
    assert_log("Usage Usage Usage");
    assert_counts("a", 0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_op_refused_below_c_functions_names_them),
        TEST(test_op_refused_below_c_functions_in_coroutines_names_them),
        TEST(test_op_refused_in_a_message_handler),
        TEST(test_op_refused_in_a_finalizer),
        TEST(test_op_refused_in_a_hook),
        TEST(test_op_in_a_lua_metamethod_waits),
        TEST(test_op_in_a_coroutine_that_c_resumed_is_refused),
        TEST(test_op_in_a_coroutine_below_one_that_c_resumed_is_refused),
        TEST(test_op_outside_a_task_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
