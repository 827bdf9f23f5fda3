/* Buffers between two requests: who gets them, and what is freed. */
#include "loop/spares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "septet/septet.h"

static struct spt_spares spares;

static int teardown(void **state)
{
    spt_spares_release(&spares);
    return spares.n;
}

static struct spt_buf filled(size_t n)
{
    struct spt_buf b;
    spt_buf_init(&b, SIZE_MAX);
    assert_int_equal(spt_buf_reserve(&b, n), SEPTET_OK);
    b.len = n;
    return b;
}

static void test_what_was_used_last_is_used_next(void **state)
{
    struct spt_buf one = filled(100), two = filled(100), next;
    const char *first = one.data, *second = two.data;
    spt_spares_put(&spares, &one);
    spt_spares_put(&spares, &two);
    assert_null(one.data);
    spt_buf_init(&next, 8);
    spt_spares_take(&spares, &next);
    assert_ptr_equal(next.data, second);
    assert_int_equal(next.len, 0);
    assert_int_equal(spt_buf_append(&next, "123456789", 9), SEPTET_ETOOBIG);
    spt_spares_take(&spares, &next); /* it has some */
    assert_int_equal(spares.n, 1);
    assert_ptr_equal(spares.data[0], first);
    spt_spares_put(&spares, &next);
}

static void test_none_is_no_error(void **state)
{
    struct spt_buf b = {.max = 8};
    spt_spares_put(&spares, &b);
    spt_spares_take(&spares, &b);
    assert_null(b.data);
    assert_int_equal(spares.n, 0);
}

static void test_large_ones_and_those_too_many_are_freed(void **state)
{
    struct spt_buf large = filled(1000000);
    spt_spares_put(&spares, &large);
    assert_null(large.data);
    assert_int_equal(spares.n, 0);
    for (int i = 0; i < SPT_SPARES_MAX + 10; i++) {
        struct spt_buf b = filled(100);
        spt_spares_put(&spares, &b);
        assert_null(b.data);
    }
    assert_int_equal(spares.n, SPT_SPARES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_was_used_last_is_used_next, teardown),
        cmocka_unit_test_teardown(test_none_is_no_error, teardown),
        cmocka_unit_test_teardown(test_large_ones_and_those_too_many_are_freed, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
