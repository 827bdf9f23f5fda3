/* SPDX-License-Identifier: MIT */
/* The standard profile: each gate, and attempts to get past it. */
#include <unistd.h>

#include "support/host_fixture.h"
#include "support/test_file.h"

#define FOLDER "/tmp/septet-profile-%d"

/* --- permissions --- */

/* What the embedder allows, as the callback's `ud`. */
struct rules {
    struct reports reports; /* first, as the fixture's callbacks expect it */
    bool allowed[SEPTET_PERMIT_TRACE + 1];
    const char *only; /* the one subject that is allowed; NULL: any */
    int asked;
    char subject[256]; /* of the last question */
    septet_host *host;
};

static int permit(void *ud, int what, const char *subject)
{
    struct rules *rules = ud;
    rules->asked++;
    snprintf(rules->subject, sizeof rules->subject, "%s", subject);
    return rules->allowed[what] && (!rules->only || strcmp(subject, rules->only) == 0);
}

static char path[128];

static septet_host *new_standard(struct rules *rules, septet_config *config)
{
    septet_host *host = septet_new(config, NULL);
    assert_non_null(host);
    snprintf(path, sizeof path, FOLDER, (int)getpid());
    lua_pushstring(septet_lua(host), path);
    lua_setglobal(septet_lua(host), "path");
    return host;
}

static septet_config config_of(struct rules *rules)
{
    septet_config config = config_for(&rules->reports);
    config.profile = SEPTET_PROFILE_STANDARD;
    return config;
}

static void run_attempt(septet_host *host, const struct rules *rules, const char *name)
{
    test_file_push(septet_lua(host), TEST_SCRIPTS, name);
    assert_int_equal(septet_spawn(host, name, 0), SEPTET_OK);
    if (septet_run(host) != SEPTET_OK)
        fail_msg("%s: %s\n%s", name, rules->reports.message, rules->reports.traceback);
}

/* Runs an attempt in a host without a `permit`, and returns its warnings. */
static void attempt(const char *name)
{
    struct rules rules = {0};
    septet_config config = config_of(&rules);
    septet_host *host = new_standard(&rules, &config);
    run_attempt(host, &rules, name);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_silent(&rules.reports);
}

static void attempt_with(const char *name, struct rules *rules)
{
    septet_config config = config_of(rules);
    config.permit = permit;
    septet_host *host = new_standard(rules, &config);
    run_attempt(host, rules, name);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_silent(&rules->reports);
    unlink(path);
}

static void test_standard_is_the_default(void **state)
{
    septet_config config;
    septet_config_init(&config);
    assert_int_equal(config.profile, SEPTET_PROFILE_STANDARD);
    config.profile = 7;
    int status = SEPTET_OK;
    assert_null(septet_new(&config, &status));
    assert_int_equal(status, SEPTET_EINVAL);
}

static void test_what_is_left_out_is_nowhere(void **state)
{
    attempt("what_is_left_out_is_nowhere");
}

static void test_private_modules_are_not_found(void **state)
{
    attempt("private_modules_are_not_found");
}

static void test_files_are_denied(void **state)
{
    attempt("files_are_denied");
}

static void test_processes_and_variables_are_denied(void **state)
{
    attempt("processes_and_variables_are_denied");
}

static void test_septets_own_doors_are_denied(void **state)
{
    attempt("septets_own_doors_are_denied");
}

static void test_the_embedder_denies_one_by_one(void **state)
{
    struct rules rules = {.allowed = {[SEPTET_PERMIT_CONNECT] = true}};
    attempt_with("files_are_denied", &rules);
    attempt_with("processes_and_variables_are_denied", &rules);
    attempt_with("septets_own_doors_are_denied", &rules);
    assert_true(rules.asked > 0);
}

static void test_what_the_embedder_permits_works(void **state)
{
    struct rules rules = {.allowed = {true, true, true, true, true, true}};
    attempt_with("what_is_permitted_works", &rules);
    assert_string_equal(rules.subject, "true"); /* the last command */
}

static void test_a_permission_to_write_reveals_nothing(void **state)
{
    struct rules rules = {.allowed = {[SEPTET_PERMIT_WRITE] = true}};
    attempt_with("a_permission_to_write_reveals_nothing", &rules);
}

