/* SPDX-License-Identifier: MIT */
/* What a step, and a turn of the embedder's loop, receive and decode at most. Bytes are counted,
 * never time. */
#include "support/host_fixture.h"

#include <uv.h>

enum {
    PIECE = 16 * 1024, /* what libcurl reads, and the decoder writes, at once */
    LIMIT = 64 * 1024  /* bytes_per_turn */
};

static void limit_turns(septet_config *config)
{
    config->profile = SEPTET_PROFILE_TRUSTED; /* a script saves to a file */
    config->limits.bytes_per_turn = LIMIT;
}

static int setup(void **state)
{
    return host_fixture_setup_with(state, limit_turns);
}

static long received(lua_State *L)
{
    lua_getglobal(L, "received");
    assert_int_equal(lua_pcall(L, 0, 1, 0), LUA_OK);
    long bytes = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return bytes;
}

/* Steps to the end, and returns the most that one step received. */
static long step_through(struct host_fixture *f, const char *name, uint64_t budget_us)
{
    long before = 0, most = 0;
    assert_spawns(f->host, name);
    while (septet_step(f->host, budget_us) != SEPTET_DONE) {
        long now = received(f->L);
        most = now - before > most ? now - before : most;
        before = now;
    }
    assert_silent(&f->reports);
    return most;
}

static void test_e_3_a_step_without_time_receives_one_piece(void **state)
{
    long most = step_through(*state, "bodies_at_once", 0);
    assert_in_range(most, 1, 2 * PIECE);
}

static void test_e_3_a_step_without_time_decodes_one_piece(void **state)
{
    long most = step_through(*state, "a_packed_body", 0);
    assert_in_range(most, 1, 2 * PIECE);
}

/* On a loop of the embedder's there is no deadline, only the limit. */
static void turn_through(const char *name)
{
    uv_loop_t loop;
    struct reports reports;
    septet_config config = config_for(&reports);
    long before = 0, most = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    limit_turns(&config);
    config.loop = &loop;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    assert_spawns(host, name);
    while (septet_tasks(host) > 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
        long now = received(septet_lua(host));
        most = now - before > most ? now - before : most;
        before = now;
    }
    assert_silent(&reports);
    assert_in_range(most, LIMIT - PIECE, LIMIT + PIECE);
    assert_int_equal(septet_free(host), SEPTET_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_e_3_readable_sockets_share_the_bytes_of_a_turn(void **state)
{
    turn_through("bodies_at_once");
}

static void test_e_3_a_packed_body_is_decoded_over_many_turns(void **state)
{
    turn_through("a_packed_body");
}

/* The host ends while a decoder is stopped inside its chunk. */
static void test_e_3_a_host_is_freed_with_a_stopped_body(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "a_packed_body");
    while (received(f->L) < LIMIT)
        septet_step(f->host, 0);
    host_fixture_close(f);
}

#define SCRIPTS(XX)                                                                                \
    XX(a_packed_body_beside_a_task)                                                                \
    XX(a_packed_body_is_cancelled)                                                                 \
    XX(a_session_is_closed_under_a_packed_body)                                                    \
    XX(a_packed_body_is_streamed)                                                                  \
    XX(a_packed_body_is_saved)                                                                     \
    XX(bodies_over_tls)

#define XX(name)                                                                                   \
    static void test_e_3_##name(void **state)                                                      \
    {                                                                                              \
        struct host_fixture *f = *state;                                                           \
        assert_spawns(f->host, #name);                                                             \
        int status = septet_run(f->host);                                                          \
        assert_silent(&f->reports);                                                                \
        assert_int_equal(status, SEPTET_OK);                                                       \
    }
SCRIPTS(XX)
#undef XX

#define LIMITED(fn) cmocka_unit_test_setup_teardown(fn, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED(test_e_3_a_step_without_time_receives_one_piece),
        LIMITED(test_e_3_a_step_without_time_decodes_one_piece),
        cmocka_unit_test(test_e_3_readable_sockets_share_the_bytes_of_a_turn),
        cmocka_unit_test(test_e_3_a_packed_body_is_decoded_over_many_turns),
        LIMITED(test_e_3_a_host_is_freed_with_a_stopped_body),
#define XX(name) LIMITED(test_e_3_##name),
        SCRIPTS(XX)
#undef XX
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
