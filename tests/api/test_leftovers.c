/* SPDX-License-Identifier: MIT */
/* What scripts still hold of a host that has ended: each use is refused or does nothing. */
#include "support/foreign_fixture.h"
#include "support/test_file.h"

/* Runs the script of that name, which leaves things in globals, until it ends or sets `ready`; ends
 * the host; runs the other one, which uses them. */
static void check_leftovers(struct foreign_fixture *f, const char *name)
{
    char afterwards[64];
    snprintf(afterwards, sizeof afterwards, "%s_afterwards", name);
    assert_spawns(f->host, name);
    while (septet_step(f->host, 0) > 0 && global(f->L, "ready") == 0)
        ;
    foreign_fixture_free(f);
    memset(&f->reports, 0, sizeof f->reports);
    test_file_push(f->L, TEST_SCRIPTS, afterwards);
    if (lua_pcall(f->L, 0, 0, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(f->L, -1));
    lua_gc(f->L, LUA_GCCOLLECT);
    assert_silent(&f->reports); /* nobody listens any more */
}

static void test_leftover_functions(void **state)
{
    check_leftovers(*state, "functions");
}

static void test_leftover_modules_are_loaded_first_afterwards(void **state)
{
    check_leftovers(*state, "modules");
}

static void test_leftover_session(void **state)
{
    check_leftovers(*state, "session");
}

static void test_leftover_session_whose_hooks_fail(void **state)
{
    check_leftovers(*state, "session_whose_hooks_fail");
}

static void test_leftover_session_with_requests(void **state)
{
    check_leftovers(*state, "session_with_requests");
}

static void test_leftover_response(void **state)
{
    check_leftovers(*state, "response");
}

static void test_leftover_tasks(void **state)
{
    check_leftovers(*state, "tasks");
}

static void test_leftover_main_task_that_never_ran(void **state)
{
    struct foreign_fixture *f = *state;
    assert_loads(f->host, "ran = 1");
}

static void test_leftover_group(void **state)
{
    check_leftovers(*state, "group");
}

static void test_leftover_iterator(void **state)
{
    check_leftovers(*state, "iterator");
}

static void test_leftover_coroutines(void **state)
{
    check_leftovers(*state, "coroutines");
}

static void test_leftover_trace_sink(void **state)
{
    check_leftovers(*state, "trace_sink");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_STATE(test_leftover_functions),
        TEST_ON_STATE(test_leftover_modules_are_loaded_first_afterwards),
        TEST_ON_STATE(test_leftover_session),
        TEST_ON_STATE(test_leftover_session_whose_hooks_fail),
        TEST_ON_STATE(test_leftover_session_with_requests),
        TEST_ON_STATE(test_leftover_response),
        TEST_ON_STATE(test_leftover_tasks),
        TEST_ON_STATE(test_leftover_main_task_that_never_ran),
        TEST_ON_STATE(test_leftover_group),
        TEST_ON_STATE(test_leftover_iterator),
        TEST_ON_STATE(test_leftover_coroutines),
        TEST_ON_STATE(test_leftover_trace_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
