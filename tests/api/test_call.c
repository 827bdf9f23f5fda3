/* SPDX-License-Identifier: MIT */
/* Calls of Lua functions as main tasks, and what their callbacks receive. */
#include "support/host_fixture.h"

#include "septet/op.h"

/* What on_result has received. */
struct received {
    septet_host *host;
    int calls, status, count;
    bool on_main; /* the results are on the host's stack, from index 1 on */
    long number;  /* the first result, or a field `code` of the error */
    char kind[32], message[256], task[64];
    septet_script *script;
    int again;   /* number of further calls to make there */
    int loaded;  /* what loading there returned */
    bool raise;  /* raises there */
    bool unload; /* unloads `script` there */
};

static void on_result(void *ud, const septet_result *result);

static int call(septet_host *host, septet_script *script, struct received *received,
                const char *source)
{
    lua_State *L = septet_lua(host);
    received->host = host;
    if (luaL_loadstring(L, source) != LUA_OK) {
        lua_pop(L, 1);
        return SEPTET_ENOMEM;
    }
    return septet_call(host, script, "called", 0, on_result, received);
}

static void receive_error(struct received *r, const septet_error *error)
{
    snprintf(r->kind, sizeof r->kind, "%s", error->kind);
    snprintf(r->message, sizeof r->message, "%s", error->message);
    snprintf(r->task, sizeof r->task, "%s", error->task);
}

static void on_result(void *ud, const septet_result *result)
{
    struct received *r = ud;
    lua_State *L = result->lua;
    r->calls++;
    r->status = result->status;
    r->count = result->count;
    r->on_main = L == septet_lua(r->host) && lua_gettop(L) == result->count;
    if (result->error)
        receive_error(r, result->error);
    if (result->count > 0 && lua_istable(L, result->first)) {
        lua_getfield(L, result->first, "code");
        r->number = (long)lua_tointeger(L, -1);
        lua_pop(L, 1);
    } else if (result->count > 0) {
        r->number = (long)lua_tointeger(L, result->first);
    }
    if (r->again-- > 0)
        r->loaded = call(r->host, r->script, r, "return 2");
    if (r->unload)
        septet_script_unload(r->script);
    if (r->raise)
        luaL_error(L, "raised there");
}

static void test_a_call_receives_the_results(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {.host = f->host};
    assert_int_equal(
        luaL_loadstring(f->L, PRELUDE "local a, b = ... task.sleep(0) return a + b, b"), LUA_OK);
    lua_pushinteger(f->L, 3);
    lua_pushinteger(f->L, 4);
    assert_int_equal(septet_call(f->host, NULL, NULL, 2, on_result, &r), SEPTET_OK);
    assert_int_equal(lua_gettop(f->L), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.status, SEPTET_OK);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.number, 7);
    assert_true(r.on_main);
    assert_int_equal(lua_gettop(f->L), 0);
    assert_int_equal(call(f->host, NULL, &r, ""), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 2);
    assert_int_equal(r.count, 0);
    assert_silent(&f->reports);
}

static void test_a_call_receives_its_error_and_nothing_else_does(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {0};
    assert_int_equal(call(f->host, NULL, &r, PRELUDE "task.sleep(0) error({code = 7})"), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.status, SEPTET_ESCRIPT);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.number, 7);
    assert_true(r.on_main);
    assert_string_equal(r.kind, "error");
    assert_string_equal(r.task, "called");
    assert_int_equal(
        call(f->host, NULL, &r, PRELUDE "task.spawn(function() task.await(1) end):await()"),
        SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 2);
    assert_string_equal(r.kind, "Usage");
    assert_silent(&f->reports);
}

static void test_a_call_of_a_script_belongs_to_it(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {0}, other = {0};
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    assert_int_equal(call(f->host, script, &r, PRELUDE "task.sleep(100)"), SEPTET_OK);
    assert_int_equal(call(f->host, NULL, &other, "return 1"), SEPTET_OK);
    assert_int_equal(septet_script_tasks(script), 1);
    assert_int_equal(septet_script_cancel(script, "over"), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.status, SEPTET_ECANCELLED);
    assert_string_equal(r.kind, "Cancelled");
    assert_text(r.message, "over");
    assert_int_equal(other.number, 1);
    assert_silent(&f->reports);
}

