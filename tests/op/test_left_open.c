/* SPDX-License-Identifier: MIT */
/* Blocks that are left open where memory fails: whatever fails, no task is lost and no scope stays
 * in the tree. */
#include "support/sched_fixture.h"

static const char modules[] = "task = require 'septet.task'";

static void prepare(void)
{
    start(modules);
}

static void check(long n, bool failed)
{
    if (fixture.sched.counts.live > 0)
        fail_msg("allocation %ld: %u tasks live", n, fixture.sched.counts.live);
    if (!failed)
        script("assert(complete)");
}

static const struct sweep blocks = {"op/sweep_blocks.lua", prepare, 3, 1, check};

static void test_t_a_out_of_memory_once_leaves_no_block_open(void **state)
{
    fail_each_allocation(&blocks, 2);
}

static void test_t_a_out_of_memory_for_some_time_leaves_no_block_open(void **state)
{
    fail_each_allocation(&blocks, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t_a_out_of_memory_once_leaves_no_block_open),
        cmocka_unit_test(test_t_a_out_of_memory_for_some_time_leaves_no_block_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
