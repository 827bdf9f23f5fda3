/* What the tests of the public API share: a host whose errors and warnings are kept, an allocator
 * that counts and can fail, and a count of open descriptors. It uses the public headers alone. */
#ifndef SPT_TESTS_HOST_FIXTURE_H
#define SPT_TESTS_HOST_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <dirent.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"

/* --- what a host told --- */

struct told {
    int errors, warnings;
    char kind[64], message[512], traceback[2048], task[128]; /* of the last error */
    uint32_t task_id;
    int is_main;
    char warned[4096]; /* all warnings, a line each */
};

static inline void keep(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

static inline void on_error(void *ud, const septet_error *error)
{
    struct told *told = ud;
    told->errors++;
    keep(told->kind, sizeof told->kind, error->kind);
    keep(told->message, sizeof told->message, error->message);
    keep(told->traceback, sizeof told->traceback, error->traceback);
    keep(told->task, sizeof told->task, error->task);
    told->task_id = error->task_id;
    told->is_main = error->is_main;
}

static inline void on_warning(void *ud, const char *message)
{
    struct told *told = ud;
    size_t len = strlen(told->warned);
    told->warnings++;
    snprintf(told->warned + len, sizeof told->warned - len, "%s\n", message);
}

static inline septet_config config_for(struct told *told)
{
    septet_config config;
    *told = (struct told){0};
    septet_config_init(&config);
    config.ud = told;
    config.on_error = on_error;
    config.on_warning = on_warning;
    config.slow_ms = 0; /* on a busy machine any turn may be a slow one */
    return config;
}

static inline septet_host *new_host(struct told *told)
{
    septet_config config = config_for(told);
    int status = 1;
    septet_host *host = septet_new(&config, &status);
    assert_non_null(host);
    assert_int_equal(status, SEPTET_OK);
    return host;
}

#define PRELUDE "local task, http = require 'septet.task', require 'septet.http' "

/* Sets `ready` when requests that were made before have gone out. */
#define SOON_READY " task.spawn(function() task.sleep(0.02) ready = 1 end) "

/* Runs a script to its end. */
static inline int run(septet_host *host, const char *source)
{
    assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK);
    return septet_run(host);
}

static inline void assert_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in '%s'", part, text);
}

/* Nothing was told at all. */
static inline void assert_silent(const struct told *told)
{
    if (told->errors || told->warnings)
        fail_msg("told of: %s\n%s\n%s", told->message, told->traceback, told->warned);
}

/* --- an allocator --- */

struct pool {
    size_t bytes;  /* handed out */
    long calls;    /* that asked for more memory than before */
    long allowed;  /* calls that may succeed; negative: all */
    bool only_one; /* just the one after them fails, not all that follow */
};

static inline void *pool_alloc(void *ud, void *block, size_t old, size_t size)
{
    struct pool *pool = ud;
    if (!block)
        old = 0; /* then it is the kind of the object */
    if (size == 0) {
        free(block);
        pool->bytes -= old;
        return NULL;
    }
    if (size > old) {
        long call = pool->calls++;
        if (pool->allowed >= 0 && (pool->only_one ? call == pool->allowed : call >= pool->allowed))
            return NULL;
    }
    void *moved = realloc(block, size);
    if (moved)
        pool->bytes += size - old;
    return moved;
}

/* --- the world --- */

static inline int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* A global of the script's, as an integer. */
static inline long global(lua_State *L, const char *name)
{
    lua_getglobal(L, name);
    long value = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

static inline void set_origin(lua_State *L)
{
    const char *origin = getenv("SEPTET_ORIGIN");
    assert_non_null(origin);
    lua_pushstring(L, origin);
    lua_setglobal(L, "origin");
}

#endif
