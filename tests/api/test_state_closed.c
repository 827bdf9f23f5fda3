/* SPDX-License-Identifier: MIT */
/* The embedder closes its Lua state before it frees the host. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "septet/op.h"
#include "support/fake_op.h"
#include "support/host_fixture.h"

/* A host on a state of the embedder's, which is closed in the test. */
struct closed {
    lua_State *L;
    struct pool pool;
    septet_host *host;
    struct reports reports;
    int descriptors;
    char folder[32], fifo[48];
};

static unsigned finalized;

static int l_finalized(lua_State *L)
{
    finalized++;
    return 0;
}

static lua_State *new_state(struct closed *c)
{
    c->pool = (struct pool){.allowed = -1};
    lua_State *L = lua_newstate(pool_alloc, &c->pool);
    assert_non_null(L);
    luaL_openlibs(L);
    set_origin(L);
    lua_register(L, "fake", l_fake);
    lua_register(L, "finalized", l_finalized);
    lua_pushstring(L, c->fifo);
    lua_setglobal(L, "fifo");
    return L;
}

static void open_with(struct closed *c, void *loop, int clock)
{
    c->L = new_state(c);
    septet_config config = config_for(&c->reports);
    config.lua = c->L;
    config.loop = loop;
    config.clock = clock;
    c->host = septet_new(&config, NULL);
    assert_non_null(c->host);
}

static int setup(void **state)
{
    static struct closed c;
    memset(&c, 0, sizeof c);
    strcpy(c.folder, "/tmp/septet-closed-XXXXXX");
    assert_non_null(mkdtemp(c.folder));
    snprintf(c.fifo, sizeof c.fifo, "%s/fifo", c.folder);
    assert_int_equal(mkfifo(c.fifo, 0600), 0);
    c.descriptors = count_descriptors();
    fakes_reset();
    finalized = 0;
    *state = &c;
    return 0;
}

/* The first loop of a process opens descriptors that stay. */
static int open_once(void **state)
{
    struct reports reports;
    return septet_free(new_host(&reports));
}

static int teardown(void **state)
{
    struct closed *c = *state;
    unlink(c->fifo);
    rmdir(c->folder);
    return fakes_census(true) == 0 ? 0 : -1;
}

/* Steps until the script of that name sets `ready`. */
static void start(struct closed *c, const char *name)
{
    assert_spawns(c->host, name);
    while (global(c->L, "ready") == 0)
        assert_in_range(septet_step(c->host, 1000), SEPTET_IDLE, SEPTET_MORE);
}

static void count_line(void *ud, const char *text)
{
    fail_msg("a task is shown: %s", text);
}

static void assert_is_closed(septet_host *host)
{
    assert_null(septet_lua(host));
    assert_int_equal(septet_run(host), SEPTET_ECLOSED);
    assert_int_equal(septet_step(host, 1000), SEPTET_ECLOSED);
    assert_int_equal(septet_step_until(host, uv_hrtime()), SEPTET_ECLOSED);
    assert_int_equal(septet_advance(host, 1), SEPTET_ECLOSED);
    assert_int_equal(septet_load_string(host, "=x", "x = 1"), SEPTET_ECLOSED);
    assert_int_equal(septet_load_file(host, "/dev/null"), SEPTET_ECLOSED);
    assert_int_equal(septet_spawn(host, "x", 0), SEPTET_ECLOSED);
    assert_int_equal(septet_tasks(host), 0);
    assert_non_null(septet_loop(host));
    assert_non_null(septet_userdata(host));
    assert_int_equal(septet_close_begin(host), SEPTET_ECLOSED);
    assert_int_equal(septet_reload(host, "x"), SEPTET_ECLOSED);
    septet_dump(host, count_line, NULL);
    septet_interrupt(host);
    septet_mailbox *mailbox = septet_mailbox_new(host);
    assert_non_null(mailbox);
    septet_mailbox_release(mailbox);
}

