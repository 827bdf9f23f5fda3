/* SPDX-License-Identifier: MIT */
/* An allocator of the embedder's: it gets every byte back, and may fail. */
#include "support/host_fixture.h"

#include <malloc.h>

#define BUSY "api/busy.lua"

static septet_host *new_in_pool(struct reports *reports, struct pool *pool, int *status)
{
    septet_config config = config_for(reports);
    config.alloc = pool_alloc;
    config.alloc_ud = pool;
    return septet_new(&config, status);
}

static void test_allocator_gets_every_byte_back(void **state)
{
    struct reports reports;
    struct pool pool = {.allowed = -1};
    septet_host *host = new_in_pool(&reports, &pool, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    assert_file_loads(host, BUSY);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_silent(&reports);
    assert_true(pool.calls > 1000);
    assert_true(pool.bytes > 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

/* Fails at each allocation of septet_new in turn. */
static void check_new_without_memory(long fails)
{
    struct reports reports;
    int before = count_descriptors(), failed = 0;
    for (long allowed = 0;; allowed += STRIDE) {
        struct pool pool = {.allowed = allowed, .fails = fails};
        int status = 1;
        septet_host *host = new_in_pool(&reports, &pool, &status);
        if (host) {
            assert_int_equal(status, SEPTET_OK);
            bool over = pool.calls <= allowed;
            pool.allowed = -1;
            assert_runs(host, PRELUDE "task.sleep(0)");
            assert_int_equal(septet_free(host), SEPTET_OK);
            assert_int_equal(pool.bytes, 0);
            if (over)
                break;
            continue;
        }
        failed++;
        assert_int_equal(status, SEPTET_ENOMEM);
        assert_int_equal(pool.bytes, 0);
        assert_int_equal(count_descriptors(), before);
    }
    assert_true(fails == 1 || failed > 100 / STRIDE);
}

static void test_new_with_memory_that_runs_out(void **state)
{
    check_new_without_memory(0);
}

static void test_new_with_one_allocation_that_fails(void **state)
{
    check_new_without_memory(1);
}

/* Runs the script with memory for ever more allocations; whatever happens, it ends and leaves
 * nothing. */
static void test_run_with_memory_that_runs_out(void **state)
{
    struct reports reports;
    bool enough = false;
    int failed = 0;
    for (long allowed = 0; !enough; allowed += STRIDE + allowed / 100) {
        struct pool pool = {.allowed = -1};
        septet_host *host = new_in_pool(&reports, &pool, NULL);
        assert_non_null(host);
        set_origin(septet_lua(host));
        pool.allowed = pool.calls + allowed;
        int status = load_test_file(host, BUSY);
        if (status == SEPTET_OK)
            status = septet_run(host);
        enough = status == SEPTET_OK && pool.calls <= pool.allowed;
        if (status != SEPTET_OK) {
            failed++;
            assert_true(status == SEPTET_ENOMEM ||
                        (status == SEPTET_ESCRIPT && reports.errors > 0));
        }
        assert_int_equal(septet_tasks(host), 0);
        pool.allowed = -1;
        assert_runs(host, PRELUDE "task.sleep(0)");
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
    }
    assert_true(failed > 10);
}

/* Loads a file, and one that does not exist, with memory for ever more allocations. */
static void test_load_file_with_memory_that_runs_out(void **state)
{
    static const struct {
        const char *path;
        int outcome;
    } files[] = {{TESTS_FOLDER "/" BUSY, SEPTET_OK}, {TESTS_FOLDER "/absent.lua", SEPTET_ELOAD}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        bool enough = false;
        int failed = 0;
        for (long allowed = 0; !enough; allowed++) {
            struct reports reports;
            struct pool pool = {.allowed = -1};
            septet_host *host = new_in_pool(&reports, &pool, NULL);
            assert_non_null(host);
            pool.allowed = pool.calls + allowed;
            int status = septet_load_file(host, files[i].path);
            enough = status == files[i].outcome && pool.calls <= pool.allowed;
            if (status != files[i].outcome) {
                failed++;
                assert_int_equal(status, SEPTET_ENOMEM);
            }
            pool.allowed = -1;
            assert_int_equal(septet_free(host), SEPTET_OK);
            assert_int_equal(pool.bytes, 0);
        }
        assert_true(failed > 0);
    }
}

static void test_free_with_no_memory_left(void **state)
{
    struct reports reports;
    struct pool pool = {.allowed = -1};
    septet_host *host = new_in_pool(&reports, &pool, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    assert_loads(host, PRELUDE SOON_READY "task.spawn(http.get, origin .. '/stall')"
                                          " for i = 1, 10 do task.spawn(task.sleep, 1000) end"
                                          " task.sleep(1000)");
    while (global(septet_lua(host), "ready") == 0)
        assert_true(septet_step(host, 0) > 0);
    pool.allowed = 0;
    pool.calls = 0;
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(pool.bytes, 0);
}

static void test_many_hosts_leave_nothing(void **state)
{
    struct reports reports;
    int before = 0;
    for (int i = 0; i < 1000 / STRIDE; i++) {
        struct pool pool = {.allowed = -1};
        septet_host *host = new_in_pool(&reports, &pool, NULL);
        assert_non_null(host);
        assert_runs(host, PRELUDE "task.sleep(0)");
        assert_int_equal(septet_free(host), SEPTET_OK);
        assert_int_equal(pool.bytes, 0);
        if (i == 0)
            before = count_descriptors();
    }
    assert_int_equal(count_descriptors(), before);
}

/* Returns the number of bytes that malloc() has given out; 0 where it does not count them. */
static size_t allocated(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* The ring of the trace, of 2 MB, is memory that was not written yet. */
static void test_host_is_small_until_it_records(void **state)
{
    struct reports reports;
    for (int i = 0; i < 3; i++) {
        struct pool pool = {.allowed = -1};
        size_t before = allocated();
        septet_host *host = new_in_pool(&reports, &pool, NULL);
        size_t after = allocated();
        assert_non_null(host);
        assert_in_range(after - before, 0, pool.bytes + 100000);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocator_gets_every_byte_back),
        cmocka_unit_test(test_new_with_memory_that_runs_out),
        cmocka_unit_test(test_new_with_one_allocation_that_fails),
        cmocka_unit_test(test_run_with_memory_that_runs_out),
        cmocka_unit_test(test_load_file_with_memory_that_runs_out),
        cmocka_unit_test(test_free_with_no_memory_left),
        cmocka_unit_test(test_many_hosts_leave_nothing),
        cmocka_unit_test(test_host_is_small_until_it_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
