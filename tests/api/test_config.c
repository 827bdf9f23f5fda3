/* SPDX-License-Identifier: MIT */
/* The config: its defaults, its size, and the fields that are for work on Septet itself, for which
 * the library reads no environment. */
#include "support/host_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

/* --- defaults and size --- */

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
    struct reports reports;
    septet_config config = config_for(&reports);
    config.size = offsetof(septet_config, on_warning);
    memset((char *)&config + config.size, 0xa5, sizeof config - config.size);
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(run_script(host, "warn('@on') warn('nobody hears') error('x')"),
                     SEPTET_ESCRIPT);
    assert_int_equal(reports.errors, 1);
    assert_int_equal(reports.warnings, 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_config_of_a_newer_embedder_is_longer(void **state)
{
    struct reports reports;
    struct {
        septet_config config;
        void *later[4];
    } newer = {.config = config_for(&reports)};
    newer.config.size = sizeof newer;
    septet_host *host = septet_new(&newer.config, NULL);
    assert_non_null(host);
    assert_int_equal(run_script(host, "error('x')"), SEPTET_ESCRIPT);
    assert_int_equal(reports.errors, 1);
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

static void test_limits_that_are_not_known_are_refused(void **state)
{
    struct reports reports;
    for (size_t i = 0; i < sizeof((septet_limits){0}).reserved / sizeof(uint64_t); i++) {
        septet_config config = config_for(&reports);
        septet_script_options options;
        int status = SEPTET_OK;
        config.limits.reserved[i] = 1;
        assert_null(septet_new(&config, &status));
        assert_int_equal(status, SEPTET_EINVAL);
        septet_host *host = new_host(&reports);
        septet_script_options_init(&options);
        options.limits.reserved[i] = 1;
        status = SEPTET_OK;
        assert_null(septet_script_new(host, &options, &status));
        assert_int_equal(status, SEPTET_EINVAL);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

static void test_config_without_callbacks_still_gives_statuses(void **state)
{
    septet_config config;
    septet_config_init(&config);
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_null(septet_userdata(host));
    assert_int_equal(septet_load_string(host, "=script", "x x"), SEPTET_ELOAD);
    assert_int_equal(run_script(host, "warn('@on') warn('w') error('x')"), SEPTET_ESCRIPT);
    assert_runs(host, "return 1");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_host_that_records_nothing_runs(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.trace_records = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, PRELUDE "n = 0 require 'septet.trace'.subscribe(function() n = n + 1 end)"
                              " task.gather(task.map(task.sleep, {0, 0.001}))");
    assert_int_equal(global(septet_lua(host), "n"), 0);
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- fields for work on Septet itself --- */

/* Makes a folder with a septet/json.lua of its own. */
static void make_modules(char *folder)
{
    char path[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/septet", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/septet/json.lua", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("return 'another'", file);
    fclose(file);
}

static void remove_modules(const char *folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/septet/json.lua", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/septet", folder);
    rmdir(path);
    rmdir(folder);
}

#define IS_ANOTHER "assert(require 'septet.json' == 'another')"
#define IS_OURS    "assert(type(require 'septet.json') == 'table')"
#define QUIRKS                                                                                     \
    "local core = debug.getregistry()['septet.core'] "                                             \
    "local words = ' ' .. table.concat(core.http_quirks(), ' ') .. ' ' "

/* Runs `source` in a host of that config. The strings go once the host is made. */
static void run_with(const char *lua_path, const char *quirks, const char *source)
{
    struct reports reports;
    char path[256] = "", changes[64] = "";
    septet_config config = config_for(&reports);
    snprintf(path, sizeof path, "%s", lua_path ? lua_path : "");
    snprintf(changes, sizeof changes, "%s", quirks ? quirks : "");
    config.lua_path = lua_path ? path : NULL;
    config.quirks = quirks ? changes : NULL;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    memset(path, 'x', sizeof path - 1);
    memset(changes, '+', sizeof changes - 1);
    assert_runs(host, source);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_h_21_the_library_reads_no_environment(void **state)
{
    char folder[] = "/tmp/septet-api-XXXXXX";
    make_modules(folder);
    setenv("SEPTET_LUA_PATH", folder, 1);
    setenv("SEPTET_QUIRKS", "+timeout", 1);
    run_with(NULL, NULL, IS_OURS QUIRKS "assert(not words:find ' timeout ')");
    unsetenv("SEPTET_LUA_PATH");
    unsetenv("SEPTET_QUIRKS");
    remove_modules(folder);
}

static void test_h_21_modules_come_from_the_folder_of_the_config(void **state)
{
    char folder[] = "/tmp/septet-api-XXXXXX";
    make_modules(folder);
    run_with(folder, NULL, IS_ANOTHER);
    run_with("", NULL, IS_OURS);
    remove_modules(folder);
}

static void test_h_21_quirks_are_changed_by_the_config(void **state)
{
    run_with(NULL, "+timeout,-poke",
             QUIRKS "assert(words:find ' timeout ' and not words:find ' poke ')");
    run_with(NULL, "-timeout,+poke",
             QUIRKS "assert(words:find ' poke ' and not words:find ' timeout ')");
    run_with(NULL, "+timeout", "require 'septet.http'.session():close()");
}

static void test_h_21_a_config_without_the_fields_is_as_one_with_null(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.size = offsetof(septet_config, lua_path);
    config.lua_path = config.quirks = (const char *)1;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, IS_OURS);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_defaults),
        cmocka_unit_test(test_config_of_an_older_embedder_is_shorter),
        cmocka_unit_test(test_config_of_a_newer_embedder_is_longer),
        cmocka_unit_test(test_config_that_was_never_initialised_is_refused),
        cmocka_unit_test(test_limits_that_are_not_known_are_refused),
        cmocka_unit_test(test_config_without_callbacks_still_gives_statuses),
        cmocka_unit_test(test_host_that_records_nothing_runs),
        cmocka_unit_test(test_h_21_the_library_reads_no_environment),
        cmocka_unit_test(test_h_21_modules_come_from_the_folder_of_the_config),
        cmocka_unit_test(test_h_21_quirks_are_changed_by_the_config),
        cmocka_unit_test(test_h_21_a_config_without_the_fields_is_as_one_with_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
