/* SPDX-License-Identifier: MIT */
/* Loading scripts, and spawning functions. */
#include "support/host_fixture.h"

static void test_load_of_a_script_that_does_not_compile(void **state)
{
    struct host_fixture *f = *state;
    int top = lua_gettop(f->L);
    assert_int_equal(septet_load_string(f->host, "@boot.lua", "x x"), SEPTET_ELOAD);
    assert_int_equal(f->reports.errors, 1);
    assert_text(f->reports.message, "boot.lua:1: syntax error");
    assert_true(f->reports.is_main);
    assert_int_equal(septet_tasks(f->host), 0);
    assert_int_equal(lua_gettop(f->L), top);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
}

static void test_load_of_a_missing_file(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_load_file(f->host, "no/such/file.lua"), SEPTET_ELOAD);
    assert_int_equal(f->reports.errors, 1);
    assert_text(f->reports.message, "no/such/file.lua");
}

static void test_load_of_a_folder(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_load_file(f->host, "/"), SEPTET_ELOAD);
    assert_int_equal(f->reports.errors, 1);
}

static void test_load_of_precompiled_code_is_refused(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(septet_load_string(f->host, "=script", LUA_SIGNATURE "T"), SEPTET_ELOAD);
    assert_text(f->reports.message, "binary");
}

static void test_load_of_an_empty_buffer(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script = septet_script_new(f->host, NULL, NULL);
    assert_int_equal(septet_load_buffer(f->host, NULL, NULL, 0), SEPTET_OK);
    assert_int_equal(septet_script_load(script, NULL, NULL, 0), SEPTET_OK);
    assert_int_equal(septet_load_buffer(f->host, NULL, NULL, 1), SEPTET_EINVAL);
    assert_int_equal(septet_script_load(script, NULL, NULL, 1), SEPTET_EINVAL);
    assert_int_equal(septet_load_string(f->host, NULL, NULL), SEPTET_EINVAL);
    assert_int_equal(septet_tasks(f->host), 2);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_silent(&f->reports);
}

static void test_load_of_a_file(void **state)
{
    char path[] = "/tmp/septet-api-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs("#!/usr/bin/env septet\n" PRELUDE "task.sleep(0) answer = 42\n", file);
    fclose(file);
    struct host_fixture *f = *state;
    assert_int_equal(septet_load_file(f->host, path), SEPTET_OK);
    assert_int_equal(septet_tasks(f->host), 1);
    assert_int_equal(global(f->L, "answer"), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(global(f->L, "answer"), 42);
    assert_silent(&f->reports);
    host_fixture_close(f);
    remove(path);
}

static void test_spawn_takes_a_function_and_its_arguments(void **state)
{
    struct host_fixture *f = *state;
    lua_State *L = f->L;
    lua_pushliteral(L, "below");
    assert_int_equal(luaL_loadstring(L, PRELUDE "local a, b = ... task.sleep(0)"
                                                " sum = a + b name = task.current().name"),
                     LUA_OK);
    lua_pushinteger(L, 3);
    lua_pushinteger(L, 4);
    assert_int_equal(septet_spawn(f->host, "adder", 2), SEPTET_OK);
    assert_int_equal(lua_gettop(L), 1);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(global(L, "sum"), 7);
    lua_getglobal(L, "name");
    assert_string_equal(lua_tostring(L, -1), "adder");
    assert_string_equal(lua_tostring(L, 1), "below");
    assert_silent(&f->reports);
}

static void test_spawn_of_what_cannot_be_called(void **state)
{
    struct host_fixture *f = *state;
    lua_pushinteger(f->L, 42);
    assert_int_equal(septet_spawn(f->host, NULL, 0), SEPTET_EINVAL);
    assert_int_equal(lua_gettop(f->L), 0);
    assert_int_equal(septet_tasks(f->host), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_load_of_a_script_that_does_not_compile),
        TEST(test_load_of_a_missing_file),
        TEST(test_load_of_a_folder),
        TEST(test_load_of_precompiled_code_is_refused),
        TEST(test_load_of_an_empty_buffer),
        TEST(test_load_of_a_file),
        TEST(test_spawn_takes_a_function_and_its_arguments),
        TEST(test_spawn_of_what_cannot_be_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
