/* SPDX-License-Identifier: MIT */
/* septet_reload: modules are loaded again while tasks use them. */
#include <unistd.h>

#include "support/host_fixture.h"
#include "support/test_file.h"

/* The callback's `ud`. */
struct modules {
    struct reports reports; /* first, as the fixture's callbacks expect it */
    char text[2048];        /* of the module `world`, and of any other but `absent` */
    int result;             /* of load_module, if not 0 */
    septet_host *host;
};

static int load_module(void *ud, const char *name, septet_source *source)
{
    struct modules *modules = ud;
    if (modules->result)
        return modules->result;
    *source = (septet_source){.text = modules->text, .length = strlen(modules->text)};
    return strcmp(name, "absent") != 0;
}

static void open_host(struct modules *modules)
{
    *modules = (struct modules){0};
    septet_config config = config_for(&modules->reports);
    config.profile = SEPTET_PROFILE_STANDARD;
    config.load_module = load_module;
    config.clock = SEPTET_CLOCK_VIRTUAL;
    modules->host = septet_new(&config, NULL);
    assert_non_null(modules->host);
}

static void close_host(struct modules *modules)
{
    assert_int_equal(septet_free(modules->host), SEPTET_OK);
}

static void set(struct modules *modules, const char *text)
{
    snprintf(modules->text, sizeof modules->text, "%s", text);
}

static void run(struct modules *modules, const char *source)
{
    if (run_script(modules->host, source) != SEPTET_OK)
        fail_msg("%s\n%s", modules->reports.message, modules->reports.traceback);
}

#define assert_reloads(modules, status)                                                            \
    assert_int_equal(septet_reload((modules)->host, "world"), status)

static void test_references_see_the_new_code(void **state)
{
    struct modules m;
    open_host(&m);
    set(&m, "local M = { gone = 1, kept = 1 } function M.f() return 'old' end return M");
    run(&m, "m = require 'world' f = m.f");
    set(&m, "local M = setmetatable({ kept = 2, new = 3 }, { __call = function() return 'called' "
            "end }) "
            "function M.f() return 'new' .. M.kept end return M");
    assert_reloads(&m, SEPTET_OK);
    run(&m, "assert(require 'world' == m and m.f() == 'new2' and f() == 'old') "
            "assert(m.gone == nil and m.kept == 2 and m.new == 3 and m() == 'called') "
            "m.kept = 5 assert(m.f() == 'new5')");
    assert_silent(&m.reports);
    close_host(&m);
}

static void test_a_state_is_handed_over(void **state)
{
    struct modules m;
    open_host(&m);
    set(&m, "local M = { n = 0 } function M.add() M.n = M.n + 1 return M.n end "
            "function M.on_reload(old) assert(old ~= require 'world' and old.add) M.n = old.n end "
            "return M");
    run(&m, "m = require 'world' assert(m.add() == 1)");
    for (int i = 0; i < 3; i++)
        assert_reloads(&m, SEPTET_OK);
    run(&m, "assert(m.add() == 2 and m.n == 2 and require('world').add() == 3)");
    assert_silent(&m.reports);
    close_host(&m);
}

/* A class: the module is the metatable of its objects. */
static void test_objects_of_before_get_the_new_methods(void **state)
{
    struct modules m;
    open_host(&m);
    set(&m, "local C = {} C.__index = C function C.new() return setmetatable({}, C) end "
            "function C.speak() return 'old' end return C");
    run(&m, "C = require 'world' object = C.new()");
    for (int i = 0; i < 2; i++) {
        set(&m, "local C = {} C.__index = C function C.new() return setmetatable({}, C) end "
                "function C.speak() return 'new' end "
                "function C.__tostring() return 'object' end return C");
        assert_reloads(&m, SEPTET_OK);
        run(&m,
            "assert(object:speak() == 'new' and tostring(object) == 'object') "
            "object = C.new() assert(object:speak() == 'new' and tostring(object) == 'object')");
    }
    assert_silent(&m.reports);
    close_host(&m);
}

static void test_a_module_that_is_no_table_is_replaced(void **state)
{
    struct modules m;
    open_host(&m);
    set(&m, "return function() return 1 end");
    run(&m, "f = require 'world'");
    set(&m, "return function() return 2 end");
    assert_reloads(&m, SEPTET_OK);
    run(&m, "assert(f() == 1 and require('world')() == 2)");
    set(&m, "loads = (loads or 0) + 1");
    assert_reloads(&m, SEPTET_OK);
    run(&m, "assert(require 'world' == true and loads == 1)");
    set(&m, "return { table = true, on_reload = function(old) got = old end }");
    assert_reloads(&m, SEPTET_OK);
    run(&m, "assert(require('world').table and got == true)");
    assert_silent(&m.reports);
    close_host(&m);
}

