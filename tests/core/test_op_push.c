/* SPDX-License-Identifier: MIT */
/* Operations with a push that raises an error: what is left of them, and what their memory holds.
 * */
#include "support/sched_fixture.h"

/* --- an error in push --- */

static void test_op_push_that_raises_closes_first(void **state)
{
    fake_closing("a")->push_raises = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e) fake 'b'");
    done("a", 0);
    run();
    assert_log("false push of a");
    assert_counts("a", 1, 0, 1, 1);
    done("b", 0);
    run();
}

static void test_op_large_is_cancelled_pushed_and_closed(void **state)
{
    fake_large("a");
    start("T = core.spawn(function() log(fake 'a') log(try(fake, 'a')) end) pcall(T.await, T)");
    done("a", 2);
    run();
    cancel("T", NULL);
    run();
    assert_log("2 a Cancelled");
    assert_counts("a", 2, 1, 1, 2);
}

static void test_op_large_whose_push_raises_closes_first(void **state)
{
    fake_large("a")->push_raises = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e)");
    done("a", 0);
    run();
    assert_log("false push of a");
    assert_counts("a", 1, 0, 1, 1);
}

static void test_op_push_that_raises_without_close(void **state)
{
    fake("a")->push_raises = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e) fake 'a'");
    done("a", 0);
    run();
    assert_log("false push of a");
    fake("a")->push_raises = false;
    done("a", 0);
    run();
    assert_counts("a", 2, 0, 2, 0);
}

static void test_op_push_that_raises_inside_start(void **state)
{
    fake_closing("a")->push_raises = true;
    fake("a")->done_in_start = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e)");
    assert_log("false push of a");
    assert_counts("a", 1, 0, 1, 1);
}

static void push_without_memory(lua_State *L)
{
    fail_memory(1, 1000000);
    lua_newuserdatauv(L, 1000, 0);
    lua_pop(L, 1);
}

static void out_of_memory_in_push(void)
{
    fake("a")->on_push = push_without_memory;
    start("local ok, e = pcall(fake, 'a') log(ok, e) fake 'b'");
    done("a", 0);
    lap();
    mend_memory();
    run();
    assert_true(fixture.memory.failed > 0);
    assert_log("false not enough memory");
    done("b", 0);
    run();
}

static void test_op_out_of_memory_in_push_closes_first(void **state)
{
    fake_closing("a");
    out_of_memory_in_push();
    assert_counts("a", 1, 0, 1, 1);
}

static void test_op_out_of_memory_in_push_without_close(void **state)
{
    out_of_memory_in_push();
    assert_counts("a", 1, 0, 1, 0);
}

static void test_op_out_of_memory_before_start_starts_nothing(void **state)
{
    fake_closing("a");
    start("fake 'go' local ok, e = pcall(fake, 'a') log(ok, e)");
    done("go", 0);
    fail_memory(1, 1000000);
    lap();
    mend_memory();
    run();
    assert_log("false not enough memory");
    assert_counts("a", 0, 0, 0, 0);
}

/* --- its memory --- */

static void collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT);
}

static const char finalizer_that_waits[] =
    "setmetatable({}, {__gc = function() log(try(core.sleep, 1), try(fake, 'b'), "
    "try(core.checkpoint)) end})\n"
    "log(fake 'a')";

/* A finalizer may run in any allocation, and may try to wait: it is refused, and the operation that
 * was being pushed is none the worse for it. */
static void test_op_memory_survives_a_finalizer_that_tries_to_wait(void **state)
{
    fake("a")->on_push = collect;
    start(finalizer_that_waits);
    done("a", 4);
    run();
    assert_log("Usage Usage Usage 4 a");
    assert_counts("b", 0, 0, 0, 0);
}

static void test_op_memory_with_close_survives_a_finalizer_that_tries_to_wait(void **state)
{
    fake_closing("a")->on_push = collect;
    start(finalizer_that_waits);
    done("a", 4);
    run();
    assert_log("Usage Usage Usage 4 a");
}

static void test_op_memory_of_a_large_one_survives_a_finalizer_that_tries_to_wait(void **state)
{
    fake_large("a")->on_push = collect;
    start(finalizer_that_waits);
    done("a", 4);
    run();
    assert_log("Usage Usage Usage 4 a");
}

struct big_op {
    septet_op op;
    char bytes[SPT_SLOT_SIZE];
    unsigned nonzero;
};

static int big_start(septet_op *op)
{
    struct big_op *big = (struct big_op *)op;
    for (size_t i = 0; i < sizeof big->bytes; i++)
        big->nonzero += big->bytes[i] != 0;
    memset(big->bytes, 0xff, sizeof big->bytes);
    septet_op_done(op, (int)big->nonzero);
    return SEPTET_OK;
}

static void big_cancel(septet_op *op)
{
}

static int big_push(septet_op *op, lua_State *L)
{
    lua_pushinteger(L, op->status);
    return 1;
}

static const septet_op_type big_type = {.name = "big",
                                        .size = sizeof(struct big_op),
                                        .abi = SEPTET_OP_ABI,
                                        .start = big_start,
                                        .cancel = big_cancel,
                                        .push = big_push};

static int l_big(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, &big_type));
}

static void test_op_larger_than_the_slot_is_zeroed(void **state)
{
    lua_register(fixture.L, "big", l_big);
    start("for i = 1, 3 do log(big()) collectgarbage() end");
    assert_log("0 0 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_op_push_that_raises_closes_first),
        TEST(test_op_large_is_cancelled_pushed_and_closed),
        TEST(test_op_large_whose_push_raises_closes_first),
        TEST(test_op_push_that_raises_without_close),
        TEST(test_op_push_that_raises_inside_start),
        TEST(test_op_out_of_memory_in_push_closes_first),
        TEST(test_op_out_of_memory_in_push_without_close),
        TEST(test_op_out_of_memory_before_start_starts_nothing),
        TEST(test_op_memory_survives_a_finalizer_that_tries_to_wait),
        TEST(test_op_memory_with_close_survives_a_finalizer_that_tries_to_wait),
        TEST(test_op_memory_of_a_large_one_survives_a_finalizer_that_tries_to_wait),
        TEST(test_op_larger_than_the_slot_is_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