/* Closes the state, then frees the host. */
static void end(struct closed *c)
{
    lua_close(c->L);
    assert_int_equal(c->pool.bytes, 0);
    assert_is_closed(c->host);
    assert_int_equal(septet_free(c->host), SEPTET_OK);
    assert_int_equal(count_descriptors(), c->descriptors);
    assert_silent(&c->reports);
}

static void check(struct closed *c, const char *name)
{
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    start(c, name);
    end(c);
}

static void test_e_7_lua_close_of_an_unused_host(void **state)
{
    struct closed *c = *state;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    end(c);
}

static void test_e_7_lua_close_with_tasks_that_wait(void **state)
{
    check(*state, "tasks");
}

static void test_e_7_lua_close_with_a_task_that_never_ran(void **state)
{
    struct closed *c = *state;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    assert_spawns(c->host, "never_ran");
    end(c);
}

static void test_e_7_lua_close_with_requests(void **state)
{
    check(*state, "requests");
}

static void test_e_7_lua_close_with_streams_and_uploads(void **state)
{
    check(*state, "streams");
}

static void test_e_7_lua_close_with_files(void **state)
{
    check(*state, "files");
}

static void test_e_7_lua_close_with_folders(void **state)
{
    check(*state, "folders");
}

static void test_e_7_lua_close_with_sockets(void **state)
{
    check(*state, "sockets");
}

static void test_e_7_lua_close_runs_finalizers_that_use_tasks(void **state)
{
    fake_large("large");
    check(*state, "finalizers");
    assert_int_equal(finalized, 1);
    assert_counts("large", 1, 1, 0, 1);
}

static void test_e_7_lua_close_without_memory(void **state)
{
    struct closed *c = *state;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    start(c, "streams");
    c->pool.allowed = 0;
    end(c);
}

static void test_e_7_lua_close_closes_each_operation_once(void **state)
{
    struct closed *c = *state;
    static const char *const names[] = {"small", "closing", "large", "done", "done_large"};
    char name[32];
    for (int i = 1; i < 5; i++) {
        snprintf(name, sizeof name, "in_coroutine_%s", names[i]);
        i % 2 ? fake_closing(names[i]) : fake_large(names[i]);
        i % 2 ? fake_closing(name) : fake_large(name);
    }
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    start(c, "fakes");
    done("done", SEPTET_OK);
    done("done_large", SEPTET_OK);
    end(c);
    for (int i = 0; i < 5; i++) {
        bool is_done = i >= 3;
        assert_counts(names[i], 1, !is_done, 0, i > 0);
        snprintf(name, sizeof name, "in_coroutine_%s", names[i]);
        assert_counts(name, 1, 1, 0, i > 0);
    }
}

/* --- while the loop runs --- */

