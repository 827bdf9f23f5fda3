/* SPDX-License-Identifier: MIT */
/* septet.json where memory runs out: what jansson holds is given back, whichever allocation
 * fails. */
#include "support/host_fixture.h"

#include <jansson.h>

static struct {
    long blocks;  /* handed out */
    long calls;   /* ever */
    long allowed; /* calls that may succeed; negative: all */
} heap;

static void *heap_malloc(size_t size)
{
    long call = heap.calls++;
    if (heap.allowed >= 0 && call >= heap.allowed)
        return NULL;
    heap.blocks++;
    return malloc(size);
}

static void heap_free(void *block)
{
    if (block)
        heap.blocks--;
    free(block);
}

#define SCRIPT "api/json.lua"

static void test_jansson_has_no_memory(void **state)
{
    struct host_fixture *f = *state;
    heap.allowed = -1;
    assert_int_equal(run_test_file(f->host, SCRIPT), SEPTET_OK);
    assert_int_equal(global(f->L, "result"), 2);
    assert_int_equal(heap.blocks, 0);
    int failed = 0;
    for (long allowed = 0; global(f->L, "result") != 2 || allowed == 0; allowed++) {
        heap.calls = 0;
        heap.allowed = allowed;
        if (run_test_file(f->host, SCRIPT) != SEPTET_OK)
            fail_msg("%s", f->reports.message);
        assert_int_equal(heap.blocks, 0);
        failed++;
    }
    assert_true(failed > 20);
    assert_silent(&f->reports);
}

static void test_lua_has_no_memory(void **state)
{
    struct reports reports;
    bool enough = false;
    int failed = 0;
    heap.allowed = -1;
    for (long allowed = 0; !enough; allowed++) {
        struct pool pool = {.allowed = -1};
        septet_config config = config_for(&reports);
        config.alloc = pool_alloc;
        config.alloc_ud = &pool;
        septet_host *host = septet_new(&config, NULL);
        assert_non_null(host);
        assert_int_equal(run_test_file(host, SCRIPT), SEPTET_OK);
        pool.allowed = pool.calls + allowed;
        enough = load_test_file(host, SCRIPT) == SEPTET_OK && septet_run(host) == SEPTET_OK &&
                 pool.calls <= pool.allowed;
        failed += !enough;
        pool.allowed = -1;
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
        assert_int_equal(heap.blocks, 0);
    }
    assert_true(failed > 20);
}

int main(void)
{
    json_set_alloc_funcs(heap_malloc, heap_free);
    const struct CMUnitTest tests[] = {
        TEST(test_jansson_has_no_memory),
        cmocka_unit_test(test_lua_has_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
