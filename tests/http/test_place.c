/* SPDX-License-Identifier: MIT */
/* Places: where the idle connections of a session are. */
#include "http/place.h"

#include "support/cmocka.h"

enum { ORIGIN = 7, OTHER = ORIGIN + 256 }; /* in the same bucket */

/* Two multis, of which only the addresses and the numbers of connections matter. */
static struct spt_place_table table;
static char multis[2];
static struct spt_place_sums sums[2];

static struct spt_place *get(int i, uint32_t hash)
{
    struct spt_place *place = spt_place_get(&table, (struct spt_multi *)&multis[i], &sums[i], hash);
    assert_non_null(place);
    return place;
}

/* Opens a connection for a request. */
static void open_for(struct spt_place *place, struct spt_place_use *use)
{
    spt_place_enter(place, use, true);
    spt_place_opened(place);
    spt_place_settle(use);
}

static void test_the_last_place_to_become_idle_is_found_first(void **state)
{
    struct spt_place_use first = {0}, second = {0}, other = {0};
    struct spt_place *a = get(0, ORIGIN), *b = get(1, ORIGIN), *c = get(1, OTHER);
    assert_null(spt_place_find_idle(&table, ORIGIN));
    open_for(a, &first);
    open_for(b, &second);
    open_for(c, &other);
    assert_null(spt_place_find_idle(&table, ORIGIN));
    spt_place_leave(&second);
    spt_place_leave(&other);
    assert_ptr_equal(spt_place_find_idle(&table, ORIGIN), b);
    spt_place_leave(&first);
    assert_ptr_equal(spt_place_find_idle(&table, ORIGIN), a);
    spt_place_enter(a, &first, false);
    assert_ptr_equal(spt_place_find_idle(&table, ORIGIN), b);
    spt_place_closed(b);
    assert_null(spt_place_find_idle(&table, ORIGIN));
    spt_place_leave(&first);
    spt_place_closed(a);
    spt_place_closed(c);
    assert_int_equal(sums[0].connections + sums[1].connections, 0);
    assert_int_equal(sums[0].requests + sums[1].requests, 0);
    spt_place_release_table(&table);
}

static void test_a_connection_is_counted_before_it_is_open(void **state)
{
    struct spt_place_use use = {0};
    struct spt_place *place = get(0, ORIGIN);
    spt_place_enter(place, &use, true);
    assert_int_equal(sums[0].connections, 1);
    spt_place_opened(place);
    spt_place_settle(&use);
    assert_int_equal(sums[0].connections, 1);
    spt_place_closed(place);
    spt_place_leave(&use);
    assert_int_equal(sums[0].connections, 0);
    spt_place_enter(get(0, ORIGIN), &use, true);
    spt_place_leave(&use);
    assert_int_equal(sums[0].connections, 0);
    spt_place_release_table(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_place_to_become_idle_is_found_first),
        cmocka_unit_test(test_a_connection_is_counted_before_it_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
