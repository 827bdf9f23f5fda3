/* SPDX-License-Identifier: MIT */
/* The embedder's callbacks: what each may call, and what becomes of an error raised in one. */
#include "support/host_fixture.h"

#include "septet/op.h"

enum callback { ON_ERROR, ON_RESULT, ON_END, ON_PRINT, LOAD_MODULE, PERMIT, MESSAGE, CALLBACKS };

/* What the callbacks do, and what they saw. */
struct inside {
    septet_message posted;
    septet_host *host;
    septet_script *script;
    enum callback where; /* the one that acts */
    void (*act)(struct inside *inside);
    bool raise; /* it raises */
    int calls[CALLBACKS];
    int busy;     /* number of functions that returned SEPTET_EBUSY */
    int loads[6]; /* what loading, spawning and calling returned */
    int others;   /* number of other functions that did what they do outside */
    int value;    /* on_error: the type of the error's value */
    long code;    /* ... and a field of it */
    char kind[32], message[256], warned[1024];
    septet_script *of; /* ... and its script */
    int top;           /* number of values on the stack there */
    int lines;         /* of a dump */
};

static void run_in(struct inside *inside, enum callback where)
{
    inside->calls[where]++;
    if (inside->where != where)
        return;
    if (inside->act)
        inside->act(inside);
    if (inside->raise)
        luaL_error(septet_lua(inside->host), "raised there");
}

