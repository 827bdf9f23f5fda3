/* SPDX-License-Identifier: MIT */
/* Errors and warnings are copied where the test reads them. */
#include "support/host_fixture.h"

#include <dirent.h>

#include "support/test_file.h"

static void keep(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

static void on_error(void *ud, const septet_error *error)
{
    struct reports *reports = ud;
    reports->errors++;
    keep(reports->kind, sizeof reports->kind, error->kind);
    keep(reports->message, sizeof reports->message, error->message);
    keep(reports->traceback, sizeof reports->traceback, error->traceback);
    keep(reports->task, sizeof reports->task, error->task);
    reports->task_id = error->task_id;
    reports->is_main = error->is_main;
    reports->script = error->script;
}

static void on_warning(void *ud, const char *message)
{
    struct reports *reports = ud;
    size_t len = strlen(reports->warned);
    reports->warnings++;
    snprintf(reports->warned + len, sizeof reports->warned - len, "%s\n", message);
}

septet_config config_for(struct reports *reports)
{
    septet_config config;
    *reports = (struct reports){0};
    septet_config_init(&config);
    config.ud = reports;
    config.on_error = on_error;
    config.on_warning = on_warning;
    config.profile = SEPTET_PROFILE_TRUSTED;
    config.slow_ms = 0; /* on a busy machine any turn may be a slow one */
    return config;
}

septet_host *new_host(struct reports *reports)
{
    septet_config config = config_for(reports);
    int status = 1;
    septet_host *host = septet_new(&config, &status);
    assert_non_null(host);
    assert_int_equal(status, SEPTET_OK);
    return host;
}

int run_script(septet_host *host, const char *source)
{
    assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK);
    return septet_run(host);
}

int load_test_file(septet_host *host, const char *path)
{
    char name[128];
    snprintf(name, sizeof name, "@%s", path);
    return septet_load_string(host, name, test_file_read(path));
}

int run_test_file(septet_host *host, const char *path)
{
    assert_file_loads(host, path);
    return septet_run(host);
}

int spawn_function(septet_host *host, const char *path, const char *name)
{
    test_file_push(septet_lua(host), path, name);
    return septet_spawn(host, "main", 0);
}

void assert_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in '%s'", part, text);
}

void assert_silent(const struct reports *reports)
{
    if (reports->errors || reports->warnings)
        fail_msg("reported: %s\n%s\n%s", reports->message, reports->traceback, reports->warned);
}

/* --- an allocator --- */

void *pool_alloc(void *ud, void *block, size_t old, size_t size)
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
        bool over = pool->fails > 0 && call >= pool->allowed + pool->fails;
        if (pool->allowed >= 0 && call >= pool->allowed && !over)
            return NULL;
    }
    void *moved = realloc(block, size);
    if (moved)
        pool->bytes += size - old;
    return moved;
}

/* --- the process --- */

int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

long global(lua_State *L, const char *name)
{
    lua_getglobal(L, name);
    long value = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

void set_origin(lua_State *L)
{
    const char *origin = getenv("SEPTET_ORIGIN");
    assert_non_null(origin);
    lua_pushstring(L, origin);
    lua_setglobal(L, "origin");
}

/* --- the fixture --- */

int host_fixture_setup_with(void **state, void (*configure)(septet_config *))
{
    struct host_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    septet_config config = config_for(&f->reports);
    if (configure)
        configure(&config);
    f->descriptors = count_descriptors();
    f->host = septet_new(&config, NULL);
    assert_non_null(f->host);
    f->L = septet_lua(f->host);
    set_origin(f->L);
    *state = f;
    return 0;
}

int host_fixture_setup(void **state)
{
    return host_fixture_setup_with(state, NULL);
}

void host_fixture_close(struct host_fixture *f)
{
    septet_host *host = f->host;
    f->host = NULL;
    f->L = NULL;
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int host_fixture_teardown(void **state)
{
    struct host_fixture *f = *state;
    host_fixture_close(f); /* of NULL does nothing */
    free(f);
    return 0;
}
