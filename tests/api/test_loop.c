/* SPDX-License-Identifier: MIT */
/* Hosts on a libuv loop that belongs to the embedder. */
#include "support/host_fixture.h"

#include <uv.h>

struct on_loop {
    uv_loop_t loop;
    struct reports reports;
    septet_host *host;
    uv_timer_t timer;
    int ticks;
    int descriptors; /* number of open ones before the host was made */
    bool closed;
};

static septet_host *host_on_loop(uv_loop_t *loop, struct reports *reports)
{
    septet_config config = config_for(reports);
    config.loop = loop;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_ptr_equal(septet_loop(host), loop);
    set_origin(septet_lua(host));
    return host;
}

static int open_loop(void **state)
{
    struct on_loop *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->descriptors = count_descriptors();
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->host = host_on_loop(&w->loop, &w->reports);
    *state = w;
    return 0;
}

static void free_host(struct on_loop *w)
{
    septet_host *host = w->host;
    w->host = NULL;
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* Turns the loop until nothing is left on it. */
static void end_loop(struct on_loop *w)
{
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    w->closed = true;
}

static int close_loop(void **state)
{
    struct on_loop *w = *state;
    free_host(w); /* of NULL does nothing */
    if (!w->closed)
        end_loop(w);
    free(w);
    return 0;
}

#define TEST_ON_LOOP(fn) cmocka_unit_test_setup_teardown(fn, open_loop, close_loop)

static void test_loop_runs_the_tasks(void **state)
{
    struct on_loop *w = *state;
    assert_loads(w->host,
                 PRELUDE "task.gather(task.map(task.sleep, {0, 0.001, 0.002}))"
                         " assert(http.get(origin .. '/delay/0.01').status == 200) done = 1");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "done"), 1);
    assert_int_equal(septet_tasks(w->host), 0);
    assert_silent(&w->reports);
}

static void test_loop_is_not_kept_by_an_idle_host(void **state)
{
    struct on_loop *w = *state;
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_loads(w->host, PRELUDE
                 "s = http.session() s:get(origin .. '/bytes/10')"); /* keeps its connection */
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(septet_tasks(w->host), 0);
}

static void test_loop_takes_work_that_comes_later(void **state)
{
    struct on_loop *w = *state;
    for (int i = 1; i <= 3; i++) {
        assert_loads(w->host, PRELUDE "task.sleep(0.001) n = (n or 0) + 1");
        assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(global(septet_lua(w->host), "n"), i);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct on_loop *w = timer->data;
    w->ticks++;
}

static void start_ticks(struct on_loop *w, uv_timer_cb cb, bool keeps_loop)
{
    assert_int_equal(uv_timer_init(&w->loop, &w->timer), 0);
    w->timer.data = w;
    assert_int_equal(uv_timer_start(&w->timer, cb, 1, 1), 0);
    if (!keeps_loop)
        uv_unref((uv_handle_t *)&w->timer);
}

static int l_ticks(lua_State *L)
{
    lua_pushinteger(L, ((struct on_loop *)lua_touserdata(L, lua_upvalueindex(1)))->ticks);
    return 1;
}

static void test_loop_is_shared_with_a_timer(void **state)
{
    struct on_loop *w = *state;
    static const char source[] =
        PRELUDE "local n = ticks() repeat task.sleep(0.001) until ticks() > n + 1";
    start_ticks(w, on_tick, false);
    lua_pushlightuserdata(septet_lua(w->host), w);
    lua_pushcclosure(septet_lua(w->host), l_ticks, 1);
    lua_setglobal(septet_lua(w->host), "ticks");
    assert_loads(w->host, source);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_true(w->ticks > 1);
    int ticks = w->ticks;
    assert_runs(w->host, source); /* septet_run turns it, too */
    assert_true(w->ticks > ticks + 1);
    uv_close((uv_handle_t *)&w->timer, NULL);
}

static void free_on_tick(uv_timer_t *timer)
{
    struct on_loop *w = timer->data;
    if (++w->ticks < 10)
        return;
    free_host(w);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_loop_survives_a_free_in_a_callback_of_its(void **state)
{
    struct on_loop *w = *state;
    start_ticks(w, free_on_tick, true);
    assert_loads(w->host, PRELUDE
                 "for i = 1, 3 do task.spawn(http.get, origin .. '/stall') end"
                 " task.spawn(task.sleep, 1000) http.get(origin .. '/stall?after=10&length=99')");
    end_loop(w); /* ends because the host did */
    assert_int_equal(count_descriptors(), w->descriptors);
}

static void test_loop_closes_what_a_freed_host_had_open(void **state)
{
    struct on_loop *w = *state;
    assert_loads(
        w->host, PRELUDE
        "s = http.session() s:get(origin .. '/bytes/10')"
        " task.spawn(s.get, s, origin .. '/stall') task.sleep(0.01) done = 1 task.sleep(1000)");
    while (global(septet_lua(w->host), "done") == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    free_host(w);
    assert_silent(&w->reports);
    end_loop(w);
    assert_int_equal(count_descriptors(), w->descriptors);
}

static void test_loop_of_two_hosts(void **state)
{
    struct on_loop *w = *state;
    struct reports reports;
    septet_host *other = host_on_loop(&w->loop, &reports);
    static const char source[] = PRELUDE "n = 0 for _ = 1, 50 do task.sleep(0.0001) n = n + 1 end"
                                         " assert(http.get(origin .. '/bytes/10').status == 200)";
    assert_loads(w->host, source);
    assert_loads(other, source);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "n"), 50);
    assert_int_equal(global(septet_lua(other), "n"), 50);
    assert_silent(&w->reports);
    assert_silent(&reports);
    assert_int_equal(septet_free(other), SEPTET_OK);
    assert_loads(w->host, PRELUDE "task.sleep(0.001) n = -1");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "n"), -1);
}

