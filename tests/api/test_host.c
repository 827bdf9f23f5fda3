/* The public API on hosts with a Lua state and a loop of their own. */
#include "support/host_fixture.h"

#include <signal.h>
#include <sys/time.h>
#include <uv.h>

#include "septet/op.h"

/* --- the words --- */

static void test_version_is_the_headers(void **state)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SEPTET_VERSION_MAJOR, SEPTET_VERSION_MINOR,
             SEPTET_VERSION_PATCH);
    assert_string_equal(septet_version(), version);
    assert_string_equal(septet_version(), SEPTET_VERSION);
}

static void test_strerror_has_words_for_every_status(void **state)
{
#define XX(name, value, text) assert_string_equal(septet_strerror(SEPTET_##name), text);
    SEPTET_STATUS_MAP(XX)
#undef XX
    assert_non_null(septet_strerror(1));
    assert_non_null(septet_strerror(-9999));
    assert_true(strlen(septet_strerror(-9999)) > 0);
}

/* --- the config --- */

static void test_config_defaults(void **state)
{
    septet_config config;
    memset(&config, 0xa5, sizeof config);
    septet_config_init(&config);
    assert_int_equal(config.size, sizeof config);
    assert_int_equal(config.trace_records, 65536);
    assert_null(config.ud);
    assert_null(config.lua);
    assert_null(config.alloc);
    assert_null(config.alloc_ud);
    assert_null(config.loop);
    assert_null(config.on_error);
    assert_null(config.on_warning);
}

