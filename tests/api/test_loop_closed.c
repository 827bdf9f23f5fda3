/* SPDX-License-Identifier: MIT */
/* The embedder closes all handles of the loop before it frees the host. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "septet/op.h"
#include "support/host_fixture.h"

/* What is open when the handles close: scripts of another test. */
#define SCRIPTS TESTS_FOLDER "/api/test_state_closed.lua"

static const char *const names[] = {"tasks", "requests", "streams", "files"};
enum { NAMES = sizeof names / sizeof *names };

/* What the embedder does with the loop after the handles, before it frees the host. */
enum after { NOTHING, RUN_TO_THE_END, CLOSE, AFTERS };

/* A host on a loop of its own, or on one of the embedder's. */
struct closed {
    uv_loop_t *loop; /* NULL: the host's own */
    septet_host *host;
    struct reports reports;
    uv_timer_t timer;
    int descriptors;
    unsigned closings;
    char folder[32], fifo[48];
};

static void count_closing(uv_handle_t *handle)
{
}

static void close_one(uv_handle_t *handle, void *ud)
{
    const uv_handle_type *type = ud;
    if (uv_is_closing(handle) || (type && handle->type != *type))
        return;
    uv_close(handle, handle->type % 2 ? count_closing : NULL);
}

static void close_all(septet_host *host)
{
    uv_walk(septet_loop(host), close_one, NULL);
}

static int l_close_handles(lua_State *L)
{
    uv_handle_type poll = UV_POLL;
    bool all = lua_isnoneornil(L, 1);
    uv_walk(septet_loop(septet_host_of(L)), close_one, all ? NULL : &poll);
    return 0;
}

static void open_on(struct closed *c, bool foreign)
{
    septet_config config = config_for(&c->reports);
    config.profile = SEPTET_PROFILE_TRUSTED;
    c->loop = foreign ? malloc(sizeof *c->loop) : NULL;
    if (foreign)
        assert_int_equal(uv_loop_init(c->loop), 0);
    config.loop = c->loop;
    c->host = septet_new(&config, NULL);
    assert_non_null(c->host);
    lua_State *L = septet_lua(c->host);
    set_origin(L);
    lua_pushstring(L, c->fifo);
    lua_setglobal(L, "fifo");
    lua_register(L, "close_handles", l_close_handles);
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
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    struct closed *c = *state;
    unlink(c->fifo);
    rmdir(c->folder);
    return 0;
}

static int open_once(void **state)
{
    struct reports reports;
    return septet_free(new_host(&reports));
}

/* Steps until the script of that name sets `ready`. */
static void start(struct closed *c, const char *name)
{
    assert_int_equal(spawn_function(c->host, SCRIPTS, name), SEPTET_OK);
    while (global(septet_lua(c->host), "ready") == 0)
        assert_in_range(septet_step(c->host, 1000), SEPTET_IDLE, SEPTET_MORE);
}

static void assert_cannot_run(septet_host *host)
{
    assert_int_equal(septet_run(host), SEPTET_ELOOP);
    assert_int_equal(septet_step(host, 1000), SEPTET_ELOOP);
    assert_int_equal(septet_load_string(host, "=x", "x = 1"), SEPTET_OK);
    assert_int_equal(septet_run(host), SEPTET_ELOOP);
    septet_interrupt(host);
    assert_non_null(septet_lua(host));
}

