/* SPDX-License-Identifier: MIT */
/* septet_close_begin: the end of a host over many steps. */
#include "support/foreign_fixture.h"

#include <uv.h>

static void begin(struct host_fixture *f, const char *name)
{
    assert_spawns(f->host, name);
    while (global(f->L, "ready") == 0)
        assert_true(septet_step(f->host, 0) > 0);
    assert_int_equal(septet_close_begin(f->host), SEPTET_OK);
}

/* Steps the host to its end. Returns the number of steps. */
static unsigned end(struct host_fixture *f)
{
    unsigned steps = 1;
    for (int rc; (rc = septet_step(f->host, 0)) != SEPTET_DONE; steps++)
        assert_int_equal(rc, SEPTET_MORE);
    assert_int_equal(septet_tasks(f->host), 0);
    return steps;
}

static void test_e_10_close_begin_ends_one_task_a_step(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "many_tasks");
    assert_int_equal(global(f->L, "closed"), 0);
    for (long closed = 0; septet_tasks(f->host) > 0;) {
        assert_int_equal(septet_step(f->host, 0), SEPTET_MORE);
        assert_true(global(f->L, "closed") - closed <= 1);
        closed = global(f->L, "closed");
    }
    assert_int_equal(global(f->L, "closed"), 1000);
    end(f);
    assert_silent(&f->reports);
}

static void test_e_10_tasks_of_a_group_end_over_many_steps(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "group");
    assert_true(end(f) > 300);
    assert_int_equal(global(f->L, "closed"), 301);
    assert_silent(&f->reports);
}

static void test_e_10_what_tasks_left_is_collected_by_steps(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "garbage");
    int before_kb = lua_gc(f->L, LUA_GCCOUNT);
    assert_true(end(f) > 300); /* a step of the collector each, after the tasks */
    assert_int_equal(global(f->L, "finalized"), 1000);
    assert_true(lua_gc(f->L, LUA_GCCOUNT) < before_kb / 2);
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
}

static void test_e_10_tasks_that_close_may_not_wait(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "waits_while_it_closes");
    end(f);
    assert_string_equal(f->reports.warned, "refused\n");
    assert_int_equal(f->reports.errors, 0);
}

static void test_e_10_task_that_goes_on_waiting_is_abandoned(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "goes_on_waiting");
    end(f);
    assert_int_equal(f->reports.errors, 1);
    assert_text(f->reports.message, "abandoned");
}

static void test_e_10_nothing_can_be_loaded_any_more(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "many_tasks");
    for (int i = 0; i < 2; i++) {
        int status = SEPTET_OK;
        assert_int_equal(septet_close_begin(f->host), SEPTET_OK);
        assert_int_equal(septet_load_string(f->host, "=s", "n = 1"), SEPTET_ECLOSED);
        lua_pushcfunction(f->L, lua_error);
        assert_int_equal(septet_spawn(f->host, NULL, 0), SEPTET_ECLOSED);
        assert_null(septet_script_new(f->host, NULL, &status));
        assert_int_equal(status, SEPTET_ECLOSED);
        lua_settop(f->L, 0);
        if (i == 0)
            end(f);
    }
}

static void test_close_begin_without_tasks(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_close_begin(f->host), SEPTET_OK);
    end(f);
    assert_silent(&f->reports);
}

static void test_close_begin_before_the_first_step(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 1 task.sleep(1000) n = 2");
    assert_int_equal(septet_close_begin(f->host), SEPTET_OK);
    end(f);
    assert_int_equal(global(f->L, "n"), 1);
    assert_silent(&f->reports);
}

static void test_close_begin_and_free_at_once(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "many_tasks");
    host_fixture_close(f);
    assert_silent(&f->reports);
}

static void test_close_begin_and_run(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "many_tasks");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(global(f->L, "closed"), 1000);
    assert_int_equal(septet_load_string(f->host, "=s", "n = 1"), SEPTET_ECLOSED);
    end(f);
}

static void test_close_begin_with_requests_in_flight(void **state)
{
    struct host_fixture *f = *state;
    begin(f, "request");
    end(f);
    assert_silent(&f->reports);
    host_fixture_close(f);
    assert_int_equal(count_descriptors(), f->descriptors);
}

static void test_close_begin_on_the_embedders_loop(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    config.loop = &loop;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_spawns(host, "many_tasks");
    while (global(septet_lua(host), "ready") == 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(septet_close_begin(host), SEPTET_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(septet_tasks(host), 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_silent(&reports);
}

static void test_close_begin_on_the_embedders_state(void **state)
{
    struct foreign_fixture *f = *state;
    assert_loads(f->host, PRELUDE "for _ = 1, 100 do task.background(task.sleep, 1000) end"
                                  " task.sleep(1000)");
    while (septet_step(f->host, 0) != SEPTET_IDLE)
        ;
    assert_int_equal(septet_close_begin(f->host), SEPTET_OK);
    while (septet_step(f->host, 0) != SEPTET_DONE)
        ;
    foreign_fixture_free(f);
    run_outside(f->L, "x = 1"); /* the state goes on */
}

static int l_close_begin(lua_State *L)
{
    lua_pushinteger(L, septet_close_begin(lua_touserdata(L, lua_upvalueindex(1))));
    return 1;
}

static void test_close_begin_from_inside_is_refused(void **state)
{
    struct host_fixture *f = *state;
    lua_pushlightuserdata(f->L, f->host);
    lua_pushcclosure(f->L, l_close_begin, 1);
    lua_setglobal(f->L, "close_begin");
    assert_runs(f->host, "status = close_begin()");
    assert_int_equal(global(f->L, "status"), SEPTET_EBUSY);
    assert_runs(f->host, "n = 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_e_10_close_begin_ends_one_task_a_step),
        TEST(test_e_10_tasks_of_a_group_end_over_many_steps),
        TEST(test_e_10_what_tasks_left_is_collected_by_steps),
        TEST(test_e_10_tasks_that_close_may_not_wait),
        TEST(test_e_10_task_that_goes_on_waiting_is_abandoned),
        TEST(test_e_10_nothing_can_be_loaded_any_more),
        TEST(test_close_begin_without_tasks),
        TEST(test_close_begin_before_the_first_step),
        TEST(test_close_begin_and_free_at_once),
        TEST(test_close_begin_and_run),
        TEST(test_close_begin_with_requests_in_flight),
        cmocka_unit_test(test_close_begin_on_the_embedders_loop),
        TEST_ON_STATE(test_close_begin_on_the_embedders_state),
        TEST(test_close_begin_from_inside_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