static void test_a_failing_reload_keeps_the_old_module(void **state)
{
    static const struct {
        const char *text, *message;
        int status;
    } failing[] = {
        {"return = 1", "world:1:", SEPTET_ELOAD},
        {"error 'at once'", "world:1: at once", SEPTET_ESCRIPT},
        {"return { on_reload = function() error 'in on_reload' end }", "in on_reload",
         SEPTET_ESCRIPT},
        {"package.loaded.world = {} require('world').f = 1 error 'late'", "late", SEPTET_ESCRIPT},
        {"require('septet.task').sleep(0)", "task", SEPTET_ESCRIPT},
        {"require('septet.task').spawn(function() end)", "cannot spawn here", SEPTET_ESCRIPT},
    };
    struct modules m;
    open_host(&m);
    set(&m, "return { f = function() return 'old' end }");
    run(&m, "m = require 'world' f = m.f");
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        set(&m, failing[i].text);
        m.reports.errors = 0;
        assert_reloads(&m, failing[i].status);
        assert_int_equal(m.reports.errors, 1);
        assert_text(m.reports.message, failing[i].message);
        if (failing[i].status == SEPTET_ESCRIPT)
            assert_text(m.reports.traceback, "stack traceback:");
        run(&m, "assert(require 'world' == m and m.f == f and f() == 'old')");
    }
    m.result = SEPTET_ETIMEOUT;
    assert_reloads(&m, SEPTET_ELOAD);
    assert_text(m.reports.message, "timed out");
    close_host(&m);
}

static void test_what_cannot_be_loaded_again_is_refused(void **state)
{
    static const char *const names[] = {"never", "absent",      "string", "_G",
                                        "debug", "septet.task", "septet", "septet.core"};
    struct modules m;
    open_host(&m);
    run(&m, "require 'septet.task'");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(septet_reload(m.host, names[i]), SEPTET_EINVAL);
    assert_int_equal(septet_reload(m.host, NULL), SEPTET_EINVAL);
    assert_silent(&m.reports);
    close_host(&m);
}

/* --- from files --- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int permit(void *ud, int what, const char *subject)
{
    return what == SEPTET_PERMIT_READ;
}

/* With each profile, and in a state of the embedder's. */
static void test_modules_of_files_are_loaded_again(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        struct modules m = {0};
        char path[128];
        septet_config config = config_for(&m.reports);
        config.profile = kind == 0 ? SEPTET_PROFILE_STANDARD : SEPTET_PROFILE_TRUSTED;
        config.permit = permit;
        if (kind == 2) {
            config.lua = luaL_newstate();
            luaL_openlibs(config.lua);
        }
        m.host = septet_new(&config, NULL);
        assert_non_null(m.host);
        snprintf(path, sizeof path, "/tmp/septet-reload-%d.lua", (int)getpid());
        lua_getglobal(septet_lua(m.host), "package");
        lua_pushstring(septet_lua(m.host), path);
        lua_setfield(septet_lua(m.host), -2, "path");
        lua_pop(septet_lua(m.host), 1);
        write_file(path, "return { version = 1, name = (...) }");
        run(&m, "m = require 'world' assert(m.version == 1)");
        write_file(path, "return { version = 2, name = (...) }");
        assert_reloads(&m, SEPTET_OK);
        run(&m, "assert(m.version == 2 and m.name == 'world' and require 'world' == m)");
        unlink(path);
        assert_reloads(&m, SEPTET_ELOAD);
        run(&m, "assert(m.version == 2)");
        close_host(&m);
        if (config.lua)
            lua_close(config.lua);
    }
}

/* --- from inside --- */

static int l_reload(lua_State *L)
{
    lua_pushinteger(L, septet_reload(lua_touserdata(L, lua_upvalueindex(1)), "world"));
    return 1;
}

static void give_reload(struct modules *m)
{
    lua_pushlightuserdata(septet_lua(m->host), m->host);
    lua_pushcclosure(septet_lua(m->host), l_reload, 1);
    lua_setglobal(septet_lua(m->host), "reload");
}

static void test_a_task_loads_a_module_again(void **state)
{
    struct modules m;
    open_host(&m);
    give_reload(&m);
    set(&m, "return { n = (n or 0) + 1 }");
    run(&m, "local m = require 'world' n = 1 assert(reload() == 0 and m.n == 2)");
    set(&m, "require('septet.task').sleep(0)");
    run(&m, "local task = require 'septet.task' assert(reload() < 0) task.sleep(0)");
    assert_int_equal(m.reports.errors, 1);
    set(&m, "inner = reload() return {}"); /* inside itself */
    assert_reloads(&m, SEPTET_OK);
    assert_int_equal(global(septet_lua(m.host), "inner"), SEPTET_EBUSY);
    close_host(&m);
}