/* Frees a host with closed handles, after the embedder has done more to the loop. */
static void end(struct closed *c, enum after after)
{
    uv_loop_t *loop = septet_loop(c->host);
    if (after >= RUN_TO_THE_END)
        assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    if (after >= CLOSE)
        assert_int_equal(uv_loop_close(loop), 0);
    if (after >= CLOSE && c->loop) {
        memset(c->loop, 0xee, sizeof *c->loop);
        free(c->loop);
        c->loop = NULL;
    }
    assert_cannot_run(c->host);
    assert_int_equal(septet_free(c->host), SEPTET_OK);
    if (c->loop) {
        assert_int_equal(uv_run(c->loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(uv_loop_close(c->loop), 0);
        free(c->loop);
    }
    assert_int_equal(count_descriptors(), c->descriptors);
}

/* Calls `fn` for each script, kind of loop and treatment of the loop. */
static void for_each(struct closed *c, void (*fn)(struct closed *c, const char *name, enum after))
{
    for (int name = 0; name < NAMES; name++)
        for (int foreign = 0; foreign < 2; foreign++)
            for (enum after after = NOTHING; after < AFTERS; after++) {
                open_on(c, foreign);
                fn(c, names[name], after);
            }
}

static void close_outside(struct closed *c, const char *name, enum after after)
{
    start(c, name);
    close_all(c->host);
    end(c, after);
}

static void test_e_7_uv_walk_before_septet_free(void **state)
{
    for_each(*state, close_outside);
}

static void on_tick(uv_timer_t *timer)
{
    struct closed *c = timer->data;
    if (global(septet_lua(c->host), "ready") == 0)
        return;
    close_all(c->host); /* the timer as well */
}

static void start_ticks(struct closed *c)
{
    uv_timer_init(septet_loop(c->host), &c->timer);
    uv_timer_start(&c->timer, on_tick, 1, 1);
    c->timer.data = c;
}

static void close_in_callback(struct closed *c, const char *name, enum after after)
{
    start_ticks(c);
    assert_int_equal(spawn_function(c->host, SCRIPTS, name), SEPTET_OK);
    assert_int_equal(septet_run(c->host), SEPTET_ELOOP);
    end(c, after);
}

static void test_e_7_uv_walk_in_a_callback_of_a_run(void **state)
{
    for_each(*state, close_in_callback);
}

static void close_in_embedders_run(struct closed *c, const char *name, enum after after)
{
    start_ticks(c);
    assert_int_equal(spawn_function(c->host, SCRIPTS, name), SEPTET_OK);
    assert_int_equal(uv_run(septet_loop(c->host), UV_RUN_DEFAULT), 0);
    end(c, after);
}

static void test_e_7_uv_walk_in_a_callback_of_the_embedders_run(void **state)
{
    for_each(*state, close_in_embedders_run);
}

static void test_e_7_uv_walk_in_a_task(void **state)
{
    struct closed *c = *state;
    for (int foreign = 0; foreign < 2; foreign++)
        for (enum after after = NOTHING; after < AFTERS; after++) {
            open_on(c, foreign);
            assert_spawns(c->host, "close_in_a_task");
            assert_int_equal(septet_run(c->host), SEPTET_ELOOP);
            close_all(c->host); /* what the task has opened since */
            end(c, after);
        }
}

static void test_e_7_a_request_fails_if_its_poller_was_closed(void **state)
{
    struct closed *c = *state;
    for (int foreign = 0; foreign < 2; foreign++) {
        open_on(c, foreign);
        assert_spawns(c->host, "close_pollers");
        int status = septet_run(c->host);
        if (status != SEPTET_OK)
            fail_msg("%s: %s", septet_strerror(status), c->reports.message);
        assert_int_equal(global(septet_lua(c->host), "n"), 1);
        close_all(c->host);
        end(c, NOTHING);
    }
}

static void test_e_7_uv_walk_and_lua_close(void **state)
{
    struct closed *c = *state;
    for (int name = 0; name < NAMES; name++)
        for (int order = 0; order < 2; order++)
            for (enum after after = NOTHING; after < AFTERS; after++) {
                open_on(c, true);
                start(c, names[name]);
                if (order == 0)
                    lua_close(septet_lua(c->host));
                close_all(c->host);
                if (after >= RUN_TO_THE_END)
                    assert_int_equal(uv_run(c->loop, UV_RUN_DEFAULT), 0);
                if (after >= CLOSE)
                    assert_int_equal(uv_loop_close(c->loop), 0);
                if (order == 1)
                    lua_close(septet_lua(c->host));
                assert_int_equal(septet_run(c->host), SEPTET_ECLOSED);
                assert_int_equal(septet_free(c->host), SEPTET_OK);
                if (after < CLOSE) {
                    assert_int_equal(uv_run(c->loop, UV_RUN_DEFAULT), 0);
                    assert_int_equal(uv_loop_close(c->loop), 0);
                }
                free(c->loop);
                assert_int_equal(count_descriptors(), c->descriptors);
            }
}

static void test_e_7_uv_walk_beside_another_host(void **state)
{
    struct closed *c = *state, other = *c;
    open_on(c, true);
    start(c, "requests");
    septet_config config = config_for(&other.reports);
    config.loop = c->loop;
    other.host = septet_new(&config, NULL);
    assert_non_null(other.host);
    close_all(c->host);
    assert_int_equal(septet_free(other.host), SEPTET_OK);
    end(c, NOTHING);
}

#define CLOSED(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOSED(test_e_7_uv_walk_before_septet_free),
        CLOSED(test_e_7_uv_walk_in_a_callback_of_a_run),
        CLOSED(test_e_7_uv_walk_in_a_callback_of_the_embedders_run),
        CLOSED(test_e_7_uv_walk_in_a_task),
        CLOSED(test_e_7_a_request_fails_if_its_poller_was_closed),
        CLOSED(test_e_7_uv_walk_and_lua_close),
        CLOSED(test_e_7_uv_walk_beside_another_host),
    };
    return cmocka_run_group_tests(tests, open_once, NULL);
}