static void test_loop_and_errors(void **state)
{
    struct on_loop *w = *state;
    assert_loads(w->host, PRELUDE "task.sleep(0.001) error 'x'");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(w->reports.errors, 1);
    assert_string_equal(w->reports.message, "script:1: x");
}

static void interrupt_on_tick(uv_timer_t *timer)
{
    struct on_loop *w = timer->data;
    w->ticks++;
    septet_interrupt(w->host);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_loop_and_interruption(void **state)
{
    struct on_loop *w = *state;
    start_ticks(w, interrupt_on_tick, true);
    assert_loads(w->host,
                 PRELUDE "local _ <close> = setmetatable({}, {__close = function() closed = 1 end})"
                         " task.sleep(1000)");
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(septet_lua(w->host), "closed"), 1);
    assert_int_equal(septet_tasks(w->host), 0);
    assert_silent(&w->reports);
}

static void test_new_without_memory_on_a_loop(void **state)
{
    uv_loop_t loop;
    struct reports reports;
    struct pool pool = {.allowed = 200};
    int status = 1;
    assert_int_equal(uv_loop_init(&loop), 0);
    septet_config config = config_for(&reports);
    config.loop = &loop;
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_ENOMEM);
    assert_int_equal(pool.bytes, 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_state_and_loop_of_the_embedder(void **state)
{
    struct reports reports;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    septet_config config = config_for(&reports);
    config.lua = L;
    config.loop = &loop;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_loads(host, PRELUDE "task.sleep(0.001) n = 1");
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(global(L, "n"), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    lua_close(L); /* the state may go before the loop has closed the host's handles */
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_silent(&reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_LOOP(test_loop_runs_the_tasks),
        TEST_ON_LOOP(test_loop_is_not_kept_by_an_idle_host),
        TEST_ON_LOOP(test_loop_takes_work_that_comes_later),
        TEST_ON_LOOP(test_loop_is_shared_with_a_timer),
        TEST_ON_LOOP(test_loop_survives_a_free_in_a_callback_of_its),
        TEST_ON_LOOP(test_loop_closes_what_a_freed_host_had_open),
        TEST_ON_LOOP(test_loop_of_two_hosts),
        TEST_ON_LOOP(test_loop_and_errors),
        TEST_ON_LOOP(test_loop_and_interruption),
        cmocka_unit_test(test_new_without_memory_on_a_loop),
        cmocka_unit_test(test_state_and_loop_of_the_embedder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