static void test_a_permission_is_for_one_path(void **state)
{
    struct rules rules = {.allowed = {true, true, true}, .only = path};
    attempt_with("a_permission_is_for_one_path", &rules);
}

static int raise(void *ud, int what, const char *subject)
{
    struct rules *rules = ud;
    return luaL_error(septet_lua(rules->host), "not now");
}

static int free_host(void *ud, int what, const char *subject)
{
    struct rules *rules = ud;
    return septet_free(rules->host) != SEPTET_EBUSY;
}

static void test_a_permit_that_fails_denies(void **state)
{
    struct rules rules = {0};
    septet_config config = config_of(&rules);
    config.permit = raise;
    rules.host = new_standard(&rules, &config);
    assert_runs(rules.host, "local file, why, code = io.open('/dev/null') "
                            "assert(not file and why:find 'denied by the host' and code == 13)");
    assert_string_equal(rules.reports.warned, "permit failed: not now\n");
    assert_int_equal(septet_free(rules.host), SEPTET_OK);
    config = config_of(&rules);
    config.permit = free_host;
    rules.host = new_standard(&rules, &config);
    assert_runs(rules.host, "assert(not io.open('/dev/null'))");
    assert_int_equal(luaL_dostring(septet_lua(rules.host), "assert(not io.open('/dev/null'))"),
                     LUA_OK);
    assert_int_equal(septet_free(rules.host), SEPTET_OK);
}

/* --- bytecode --- */

static int append(lua_State *L, const void *bytes, size_t size, void *ud)
{
    luaL_addlstring(ud, bytes, size);
    return 0;
}

static void test_bytecode_is_refused(void **state)
{
    struct rules rules = {.allowed = {[SEPTET_PERMIT_READ] = true}};
    septet_config config = config_of(&rules);
    config.permit = permit;
    septet_host *host = new_standard(&rules, &config);
    lua_State *L = septet_lua(host);
    size_t size;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    assert_int_equal(luaL_loadstring(L, "return 1"), LUA_OK);
    lua_dump(L, append, &b, 0);
    lua_pop(L, 1);
    luaL_pushresult(&b);
    const char *bytecode = lua_tolstring(L, -1, &size);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(bytecode, 1, size, file);
    fclose(file);
    lua_setglobal(L, "bytecode");
    lua_pushstring(L, path);
    lua_setglobal(L, "bytecode_path");
    lua_getglobal(L, "package");
    lua_pushstring(L, path); /* without a '?': each module is this file */
    lua_setfield(L, -2, "path");
    lua_pop(L, 1);
    run_attempt(host, &rules, "bytecode_is_refused");
    assert_int_equal(septet_free(host), SEPTET_OK);
    unlink(path);
}

/* --- what belongs to all scripts --- */

static void test_e_12_a_script_cannot_change_septets_modules(void **state)
{
    attempt("modules_are_read_only");
}

static void test_metatables_are_hidden(void **state)
{
    attempt("metatables_are_hidden");
}

static void test_methods_of_strings_stay(void **state)
{
    attempt("methods_of_strings_stay");
}

static void test_standard_files_stay_open(void **state)
{
    attempt("standard_files_stay_open");
}

