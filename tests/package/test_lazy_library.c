/* SPDX-License-Identifier: MIT */
/* A program that embeds the library as SEPTET_LAZY_LIBRARY builds it: a library that it needs is
 * loaded when a script first uses it, and not before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "septet/septet.h"

static bool is_mapped(const char *name)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        found = found || strstr(line, name);
    fclose(maps);
    return found;
}

static void on_error(void *ud, const septet_error *error)
{
    fprintf(stderr, "%s\n", error->message);
}

static void run(septet_host *host, const char *source)
{
    assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK);
    assert_int_equal(septet_run(host), SEPTET_OK);
}

static void test_each_library_is_loaded_at_its_first_use(void **state)
{
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.profile = SEPTET_PROFILE_TRUSTED;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    run(host, "require 'septet.task'.sleep(0)");
    assert_false(is_mapped("/libcurl"));
    assert_false(is_mapped("/libjansson"));
    assert_false(is_mapped("/libcrypto"));
    run(host, "assert(#require 'septet.json'.decode '[1]' == 1)");
    assert_true(is_mapped("/libjansson"));
    assert_false(is_mapped("/libcurl"));
    run(host, "local session <close> = require 'septet.http'.session() "
              "assert(session:get(os.getenv 'SEPTET_ORIGIN' .. '/echo').status == 200)");
    assert_true(is_mapped("/libcurl"));
    assert_false(is_mapped("/libsqlite3"));
    septet_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_library_is_loaded_at_its_first_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
