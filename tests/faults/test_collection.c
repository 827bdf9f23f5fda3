/* SPDX-License-Identifier: MIT */
/* A collection of all garbage at each new object finds what nothing keeps alive. */
#include "support/host_fixture.h"

/* Refuses each new object once. Lua then collects all garbage and asks again. */
struct stress {
    bool on;
    bool refused;
    long collections;
};

static void *stress_alloc(void *ud, void *block, size_t old, size_t size)
{
    struct stress *stress = ud;
    if (size == 0) {
        free(block);
        return NULL;
    }
    bool is_object = !block && old != 0; /* string buffers are none: they ask only once */
    if (stress->on && is_object) {
        stress->refused = !stress->refused;
        stress->collections += stress->refused;
        if (stress->refused)
            return NULL;
    }
    return realloc(block, size);
}

static septet_host *new_stressed(struct reports *reports, struct stress *stress, bool scripts)
{
    septet_config config = config_for(reports);
    config.alloc = stress_alloc;
    config.alloc_ud = stress;
    config.script_memory = scripts;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    return host;
}

static void test_fault_47_a_collection_at_each_allocation(void **state)
{
    struct reports reports;
    struct stress stress = {0};
    septet_host *host = new_stressed(&reports, &stress, false);
    set_origin(septet_lua(host));
    assert_file_loads(host, "api/busy.lua");
    stress.on = true;
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_silent(&reports);
    assert_true(stress.collections > 500);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_fault_47_a_collection_at_each_allocation_of_scripts(void **state)
{
    static const char source[] =
        "local task = require 'septet.task' "
        "local function nap(n) task.sleep(0) return { n } end "
        "for _, r in ipairs(task.gather(task.map(nap, { 1, 2, 3 }))) do assert(r[1] > 0) end "
        "task.group(function(g) for i = 1, 3 do g:spawn(nap, i) end end) "
        "for n in task.generator(function(emit) emit(1) emit(2) end) do assert(n) end "
        "local ok, e = pcall(task.timeout, 0.001, task.sleep, 100) assert(task.is(e, 'Timeout')) "
        "return 7";
    struct reports reports;
    struct stress stress = {0};
    septet_host *host = new_stressed(&reports, &stress, true);
    for (int i = 0; i < 2; i++) {
        septet_script_options options;
        septet_script_options_init(&options);
        options.limits.memory = 1 << 22;
        septet_script *script = septet_script_new(host, &options, NULL);
        assert_non_null(script);
        stress.on = true;
        assert_int_equal(septet_script_load(script, "=script", source, sizeof source - 1),
                         SEPTET_OK);
        assert_int_equal(septet_run(host), SEPTET_OK);
        assert_silent(&reports);
        assert_int_equal(septet_script_status(script), SEPTET_OK);
        septet_script_unload(script);
    }
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* Those of test_allocations.c, one after the other. */
static void test_fault_47_a_collection_at_each_allocation_of_any_block(void **state)
{
    struct reports reports;
    struct stress stress = {0};
    septet_config config = config_for(&reports);
    config.alloc = stress_alloc;
    config.alloc_ud = &stress;
    config.clock = SEPTET_CLOCK_VIRTUAL;
    config.processes = 1;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    stress.on = true;
    assert_runs(host, "for _, script in pairs(dofile '" TESTS_FOLDER "/faults/allocations.lua') do "
                      "  script() end");
    assert_int_equal(reports.errors, 0);
    assert_true(stress.collections > 500);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_47_a_collection_at_each_allocation),
        cmocka_unit_test(test_fault_47_a_collection_at_each_allocation_of_scripts),
        cmocka_unit_test(test_fault_47_a_collection_at_each_allocation_of_any_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