static void test_a_script_is_unloaded_in_the_callback_of_its_last_task(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {.unload = true};
    r.script = septet_script_new(f->host, NULL, NULL);
    assert_int_equal(call(f->host, r.script, &r, "error 'x'"), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 1);
    assert_silent(&f->reports);
}

static void test_calls_go_on_in_the_callback(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {.again = 100};
    assert_int_equal(call(f->host, NULL, &r, "return 1"), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 101);
    assert_int_equal(r.number, 2);
    assert_int_equal(r.loaded, SEPTET_OK);
    assert_silent(&f->reports);
}

static void test_a_call_ends_with_its_host(void **state)
{
    struct host_fixture *f = *state;
    struct received waits = {.again = 1}, fresh = {0};
    assert_int_equal(call(f->host, NULL, &waits, PRELUDE "task.sleep(100)"), SEPTET_OK);
    assert_int_equal(septet_step(f->host, 0), SEPTET_IDLE);
    assert_int_equal(call(f->host, NULL, &fresh, "return 1"), SEPTET_OK);
    host_fixture_close(f);
    assert_int_equal(waits.calls, 1);
    assert_int_equal(waits.status, SEPTET_ECANCELLED);
    assert_int_equal(waits.loaded, SEPTET_ECLOSED);
    assert_int_equal(fresh.calls, 1);
    assert_silent(&f->reports);
}

static void test_what_cannot_be_called_is_refused(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {0};
    struct reports reports;
    septet_host *other = new_host(&reports);
    septet_script *script = septet_script_new(other, NULL, NULL);
    lua_pushinteger(f->L, 42);
    assert_int_equal(septet_call(f->host, NULL, NULL, 0, on_result, &r), SEPTET_EINVAL);
    assert_int_equal(lua_gettop(f->L), 0);
    lua_getglobal(f->L, "print");
    assert_int_equal(septet_call(f->host, NULL, NULL, 0, NULL, &r), SEPTET_EINVAL);
    assert_int_equal(septet_call(f->host, script, NULL, 0, on_result, &r), SEPTET_EINVAL);
    assert_int_equal(lua_gettop(f->L), 1);
    assert_int_equal(septet_free(other), SEPTET_OK);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 0);
    assert_int_equal(septet_tasks(f->host), 0);
}

/* --- too few values --- */

static const int wrong[] = {-2147483647 - 1, -50,        -1,        1, 2, 19, 20, 21,
                            1000000,         2147483646, 2147483647};

static void try_wrong_counts(septet_host *host, struct received *r, int *refused)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        *refused += septet_spawn(host, "none", wrong[i]) == SEPTET_EINVAL;
        *refused += septet_call(host, NULL, "none", wrong[i], on_result, r) == SEPTET_EINVAL;
    }
}

enum { ALL_WRONG = 2 * sizeof wrong / sizeof *wrong };

