/* SPDX-License-Identifier: MIT */
/* on_print: what scripts print reaches the embedder, whichever function they use. */
#include "support/host_fixture.h"

/* The callback's `ud`. */
struct printed {
    struct reports reports; /* first, as the fixture's callbacks expect it */
    int calls;
    size_t length;
    char text[1024]; /* of all calls, each followed by '|' */
    septet_host *host;
};

static void on_print(void *ud, const char *text, size_t length)
{
    struct printed *printed = ud;
    assert_true(printed->length + length + 1 < sizeof printed->text);
    memcpy(printed->text + printed->length, text, length);
    printed->length += length;
    printed->text[printed->length++] = '|';
    printed->calls++;
}

static septet_host *open_host(struct printed *printed, int profile)
{
    septet_config config = config_for(&printed->reports);
    config.profile = profile;
    config.on_print = on_print;
    printed->host = septet_new(&config, NULL);
    assert_non_null(printed->host);
    return printed->host;
}

static void each_profile(const char *source, const char *expected, size_t length)
{
    for (int profile = SEPTET_PROFILE_STANDARD; profile <= SEPTET_PROFILE_TRUSTED; profile++) {
        struct printed printed = {0};
        septet_host *host = open_host(&printed, profile);
        if (run_script(host, source) != SEPTET_OK)
            fail_msg("%s", printed.reports.message);
        assert_int_equal(printed.length, length);
        assert_memory_equal(printed.text, expected, length);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

#define EACH(source, expected) each_profile(source, expected, sizeof expected - 1)

static void test_a_print_is_one_text_with_its_newline(void **state)
{
    EACH("print() print('a', 1, nil, true, 2.5) print(setmetatable({}, { __tostring = function() "
         "return 'words' end }))",
         "\n|a\t1\tnil\ttrue\t2.5\n|words\n|");
    EACH("print('a\\0b')", "a\0b\n|");
}

static void test_io_write_is_one_text(void **state)
{
    EACH("assert(io.write('a', 1, 'b\\0') == io.stdout) io.write() io.write('')", "a1b\0|||");
    EACH("assert(io.stdout:write('a', 2.5) == io.stdout) io.output():write('b'):write('c')",
         "a2.5|b|c|");
    EACH("assert(not pcall(io.write, 'a', {})) assert(not pcall(io.stdout.write, io.stdout, nil)) "
         "assert(not pcall(io.stdout.write, 'x'))",
         "");
}

static void test_other_files_are_no_print(void **state)
{
    struct printed printed = {0};
    septet_host *host = open_host(&printed, SEPTET_PROFILE_TRUSTED);
    assert_runs(host, "local f = io.tmpfile() f:write('x') io.output(f) io.write('y') "
                      "f:seek('set') assert(f:read('a') == 'xy') io.output(io.stdout)");
    assert_int_equal(printed.calls, 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_an_error_in_tostring_prints_nothing(void **state)
{
    EACH("assert(not pcall(print, 'a', setmetatable({}, { __tostring = error })))", "");
}

static void raise(void *ud, const char *text, size_t length)
{
    struct printed *printed = ud;
    luaL_error(septet_lua(printed->host), "no paper");
}

static void test_a_callback_that_raises_is_warned_of(void **state)
{
    struct printed printed = {0};
    septet_config config = config_for(&printed.reports);
    config.on_print = raise;
    printed.host = septet_new(&config, NULL);
    assert_runs(printed.host, "print 'x' after = 1");
    assert_int_equal(global(septet_lua(printed.host), "after"), 1);
    assert_string_equal(printed.reports.warned, "on_print failed: no paper\n");
    assert_int_equal(septet_free(printed.host), SEPTET_OK);
}

static int freed;

static void free_host(void *ud, const char *text, size_t length)
{
    struct printed *printed = ud;
    freed = septet_free(printed->host);
}

static void test_a_callback_cannot_free_the_host(void **state)
{
    struct printed printed = {0};
    septet_config config = config_for(&printed.reports);
    config.on_print = free_host;
    printed.host = septet_new(&config, NULL);
    assert_int_equal(luaL_dostring(septet_lua(printed.host), "print 'outside of tasks'"), LUA_OK);
    assert_int_equal(freed, SEPTET_EBUSY);
    assert_int_equal(septet_free(printed.host), SEPTET_OK);
}

static void test_memory_that_runs_out_is_the_tasks_error(void **state)
{
    for (long allowed = 0, runs = 0; runs == 0; allowed++) {
        struct printed printed = {0};
        struct pool pool = {.allowed = -1};
        septet_config config = config_for(&printed.reports);
        config.on_print = on_print;
        config.alloc = pool_alloc;
        config.alloc_ud = &pool;
        septet_host *host = septet_new(&config, NULL);
        assert_loads(host, "print(('x'):rep(100), {}) io.write(('y'):rep(100), 1, 2.5)");
        pool.allowed = pool.calls + allowed;
        runs = septet_run(host) == SEPTET_OK;
        pool.allowed = -1;
        assert_true(printed.calls <= 2);
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_print_is_one_text_with_its_newline),
        cmocka_unit_test(test_io_write_is_one_text),
        cmocka_unit_test(test_other_files_are_no_print),
        cmocka_unit_test(test_an_error_in_tostring_prints_nothing),
        cmocka_unit_test(test_a_callback_that_raises_is_warned_of),
        cmocka_unit_test(test_a_callback_cannot_free_the_host),
        cmocka_unit_test(test_memory_that_runs_out_is_the_tasks_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
