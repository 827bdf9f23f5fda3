/* SPDX-License-Identifier: MIT */
/* The byte buffer and its maximum. */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"
#include "support/cmocka.h"

static void test_buf_keeps_what_was_appended(void **state)
{
    struct spt_buf b;
    spt_buf_init(&b, 1000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(spt_buf_append(&b, "0123456789", 10), SEPTET_OK);
    assert_int_equal(b.len, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.data[i], '0' + i % 10);
    spt_buf_release(&b);
}

static void test_buf_refuses_one_byte_too_many(void **state)
{
    struct spt_buf b;
    spt_buf_init(&b, 8);
    assert_int_equal(spt_buf_append(&b, "12345678", 8), SEPTET_OK);
    assert_int_equal(spt_buf_append(&b, "9", 1), SEPTET_ETOOBIG);
    assert_int_equal(b.len, 8);
    assert_memory_equal(b.data, "12345678", 8);
    assert_int_equal(spt_buf_append(&b, "", 0), SEPTET_OK);
    spt_buf_release(&b);
}

static void test_buf_never_allocates_past_its_maximum(void **state)
{
    struct spt_buf b;
    spt_buf_init(&b, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(spt_buf_append(&b, "x", 1), SEPTET_OK);
        assert_true(b.cap <= 100);
    }
    spt_buf_release(&b);
}

static void test_buf_grows_by_doubling(void **state)
{
    struct spt_buf b;
    unsigned moves = 0;
    size_t cap = 0;
    spt_buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(spt_buf_append(&b, "x", 1), SEPTET_OK);
        moves += b.cap != cap;
        cap = b.cap;
    }
    assert_true(moves < 20);
    spt_buf_release(&b);
}

static void test_buf_reserve_holds_no_matter_how_large(void **state)
{
    struct spt_buf b;
    spt_buf_init(&b, SIZE_MAX);
    assert_int_equal(spt_buf_append(&b, "ab", 2), SEPTET_OK);
    assert_int_equal(spt_buf_reserve(&b, SIZE_MAX - 1), SEPTET_ETOOBIG);
    assert_int_equal(spt_buf_reserve(&b, SIZE_MAX), SEPTET_ETOOBIG);
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.data, "ab", 2);
    spt_buf_release(&b);
}

static void test_buf_reserves_without_adding(void **state)
{
    struct spt_buf b;
    spt_buf_init(&b, 64);
    assert_int_equal(spt_buf_reserve(&b, 64), SEPTET_OK);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, 64);
    char *data = b.data;
    assert_int_equal(spt_buf_append(&b, "abc", 3), SEPTET_OK);
    assert_ptr_equal(b.data, data);
    spt_buf_release(&b);
}

static void test_buf_may_be_used_again_after_release(void **state)
{
    struct spt_buf b;
    spt_buf_init(&b, 4);
    assert_int_equal(spt_buf_append(&b, "1234", 4), SEPTET_OK);
    spt_buf_release(&b);
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    assert_int_equal(spt_buf_append(&b, "12345", 5), SEPTET_ETOOBIG);
    assert_int_equal(spt_buf_append(&b, "5678", 4), SEPTET_OK);
    assert_memory_equal(b.data, "5678", 4);
    spt_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_keeps_what_was_appended),
        cmocka_unit_test(test_buf_refuses_one_byte_too_many),
        cmocka_unit_test(test_buf_never_allocates_past_its_maximum),
        cmocka_unit_test(test_buf_grows_by_doubling),
        cmocka_unit_test(test_buf_reserve_holds_no_matter_how_large),
        cmocka_unit_test(test_buf_reserves_without_adding),
        cmocka_unit_test(test_buf_may_be_used_again_after_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