static void test_the_collector_and_warnings_are_the_hosts(void **state)
{
    struct rules rules = {0};
    septet_config config = config_of(&rules);
    septet_host *host = new_standard(&rules, &config);
    run_attempt(host, &rules, "the_collector_and_warnings_are_the_hosts");
    assert_string_equal(rules.reports.warned, "heard still\n");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* A traceback names functions of a locked module as before. */
static void test_tracebacks_name_functions_of_locked_modules(void **state)
{
    struct rules rules = {0};
    septet_config config = config_of(&rules);
    septet_host *host = new_standard(&rules, &config);
    assert_int_equal(run_script(host, "require('septet.task').sleep('x')"), SEPTET_ESCRIPT);
    assert_text(rules.reports.message, "bad argument #1 to 'sleep'");
    assert_int_equal(run_script(host, "local n = string.rep n()"), SEPTET_ESCRIPT);
    assert_text(rules.reports.traceback, "in function 'string.rep'");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- scripts with globals of their own --- */

static int load_shared(void *ud, const char *name, septet_source *source)
{
    static const char text[] = "local n = 0 return { globals = function() return _G end, "
                               "count = function() n = n + 1 return n end }";
    source->text = text;
    source->length = sizeof text - 1;
    return strcmp(name, "shared") == 0;
}

static void run_in(septet_script *script, const struct rules *rules, const char *file)
{
    char name[64];
    const char *source = test_file_read(file);
    snprintf(name, sizeof name, "@%s", file);
    assert_int_equal(septet_script_load(script, name, source, strlen(source)), SEPTET_OK);
    while (septet_script_status(script) == 1)
        septet_step(rules->host, 1000);
    if (septet_script_status(script) == SEPTET_OK)
        return;
    septet_script_push_results(script, septet_lua(rules->host));
    fail_msg("%s: %s", file, luaL_tolstring(septet_lua(rules->host), -1, NULL));
}

static void test_e_12_a_script_changes_nothing_of_anothers(void **state)
{
    struct rules rules = {0};
    septet_config config = config_of(&rules);
    config.load_module = load_shared;
    rules.host = new_standard(&rules, &config);
    septet_script *before = septet_script_new(rules.host, NULL, NULL);
    septet_script *evil = septet_script_new(rules.host, NULL, NULL);
    run_in(evil, &rules, "api/evil.lua");
    septet_script *after = septet_script_new(rules.host, NULL, NULL);
    run_in(before, &rules, "api/good.lua");
    septet_script *also = septet_script_new(rules.host, NULL, NULL);
    assert_non_null(also);
    assert_runs(rules.host, "assert(mark == nil and also == nil and string.evil == nil) "
                            "assert(print ~= nil and require('shared').count() == 2)");
    assert_int_equal(septet_script_push_globals(after, septet_lua(rules.host)), SEPTET_OK);
    lua_getglobal(septet_lua(rules.host), LUA_GNAME);
    assert_false(lua_rawequal(septet_lua(rules.host), -1, -2));
    lua_pop(septet_lua(rules.host), 2);
    assert_silent(&rules.reports);
    assert_int_equal(septet_free(rules.host), SEPTET_OK);
}

/* is_anothers(value): returns true if a script with another number has asked about the value. */
static int l_is_anothers(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_rawset(L, lua_upvalueindex(1));
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_pushboolean(L, !lua_rawequal(L, 2, lua_upvalueindex(2)));
    return 1;
}

/* Whatever two scripts reach in common, neither can change. */
static void test_e_12_scripts_reach_nothing_in_common_that_they_can_change(void **state)
{
    struct rules rules = {
        .allowed = {[SEPTET_PERMIT_CONNECT] = true, [SEPTET_PERMIT_TRACE] = true}};
    septet_config config = config_of(&rules);
    config.permit = permit;
    rules.host = new_standard(&rules, &config);
    lua_State *L = septet_lua(rules.host);
    lua_newtable(L);
    for (int i = 1; i <= 2; i++) {
        septet_script *script = septet_script_new(rules.host, NULL, NULL);
        assert_int_equal(septet_script_push_globals(script, L), SEPTET_OK);
        lua_pushvalue(L, -2);
        lua_pushinteger(L, i);
        lua_pushcclosure(L, l_is_anothers, 2);
        lua_setfield(L, -2, "is_anothers");
        lua_pushstring(L, getenv("SEPTET_ORIGIN"));
        lua_setfield(L, -2, "origin");
        lua_pop(L, 1);
        run_in(script, &rules, "api/reach.lua");
        assert_int_equal(septet_script_push_results(script, L), 1);
        assert_string_equal(lua_tostring(L, -1), "");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    assert_int_equal(septet_free(rules.host), SEPTET_OK);
}

/* In the trusted profile, the host's globals are behind those of a script. */
static void test_a_trusted_script_sees_the_hosts_globals(void **state)
{
    static const char source[] = "assert(given == 7 and os.exit and debug.getinfo) own = 1 "
                                 "assert(load 'own = own + 1 return own'() == 2 and _G.own == 2)";
    struct rules rules = {0};
    septet_config config = config_for(&rules.reports);
    rules.host = new_standard(&rules, &config);
    lua_pushinteger(septet_lua(rules.host), 7);
    lua_setglobal(septet_lua(rules.host), "given");
    assert_runs(rules.host, "load = function() end"); /* a script's own stays the host's */
    septet_script *script = septet_script_new(rules.host, NULL, NULL);
    assert_int_equal(septet_script_load(script, "=t", source, sizeof source - 1), SEPTET_OK);
    assert_int_equal(septet_run(rules.host), SEPTET_OK);
    assert_int_equal(lua_getglobal(septet_lua(rules.host), "own"), LUA_TNIL);
    lua_pop(septet_lua(rules.host), 1);
    assert_silent(&rules.reports);
    assert_int_equal(septet_free(rules.host), SEPTET_OK);
}

/* In the trusted profile, too, and it does not have bodies recorded for others. */
static void test_a_denied_subscriber_changes_nothing(void **state)
{
    struct rules rules = {0};
    septet_config config = config_of(&rules);
    config.profile = SEPTET_PROFILE_TRUSTED;
    config.permit = permit;
    septet_host *host = new_standard(&rules, &config);
    assert_runs(host, "local trace = require 'septet.trace' "
                      "local ok, err = pcall(trace.subscribe, print, {level = 3, bodies = 100}) "
                      "assert(not ok and err.code == 'denied') "
                      "local modules = debug.getregistry()['septet.modules'] "
                      "local _, asked = debug.getupvalue(modules['septet.trace.bodies'].ask, 1) "
                      "assert(type(asked) == 'table' and next(asked) == nil)");
    assert_silent(&rules.reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- memory --- */

static void test_a_host_without_memory_is_not_made(void **state)
{
    for (long allowed = 0;; allowed++) {
        struct rules rules = {0};
        struct pool pool = {.allowed = allowed};
        septet_config config = config_of(&rules);
        int status = SEPTET_OK;
        config.alloc = pool_alloc;
        config.alloc_ud = &pool;
        septet_host *host = septet_new(&config, &status);
        bool made = host != NULL;
        if (!made)
            assert_int_equal(status, SEPTET_ENOMEM);
        pool.allowed = -1;
        septet_free(host);
        assert_int_equal(pool.bytes, 0);
        if (made)
            return;
    }
}

static void test_a_script_without_memory_is_not_made(void **state)
{
    struct rules rules = {0};
    struct pool pool = {.allowed = -1};
    septet_config config = config_of(&rules);
    config.alloc = pool_alloc;
    config.alloc_ud = &pool;
    septet_host *host = new_standard(&rules, &config);
    septet_script *script = NULL;
    for (long allowed = 0; !script; allowed++) {
        int status = SEPTET_OK;
        pool.allowed = pool.calls + allowed;
        script = septet_script_new(host, NULL, &status);
        pool.allowed = -1;
        assert_int_equal(status, script ? SEPTET_OK : SEPTET_ENOMEM);
    }
    assert_runs(host, "assert(string.rep('x', 2) == 'xx')");
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard_is_the_default),
        cmocka_unit_test(test_what_is_left_out_is_nowhere),
        cmocka_unit_test(test_private_modules_are_not_found),
        cmocka_unit_test(test_files_are_denied),
        cmocka_unit_test(test_processes_and_variables_are_denied),
        cmocka_unit_test(test_septets_own_doors_are_denied),
        cmocka_unit_test(test_the_embedder_denies_one_by_one),
        cmocka_unit_test(test_what_the_embedder_permits_works),
        cmocka_unit_test(test_a_permission_to_write_reveals_nothing),
        cmocka_unit_test(test_a_permission_is_for_one_path),
        cmocka_unit_test(test_a_permit_that_fails_denies),
        cmocka_unit_test(test_bytecode_is_refused),
        cmocka_unit_test(test_e_12_a_script_cannot_change_septets_modules),
        cmocka_unit_test(test_metatables_are_hidden),
        cmocka_unit_test(test_methods_of_strings_stay),
        cmocka_unit_test(test_standard_files_stay_open),
        cmocka_unit_test(test_the_collector_and_warnings_are_the_hosts),
        cmocka_unit_test(test_tracebacks_name_functions_of_locked_modules),
        cmocka_unit_test(test_e_12_a_script_changes_nothing_of_anothers),
        cmocka_unit_test(test_e_12_scripts_reach_nothing_in_common_that_they_can_change),
        cmocka_unit_test(test_a_trusted_script_sees_the_hosts_globals),
        cmocka_unit_test(test_a_denied_subscriber_changes_nothing),
        cmocka_unit_test(test_a_host_without_memory_is_not_made),
        cmocka_unit_test(test_a_script_without_memory_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
