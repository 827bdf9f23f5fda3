/* SPDX-License-Identifier: MIT */
/* Memory of which no page is taken before it is written. */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "support/cmocka.h"

enum { PAGES = 64 };

static size_t taken(void *pages, size_t size)
{
    unsigned char of[PAGES];
    size_t n = 0;
    assert_int_equal(mincore(pages, PAGES * size, of), 0);
    for (int i = 0; i < PAGES; i++)
        n += of[i] & 1;
    return n;
}

static void test_pages_are_taken_when_they_are_written(void **state)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = spt_pages_new(PAGES, size);
    assert_non_null(pages);
    assert_int_equal(taken(pages, size), 0);
    pages[0] = pages[PAGES * size - 1] = 1;
    assert_int_equal(taken(pages, size), 2);
    assert_int_equal(pages[size], 0);
    spt_pages_free(pages, PAGES, size);
    spt_pages_free(NULL, PAGES, size);
}

static void test_no_memory(void **state)
{
    assert_null(spt_pages_new(SIZE_MAX / 32 + 1, 32));
    assert_null(spt_pages_new(SIZE_MAX / 64, 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_taken_when_they_are_written),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