static void test_e_6_too_few_values_pop_nothing(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {0};
    int refused = 0;
    assert_int_equal(septet_spawn(f->host, NULL, 0), SEPTET_EINVAL);
    assert_int_equal(septet_call(f->host, NULL, NULL, 0, on_result, &r), SEPTET_EINVAL);
    lua_getglobal(f->L, "print");
    try_wrong_counts(f->host, &r, &refused);
    assert_int_equal(refused, ALL_WRONG);
    assert_int_equal(lua_gettop(f->L), 1);
    assert_int_equal(septet_tasks(f->host), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(r.calls, 0);
    assert_silent(&f->reports);
}

static struct received inside;
static int refused_inside;

/* The function is on the stack of the task, and not on that of the host. */
static int l_spawn_from_the_wrong_stack(lua_State *L)
{
    septet_host *host = septet_host_of(L);
    lua_settop(L, 10);
    try_wrong_counts(host, &inside, &refused_inside);
    refused_inside += septet_spawn(host, NULL, 0) == SEPTET_EINVAL;
    lua_pushinteger(L, lua_gettop(L));
    return 1;
}

static void test_e_6_a_function_on_the_stack_of_a_task_is_not_the_hosts(void **state)
{
    struct host_fixture *f = *state;
    refused_inside = 0;
    lua_register(f->L, "wrong", l_spawn_from_the_wrong_stack);
    assert_runs(f->host, "assert(wrong(print) == 10)"
                         "assert(coroutine.wrap(function() return wrong(print) end)() == 10)");
    assert_int_equal(refused_inside, 2 * (ALL_WRONG + 1));
    assert_int_equal(inside.calls, 0);
    assert_silent(&f->reports);
}

static void test_e_6_a_full_stack_of_arguments_is_spawned(void **state)
{
    struct host_fixture *f = *state;
    struct received r = {.host = f->host};
    for (int nargs = 0; nargs < 300; nargs++) {
        assert_true(lua_checkstack(f->L, nargs + 1));
        assert_int_equal(luaL_loadstring(f->L, "return select('#', ...)"), LUA_OK);
        for (int i = 0; i < nargs; i++)
            lua_pushinteger(f->L, i);
        assert_int_equal(septet_call(f->host, NULL, NULL, nargs, on_result, &r), SEPTET_OK);
        assert_int_equal(septet_run(f->host), SEPTET_OK);
        assert_int_equal(r.number, nargs);
    }
}

/* --- memory --- */

/* Calls with memory for ever more allocations: each call that begins ends once. */
static bool calls_with_memory_for(long allowed, long fails, int *failed)
{
    struct reports reports;
    struct pool pool = {.allowed = -1, .fails = fails};
    septet_config config = config_for(&reports);
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    septet_host *host = septet_new(&config, NULL);
    struct received good = {0}, bad = {0};
    pool.allowed = pool.calls + allowed;
    int begun = call(host, NULL, &good, "return 1, 2, 3") == SEPTET_OK;
    int begun_bad = call(host, NULL, &bad, "error({code = 7})") == SEPTET_OK;
    septet_run(host);
    bool enough = pool.calls <= pool.allowed;
    assert_int_equal(good.calls, begun);
    assert_int_equal(bad.calls, begun_bad);
    *failed += begun && good.status != SEPTET_OK;
    if (begun)
        assert_true(good.status == SEPTET_OK ? good.count == 3
                                             : strcmp(good.kind, "OutOfMemory") == 0);
    if (begun_bad)
        assert_int_equal(bad.status, SEPTET_ESCRIPT);
    pool.allowed = -1;
    assert_runs(host, "");
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
    return enough;
}

static void test_calls_with_memory_that_runs_out(void **state)
{
    static const long fails[] = {0, 1, 2, 4, 8, 20};
    for (size_t i = 0; i < sizeof fails / sizeof *fails; i++) {
        int failed = 0;
        for (long allowed = 0; !calls_with_memory_for(allowed, fails[i], &failed); allowed++)
            ;
        assert_true(failed > 0 || fails[i] == 1); /* Lua tries again */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_call_receives_the_results),
        TEST(test_a_call_receives_its_error_and_nothing_else_does),
        TEST(test_a_call_of_a_script_belongs_to_it),
        TEST(test_a_script_is_unloaded_in_the_callback_of_its_last_task),
        TEST(test_calls_go_on_in_the_callback),
        TEST(test_a_call_ends_with_its_host),
        TEST(test_what_cannot_be_called_is_refused),
        TEST(test_e_6_too_few_values_pop_nothing),
        TEST(test_e_6_a_function_on_the_stack_of_a_task_is_not_the_hosts),
        TEST(test_e_6_a_full_stack_of_arguments_is_spawned),
        cmocka_unit_test(test_calls_with_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
