/* SPDX-License-Identifier: MIT */
/* Libraries that are loaded later: by several threads at once, absent ones, and those that lack a
 * function. The loader finds all of them, or none is used. */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/library.h"
#include "support/cmocka.h"

enum { THREADS = 8, ROUNDS = 1000 };

static double (*slots[512])(double) __attribute__((aligned(4096)));
static const struct spt_lazy_library libraries[SPT_LIBRARIES] = {
    [SPT_LIBRARY_CURL] = {"libm.so.6", "cos\0sin\0", (void **)&slots[0]},
    [SPT_LIBRARY_CARES] = {"libabsent.so.9", "absent\0", (void **)&slots[2]},
    [SPT_LIBRARY_IDN2] = {"libm.so.6", "cos\0no_such_function\0", (void **)&slots[3]},
};
static int loads;

static void count(enum spt_library which)
{
    loads++;
}

extern const struct spt_lazy spt_lazy __attribute__((visibility("hidden")));
const struct spt_lazy spt_lazy = {libraries, (void **)slots, (void **)(slots + 512), count};

/* Keeps the compiler from working it out. */
static volatile double zero;

static void *use(void *ud)
{
    struct spt_library_failure failure;
    intptr_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++)
        wrong += !spt_library_load(SPT_NEEDS_CURL | SPT_NEEDS_JSON, &failure) ||
                 slots[0](zero) != 1 || slots[1](zero) != 0;
    return (void *)wrong;
}

static void test_threads_load_a_library_at_once(void **state)
{
    pthread_t threads[THREADS];
    assert_false(spt_library_is_loaded(SPT_NEEDS_CURL));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(loads, 1);
    assert_true(spt_library_is_loaded(SPT_NEEDS_CURL | SPT_NEEDS_JSON));
}

static void test_an_absent_library(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct spt_library_failure failure = {NULL, ""};
        assert_false(spt_library_load(SPT_NEEDS_DNS, &failure));
        assert_string_equal(failure.soname, "libabsent.so.9");
        assert_non_null(strstr(failure.text, "libabsent.so.9"));
        assert_false(spt_library_is_loaded(SPT_NEEDS_DNS));
    }
    assert_null(slots[2]);
}

static void test_a_library_that_lacks_a_function(void **state)
{
    struct spt_library_failure failure = {NULL, ""};
    assert_false(spt_library_load(SPT_NEEDS_IDN, &failure));
    assert_non_null(strstr(failure.text, "no_such_function"));
    assert_null(slots[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_load_a_library_at_once),
        cmocka_unit_test(test_an_absent_library),
        cmocka_unit_test(test_a_library_that_lacks_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
