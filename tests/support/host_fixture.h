/* SPDX-License-Identifier: MIT */
/* What the tests of the public API share: a host that keeps its errors and warnings, an allocator
 * that counts and can fail, and a count of open descriptors. It uses the public headers alone. */
#ifndef SPT_TESTS_HOST_FIXTURE_H
#define SPT_TESTS_HOST_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "septet/septet.h"
#include "support/cmocka.h"

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, host_fixture_setup, host_fixture_teardown)
#define PRELUDE  "local task, http = require 'septet.task', require 'septet.http' "

/* Sets `ready` when requests that were made before have gone out. */
#define SOON_READY " task.spawn(function() task.sleep(0.02) ready = 1 end) "

/* What a host has reported. */
struct reports {
    int errors, warnings;
    char kind[64], message[512], traceback[2048], task[128]; /* of the last error */
    uint32_t task_id;
    int is_main;
    septet_script *script;
    char warned[4096]; /* all warnings, a line each */
};

/* The state of a TEST: a host of the usual config, which is closed after the test. */
struct host_fixture {
    septet_host *host;
    lua_State *L;
    struct reports reports;
    int descriptors; /* number of open ones before the host was made */
};

int host_fixture_setup(void **state);

/* Likewise, with a config that `configure` has changed. */
int host_fixture_setup_with(void **state, void (*configure)(septet_config *));
int host_fixture_teardown(void **state);

/* Closes the host before the test ends. */
void host_fixture_close(struct host_fixture *f);

/* Empties `reports`, and returns a config for a host that reports to it. */
septet_config config_for(struct reports *reports);
septet_host *new_host(struct reports *reports);

/* Runs a script to its end. */
int run_script(septet_host *host, const char *source);

#define assert_loads(host, source)                                                                 \
    assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK)
#define assert_runs(host, source) assert_int_equal(run_script(host, source), SEPTET_OK)
/* The function lies in the Lua file beside the test. */
#define assert_spawns(host, name)                                                                  \
    assert_int_equal(spawn_function(host, TEST_SCRIPTS, name), SEPTET_OK)
#define assert_file_loads(host, under) assert_int_equal(load_test_file(host, under), SEPTET_OK)

/* Spawns a main task of the function of that name in a Lua file. */
int spawn_function(septet_host *host, const char *path, const char *name);

/* Loads a script by its path under tests/. It is read here, because septet_load_file() asks for
 * memory of Lua's outside of any protection. */
int load_test_file(septet_host *host, const char *path);
int run_test_file(septet_host *host, const char *path);

void assert_text(const char *text, const char *part);

/* Nothing was reported at all. */
void assert_silent(const struct reports *reports);

/* Returns a global of the script's, as an integer. */
long global(lua_State *L, const char *name);

/* Gives scripts the origin's URL as `origin`. */
void set_origin(lua_State *L);

/* Sanitizers make each host six times slower. What is done for each number in turn, or a thousand
 * times, they do for one in so many, and the other builds for all. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 5
#else
#define STRIDE 1
#endif

/* An allocator's `ud`. */
struct pool {
    size_t bytes; /* handed out */
    long calls;   /* that asked for more memory than before */
    long allowed; /* calls that may succeed; negative: all */
    long fails;   /* number of those after them that fail in a row; 0: all that follow */
};

void *pool_alloc(void *ud, void *block, size_t old, size_t size);

int count_descriptors(void);

#endif