static void test_config_of_an_older_embedder_is_shorter(void **state)
{
    struct told told;
    septet_config config = config_for(&told);
    config.size = offsetof(septet_config, on_warning);
    memset((char *)&config + config.size, 0xa5, sizeof config - config.size);
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(run(host, "warn('@on') warn('nobody hears') error('x')"), SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    assert_int_equal(told.warnings, 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_config_of_a_newer_embedder_is_longer(void **state)
{
    struct told told;
    struct {
        septet_config config;
        void *later[4];
    } newer = {.config = config_for(&told)};
    newer.config.size = sizeof newer;
    septet_host *host = septet_new(&newer.config, NULL);
    assert_non_null(host);
    assert_int_equal(run(host, "error('x')"), SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_config_that_was_never_initialised_is_refused(void **state)
{
    septet_config config = {0};
    int status = SEPTET_OK;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    assert_null(septet_new(NULL, &status));
    assert_int_equal(status, SEPTET_EINVAL);
    assert_null(septet_new(NULL, NULL));
}

static void test_config_without_callbacks_still_gives_statuses(void **state)
{
    septet_config config;
    septet_config_init(&config);
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_null(septet_userdata(host));
    assert_int_equal(septet_load_string(host, "=script", "x x"), SEPTET_ELOAD);
    assert_int_equal(run(host, "warn('@on') warn('w') error('x')"), SEPTET_ESCRIPT);
    assert_int_equal(run(host, "return 1"), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_free_of_nothing(void **state)
{
    assert_int_equal(septet_free(NULL), SEPTET_OK);
}

static void test_host_that_records_nothing_runs(void **state)
{
    struct told told;
    septet_config config = config_for(&told);
    config.trace_records = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(run(host,
                         PRELUDE "n = 0 require 'septet.trace'.subscribe(function() n = n + 1 end)"
                                 " task.gather(task.map(task.sleep, {0, 0.001}))"),
                     SEPTET_OK);
    assert_int_equal(global(septet_lua(host), "n"), 0);
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- loading --- */

static void test_load_of_a_script_that_does_not_compile(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    int top = lua_gettop(septet_lua(host));
    assert_int_equal(septet_load_string(host, "@boot.lua", "x x"), SEPTET_ELOAD);
    assert_int_equal(told.errors, 1);
    assert_text(told.message, "boot.lua:1: syntax error");
    assert_true(told.is_main);
    assert_int_equal(septet_tasks(host), 0);
    assert_int_equal(lua_gettop(septet_lua(host)), top);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_load_of_a_missing_file(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_file(host, "no/such/file.lua"), SEPTET_ELOAD);
    assert_int_equal(told.errors, 1);
    assert_text(told.message, "no/such/file.lua");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_load_of_a_folder(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_file(host, "/"), SEPTET_ELOAD);
    assert_int_equal(told.errors, 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_load_of_precompiled_code_is_refused(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=script", LUA_SIGNATURE "T"), SEPTET_ELOAD);
    assert_text(told.message, "binary");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_load_of_a_file(void **state)
{
    struct told told;
    char path[] = "/tmp/septet-api-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs("#!/usr/bin/env septet\n" PRELUDE "task.sleep(0) answer = 42\n", file);
    fclose(file);
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_file(host, path), SEPTET_OK);
    assert_int_equal(septet_tasks(host), 1);
    assert_int_equal(global(septet_lua(host), "answer"), 0);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(global(septet_lua(host), "answer"), 42);
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
    remove(path);
}

static void test_spawn_takes_a_function_and_its_arguments(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    lua_State *L = septet_lua(host);
    lua_pushliteral(L, "below");
    assert_int_equal(luaL_loadstring(L, PRELUDE "local a, b = ... task.sleep(0)"
                                                " sum = a + b name = task.current().name"),
                     LUA_OK);
    lua_pushinteger(L, 3);
    lua_pushinteger(L, 4);
    assert_int_equal(septet_spawn(host, "adder", 2), SEPTET_OK);
    assert_int_equal(lua_gettop(L), 1);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(global(L, "sum"), 7);
    lua_getglobal(L, "name");
    assert_string_equal(lua_tostring(L, -1), "adder");
    assert_string_equal(lua_tostring(L, 1), "below");
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_spawn_of_what_cannot_be_called(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    lua_pushinteger(septet_lua(host), 42);
    assert_int_equal(septet_spawn(host, NULL, 0), SEPTET_EINVAL);
    assert_int_equal(lua_gettop(septet_lua(host)), 0);
    assert_int_equal(septet_tasks(host), 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- running --- */

static void test_run_of_nothing(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(septet_step(host, 0), 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_run_again_and_again(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(run(host, PRELUDE "task.sleep(0.001) n = (n or 0) + 1"), SEPTET_OK);
        assert_int_equal(global(septet_lua(host), "n"), i);
        assert_int_equal(septet_tasks(host), 0);
    }
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_run_of_several_mains(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=a", PRELUDE "task.sleep(0.002) a = true"),
                     SEPTET_OK);
    assert_int_equal(septet_load_string(host, "=b", "error 'b'"), SEPTET_OK);
    assert_int_equal(septet_load_string(host, "=c", PRELUDE "task.sleep(0.001) c = true"),
                     SEPTET_OK);
    assert_int_equal(septet_tasks(host), 3);
    assert_int_equal(septet_run(host), SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    lua_State *L = septet_lua(host);
    assert_int_equal(lua_getglobal(L, "a"), LUA_TBOOLEAN);
    assert_int_equal(lua_getglobal(L, "c"), LUA_TBOOLEAN);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_background_ends_with_the_last_main(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, PRELUDE "task.background(function()"
                                       "  local _ <close> = setmetatable({}, {__close = function()"
                                       "    closed = 1 end})"
                                       "  task.sleep(1000) end)"
                                       "task.sleep(0.001)"),
                     SEPTET_OK);
    assert_int_equal(global(septet_lua(host), "closed"), 1);
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- errors --- */

static void test_error_of_a_main_task(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(
        septet_load_string(host, "@boot.lua",
                           PRELUDE "\n"
                                   "local function inner() task.sleep(0) error('no luck') end\n"
                                   "inner()"),
        SEPTET_OK);
    assert_int_equal(septet_run(host), SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.kind, "error");
    assert_string_equal(told.message, "boot.lua:2: no luck");
    assert_text(told.traceback, "stack traceback:");
    assert_text(told.traceback, "boot.lua:2:");
    assert_text(told.traceback, "boot.lua:3:");
    assert_string_equal(told.task, "main");
    assert_int_equal(told.task_id, 1);
    assert_true(told.is_main);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_error_of_a_background_task(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, PRELUDE "local t = task.background(error, {}) t.name = 'fetcher'"
                                       " task.sleep(0.001) after = 1"),
                     SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.kind, "error");
    assert_string_equal(told.message, "(error object is a table value)");
    assert_string_equal(told.task, "fetcher");
    assert_int_equal(told.task_id, 2);
    assert_false(told.is_main);
    assert_int_equal(global(septet_lua(host), "after"), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void check_error(const char *source, const char *kind, const char *message)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, source), SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.kind, kind);
    assert_text(told.message, message);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_error_kinds(void **state)
{
    check_error(PRELUDE "task.sleep(-1)", "Usage", "script:1: bad argument #1 to 'sleep'");
    check_error(PRELUDE "task.group(function(g) g:spawn(error, 'a') end)", "ErrorGroup", "1. a");
    check_error("error(nil)", "error", "nil");
    check_error("error(setmetatable({}, {__tostring = function() return 'mine' end}))", "error",
                "mine");
    check_error("error(12)", "error", "12");
    check_error(PRELUDE "http.get 'http://127.0.0.1:1/'", "HttpError", "GET http://127.0.0.1:1/: ");
}

static void test_t_r_error_whose_tostring_fails_is_told_all_the_same(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(
        run(host, "error(setmetatable({}, {__tostring = function() error 'worse' end}))"),
        SEPTET_ESCRIPT);
    assert_int_equal(told.errors, 1);
    assert_text(told.message, "(error object is a table value)");
    assert_text(told.traceback, "stack traceback:");
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_errors_come_before_the_last_step_says_zero(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=script", "error 'x'"), SEPTET_OK);
    while (septet_step(host, 0) == 1)
        ;
    assert_int_equal(told.errors, 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(told.errors, 1);
}

static void test_warnings_of_lua(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(
        run(host, "warn('off') warn('@on') warn('a', 'b', '@off') warn('@off') warn('c')"),
        SEPTET_OK);
    assert_int_equal(told.warnings, 1);
    assert_string_equal(told.warned, "ab@off\n");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_warning_that_is_very_long_is_cut(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, "warn('@on') warn(('x'):rep(5000), ('y'):rep(5000))"), SEPTET_OK);
    assert_int_equal(told.warnings, 1);
    assert_int_equal(told.warned[0], 'x');
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- stepping, and hosts side by side --- */

static void test_step_never_waits(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=script", PRELUDE "task.sleep(1000)"), SEPTET_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(septet_step(host, 0), 1); /* a step that waited would wait for ever */
    assert_int_equal(septet_tasks(host), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_step_gives_back_after_its_budget(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=script",
                                        PRELUDE "n = 0 while true do n = n + 1 task.sleep(0) end"),
                     SEPTET_OK);
    assert_int_equal(septet_step(host, 1000), 1);
    long after_one = global(septet_lua(host), "n");
    assert_true(after_one > 0);
    assert_int_equal(septet_step(host, 0), 1);
    assert_true(global(septet_lua(host), "n") > after_one);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_two_hosts_interleave(void **state)
{
    static const char source[] = PRELUDE "n = 0 for _ = 1, 100 do task.sleep(0) n = n + 1 end";
    struct told told[2];
    septet_host *hosts[2] = {new_host(&told[0]), new_host(&told[1])};
    int busy[2], both = 0;
    assert_ptr_not_equal(septet_lua(hosts[0]), septet_lua(hosts[1]));
    assert_ptr_not_equal(septet_loop(hosts[0]), septet_loop(hosts[1]));
    for (int i = 0; i < 2; i++)
        assert_int_equal(septet_load_string(hosts[i], "=script", source), SEPTET_OK);
    do {
        for (int i = 0; i < 2; i++)
            busy[i] = septet_step(hosts[i], 0);
        both += busy[0] && busy[1] && global(septet_lua(hosts[0]), "n") > 0 &&
                global(septet_lua(hosts[1]), "n") > 0;
    } while (busy[0] || busy[1]);
    assert_true(both > 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(global(septet_lua(hosts[i]), "n"), 100);
        assert_silent(&told[i]);
    }
    /* The first can go while the other lives. */
    assert_int_equal(septet_free(hosts[0]), SEPTET_OK);
    assert_int_equal(run(hosts[1], PRELUDE "task.sleep(0.001)"), SEPTET_OK);
    assert_int_equal(septet_free(hosts[1]), SEPTET_OK);
}

static int l_run_other(lua_State *L)
{
    septet_host *other = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushinteger(L, run(other, PRELUDE "task.sleep(0.001) n = 1"));
    return 1;
}

static void test_a_host_runs_inside_a_task_of_another(void **state)
{
    struct told told[2];
    septet_host *outer = new_host(&told[0]), *inner = new_host(&told[1]);
    lua_pushlightuserdata(septet_lua(outer), inner);
    lua_pushcclosure(septet_lua(outer), l_run_other, 1);
    lua_setglobal(septet_lua(outer), "run_other");
    assert_int_equal(run(outer, PRELUDE "task.sleep(0) assert(run_other() == 0) task.sleep(0)"),
                     SEPTET_OK);
    assert_int_equal(global(septet_lua(inner), "n"), 1);
    assert_silent(&told[0]);
    assert_silent(&told[1]);
    assert_int_equal(septet_free(outer), SEPTET_OK);
    assert_int_equal(septet_free(inner), SEPTET_OK);
}

/* --- calls from inside --- */

/* run, step and free, in this order. */
static void call_all(septet_host *host, int results[3])
{
    results[0] = septet_run(host);
    results[1] = septet_step(host, 1000);
    results[2] = septet_free(host);
}

static int l_call_all(lua_State *L)
{
    int results[3];
    call_all(septet_host_of(L), results);
    for (int i = 0; i < 3; i++)
        lua_pushinteger(L, results[i]);
    return 3;
}

#define ASSERT_BUSY                                                                                \
    "local function check(...) for i = 1, 3 do"                                                    \
    "  assert(select(i, ...) == -7, i) end n = (n or 0) + 1 end "

static void check_busy_inside(const char *source)
{
    struct told told;
    septet_host *host = new_host(&told);
    lua_register(septet_lua(host), "call_all", l_call_all);
    assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_true(global(septet_lua(host), "n") > 0);
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_calls_from_a_task_are_refused(void **state)
{
    check_busy_inside(ASSERT_BUSY "check(call_all())");
}

static void test_calls_from_a_coroutine_of_a_task_are_refused(void **state)
{
    check_busy_inside(ASSERT_BUSY "coroutine.wrap(function() check(call_all()) end)()");
}

static void test_calls_from_a_trace_sink_are_refused(void **state)
{
    check_busy_inside(
        PRELUDE ASSERT_BUSY
        "local once require 'septet.trace'.subscribe(function()"
        "  if not once then once = true check(call_all()) end end) task.sleep(0.001)");
}

static void test_calls_from_a_request_hook_are_refused(void **state)
{
    check_busy_inside(PRELUDE ASSERT_BUSY "local s <close> = http.session{trace = {"
                                          "  request_start = function() check(call_all()) end,"
                                          "  request_exception = function() check(call_all()) end}}"
                                          " pcall(s.get, s, 'http://127.0.0.1:1/') assert(n == 2)");
}

static void test_calls_while_it_unwinds_are_refused(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    lua_register(septet_lua(host), "call_all", l_call_all);
    assert_int_equal(septet_load_string(host, "=script",
                                        PRELUDE ASSERT_BUSY
                                        "local _ <close> = setmetatable({}, {__close = function()"
                                        "  check(call_all()) warn('@on') warn('checked') end})"
                                        " task.sleep(1000)"),
                     SEPTET_OK);
    assert_int_equal(septet_step(host, 0), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(told.errors, 0);
    assert_string_equal(told.warned, "checked\n");
}

struct inside {
    septet_host *host;
    int results[3];
    int calls;
};

static void on_error_inside(void *ud, const septet_error *error)
{
    struct inside *inside = ud;
    inside->calls++;
    call_all(inside->host, inside->results);
}

static void on_warning_inside(void *ud, const char *message)
{
    struct inside *inside = ud;
    inside->calls++;
    call_all(inside->host, inside->results);
}

static void assert_all_busy(const struct inside *inside)
{
    assert_true(inside->calls > 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(inside->results[i], SEPTET_EBUSY);
}

static void test_calls_from_on_error_are_refused(void **state)
{
    struct inside inside = {0};
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error_inside;
    config.ud = &inside;
    inside.host = septet_new(&config, NULL);
    assert_int_equal(run(inside.host, "error 'x'"), SEPTET_ESCRIPT);
    assert_all_busy(&inside);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_calls_from_the_warning_of_a_deadlock_are_refused(void **state)
{
    struct inside inside = {0};
    septet_config config;
    septet_config_init(&config);
    config.on_warning = on_warning_inside;
    config.ud = &inside;
    inside.host = septet_new(&config, NULL);
    assert_int_equal(
        run(inside.host, PRELUDE "local t = task.current() task.spawn(t.await, t):await()"),
        SEPTET_EDEADLOCK);
    assert_all_busy(&inside);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void on_timer_inside(uv_timer_t *timer)
{
    struct inside *inside = timer->data;
    inside->calls++;
    call_all(inside->host, inside->results);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_calls_from_a_callback_of_its_loop_are_refused(void **state)
{
    struct told told;
    uv_timer_t timer;
    struct inside inside = {.host = new_host(&told)};
    timer.data = &inside;
    assert_int_equal(uv_timer_init(septet_loop(inside.host), &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_timer_inside, 1, 0), 0);
    assert_int_equal(run(inside.host, PRELUDE "task.sleep(0.02)"), SEPTET_OK);
    assert_all_busy(&inside);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_a_trace_sink_that_cancels_a_task_wakes_the_loop(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, PRELUDE
                         "local t = task.spawn(task.sleep, 1000)"
                         " require 'septet.trace'.subscribe(function(e)"
                         "   if e.kind == 'wait' and e.task == t.id then t:cancel() end end)"
                         " assert(#task.wait{t} == 1 and t:status() == 'cancelled')"),
                     SEPTET_OK);
    assert_silent(&told);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- deadlock --- */

static void test_deadlock_is_reported_and_ended(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "@knot.lua",
                                        PRELUDE
                                        "\n"
                                        "local main = task.current()\n"
                                        "local t = task.spawn(function()\n"
                                        "  main:await()\n"
                                        "end)\n"
                                        "t.name = 'knot'\n"
                                        "local _ <close> = setmetatable({}, {__close = function()"
                                        " closed = 1 end})\n"
                                        "t:await()\n"),
                     SEPTET_OK);
    assert_int_equal(septet_run(host), SEPTET_EDEADLOCK);
    assert_int_equal(told.errors, 0);
    assert_int_equal(told.warnings, 4);
    assert_text(told.warned, "deadlock: all 2 tasks wait");
    assert_text(told.warned, "in a circle: 'main' -> 'knot' -> 'main'\n");
    assert_text(told.warned, "#1 main  waits for join #2 knot  knot.lua:8\n");
    assert_text(told.warned, "#2 knot  waits for join #1 main  knot.lua:4\n");
    assert_int_equal(global(septet_lua(host), "closed"), 1);
    assert_int_equal(septet_tasks(host), 0);
    assert_int_equal(run(host, "return"), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_deadlock_of_a_background_task_alone_is_none(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, PRELUDE "local m = task.current() task.background(m.await, m)"),
                     SEPTET_OK);
    assert_int_equal(told.warnings, 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- interruption --- */

static septet_host *to_interrupt;

static int l_interrupt(lua_State *L)
{
    septet_interrupt(septet_host_of(L));
    return 0;
}

static void check_interrupted(septet_host *host, const struct told *told)
{
    assert_int_equal(told->errors, 0);
    assert_int_equal(septet_tasks(host), 0);
    assert_int_equal(global(septet_lua(host), "closed"), 1);
    assert_int_equal(run(host, PRELUDE "task.sleep(0.001) again = 1"), SEPTET_OK);
    assert_int_equal(global(septet_lua(host), "again"), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

#define ON_CLOSE                                                                                   \
    "local _ <close> = setmetatable({}, {__close = function() closed = (closed or 0) + 1 end}) "

static void test_interrupt_from_a_task(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    lua_register(septet_lua(host), "interrupt", l_interrupt);
    assert_int_equal(run(host, PRELUDE ON_CLOSE "interrupt() task.sleep(1000)"),
                     SEPTET_EINTERRUPTED);
    check_interrupted(host, &told);
}

static void test_interrupt_from_another_task_ends_the_main(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    lua_register(septet_lua(host), "interrupt", l_interrupt);
    assert_int_equal(run(host, PRELUDE ON_CLOSE
                         "task.background(function() task.sleep(0.001) interrupt() end)"
                         "task.sleep(1000)"),
                     SEPTET_EINTERRUPTED);
    check_interrupted(host, &told);
}

static void on_timer_interrupt(uv_timer_t *timer)
{
    septet_interrupt(to_interrupt);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_interrupt_from_a_callback_of_the_loop(void **state)
{
    struct told told;
    uv_timer_t timer;
    septet_host *host = to_interrupt = new_host(&told);
    assert_int_equal(uv_timer_init(septet_loop(host), &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_timer_interrupt, 1, 0), 0);
    assert_int_equal(run(host, PRELUDE ON_CLOSE "task.sleep(1000)"), SEPTET_EINTERRUPTED);
    check_interrupted(host, &told);
}

static void test_interrupt_before_the_run(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=script", PRELUDE ON_CLOSE "task.sleep(1000)"),
                     SEPTET_OK);
    assert_int_equal(septet_step(host, 0), 1);
    septet_interrupt(host);
    assert_int_equal(septet_run(host), SEPTET_EINTERRUPTED);
    check_interrupted(host, &told);
}

static void on_alarm(int number)
{
    septet_interrupt(to_interrupt);
}

/* alarm(): interrupts from a signal handler a few milliseconds later. */
static int l_alarm(lua_State *L)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 5000}};
    if (setitimer(ITIMER_REAL, &soon, NULL) != 0)
        return luaL_error(L, "cannot set a timer");
    return 0;
}

static void check_spin(const char *source)
{
    struct told told;
    septet_host *host = to_interrupt = new_host(&told);
    lua_register(septet_lua(host), "alarm", l_alarm);
    signal(SIGALRM, on_alarm);
    assert_int_equal(run(host, source), SEPTET_EINTERRUPTED);
    signal(SIGALRM, SIG_DFL);
    check_interrupted(host, &told);
}

static void test_interrupt_from_a_signal_handler(void **state)
{
    check_spin(PRELUDE ON_CLOSE "alarm() task.sleep(1000)");
}

static void test_interrupt_of_a_script_that_spins(void **state)
{
    check_spin(ON_CLOSE "alarm() while true do end");
}

static void test_interrupt_of_a_coroutine_that_spins(void **state)
{
    check_spin(ON_CLOSE "alarm() coroutine.wrap(function() while true do end end)()");
}

static void test_interrupt_of_a_script_that_yields_for_ever(void **state)
{
    check_spin(PRELUDE ON_CLOSE "alarm() while true do task.sleep(0) end");
}

static void test_interrupt_of_a_script_that_has_ended(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(run(host, "return"), SEPTET_OK);
    septet_interrupt(host);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_silent(&told);
}

/* --- the end --- */

/* Frees a host whose script never ends by itself, once it has set `ready`. */
static void check_free(const char *source, const char *warned)
{
    struct told told;
    septet_host *host = new_host(&told);
    set_origin(septet_lua(host));
    assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK);
    while (global(septet_lua(host), "ready") == 0)
        assert_int_equal(septet_step(host, 0), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(told.errors, 0);
    assert_string_equal(told.warned, warned);
}

static void test_free_with_a_task_that_never_ran(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(septet_load_string(host, "=script", "warn '@on' warn 'ran'"), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(told.errors, 0);
}

static void test_free_with_tasks_that_sleep(void **state)
{
    check_free(PRELUDE "for i = 1, 100 do task.spawn(task.sleep, 1000) end task.sleep(0) ready = 1 "
                       "task.sleep(1000)",
               "");
}

static void test_free_unwinds_to_be_closed_variables(void **state)
{
    check_free(PRELUDE
               "warn '@on'"
               " local function guard(name) return setmetatable({}, {__close = function(_, e)"
               "   warn(name .. ' ' .. tostring(task.is_cancelled(e))) end}) end"
               " task.spawn(function() local _ <close> = guard 'child' task.sleep(1000) end)"
               " local a <close> = guard 'first'"
               " local b <close> = guard 'second'"
               " task.sleep(0) ready = 1 task.sleep(1000)",
               "second true\nfirst true\nchild true\n");
}

static void test_free_refuses_to_wait_in_to_be_closed_variables(void **state)
{
    check_free(PRELUDE "warn '@on'"
                       " local _ <close> = setmetatable({}, {__close = function(_, e)"
                       "   local ok, err = pcall(task.sleep, 1000)"
                       "   warn(tostring(ok) .. ' ' .. tostring(task.is_cancelled(err))) end})"
                       " ready = 1 task.sleep(1000)",
               "false true\n");
}

static void test_free_ends_a_task_that_goes_on_waiting(void **state)
{
    struct told told;
    septet_host *host = new_host(&told);
    assert_int_equal(
        septet_load_string(host, "=script", PRELUDE "while true do pcall(task.sleep, 1000) end"),
        SEPTET_OK);
    assert_int_equal(septet_step(host, 0), 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(told.errors, 1);
    assert_text(told.message, "abandoned");
}

static void test_free_with_a_request_in_flight(void **state)
{
    int before = count_descriptors();
    check_free(PRELUDE SOON_READY "for i = 1, 5 do task.spawn(http.get, origin .. '/stall') end"
                                  " http.get(origin .. '/stall?after=10&length=100')",
               "");
    assert_int_equal(count_descriptors(), before);
}

static void test_free_with_requests_that_wait_for_a_place(void **state)
{
    check_free(PRELUDE SOON_READY "local s = http.session{limit = 1}"
                                  " for i = 1, 5 do task.spawn(s.get, s, origin .. '/stall') end"
                                  " s:get(origin .. '/stall')",
               "");
}

static void test_free_with_a_name_being_looked_up(void **state)
{
    /* Again and again: how long a lookup takes is not ours to say. */
    check_free(PRELUDE
               "repeat ready = 1 local _, e = pcall(http.get, 'http://no-such-host.invalid/')"
               " until task.is_cancelled(e)",
               "");
}

static void test_free_with_idle_connections(void **state)
{
    struct told told;
    int before = count_descriptors();
    septet_host *host = new_host(&told);
    set_origin(septet_lua(host));
    assert_int_equal(run(host, PRELUDE
                         "keep = http.session() assert(keep:get(origin .. '/bytes/10').status"
                         " == 200)"),
                     SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(count_descriptors(), before);
    assert_silent(&told);
}

static void test_free_runs_finalizers_that_use_the_library(void **state)
{
    check_free(PRELUDE
               "warn '@on'"
               " local s, t = http.session(), task.current()"
               " keep = setmetatable({}, {__gc = function()"
               "   assert(not pcall(task.sleep, 1))"
               "   assert(not pcall(task.spawn, print))"
               "   assert(not pcall(http.session))"
               "   assert(not pcall(s.get, s, origin))"
               "   assert(t:status() == 'cancelled' and not t:cancel() and t.name and tostring(t))"
               "   assert(#task.tree() == 0 and not task.current() and task.now() > 0)"
               "   require 'septet.trace'.subscribe(print)"
               "   s:close() s:close()"
               "   warn 'finalized' end})"
               " ready = 1 task.sleep(1000)",
               "finalized\n");
}

/* --- memory --- */

static const char busy_script[] =
    PRELUDE "local function work(n) task.sleep(n / 1000) return {n} end"
            " local t = task.spawn(work, 1) t.name = 'one' t:await()"
            " task.gather(task.map(work, {1, 2, 0}))"
            " pcall(task.group, function(g) g:spawn(work, 2) g:spawn(error, 'x') end)"
            " for t in task.as_completed(task.map(work, {1, 0})) do t:await() end"
            " coroutine.wrap(function() task.sleep(0) end)()"
            " local s <close> = http.session{trace = {request_end = function() end}}"
            " assert(#s:get(origin .. '/bytes/1000').body == 1000)"
            " local page = s:post(origin .. '/echo', {body = 'b', headers = {X = 'y'}})"
            " assert(page.headers['content-type'] and page.times.total)";

static septet_host *new_in_pool(struct told *told, struct pool *pool, int *status)
{
    septet_config config = config_for(told);
    config.alloc = pool_alloc;
    config.alloc_ud = pool;
    return septet_new(&config, status);
}

static void test_allocator_gets_every_byte_back(void **state)
{
    struct told told;
    struct pool pool = {.allowed = -1};
    septet_host *host = new_in_pool(&told, &pool, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    assert_int_equal(run(host, busy_script), SEPTET_OK);
    assert_silent(&told);
    assert_true(pool.calls > 1000);
    assert_true(pool.bytes > 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

/* Fails at each allocation of septet_new in turn. */
static void check_new_without_memory(bool only_one)
{
    struct told told;
    int before = count_descriptors(), failed = 0;
    for (long allowed = 0;; allowed++) {
        struct pool pool = {.allowed = allowed, .only_one = only_one};
        int status = 1;
        septet_host *host = new_in_pool(&told, &pool, &status);
        if (host) {
            assert_int_equal(status, SEPTET_OK);
            bool over = pool.calls <= allowed;
            pool.allowed = -1;
            assert_int_equal(run(host, PRELUDE "task.sleep(0)"), SEPTET_OK);
            assert_int_equal(septet_free(host), SEPTET_OK);
            assert_int_equal(pool.bytes, 0);
            if (over)
                break;
            continue;
        }
        failed++;
        assert_int_equal(status, SEPTET_ENOMEM);
        assert_int_equal(pool.bytes, 0);
        assert_int_equal(count_descriptors(), before);
    }
    assert_true(only_one || failed > 100);
}

static void test_new_with_memory_that_runs_out(void **state)
{
    check_new_without_memory(false);
}

static void test_new_with_one_allocation_that_fails(void **state)
{
    check_new_without_memory(true);
}

/* Runs the script with memory for ever more allocations; whatever happens, it ends and leaves
 * nothing. */
static void test_run_with_memory_that_runs_out(void **state)
{
    struct told told;
    bool enough = false;
    int failed = 0;
    for (long allowed = 0; !enough; allowed += 1 + allowed / 100) {
        struct pool pool = {.allowed = -1};
        septet_host *host = new_in_pool(&told, &pool, NULL);
        assert_non_null(host);
        set_origin(septet_lua(host));
        pool.allowed = pool.calls + allowed;
        int status = septet_load_string(host, "=script", busy_script);
        if (status == SEPTET_OK)
            status = septet_run(host);
        enough = status == SEPTET_OK && pool.calls <= pool.allowed;
        if (status != SEPTET_OK) {
            failed++;
            assert_true(status == SEPTET_ENOMEM || (status == SEPTET_ESCRIPT && told.errors > 0));
        }
        assert_int_equal(septet_tasks(host), 0);
        pool.allowed = -1;
        assert_int_equal(run(host, PRELUDE "task.sleep(0)"), SEPTET_OK);
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
    }
    assert_true(failed > 10);
}

static void test_free_with_no_memory_left(void **state)
{
    struct told told;
    struct pool pool = {.allowed = -1};
    septet_host *host = new_in_pool(&told, &pool, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    assert_int_equal(septet_load_string(host, "=script",
                                        PRELUDE SOON_READY
                                        "task.spawn(http.get, origin .. '/stall')"
                                        " for i = 1, 10 do task.spawn(task.sleep, 1000) end"
                                        " task.sleep(1000)"),
                     SEPTET_OK);
    while (global(septet_lua(host), "ready") == 0)
        assert_int_equal(septet_step(host, 0), 1);
    pool.allowed = 0;
    pool.calls = 0;
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

static void test_a_thousand_hosts_leave_nothing(void **state)
{
    struct told told;
    int before = 0;
    for (int i = 0; i < 1000; i++) {
        struct pool pool = {.allowed = -1};
        septet_host *host = new_in_pool(&told, &pool, NULL);
        assert_non_null(host);
        assert_int_equal(run(host, PRELUDE "task.sleep(0)"), SEPTET_OK);
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
        if (i == 0)
            before = count_descriptors();
    }
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_the_headers),
        cmocka_unit_test(test_strerror_has_words_for_every_status),
        cmocka_unit_test(test_config_defaults),
        cmocka_unit_test(test_config_of_an_older_embedder_is_shorter),
        cmocka_unit_test(test_config_of_a_newer_embedder_is_longer),
        cmocka_unit_test(test_config_that_was_never_initialised_is_refused),
        cmocka_unit_test(test_config_without_callbacks_still_gives_statuses),
        cmocka_unit_test(test_free_of_nothing),
        cmocka_unit_test(test_host_that_records_nothing_runs),
        cmocka_unit_test(test_load_of_a_script_that_does_not_compile),
        cmocka_unit_test(test_load_of_a_missing_file),
        cmocka_unit_test(test_load_of_a_folder),
        cmocka_unit_test(test_load_of_precompiled_code_is_refused),
        cmocka_unit_test(test_load_of_a_file),
        cmocka_unit_test(test_spawn_takes_a_function_and_its_arguments),
        cmocka_unit_test(test_spawn_of_what_cannot_be_called),
        cmocka_unit_test(test_run_of_nothing),
        cmocka_unit_test(test_run_again_and_again),
        cmocka_unit_test(test_run_of_several_mains),
        cmocka_unit_test(test_background_ends_with_the_last_main),
        cmocka_unit_test(test_error_of_a_main_task),
        cmocka_unit_test(test_error_of_a_background_task),
        cmocka_unit_test(test_error_kinds),
        cmocka_unit_test(test_t_r_error_whose_tostring_fails_is_told_all_the_same),
        cmocka_unit_test(test_errors_come_before_the_last_step_says_zero),
        cmocka_unit_test(test_warnings_of_lua),
        cmocka_unit_test(test_warning_that_is_very_long_is_cut),
        cmocka_unit_test(test_step_never_waits),
        cmocka_unit_test(test_step_gives_back_after_its_budget),
        cmocka_unit_test(test_two_hosts_interleave),
        cmocka_unit_test(test_a_host_runs_inside_a_task_of_another),
        cmocka_unit_test(test_calls_from_a_task_are_refused),
        cmocka_unit_test(test_calls_from_a_coroutine_of_a_task_are_refused),
        cmocka_unit_test(test_calls_from_a_trace_sink_are_refused),
        cmocka_unit_test(test_calls_from_a_request_hook_are_refused),
        cmocka_unit_test(test_calls_while_it_unwinds_are_refused),
        cmocka_unit_test(test_calls_from_on_error_are_refused),
        cmocka_unit_test(test_calls_from_the_warning_of_a_deadlock_are_refused),
        cmocka_unit_test(test_calls_from_a_callback_of_its_loop_are_refused),
        cmocka_unit_test(test_a_trace_sink_that_cancels_a_task_wakes_the_loop),
        cmocka_unit_test(test_deadlock_is_reported_and_ended),
        cmocka_unit_test(test_deadlock_of_a_background_task_alone_is_none),
        cmocka_unit_test(test_interrupt_from_a_task),
        cmocka_unit_test(test_interrupt_from_another_task_ends_the_main),
        cmocka_unit_test(test_interrupt_from_a_callback_of_the_loop),
        cmocka_unit_test(test_interrupt_before_the_run),
        cmocka_unit_test(test_interrupt_from_a_signal_handler),
        cmocka_unit_test(test_interrupt_of_a_script_that_spins),
        cmocka_unit_test(test_interrupt_of_a_coroutine_that_spins),
        cmocka_unit_test(test_interrupt_of_a_script_that_yields_for_ever),
        cmocka_unit_test(test_interrupt_of_a_script_that_has_ended),
        cmocka_unit_test(test_free_with_a_task_that_never_ran),
        cmocka_unit_test(test_free_with_tasks_that_sleep),
        cmocka_unit_test(test_free_unwinds_to_be_closed_variables),
        cmocka_unit_test(test_free_refuses_to_wait_in_to_be_closed_variables),
        cmocka_unit_test(test_free_ends_a_task_that_goes_on_waiting),
        cmocka_unit_test(test_free_with_a_request_in_flight),
        cmocka_unit_test(test_free_with_requests_that_wait_for_a_place),
        cmocka_unit_test(test_free_with_idle_connections),
        cmocka_unit_test(test_free_runs_finalizers_that_use_the_library),
        cmocka_unit_test(test_allocator_gets_every_byte_back),
        cmocka_unit_test(test_new_with_memory_that_runs_out),
        cmocka_unit_test(test_new_with_one_allocation_that_fails),
        cmocka_unit_test(test_run_with_memory_that_runs_out),
        cmocka_unit_test(test_free_with_no_memory_left),
        cmocka_unit_test(test_a_thousand_hosts_leave_nothing),
        /* Last: the thread that looks the name up may hold a descriptor for a while. */
        cmocka_unit_test(test_free_with_a_name_being_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
