/* SPDX-License-Identifier: MIT */
/* The intrusive list. */
#include "base/list.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

struct item {
    int before; /* so that the link is not at the start */
    struct spt_link link;
    char name;
};

static struct item items[6];

static int setup(void **state)
{
    for (int i = 0; i < 6; i++) {
        items[i].name = (char)('a' + i);
        spt_link_init(&items[i].link);
    }
    return 0;
}

/* The names in a list, read forwards; backwards must give the same. */
static const char *names(struct spt_link *head)
{
    static char text[8];
    size_t n = 0, m = 0;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        text[n++] = SPT_OF(l, struct item, link)->name;
    text[n] = '\0';
    for (struct spt_link *l = head->prev; l != head; l = l->prev)
        assert_int_equal(text[n - ++m], SPT_OF(l, struct item, link)->name);
    assert_int_equal(m, n);
    return text;
}

static void fill(struct spt_link *head, int from, int to)
{
    spt_link_init(head);
    for (int i = from; i < to; i++)
        spt_list_push(head, &items[i].link);
}

static void test_list_keeps_the_order_of_pushes(void **state)
{
    struct spt_link head;
    fill(&head, 0, 3);
    assert_string_equal(names(&head), "abc");
    spt_list_push_front(&head, &items[3].link);
    assert_string_equal(names(&head), "dabc");
    spt_link_insert_before(&items[1].link, &items[4].link);
    assert_string_equal(names(&head), "daebc");
}

static void test_list_pops_the_oldest(void **state)
{
    struct spt_link head;
    fill(&head, 0, 2);
    assert_ptr_equal(spt_list_pop(&head), &items[0].link);
    assert_true(spt_link_alone(&items[0].link));
    assert_ptr_equal(spt_list_pop(&head), &items[1].link);
    assert_null(spt_list_pop(&head));
    assert_true(spt_list_is_empty(&head));
}

static void test_list_removes_from_anywhere(void **state)
{
    struct spt_link head;
    fill(&head, 0, 5);
    spt_link_remove(&items[2].link);
    assert_string_equal(names(&head), "abde");
    spt_link_remove(&items[0].link);
    spt_link_remove(&items[4].link);
    assert_string_equal(names(&head), "bd");
}

static void test_list_removes_twice_harmlessly(void **state)
{
    struct spt_link head;
    fill(&head, 0, 3);
    spt_link_remove(&items[1].link);
    spt_link_remove(&items[1].link);
    assert_string_equal(names(&head), "ac");
}

static void test_list_splices_in_order(void **state)
{
    struct spt_link to, from;
    fill(&to, 0, 2);
    fill(&from, 2, 5);
    spt_list_splice(&to, &from);
    assert_string_equal(names(&to), "abcde");
    assert_true(spt_list_is_empty(&from));
    spt_list_splice(&to, &from);
    assert_string_equal(names(&to), "abcde");
    spt_list_splice(&from, &to);
    assert_string_equal(names(&from), "abcde");
    assert_true(spt_list_is_empty(&to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_list_keeps_the_order_of_pushes, setup),
        cmocka_unit_test_setup(test_list_pops_the_oldest, setup),
        cmocka_unit_test_setup(test_list_removes_from_anywhere, setup),
        cmocka_unit_test_setup(test_list_removes_twice_harmlessly, setup),
        cmocka_unit_test_setup(test_list_splices_in_order, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
