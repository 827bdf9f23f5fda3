/* SPDX-License-Identifier: MIT */
/* Admission: limits, order, fairness, and that an origin nobody uses is forgotten. */
#include <stdio.h>
#include <string.h>

#include "http/limiter.h"
#include "septet/septet.h"
#include "support/cmocka.h"

struct item {
    struct spt_link link;
    struct spt_limiter_queue *queue;
    char name;
};

static void enter(struct spt_limiter *a, struct item *item, const char *key, char name)
{
    spt_link_init(&item->link);
    item->name = name;
    item->queue = spt_limiter_enqueue(a, key, strlen(key), &item->link);
    assert_non_null(item->queue);
}

static struct item *next(struct spt_limiter *a)
{
    struct spt_link *link = spt_limiter_next(a);
    return link ? SPT_OF(link, struct item, link) : NULL;
}

/* The names of all that may start now, in order. */
static void assert_admits(struct spt_limiter *a, const char *names)
{
    char got[64] = "";
    size_t n = 0;
    for (struct item *item; n < sizeof got - 1 && (item = next(a));)
        got[n++] = item->name;
    assert_string_equal(got, names);
}

static void test_admission_is_fifo_within_an_origin(void **state)
{
    struct spt_limiter a;
    struct item items[4];
    assert_int_equal(spt_limiter_init(&a, 10, 2), SEPTET_OK);
    for (int i = 0; i < 4; i++)
        enter(&a, &items[i], "http://a:80", (char)('0' + i));
    assert_admits(&a, "01");
    spt_limiter_finish(&a, items[1].queue);
    assert_admits(&a, "2");
    spt_limiter_finish(&a, items[0].queue);
    spt_limiter_finish(&a, items[2].queue);
    assert_admits(&a, "3");
    spt_limiter_finish(&a, items[3].queue);
    spt_limiter_release(&a);
}

static void test_admission_takes_turns_between_origins(void **state)
{
    struct spt_limiter a;
    struct item items[7];
    assert_int_equal(spt_limiter_init(&a, 4, 4), SEPTET_OK);
    for (int i = 0; i < 5; i++)
        enter(&a, &items[i], "http://busy:80", (char)('0' + i));
    enter(&a, &items[5], "http://small:80", 'a');
    enter(&a, &items[6], "http://small:80", 'b');
    assert_admits(&a, "0a1b");
    spt_limiter_finish(&a, items[5].queue);
    assert_admits(&a, "2");
    spt_limiter_finish(&a, items[6].queue);
    for (int i = 0; i < 3; i++)
        spt_limiter_finish(&a, items[i].queue);
    assert_admits(&a, "34");
    spt_limiter_finish(&a, items[3].queue);
    spt_limiter_finish(&a, items[4].queue);
    spt_limiter_release(&a);
}

static void test_admission_total_limit_holds_over_origins(void **state)
{
    struct spt_limiter a;
    struct item items[5];
    char key[32];
    assert_int_equal(spt_limiter_init(&a, 3, 1), SEPTET_OK);
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "http://host%d:80", i);
        enter(&a, &items[i], key, (char)('0' + i));
    }
    assert_admits(&a, "012");
    assert_false(spt_limiter_ready(&a));
    spt_limiter_finish(&a, items[1].queue);
    assert_true(spt_limiter_ready(&a));
    assert_admits(&a, "3");
    spt_limiter_finish(&a, items[0].queue);
    assert_admits(&a, "4");
    for (int i = 2; i < 5; i++)
        spt_limiter_finish(&a, items[i].queue);
    spt_limiter_release(&a);
}

static void test_admission_withdraw_leaves_the_others_in_order(void **state)
{
    struct spt_limiter a;
    struct item items[3];
    assert_int_equal(spt_limiter_init(&a, 1, 1), SEPTET_OK);
    for (int i = 0; i < 3; i++)
        enter(&a, &items[i], "http://a:80", (char)('0' + i));
    spt_limiter_remove(&a, items[0].queue, &items[0].link);
    assert_admits(&a, "1");
    spt_limiter_remove(&a, items[2].queue, &items[2].link);
    spt_limiter_finish(&a, items[1].queue);
    assert_int_equal(a.n_queues, 0);
    spt_limiter_release(&a);
}

static void test_admission_forgets_ten_thousand_origins(void **state)
{
    enum { N = 10000 };
    static struct item items[N];
    struct spt_limiter a;
    char key[32];
    assert_int_equal(spt_limiter_init(&a, N, 1), SEPTET_OK);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "http://host%d:80", i);
        enter(&a, &items[i], key, 'x');
    }
    assert_int_equal(a.n_queues, N);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(next(&a), &items[i]);
    assert_null(next(&a));
    for (int i = 0; i < N; i++)
        spt_limiter_finish(&a, items[i].queue);
    assert_int_equal(a.n_queues, 0);
    spt_limiter_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admission_is_fifo_within_an_origin),
        cmocka_unit_test(test_admission_takes_turns_between_origins),
        cmocka_unit_test(test_admission_total_limit_holds_over_origins),
        cmocka_unit_test(test_admission_withdraw_leaves_the_others_in_order),
        cmocka_unit_test(test_admission_forgets_ten_thousand_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