static void on_error(void *ud, const septet_error *error)
{
    struct inside *inside = ud;
    lua_State *L = septet_lua(inside->host);
    snprintf(inside->kind, sizeof inside->kind, "%s", error->kind);
    snprintf(inside->message, sizeof inside->message, "%s", error->message);
    inside->of = error->script;
    inside->top = lua_gettop(L);
    inside->value = error->value ? lua_type(L, error->value) : LUA_TNONE;
    if (inside->value == LUA_TTABLE) {
        lua_getfield(L, error->value, "code");
        inside->code = (long)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    run_in(inside, ON_ERROR);
}

static void on_warning(void *ud, const char *message)
{
    struct inside *inside = ud;
    size_t length = strlen(inside->warned);
    snprintf(inside->warned + length, sizeof inside->warned - length, "%s\n", message);
}

static void on_result(void *ud, const septet_result *result)
{
    run_in(ud, ON_RESULT);
}

static void on_end(void *ud, septet_script *script, int status)
{
    run_in(ud, ON_END);
}

static void on_print(void *ud, const char *text, size_t length)
{
    run_in(ud, ON_PRINT);
}

static int load_module(void *ud, const char *name, septet_source *source)
{
    if (strcmp(name, "engine") != 0)
        return 0;
    source->text = "return 1";
    source->length = strlen(source->text);
    run_in(ud, LOAD_MODULE);
    return 1;
}

static int permit(void *ud, int what, const char *subject)
{
    run_in(ud, PERMIT);
    return 1;
}

static void run_message(septet_message *message, septet_host *host)
{
    if (host)
        run_in((struct inside *)message, MESSAGE);
}

static void open_host(struct inside *inside)
{
    septet_config config;
    septet_config_init(&config);
    config.ud = inside;
    config.on_error = on_error;
    config.on_warning = on_warning;
    config.on_print = on_print;
    config.load_module = load_module;
    config.permit = permit;
    config.slow_ms = 0;
    inside->host = septet_new(&config, NULL);
    assert_non_null(inside->host);
    septet_script_options options;
    septet_script_options_init(&options);
    options.on_end = on_end;
    options.ud = inside;
    inside->script = septet_script_new(inside->host, &options, NULL);
    assert_non_null(inside->script);
}

/* Makes each callback run at least once, and ends the host. */
static void run_all(struct inside *inside)
{
    static const char source[] =
        "print 'x' pcall(require, 'engine') os.getenv 'HOME' error({code = 7})";
    septet_host *host = inside->host;
    assert_int_equal(septet_script_load(inside->script, "=s", source, strlen(source)), SEPTET_OK);
    assert_int_equal(luaL_loadstring(septet_lua(host), "return 1"), LUA_OK);
    assert_int_equal(septet_call(host, inside->script, NULL, 0, on_result, inside), SEPTET_OK);
    septet_mailbox *mailbox = septet_mailbox_new(host);
    inside->posted.run = run_message;
    assert_int_equal(septet_post(mailbox, &inside->posted), SEPTET_OK);
    septet_mailbox_release(mailbox);
    int status = septet_run(host);
    assert_true(status == SEPTET_ESCRIPT || status == SEPTET_OK);
    assert_int_equal(septet_tasks(host), 0);
    assert_int_equal(lua_gettop(septet_lua(host)), 0);
    assert_int_equal(run_script(host, ""), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
    for (int i = 0; i < CALLBACKS; i++)
        assert_true(inside->calls[i] > 0);
}

/* --- what each may call --- */

static void count_line(void *ud, const char *text)
{
    ((struct inside *)ud)->lines++;
}

static void not_to_be_called(void *ud, const septet_result *result)
{
    ((struct inside *)ud)->others = -1000;
}

static void call_what_runs(struct inside *inside)
{
    septet_host *host = inside->host;
    septet_wait wait;
    const int results[] = {septet_run(host),           septet_step(host, 0),
                           septet_step_until(host, 0), septet_free(host),
                           septet_advance(host, 1),    septet_next(host, &wait),
                           septet_close_begin(host)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        inside->busy += results[i] == SEPTET_EBUSY;
}

static void call_what_loads(struct inside *inside)
{
    septet_host *host = inside->host;
    lua_State *L = septet_lua(host);
    int top = lua_gettop(L), *to = inside->loads;
    *to++ = septet_load_string(host, "=s", "loaded = (loaded or 0) + 1");
    *to++ = septet_load_buffer(host, "=s", "loaded = 1", 10);
    *to++ = septet_load_file(host, "/no/such/file");
    *to++ = septet_script_load(inside->script, "=s", "x = 1", 5);
    lua_getglobal(L, "tostring");
    lua_pushinteger(L, 1);
    *to++ = septet_spawn(host, NULL, 1);
    lua_settop(L, top);
    lua_getglobal(L, "tostring");
    lua_pushinteger(L, 1);
    *to = septet_call(host, NULL, NULL, 1, inside->where == ON_ERROR ? not_to_be_called : on_result,
                      inside);
    lua_settop(L, top);
}

static void call_the_rest(struct inside *inside)
{
    septet_host *host = inside->host;
    lua_State *L = septet_lua(host);
    septet_stats stats = {.size = sizeof stats};
    int top = lua_gettop(L);
    septet_script *script = septet_script_new(host, NULL, NULL);
    inside->others += script && septet_script_id(script) != 0;
    inside->others += script && septet_script_cancel(script, "there") == SEPTET_OK;
    inside->others += script && septet_script_push_globals(script, L) == SEPTET_OK;
    inside->others += script && septet_script_push_results(script, L) == 0;
    inside->others += script && septet_script_status(script) == SEPTET_OK;
    inside->others += script && septet_script_tasks(script) == 0;
    septet_script_unload(script);
    inside->others += septet_get_stats(host, &stats) == SEPTET_OK && stats.scripts == 1;
    inside->others += septet_tasks(host) == stats.tasks;
    inside->others += septet_userdata(host) == inside && septet_loop(host);
    septet_dump(host, count_line, inside);
    lua_settop(L, top);
    inside->others += luaL_dostring(L, "return tostring(1)") == LUA_OK;
    lua_settop(L, top);
}

static void call_everything(struct inside *inside)
{
    inside->act = NULL; /* once */
    call_what_runs(inside);
    call_the_rest(inside);
    call_what_loads(inside);
}

static void test_e_5_each_function_in_each_callback(void **state)
{
    for (int where = 0; where < CALLBACKS; where++) {
        struct inside inside = {.where = where, .act = call_everything};
        open_host(&inside);
        run_all(&inside);
        assert_int_equal(inside.busy, 7);
        assert_int_equal(inside.others, 10);
        for (int i = 0; i < 6; i++)
            assert_int_equal(inside.loads[i], where == ON_ERROR ? SEPTET_EBUSY
                                              : i == 2          ? SEPTET_ELOAD
                                                                : SEPTET_OK);
        assert_string_equal(inside.warned, "");
    }
}

static void test_e_5_an_error_raised_in_a_callback_is_a_warning(void **state)
{
    static const char *const names[] = {"on_error",    "on_result", "on_end",   "on_print",
                                        "load_module", "permit",    "a message"};
    for (int where = 0; where < CALLBACKS; where++) {
        char expected[128];
        struct inside inside = {.where = where, .raise = true};
        open_host(&inside);
        run_all(&inside);
        snprintf(expected, sizeof expected, "%s failed: raised there", names[where]);
        assert_text(inside.warned, expected);
    }
}

/* --- the endless script --- */

static void load_a_failing_one(struct inside *inside)
{
    inside->loads[0] = septet_load_string(inside->host, "=s", "error 'again'");
}

static void test_e_5_a_failing_script_cannot_be_loaded_again_by_on_error(void **state)
{
    struct inside inside = {.where = ON_ERROR, .act = load_a_failing_one};
    open_host(&inside);
    assert_int_equal(run_script(inside.host, "error 'first'"), SEPTET_ESCRIPT);
    assert_int_equal(inside.calls[ON_ERROR], 1);
    assert_int_equal(inside.loads[0], SEPTET_EBUSY);
    assert_int_equal(septet_load_string(inside.host, "=s", "x x"), SEPTET_ELOAD);
    assert_int_equal(inside.calls[ON_ERROR], 2);
    assert_int_equal(inside.loads[0], SEPTET_EBUSY);
    assert_int_equal(run_script(inside.host, "loaded = 1"), SEPTET_OK);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_e_5_a_callback_outside_a_run_cannot_free_its_host(void **state)
{
    struct inside inside = {.where = ON_ERROR, .act = call_what_runs};
    open_host(&inside);
    assert_int_equal(septet_load_string(inside.host, "=s", "x x"), SEPTET_ELOAD);
    assert_int_equal(inside.busy, 7);
    inside.raise = true;
    assert_int_equal(septet_load_string(inside.host, "=s", "x x"), SEPTET_ELOAD);
    assert_text(inside.warned, "on_error failed: raised there");
    assert_int_equal(lua_gettop(septet_lua(inside.host)), 0);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void unload_the_script(struct inside *inside)
{
    inside->act = NULL; /* once */
    septet_script_unload(inside->script);
}

static void test_e_5_on_error_unloads_the_script_that_failed(void **state)
{
    static const char source[] = "local task = require 'septet.task' task.background(error, 'x')"
                                 " task.spawn(error, 'y') task.sleep(0) error 'z'";
    struct inside inside = {.where = ON_ERROR, .act = unload_the_script};
    open_host(&inside);
    for (int i = 0; i < 2; i++)
        assert_int_equal(septet_script_load(inside.script, "=s", source, strlen(source)),
                         SEPTET_OK);
    assert_int_equal(septet_run(inside.host), SEPTET_ESCRIPT);
    assert_true(inside.calls[ON_ERROR] > 1);
    assert_null(inside.of);
    assert_int_equal(inside.calls[ON_END], 0);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void drop_the_kind(struct inside *inside)
{
    lua_State *L = septet_lua(inside->host);
    lua_pushnil(L);
    lua_setfield(L, 1, "kind");
    lua_gc(L, LUA_GCCOLLECT);
}

struct kept_kind {
    septet_host *host;
    char before[64], after[64];
};

static void keep_the_kind(void *ud, const septet_error *error)
{
    struct kept_kind *kept = ud;
    struct inside inside = {.host = kept->host};
    snprintf(kept->before, sizeof kept->before, "%s", error->kind);
    drop_the_kind(&inside);
    snprintf(kept->after, sizeof kept->after, "%s", error->kind);
}

static void test_e_5_on_error_may_change_the_error(void **state)
{
    struct kept_kind kept = {0};
    septet_config config;
    septet_config_init(&config);
    config.ud = &kept;
    config.on_error = keep_the_kind;
    kept.host = septet_new(&config, NULL);
    assert_int_equal(run_script(kept.host, "local t = require 'septet.task'"
                                           " local ok, e = pcall(t.sleep, {})"
                                           " e.kind = ('a'):rep(50) error(e)"),
                     SEPTET_ESCRIPT);
    assert_int_equal(strlen(kept.before), 50);
    assert_string_equal(kept.after, kept.before);
    assert_int_equal(septet_free(kept.host), SEPTET_OK);
}

/* --- the value of an error --- */

static void test_the_value_of_an_error_reaches_on_error(void **state)
{
    struct inside inside = {.where = CALLBACKS};
    open_host(&inside);
    assert_int_equal(run_script(inside.host, "error({code = 7})"), SEPTET_ESCRIPT);
    assert_int_equal(inside.value, LUA_TTABLE);
    assert_int_equal(inside.code, 7);
    assert_int_equal(inside.top, 1);
    assert_string_equal(inside.kind, "error");
    assert_null(inside.of);
    assert_int_equal(run_script(inside.host, "error()"), SEPTET_ESCRIPT);
    assert_int_equal(inside.value, LUA_TTABLE); /* nil is the one value that is replaced */
    assert_int_equal(run_script(inside.host, "error(print)"), SEPTET_ESCRIPT);
    assert_int_equal(inside.value, LUA_TFUNCTION);
    assert_int_equal(septet_load_string(inside.host, "=s", "x x"), SEPTET_ELOAD);
    assert_int_equal(inside.value, LUA_TSTRING);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_a_lack_of_memory_is_an_error_of_its_kind(void **state)
{
    struct inside inside = {.where = CALLBACKS};
    open_host(&inside);
    assert_int_equal(run_script(inside.host, "error('not enough memory', 0)"), SEPTET_ESCRIPT);
    assert_string_equal(inside.kind, "OutOfMemory");
    assert_int_equal(run_script(inside.host, "error('not enough memory')"), SEPTET_ESCRIPT);
    assert_text(inside.message, "script:1: not enough");
    assert_string_equal(inside.kind, "error");
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

/* --- errors of functions written in C --- */

static int l_fail(lua_State *L)
{
    return septet_raise(L, "DoorLocked", "door %d is locked\n", 7);
}

static int l_fail_with_fields(lua_State *L)
{
    septet_push_error(L, lua_tostring(L, 1), "the %s is %f", "key", 0.5);
    lua_pushinteger(L, 9);
    lua_setfield(L, -2, "code");
    return lua_error(L);
}

static void test_functions_in_c_raise_errors_with_a_kind(void **state)
{
    struct inside inside = {.where = CALLBACKS};
    open_host(&inside);
    lua_register(septet_lua(inside.host), "fail", l_fail);
    lua_register(septet_lua(inside.host), "fail_with_fields", l_fail_with_fields);
    assert_int_equal(run_script(inside.host,
                                PRELUDE "local ok, e = pcall(fail)\n"
                                        "assert(task.is(e, 'DoorLocked') and not ok)\n"
                                        "assert(tostring(e) == [[door 7 is locked\\n]], e)\n"
                                        "ok, e = pcall(fail_with_fields, 'Key')\n"
                                        "assert(task.is(e, 'Key') and e.code == 9)\n"
                                        "assert(tostring(e) == 'the key is 0.5')\n"
                                        "ok, e = pcall(fail_with_fields)\n"
                                        "assert(task.is(e, 'error'))\n"
                                        "fail()"),
                     SEPTET_ESCRIPT);
    assert_string_equal(inside.kind, "DoorLocked");
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_an_error_is_raised_in_a_state_without_a_host(void **state)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_register(L, "fail", l_fail);
    assert_int_equal(luaL_dostring(L, "local ok, e = pcall(fail)"
                                      " return e.kind, 'why: ' .. e"),
                     LUA_OK);
    assert_string_equal(lua_tostring(L, -2), "DoorLocked");
    assert_string_equal(lua_tostring(L, -1), "why: door 7 is locked\\n");
    lua_close(L);
}

/* --- memory --- */

static void raise_if_told(void *ud, const septet_error *error)
{
    struct inside *inside = ud;
    inside->calls[ON_ERROR]++;
    luaL_error(septet_lua(inside->host), "raised there");
}

static void test_e_5_callbacks_that_raise_with_memory_that_runs_out(void **state)
{
    bool enough = false;
    for (long allowed = 0; !enough; allowed++) {
        struct inside inside = {.where = CALLBACKS};
        struct pool pool = {.allowed = -1};
        septet_config config;
        septet_config_init(&config);
        config.ud = &inside;
        config.on_error = raise_if_told;
        config.on_warning = on_warning;
        config.alloc = pool_alloc;
        config.alloc_ud = &pool;
        inside.host = septet_new(&config, NULL);
        pool.allowed = pool.calls + allowed;
        int status = septet_load_string(inside.host, "=s", "error({code = 7})");
        if (status == SEPTET_OK)
            status = septet_run(inside.host);
        enough = pool.calls <= pool.allowed;
        assert_true(status == SEPTET_ESCRIPT || status == SEPTET_ENOMEM);
        if (status == SEPTET_ESCRIPT)
            assert_int_equal(inside.calls[ON_ERROR], 1);
        if (inside.calls[ON_ERROR] > 0)
            assert_text(inside.warned, "on_error failed: ");
        pool.allowed = -1;
        assert_int_equal(run_script(inside.host, ""), SEPTET_OK);
        assert_int_equal(septet_free(inside.host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_5_each_function_in_each_callback),
        cmocka_unit_test(test_e_5_an_error_raised_in_a_callback_is_a_warning),
        cmocka_unit_test(test_e_5_a_failing_script_cannot_be_loaded_again_by_on_error),
        cmocka_unit_test(test_e_5_a_callback_outside_a_run_cannot_free_its_host),
        cmocka_unit_test(test_e_5_on_error_unloads_the_script_that_failed),
        cmocka_unit_test(test_e_5_on_error_may_change_the_error),
        cmocka_unit_test(test_the_value_of_an_error_reaches_on_error),
        cmocka_unit_test(test_a_lack_of_memory_is_an_error_of_its_kind),
        cmocka_unit_test(test_functions_in_c_raise_errors_with_a_kind),
        cmocka_unit_test(test_an_error_is_raised_in_a_state_without_a_host),
        cmocka_unit_test(test_e_5_callbacks_that_raise_with_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
