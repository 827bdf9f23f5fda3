/* SPDX-License-Identifier: MIT */
/* What an embedder may get wrong: each is an error, and nothing crashes. */
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "septet/op.h"
#include "septet/septet.h"
#include "support/cmocka.h"

static char warned[4096];

static void on_warning(void *ud, const char *message)
{
    strncat(warned, message, sizeof warned - strlen(warned) - 1);
}

static septet_host *new_host(void)
{
    septet_config config;
    septet_config_init(&config);
    config.on_warning = on_warning;
    config.profile = SEPTET_PROFILE_TRUSTED; /* the scripts collect garbage */
    warned[0] = '\0';
    return septet_new(&config, NULL);
}

static void test_e_6_a_spawn_with_too_few_values_is_refused(void **state)
{
    septet_host *host = new_host();
    lua_State *L = septet_lua(host);
    const int counts[] = {-1, -50, 0, 1, 2, 50, 1000000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        assert_int_equal(septet_spawn(host, "none", counts[i]), SEPTET_EINVAL);
    assert_int_equal(luaL_loadstring(L, "assert(select('#', ...) == 1)"), LUA_OK);
    const int more[] = {-1, 1, 2, 50};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        assert_int_equal(septet_spawn(host, "few", more[i]), SEPTET_EINVAL);
        assert_int_equal(lua_gettop(L), 1);
    }
    lua_pushinteger(L, 7);
    assert_int_equal(septet_spawn(host, "right", 1), SEPTET_OK);
    assert_int_equal(lua_gettop(L), 0);
    assert_int_equal(septet_run(host), SEPTET_OK);
    septet_free(host);
}

static int start(septet_op *op)
{
    return SEPTET_OK;
}

static void cancel(septet_op *op)
{
}

static int push(septet_op *op, lua_State *L)
{
    return 0;
}

static const septet_op_type *tried;

static int l_try(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, tried));
}

static void test_e_6_an_operation_whose_type_lacks_something_is_usage(void **state)
{
    const septet_op_type good = {.name = "x",
                                 .size = sizeof(septet_op),
                                 .abi = SEPTET_OP_ABI,
                                 .start = start,
                                 .cancel = cancel,
                                 .push = push};
    septet_op_type bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].start = NULL;
    bad[1].cancel = NULL;
    bad[2].push = NULL;
    bad[3].name = NULL;
    bad[4].size = sizeof(septet_op) - 1;
    bad[5].abi = 0;
    bad[6].abi = SEPTET_OP_ABI + 1;
    bad[7].abi = -1;
    for (int i = 0; i < 8; i++) {
        septet_host *host = new_host();
        tried = &bad[i];
        lua_register(septet_lua(host), "try", l_try);
        assert_int_equal(
            septet_load_string(host, "=t",
                               "local ok, err = pcall(try)\n"
                               "assert(not ok and err.kind == 'Usage', tostring(err))\n"),
            SEPTET_OK);
        assert_int_equal(septet_run(host), SEPTET_OK);
        septet_free(host);
    }
}

/* --- a positive status of start --- */

static struct {
    bool done; /* start completes the operation first */
    int cancels, closes, pushes;
} positive;

static int start_positive(septet_op *op)
{
    if (positive.done)
        septet_op_done(op, SEPTET_OK);
    return 3;
}

static void cancel_positive(septet_op *op)
{
    positive.cancels++;
}

static int push_positive(septet_op *op, lua_State *L)
{
    positive.pushes++;
    return 0;
}

static void close_positive(septet_op *op)
{
    positive.closes++;
}

static void test_e_6_a_positive_status_of_start_is_usage(void **state)
{
    for (int i = 0; i < 4; i++) {
        const septet_op_type type = {.name = "positive",
                                     /* one that is stored in the task, and one that is not */
                                     .size = i < 2 ? sizeof(septet_op) : 1000,
                                     .abi = SEPTET_OP_ABI,
                                     .start = start_positive,
                                     .cancel = cancel_positive,
                                     .push = push_positive,
                                     .close = close_positive};
        septet_host *host = new_host();
        memset(&positive, 0, sizeof positive);
        positive.done = i % 2;
        tried = &type;
        lua_register(septet_lua(host), "try", l_try);
        assert_int_equal(septet_load_string(host, "=t",
                                            "local task = require 'septet.task'\n"
                                            "local ok, err = pcall(try)\n"
                                            "assert(not ok and err.kind == 'Usage')\n"
                                            "assert(err.message:find(\"'positive' returned 3\"))\n"
                                            "task.sleep(0)"),
                         SEPTET_OK);
        assert_int_equal(septet_run(host), SEPTET_OK);
        lua_gc(septet_lua(host), LUA_GCCOLLECT);
        assert_int_equal(positive.cancels, !positive.done);
        assert_int_equal(positive.closes, 1);
        assert_int_equal(positive.pushes, 0);
        septet_free(host);
        assert_int_equal(positive.closes, 1);
    }
}

/* Fills all the room there is, and does not end it. */
static void describe(const septet_op *op, char *text, size_t size)
{
    memset(text, 'y', size);
}

/* Ends nothing, either. */
static void describe_little(const septet_op *op, char *text, size_t size)
{
    memcpy(text, "zz", 2);
}

static void test_h_22_a_description_without_its_end_is_ended(void **state)
{
    void (*const describers[])(const septet_op *, char *, size_t) = {describe, describe_little};
    for (int i = 0; i < 2; i++) {
        const septet_op_type type = {.name = "waits",
                                     .size = sizeof(septet_op),
                                     .abi = SEPTET_OP_ABI,
                                     .start = start,
                                     .cancel = cancel,
                                     .push = push,
                                     .describe = describers[i]};
        septet_host *host = new_host();
        tried = &type;
        lua_register(septet_lua(host), "try", l_try);
        assert_int_equal(septet_load_string(host, "=t", "try()"), SEPTET_OK);
        assert_int_equal(septet_run(host), SEPTET_EDEADLOCK);
        assert_non_null(strstr(warned, i == 0 ? "s yyyyyyyy" : "s zz"));
        assert_null(strstr(warned, "zzz"));
        septet_free(host);
    }
}

static void test_h_22_the_state_is_closed_after_the_host(void **state)
{
    septet_config config;
    septet_config_init(&config);
    config.lua = luaL_newstate();
    luaL_openlibs(config.lua);
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(septet_load_string(host, "=t", "require 'septet.task'.sleep(100)"), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK); /* unwinds a task that never ran */
    lua_close(config.lua);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_6_a_spawn_with_too_few_values_is_refused),
        cmocka_unit_test(test_e_6_an_operation_whose_type_lacks_something_is_usage),
        cmocka_unit_test(test_e_6_a_positive_status_of_start_is_usage),
        cmocka_unit_test(test_h_22_a_description_without_its_end_is_ended),
        cmocka_unit_test(test_h_22_the_state_is_closed_after_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
