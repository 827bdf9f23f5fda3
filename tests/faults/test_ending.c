/* SPDX-License-Identifier: MIT */
/* A host that opens and ends while memory, or descriptors, run out: nothing is left of it. */
#include "faults/failing_calls.h"
#include "support/host_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* What is open when the host ends: scripts of another test. */
#define SCRIPTS TESTS_FOLDER "/api/test_state_closed.lua"

static const long lengths[] = {1, 2, 4, 8, FOR_EVER};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static char folder[] = "/tmp/septet-ending-XXXXXX", fifo[64];

/* What was live before, and is to be live after. */
static struct live before;
static int descriptors;

static void count_before(void)
{
    before = live;
    descriptors = count_descriptors();
}

static void assert_nothing_left(void)
{
    fault.armed = false;
    assert_int_equal(live.own, before.own);
    assert_int_equal(live.lua, before.lua);
    assert_int_equal(count_descriptors(), descriptors);
}

static septet_config config_of(struct reports *reports, uv_loop_t *loop, int profile)
{
    septet_config config = config_for(reports);
    config.alloc = fault_lua_memory;
    config.profile = profile;
    config.trace_records = 64;
    config.quirks = "-poke";
    if (loop)
        assert_int_equal(uv_loop_init(config.loop = loop), 0);
    return config;
}

static void end_loop(uv_loop_t *loop)
{
    if (!loop)
        return;
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(loop), 0);
}

/* Opens a host while the allocations from the nth on fail. Returns true if none did. */
static bool open_once(enum kind kind, long nth, long run, int profile, uv_loop_t *loop)
{
    struct reports reports;
    int status = 1;
    count_before();
    septet_config config = config_of(&reports, loop, profile);
    fault_arm(kind, nth, run);
    septet_host *host = septet_new(&config, &status);
    bool failed = fault.failed > 0;
    fault.armed = false;
    if (host) {
        assert_int_equal(status, SEPTET_OK);
        assert_runs(host, PRELUDE "task.sleep(0)");
    } else {
        assert_true(failed);
        assert_int_equal(status, SEPTET_ENOMEM);
    }
    assert_int_equal(septet_free(host), SEPTET_OK);
    end_loop(loop);
    assert_nothing_left();
    return !failed;
}

/* Fails each allocation of septet_new, or every so manieth. */
static void check_open(enum kind kind, long step)
{
    long tries = 0;
    for (int length = 0; length < LENGTHS; length++)
        for (int profile = 0; profile < 2; profile++)
            for (long nth = 1;; nth += step) {
                uv_loop_t loop;
                if (open_once(kind, nth, lengths[length], profile, nth % 2 ? &loop : NULL))
                    break;
                tries++;
            }
    assert_true(tries > 10);
}

static void test_new_while_own_memory_fails(void **state)
{
    check_open(OWN, 1);
}

static void test_new_while_luas_memory_fails(void **state)
{
    check_open(LUA, 397);
}

static void test_new_without_descriptors(void **state)
{
    struct reports reports;
    struct rlimit limit, lowered;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int more = 0, opened = 0; opened < 2; more++) {
        int status = 1, lowest = dup(0);
        close(lowest);
        count_before();
        septet_config config = config_of(&reports, NULL, SEPTET_PROFILE_STANDARD);
        lowered = (struct rlimit){(rlim_t)(lowest + more), limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
        septet_host *host = septet_new(&config, &status);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        opened += host != NULL;
        assert_int_equal(status, host ? SEPTET_OK : SEPTET_ELOOP);
        assert_int_equal(septet_free(host), SEPTET_OK);
        if (!host) /* libuv keeps the epoll descriptor of a loop that it cannot make */
            descriptors = count_descriptors();
        assert_nothing_left();
        assert_true(more < 64);
    }
}

/* --- the end --- */

/* How the embedder ends a host. */
enum order { FREE, STATE_FIRST, HANDLES_FIRST, ORDERS };

static void close_one(uv_handle_t *handle, void *ud)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int l_nothing(lua_State *L)
{
    return 0;
}

static void open_busy(septet_host *host, const char *name)
{
    lua_State *L = septet_lua(host);
    set_origin(L);
    lua_pushstring(L, fifo);
    lua_setglobal(L, "fifo");
    lua_register(L, "finalized", l_nothing);
    assert_int_equal(spawn_function(host, SCRIPTS, name), SEPTET_OK);
    while (global(L, "ready") == 0)
        assert_in_range(septet_step(host, 1000), SEPTET_IDLE, SEPTET_MORE);
}

static void end_without_memory(enum kind kind, long run, enum order order, const char *name)
{
    struct reports reports;
    uv_loop_t loop;
    count_before();
    lua_State *L = lua_newstate(fault_lua_memory, NULL);
    assert_non_null(L);
    luaL_openlibs(L);
    septet_config config = config_of(&reports, &loop, SEPTET_PROFILE_TRUSTED);
    config.lua = L;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    open_busy(host, name);
    fault_arm(kind, 1, run);
    if (order == HANDLES_FIRST)
        uv_walk(&loop, close_one, NULL);
    if (order == STATE_FIRST)
        lua_close(L);
    assert_int_equal(septet_free(host), SEPTET_OK);
    if (order != STATE_FIRST)
        lua_close(L);
    fault.armed = false;
    end_loop(&loop);
    assert_nothing_left();
}

static void test_the_end_needs_no_memory(void **state)
{
    static const char *const names[] = {"tasks", "requests", "streams", "files"};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++)
        for (enum order order = FREE; order < ORDERS; order++)
            for (int length = 0; length < LENGTHS; length += 2)
                for (int kind = 0; kind < 2; kind++)
                    end_without_memory(kind ? LUA : OWN, lengths[length], order, names[name]);
}

static int make_folder(void **state)
{
    struct reports reports;
    assert_non_null(mkdtemp(folder));
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    /* what a process keeps of its first host, and of its first requests */
    septet_host *host = new_host(&reports);
    set_origin(septet_lua(host));
    assert_runs(host, PRELUDE "http.get(origin .. '/bytes/10')");
    assert_int_equal(septet_free(host), SEPTET_OK);
    return mkfifo(fifo, 0600);
}

static int remove_folder(void **state)
{
    unlink(fifo);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_while_own_memory_fails),
        cmocka_unit_test(test_new_while_luas_memory_fails),
        cmocka_unit_test(test_new_without_descriptors),
        cmocka_unit_test(test_the_end_needs_no_memory),
    };
    fault_init_curl();
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