static void close_state(uv_timer_t *timer)
{
    struct closed *c = timer->data;
    if (timer->repeat && global(c->L, "ready") == 0)
        return;
    lua_close(c->L);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_e_7_lua_close_in_a_callback_of_a_run(void **state)
{
    struct closed *c = *state;
    static const char *const names[] = {"tasks", "requests", "streams",
                                        "files", "folders",  "sockets"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uv_timer_t timer;
        open_with(c, NULL, SEPTET_CLOCK_REAL);
        uv_timer_init(septet_loop(c->host), &timer);
        uv_timer_start(&timer, close_state, 1, 1);
        timer.data = c;
        assert_spawns(c->host, names[i]);
        assert_int_equal(septet_run(c->host), SEPTET_ECLOSED);
        assert_int_equal(c->pool.bytes, 0);
        assert_is_closed(c->host);
        assert_int_equal(septet_free(c->host), SEPTET_OK);
        assert_int_equal(count_descriptors(), c->descriptors);
    }
}

static void test_e_7_lua_close_in_a_callback_of_a_step(void **state)
{
    struct closed *c = *state;
    uv_timer_t timer;
    int status = SEPTET_IDLE;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    uv_timer_init(septet_loop(c->host), &timer);
    uv_timer_start(&timer, close_state, 1, 1);
    timer.data = c;
    assert_spawns(c->host, "requests");
    while (status > SEPTET_DONE)
        status = septet_step(c->host, 1000);
    assert_int_equal(status, SEPTET_ECLOSED);
    assert_int_equal(septet_free(c->host), SEPTET_OK);
}

static void test_e_7_lua_close_on_a_loop_of_the_embedder(void **state)
{
    struct closed *c = *state;
    static const char *const names[] = {"tasks", "requests", "streams", "files", "sockets"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        uv_loop_t loop;
        uv_timer_t timer;
        assert_int_equal(uv_loop_init(&loop), 0);
        open_with(c, &loop, SEPTET_CLOCK_REAL);
        uv_timer_init(&loop, &timer);
        uv_timer_start(&timer, close_state, 1, 1);
        timer.data = c;
        assert_spawns(c->host, names[i / 2]);
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* ends with the host's waits */
        assert_is_closed(c->host);
        if (i % 2)
            assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(septet_free(c->host), SEPTET_OK);
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(uv_loop_close(&loop), 0);
        assert_int_equal(count_descriptors(), c->descriptors);
    }
}

static void test_e_7_lua_close_on_each_clock(void **state)
{
    struct closed *c = *state;
    for (int clock = SEPTET_CLOCK_REAL; clock <= SEPTET_CLOCK_MANUAL; clock++) {
        open_with(c, NULL, clock);
        assert_spawns(c->host, "never_ran");
        while (global(c->L, "ready") == 0)
            septet_step(c->host, 0);
        end(c);
    }
}

/* --- other orders --- */

static void test_e_7_lua_close_after_the_run(void **state)
{
    struct closed *c = *state;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    assert_runs(c->host, PRELUDE "s = http.session() s:get(origin .. '/bytes/10') task.sleep(0)");
    end(c);
}

static void test_e_7_lua_close_of_a_state_of_several_hosts(void **state)
{
    struct closed *c = *state;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    start(c, "requests");
    assert_int_equal(septet_free(c->host), SEPTET_OK);
    septet_config config = config_for(&c->reports);
    config.lua = c->L;
    c->host = septet_new(&config, NULL);
    lua_pushnil(c->L);
    lua_setglobal(c->L, "ready");
    start(c, "streams");
    end(c);
}

static void test_e_7_lua_close_beside_another_host(void **state)
{
    struct closed *c = *state, other = *c;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    open_with(&other, septet_loop(c->host), SEPTET_CLOCK_REAL);
    start(c, "requests");
    start(&other, "requests");
    lua_close(other.L);
    assert_int_equal(other.pool.bytes, 0);
    assert_int_equal(septet_free(other.host), SEPTET_OK);
    assert_in_range(septet_step(c->host, 0), SEPTET_IDLE, SEPTET_MORE);
    end(c);
}

struct results {
    int calls, status;
    bool has_error;
};

static void on_result(void *ud, const septet_result *result)
{
    struct results *results = ud;
    results->calls++;
    results->status = result->status;
    results->has_error = result->error != NULL;
}

static void test_e_7_lua_close_ends_calls(void **state)
{
    struct closed *c = *state;
    struct results waiting = {0}, ended = {0};
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    assert_int_equal(luaL_loadstring(c->L, "return 1"), LUA_OK);
    assert_int_equal(septet_call(c->host, NULL, "a", 0, on_result, &ended), SEPTET_OK);
    while (septet_step(c->host, 1000) == SEPTET_MORE)
        ;
    assert_int_equal(luaL_loadstring(c->L, "require 'septet.task'.sleep(1000)"), LUA_OK);
    assert_int_equal(septet_call(c->host, NULL, "b", 0, on_result, &waiting), SEPTET_OK);
    while (septet_step(c->host, 1000) == SEPTET_MORE)
        ;
    end(c);
    assert_int_equal(ended.calls, 1);
    assert_int_equal(ended.status, SEPTET_OK);
    assert_int_equal(waiting.calls, 1);
    assert_int_equal(waiting.status, SEPTET_ECANCELLED);
    assert_true(waiting.has_error);
}

static void on_script_end(void *ud, septet_script *script, int status)
{
    ++*(int *)ud;
}

static void test_e_7_lua_close_leaves_scripts_without_tasks(void **state)
{
    struct closed *c = *state;
    static const char source[] = "require 'septet.task'.sleep(1000)";
    septet_script *scripts[3];
    int ends = 0;
    septet_script_options options;
    septet_script_options_init(&options);
    options.on_end = on_script_end;
    options.ud = &ends;
    open_with(c, NULL, SEPTET_CLOCK_REAL);
    for (int i = 0; i < 3; i++) {
        scripts[i] = septet_script_new(c->host, &options, NULL);
        assert_non_null(scripts[i]);
        assert_int_equal(septet_script_load(scripts[i], "=s", source, strlen(source)), SEPTET_OK);
    }
    while (septet_step(c->host, 1000) == SEPTET_MORE)
        ;
    septet_script_unload(scripts[2]);
    uint32_t id = septet_script_id(scripts[1]);
    lua_close(c->L);
    assert_is_closed(c->host);
    int status = SEPTET_OK;
    assert_null(septet_script_new(c->host, NULL, &status));
    assert_int_equal(status, SEPTET_ECLOSED);
    assert_int_equal(septet_script_load(scripts[0], "=s", source, strlen(source)), SEPTET_ECLOSED);
    assert_int_equal(septet_script_id(scripts[1]), id);
    assert_int_equal(septet_script_tasks(scripts[0]), 0);
    assert_int_equal(septet_script_status(scripts[0]), SEPTET_OK);
    assert_int_equal(septet_script_cancel(scripts[0], "why"), SEPTET_OK);
    septet_script_unload(scripts[0]);
    septet_stats stats = {.size = sizeof stats};
    assert_int_equal(septet_get_stats(c->host, &stats), SEPTET_OK);
    assert_int_equal(stats.tasks, 0);
    assert_int_equal(stats.memory, 0);
    assert_int_equal(septet_free(c->host), SEPTET_OK);
    assert_int_equal(ends, 0);
}

static void test_e_7_lua_close_of_the_state_that_the_host_made(void **state)
{
    struct reports reports;
    septet_host *host = new_host(&reports);
    assert_loads(host, PRELUDE "task.sleep(1000)");
    assert_int_equal(septet_step(host, 0), SEPTET_IDLE);
    lua_close(septet_lua(host));
    assert_is_closed(host);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

#define CLOSED(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOSED(test_e_7_lua_close_of_an_unused_host),
        CLOSED(test_e_7_lua_close_with_tasks_that_wait),
        CLOSED(test_e_7_lua_close_with_a_task_that_never_ran),
        CLOSED(test_e_7_lua_close_with_requests),
        CLOSED(test_e_7_lua_close_with_streams_and_uploads),
        CLOSED(test_e_7_lua_close_with_files),
        CLOSED(test_e_7_lua_close_with_folders),
        CLOSED(test_e_7_lua_close_with_sockets),
        CLOSED(test_e_7_lua_close_runs_finalizers_that_use_tasks),
        CLOSED(test_e_7_lua_close_without_memory),
        CLOSED(test_e_7_lua_close_closes_each_operation_once),
        CLOSED(test_e_7_lua_close_in_a_callback_of_a_run),
        CLOSED(test_e_7_lua_close_in_a_callback_of_a_step),
        CLOSED(test_e_7_lua_close_on_a_loop_of_the_embedder),
        CLOSED(test_e_7_lua_close_on_each_clock),
        CLOSED(test_e_7_lua_close_after_the_run),
        CLOSED(test_e_7_lua_close_of_a_state_of_several_hosts),
        CLOSED(test_e_7_lua_close_beside_another_host),
        CLOSED(test_e_7_lua_close_ends_calls),
        CLOSED(test_e_7_lua_close_leaves_scripts_without_tasks),
        cmocka_unit_test(test_e_7_lua_close_of_the_state_that_the_host_made),
    };
    return cmocka_run_group_tests(tests, open_once, NULL);
}