static void reload_in_on_error(void *ud, const septet_error *error)
{
    struct modules *m = ud;
    m->result = septet_reload(m->host, "world");
}

static void test_on_error_cannot_load_a_module_again(void **state)
{
    struct modules m = {0};
    septet_config config = config_for(&m.reports);
    config.on_error = reload_in_on_error;
    config.load_module = load_module;
    m.host = septet_new(&config, NULL);
    set(&m, "return {}");
    assert_int_equal(run_script(m.host, "require 'world' error 'x'"), SEPTET_ESCRIPT);
    assert_int_equal(m.result, SEPTET_EBUSY);
    assert_int_equal(septet_free(m.host), SEPTET_OK);
}

static void test_a_module_that_a_task_loads_is_not_loaded_again(void **state)
{
    struct modules m;
    open_host(&m);
    set(&m, "package.loaded.world = {} go = require('septet.sync').event() go:wait() return {}");
    assert_loads(m.host, "require('septet.task').require 'world'");
    for (int i = 0; i < 10; i++) /* on a busy machine, one may end before the module is reached */
        septet_step(m.host, 1000);
    assert_reloads(&m, SEPTET_ELOAD);
    assert_text(m.reports.message, "module 'world' is being loaded");
    run(&m, "go:set()");
    close_host(&m);
}

/* --- under load --- */

/* Sets the source to that of a version of the module. */
static void set_version(struct modules *m, int version)
{
    lua_State *L = septet_lua(m->host);
    test_file_push(L, TEST_SCRIPTS, "world");
    lua_pushinteger(L, version);
    lua_call(L, 1, 1);
    set(m, lua_tostring(L, -1));
    lua_pop(L, 1);
}

static void test_a_thousand_reloads_under_load_lose_no_task(void **state)
{
    enum { ROUNDS = 1000 };
    struct modules m;
    open_host(&m);
    lua_State *L = septet_lua(m.host);
    set_version(&m, 0);
    assert_spawns(m.host, "under_load");
    for (int i = 1; i <= ROUNDS; i++) {
        for (int steps = i % 10 == 0 ? 200 : 1; steps > 0; steps--)
            assert_true(septet_step(m.host, 0) > SEPTET_DONE);
        set_version(&m, i);
        assert_reloads(&m, SEPTET_OK);
    }
    lua_pushinteger(L, ROUNDS);
    lua_setglobal(L, "rounds");
    lua_pushboolean(L, 1);
    lua_setglobal(L, "stopped");
    if (septet_run(m.host) != SEPTET_OK)
        fail_msg("%s\n%s", m.reports.message, m.reports.traceback);
    assert_true(global(L, "old_code_ended") > 0);
    assert_true(global(L, "new_code_ended") > 0);
    assert_silent(&m.reports);
    close_host(&m);
}

/* --- memory --- */

static void test_a_reload_without_memory_keeps_the_old_module(void **state)
{
    struct modules m = {0};
    struct pool pool = {.allowed = -1};
    septet_config config = config_for(&m.reports);
    config.load_module = load_module;
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    m.host = septet_new(&config, NULL);
    int status = SEPTET_ENOMEM;
    for (long allowed = 0; status != SEPTET_OK; allowed++) {
        set(&m, "return { version = 1, one = 1 }");
        run(&m, "package.loaded.world = nil m = require 'world'");
        set(&m, "local M = { version = 2 } for i = 1, 20 do M['f' .. i] = i end return M");
        pool.allowed = pool.calls + allowed;
        status = septet_reload(m.host, "world");
        pool.allowed = -1;
        run(&m, status == SEPTET_OK
                    ? "assert(m.version == 2 and m.f20 == 20 and m.one == nil)"
                    : "local n = 0 for _ in pairs(m) do n = n + 1 end "
                      "assert(require 'world' == m and n == 2 and m.version == 1 and m.one == 1)");
    }
    assert_int_equal(septet_free(m.host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_see_the_new_code),
        cmocka_unit_test(test_a_state_is_handed_over),
        cmocka_unit_test(test_objects_of_before_get_the_new_methods),
        cmocka_unit_test(test_a_module_that_is_no_table_is_replaced),
        cmocka_unit_test(test_a_failing_reload_keeps_the_old_module),
        cmocka_unit_test(test_what_cannot_be_loaded_again_is_refused),
        cmocka_unit_test(test_modules_of_files_are_loaded_again),
        cmocka_unit_test(test_a_task_loads_a_module_again),
        cmocka_unit_test(test_on_error_cannot_load_a_module_again),
        cmocka_unit_test(test_a_module_that_a_task_loads_is_not_loaded_again),
        cmocka_unit_test(test_a_thousand_reloads_under_load_lose_no_task),
        cmocka_unit_test(test_a_reload_without_memory_keeps_the_old_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
