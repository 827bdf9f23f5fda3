/* SPDX-License-Identifier: MIT */
/* load_module: modules that the embedder gives, and the life of their sources. */
#include "support/host_fixture.h"

struct module {
    const char *name, *text, *chunkname;
    int result;
};

/* The callback's `ud`. */
struct modules {
    struct reports reports; /* first, as the fixture's callbacks expect it */
    const struct module *list;
    int asked, filled, released;
    septet_host *host;
};

static void release(void *ud, septet_source *source)
{
    struct modules *modules = ud;
    assert_ptr_equal(source->data, modules);
    modules->released++;
    free((char *)source->text); /* what still reads it is found by the sanitizers */
}

static int load_module(void *ud, const char *name, septet_source *source)
{
    struct modules *modules = ud;
    modules->asked++;
    for (const struct module *m = modules->list; m->name; m++) {
        if (strcmp(m->name, name) != 0)
            continue;
        if (m->result < 0)
            return m->result;
        source->text = m->text ? strdup(m->text) : NULL;
        source->length = m->text ? strlen(m->text) : 0;
        source->chunkname = m->chunkname;
        source->release = release;
        source->data = modules;
        modules->filled++;
        return 1;
    }
    return 0;
}

static const struct module all[] = {
    {"plain", "local name, extra = ... return { name = name, extra = extra }", NULL, 0},
    {"named", "error 'x'", "@maps/named.lua", 0},
    {"nothing", "loaded = (loaded or 0) + 1", NULL, 0},
    {"broken", "return = 1", NULL, 0},
    {"raises", "error({ kind = 'mine' })", NULL, 0},
    {"bytecode", "\033Lua", NULL, 0},
    {"textless", NULL, NULL, 0},
    {"failing", NULL, NULL, SEPTET_ETIMEOUT},
    {"a", "return { b = require 'b' }", NULL, 0},
    {"b", "return { a = require 'a' }", NULL, 0},
    {"waits", "require('septet.task').sleep(0.01) return { waited = true }", NULL, 0},
    {"foreign.inner", "return { inner = true }", NULL, 0},
    {NULL, NULL, NULL, 0},
};

static septet_host *open_host(struct modules *modules, septet_config *config)
{
    *config = config_for(&modules->reports);
    config->profile = SEPTET_PROFILE_STANDARD;
    config->load_module = load_module;
    modules->list = all;
    modules->host = septet_new(config, NULL);
    assert_non_null(modules->host);
    return modules->host;
}

static void run(struct modules *modules, const char *source)
{
    if (run_script(modules->host, source) != SEPTET_OK)
        fail_msg("%s\n%s", modules->reports.message, modules->reports.traceback);
    assert_silent(&modules->reports);
    assert_int_equal(modules->filled, modules->released);
}

