/* SPDX-License-Identifier: MIT */
/* The deadline heap: what fires, and in which order. */
#include "core/timer.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "support/cmocka.h"

#define NAMED 8
#define MANY  100000

struct named {
    struct spt_timer timer;
    char name;
    void (*then)(struct named *);
};

static struct spt_timers timers;
static struct named t[NAMED]; /* a, b, c, ... */
static char fired[64];

static int setup(void **state)
{
    spt_timer_init(&timers);
    memset(t, 0, sizeof t);
    memset(fired, 0, sizeof fired);
    for (int i = 0; i < NAMED; i++)
        t[i].name = (char)('a' + i);
    return 0;
}

static void on_fire(struct spt_timer *timer)
{
    struct named *n = SPT_OF(timer, struct named, timer);
    fired[strlen(fired)] = n->name;
    if (n->then)
        n->then(n);
}

static void arm(int i, uint64_t due)
{
    spt_timer_start(&timers, &t[i].timer, due, on_fire);
}

static void expire(uint64_t now, const char *expected)
{
    fired[0] = '\0';
    memset(fired, 0, sizeof fired);
    unsigned n = spt_timer_expire(&timers, now);
    assert_string_equal(fired, expected);
    assert_int_equal(n, strlen(expected));
}

static void test_timer_fires_in_order_of_deadline(void **state)
{
    arm(0, 30);
    arm(1, 10);
    arm(2, 20);
    assert_int_equal(spt_timer_next(&timers), 10);
    expire(9, "");
    expire(10, "b");
    expire(100, "ca");
    assert_int_equal(spt_timer_next(&timers), SPT_NEVER);
}

static void test_timer_ties_fire_in_order_of_arming(void **state)
{
    static const int order[] = {3, 1, 4, 0, 5, 2};
    for (int i = 0; i < 6; i++)
        arm(order[i], 50);
    expire(50, "dbeafc");
}

static void test_timer_armed_anew_goes_behind(void **state)
{
    arm(0, 50);
    arm(1, 50);
    arm(0, 50);
    expire(50, "ba");
    arm(2, 10);
    arm(2, 60);
    expire(59, "");
    expire(60, "c");
}

static void test_timer_stops(void **state)
{
    arm(0, 10);
    arm(1, 20);
    spt_timer_stop(&timers, &t[0].timer);
    spt_timer_stop(&timers, &t[0].timer);
    spt_timer_stop(&timers, &t[7].timer);
    assert_int_equal(spt_timer_next(&timers), 20);
    expire(100, "b");
}

static void arm_again(struct named *n)
{
    arm(n->name - 'a', 5);
}

static void test_timer_armed_in_fire_waits_for_the_next_expire(void **state)
{
    t[0].then = arm_again;
    arm(0, 10);
    expire(10, "a");
    assert_int_not_equal(spt_timer_next(&timers), SPT_NEVER);
    expire(11, "a");
    t[0].then = NULL;
    expire(12, "a");
    expire(13, "");
}

/* One that arms itself for an instant gone by must not keep the others from what they are due. */
static void test_timer_armed_in_fire_does_not_hold_up_the_others(void **state)
{
    t[0].then = arm_again;
    arm(0, 10);
    arm(1, 20);
    arm(2, 30);
    expire(100, "abc");
    t[0].then = NULL;
    expire(101, "a");
}

static void stop_b(struct named *n)
{
    spt_timer_stop(&timers, &t[1].timer);
}

static void test_timer_stopped_in_fire_does_not_fire(void **state)
{
    t[0].then = stop_b;
    arm(0, 10);
    arm(1, 20);
    arm(2, 30);
    expire(100, "ac");
}

static void stop_self(struct named *n)
{
    spt_timer_stop(&timers, &n->timer);
}

static void test_timer_stopping_itself_in_fire_is_harmless(void **state)
{
    t[0].then = stop_self;
    arm(0, 10);
    arm(1, 20);
    expire(100, "ab");
}

static void move_b(struct named *n)
{
    arm(1, 1000);
}

static void test_timer_moved_in_fire_keeps_its_new_deadline(void **state)
{
    t[0].then = move_b;
    arm(0, 10);
    arm(1, 20);
    arm(2, 30);
    expire(100, "ac");
    assert_int_equal(spt_timer_next(&timers), 1000);
    expire(1000, "b");
}

static void test_timer_that_is_never_due_does_not_fire(void **state)
{
    arm(0, SPT_NEVER);
    expire(SPT_NEVER - 1, "");
    spt_timer_stop(&timers, &t[0].timer);
}

static uint64_t last_due;
static unsigned out_of_order;

static void on_random(struct spt_timer *timer)
{
    out_of_order += timer->due_ns < last_due;
    last_due = timer->due_ns;
}

static void test_timer_order_of_very_many(void **state)
{
    struct spt_timer *many = calloc(MANY, sizeof *many);
    uint64_t x = 1;
    unsigned n = 0;
    for (int i = 0; i < MANY; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        spt_timer_start(&timers, &many[i], x >> 44, on_random);
    }
    for (int i = 0; i < MANY; i += 2)
        spt_timer_stop(&timers, &many[i]);
    last_due = 0;
    out_of_order = 0;
    for (uint64_t now = 0; now < UINT64_C(1) << 20; now += 1000)
        n += spt_timer_expire(&timers, now);
    n += spt_timer_expire(&timers, UINT64_C(1) << 20);
    free(many);
    assert_int_equal(n, MANY / 2);
    assert_int_equal(out_of_order, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_timer_fires_in_order_of_deadline, setup),
        cmocka_unit_test_setup(test_timer_ties_fire_in_order_of_arming, setup),
        cmocka_unit_test_setup(test_timer_armed_anew_goes_behind, setup),
        cmocka_unit_test_setup(test_timer_stops, setup),
        cmocka_unit_test_setup(test_timer_armed_in_fire_waits_for_the_next_expire, setup),
        cmocka_unit_test_setup(test_timer_armed_in_fire_does_not_hold_up_the_others, setup),
        cmocka_unit_test_setup(test_timer_stopped_in_fire_does_not_fire, setup),
        cmocka_unit_test_setup(test_timer_stopping_itself_in_fire_is_harmless, setup),
        cmocka_unit_test_setup(test_timer_moved_in_fire_keeps_its_new_deadline, setup),
        cmocka_unit_test_setup(test_timer_that_is_never_due_does_not_fire, setup),
        cmocka_unit_test_setup(test_timer_order_of_very_many, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
