/* The fields of the config that are for work on Septet itself, and that the library reads no
 * environment for them. */
#include "support/host_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

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

/* Runs `source` in a host of that config, whose strings go once the host is made. */
static void run_with(const char *lua_path, const char *quirks, const char *source)
{
    struct told told;
    char path[256] = "", changes[64] = "";
    septet_config config = config_for(&told);
    snprintf(path, sizeof path, "%s", lua_path ? lua_path : "");
    snprintf(changes, sizeof changes, "%s", quirks ? quirks : "");
    config.lua_path = lua_path ? path : NULL;
    config.quirks = quirks ? changes : NULL;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    memset(path, 'x', sizeof path - 1);
    memset(changes, '+', sizeof changes - 1);
    assert_int_equal(run(host, source), SEPTET_OK);
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
    struct told told;
    septet_config config = config_for(&told);
    config.size = offsetof(septet_config, lua_path);
    config.lua_path = config.quirks = (const char *)1;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(run(host, IS_OURS), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h_21_the_library_reads_no_environment),
        cmocka_unit_test(test_h_21_modules_come_from_the_folder_of_the_config),
        cmocka_unit_test(test_h_21_quirks_are_changed_by_the_config),
        cmocka_unit_test(test_h_21_a_config_without_the_fields_is_as_one_with_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
