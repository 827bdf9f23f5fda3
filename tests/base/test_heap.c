/* SPDX-License-Identifier: MIT */
/* The pairing heap, against a model that searches. */
#include "base/heap.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/list.h"
#include "support/cmocka.h"

#define ITEMS 300
#define STEPS 200000
#define MANY  1000000

struct item {
    struct spt_heap_node node;
    unsigned key;
    bool in;
};

static unsigned key_of(const struct spt_heap_node *n)
{
    return SPT_OF(n, struct item, node)->key;
}

static bool before(const struct spt_heap_node *a, const struct spt_heap_node *b)
{
    return key_of(a) < key_of(b);
}

static uint32_t random_state = 12345;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* The least key that is in, or -1. */
static int64_t model_min(const struct item *items)
{
    int64_t min = -1;
    for (int i = 0; i < ITEMS; i++)
        if (items[i].in && (min < 0 || items[i].key < min))
            min = items[i].key;
    return min;
}

static void step(struct spt_heap *heap, struct item *items, unsigned keys)
{
    struct item *item = &items[next_random() % ITEMS];
    struct spt_heap_node *min = spt_heap_min(heap);
    if (next_random() % 4 == 0 && min)
        item = SPT_OF(min, struct item, node);
    if (item->in) {
        spt_heap_remove(heap, &item->node);
    } else {
        item->key = next_random() % keys;
        spt_heap_insert(heap, &item->node);
    }
    item->in = !item->in;
}

static void check_against_model(unsigned keys)
{
    static struct item items[ITEMS];
    struct spt_heap heap = {.before = before};
    for (int i = 0; i < ITEMS; i++)
        items[i].in = false;
    for (int i = 0; i < STEPS; i++) {
        step(&heap, items, keys);
        struct spt_heap_node *min = spt_heap_min(&heap);
        assert_int_equal(min ? (int64_t)key_of(min) : -1, model_min(items));
    }
    for (struct spt_heap_node *n; (n = spt_heap_min(&heap));) {
        assert_int_equal(key_of(n), model_min(items));
        spt_heap_remove(&heap, n);
        SPT_OF(n, struct item, node)->in = false;
    }
    assert_int_equal(model_min(items), -1);
}

static void test_heap_agrees_with_the_model(void **state)
{
    check_against_model(1000000);
}

static void test_heap_agrees_with_the_model_on_equal_keys(void **state)
{
    check_against_model(3);
}

static void test_heap_of_one(void **state)
{
    struct spt_heap heap = {.before = before};
    struct item item = {.key = 7};
    assert_null(spt_heap_min(&heap));
    spt_heap_insert(&heap, &item.node);
    assert_ptr_equal(spt_heap_min(&heap), &item.node);
    spt_heap_remove(&heap, &item.node);
    assert_null(spt_heap_min(&heap));
}

/* A heap that recursed over siblings or children would need far more stack than this. */
static void test_heap_of_a_million_equal_keys_does_not_recurse(void **state)
{
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_STACK, &old), 0);
    small = old;
    small.rlim_cur = 512 * 1024;
    assert_int_equal(setrlimit(RLIMIT_STACK, &small), 0);
    struct item *items = calloc(MANY, sizeof *items);
    struct spt_heap heap = {.before = before};
    unsigned taken = 0;
    for (int i = 0; i < MANY; i++)
        spt_heap_insert(&heap, &items[i].node);
    for (int i = 1; i < MANY; i += 3)
        spt_heap_remove(&heap, &items[i].node);
    for (struct spt_heap_node *n; (n = spt_heap_min(&heap)); taken++)
        spt_heap_remove(&heap, n);
    free(items);
    assert_int_equal(setrlimit(RLIMIT_STACK, &old), 0);
    assert_int_equal(taken, MANY - MANY / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_of_one),
        cmocka_unit_test(test_heap_agrees_with_the_model),
        cmocka_unit_test(test_heap_agrees_with_the_model_on_equal_keys),
        cmocka_unit_test(test_heap_of_a_million_equal_keys_does_not_recurse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