static void test_scripts_require_the_embedders_modules(void **state)
{
    struct modules modules = {0};
    septet_config config;
    septet_host *host = open_host(&modules, &config);
    run(&modules, "local m, extra = require 'plain' "
                  "assert(m.name == 'plain' and m.extra == 'plain' and extra == 'plain') "
                  "assert(require 'plain' == m and package.loaded.plain == m) "
                  "assert(require 'nothing' == true and require 'nothing' and loaded == 1) "
                  "assert(require('foreign.inner').inner)");
    assert_int_equal(modules.asked, 3);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_a_module_that_fails_releases_its_source(void **state)
{
    struct modules modules = {0};
    septet_config config;
    septet_host *host = open_host(&modules, &config);
    run(&modules,
        "local function fails(name, part) "
        "  local ok, err = pcall(require, name) "
        "  assert(not ok and package.loaded[name] == nil) "
        "  if part then assert(tostring(err):find(part, 1, true), tostring(err)) end "
        "  return err "
        "end "
        "fails('named', 'maps/named.lua:1: x') "
        "fails('broken', \"error loading module 'broken' from the host:\\n\\tbroken:1:\") "
        "assert(fails('raises').kind == 'mine') "
        "fails('bytecode', 'attempt to load a binary chunk') "
        "fails('textless', 'there is no text') "
        "fails('failing', 'timed out') "
        "fails('absent', \"the host has no module 'absent'\") "
        "fails('a') "
        "fails('waits', 'cannot wait') ");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_a_module_may_wait_if_task_require_loads_it(void **state)
{
    struct modules modules = {0};
    septet_config config;
    septet_host *host = open_host(&modules, &config);
    run(&modules,
        "local task = require 'septet.task' "
        "local a, b = task.spawn(task.require, 'waits'), task.spawn(task.require, 'waits') "
        "assert(a:await().waited and a:await() == b:await())");
    assert_int_equal(modules.asked, 1);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static int raise(void *ud, const char *name, septet_source *source)
{
    struct modules *modules = ud;
    return luaL_error(septet_lua(modules->host), "no %s today", name);
}

static void test_a_callback_that_raises_is_warned_of(void **state)
{
    struct modules modules = {0};
    septet_config config = config_for(&modules.reports);
    config.load_module = raise;
    modules.host = septet_new(&config, NULL);
    assert_runs(modules.host, "local ok, err = pcall(require, 'x') "
                              "assert(not ok and err:find 'a script failed')");
    assert_string_equal(modules.reports.warned, "load_module failed: no x today\n");
    assert_int_equal(septet_free(modules.host), SEPTET_OK);
}

/* Two hosts, one after the other, in a state of the embedder's. */
static void test_an_embedders_state_has_the_searcher_of_its_present_host(void **state)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    for (int i = 0; i < 2; i++) {
        struct modules modules = {.list = all};
        septet_config config = config_for(&modules.reports);
        config.load_module = i == 0 ? load_module : NULL;
        config.lua = L;
        modules.host = septet_new(&config, NULL);
        run(&modules, i == 0 ? "assert(require('plain').name and #package.searchers == 5)"
                             : "assert(not pcall(require, 'named') and #package.searchers == 4)");
        assert_int_equal(septet_free(modules.host), SEPTET_OK);
    }
    lua_close(L);
}

/* Otherwise the types that the core opens at its first use would replace those of the later host,
 * whose objects then have other methods. */
static void test_an_earlier_hosts_core_opens_nothing_in_a_later_host(void **state)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    static const char *const scripts[] = {
        "earlier = debug.getregistry()['septet.core']",
        "local lock = require('septet.sync').lock() "
        "local meta = debug.getregistry()['septet.lock'] "
        "assert(earlier ~= debug.getregistry()['septet.core'] and not pcall(earlier.lock)) "
        "assert(debug.getregistry()['septet.lock'] == meta) "
        "assert(lock:with(function() return 'held' end) == 'held')",
    };
    for (int i = 0; i < 2; i++) {
        struct reports reports;
        septet_config config = config_for(&reports);
        config.lua = L;
        septet_host *host = septet_new(&config, NULL);
        assert_runs(host, scripts[i]);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
    lua_close(L);
}

static void test_memory_that_runs_out_releases_the_source(void **state)
{
    for (long allowed = 0, runs = 0; runs == 0; allowed++) {
        struct modules modules = {.list = all};
        struct pool pool = {.allowed = -1};
        septet_config config = config_for(&modules.reports);
        config.profile = SEPTET_PROFILE_STANDARD;
        config.load_module = load_module;
        config.alloc = pool_alloc;
        config.alloc_ud = &pool;
        modules.host = septet_new(&config, NULL);
        assert_non_null(modules.host);
        assert_loads(modules.host, "require 'plain'");
        pool.allowed = pool.calls + allowed;
        runs = septet_run(modules.host) == SEPTET_OK;
        pool.allowed = -1;
        assert_int_equal(modules.filled, modules.released);
        assert_runs(modules.host, "assert(require('plain').name == 'plain')");
        assert_int_equal(septet_free(modules.host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts_require_the_embedders_modules),
        cmocka_unit_test(test_a_module_that_fails_releases_its_source),
        cmocka_unit_test(test_a_module_may_wait_if_task_require_loads_it),
        cmocka_unit_test(test_a_callback_that_raises_is_warned_of),
        cmocka_unit_test(test_an_embedders_state_has_the_searcher_of_its_present_host),
        cmocka_unit_test(test_an_earlier_hosts_core_opens_nothing_in_a_later_host),
        cmocka_unit_test(test_memory_that_runs_out_releases_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
