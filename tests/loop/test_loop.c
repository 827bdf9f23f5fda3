/* SPDX-License-Identifier: MIT */
/* The loop: when it drains, when it blocks, what keeps it running, and how it ends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/timer.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

#define MS(n) ((uint64_t)(n)*1000000)

static struct {
    struct spt_loop *loop;
    unsigned drains;
    uint64_t answers[8]; /* what the first drains return; then due_ns, while it is to come */
    unsigned n_answers;
    uint64_t due_ns;
    uint64_t last_ns; /* when it drained last */
    void (*inside)(void);
} t;

static uint64_t drain(void *ud)
{
    unsigned n = t.drains++;
    t.last_ns = uv_hrtime();
    if (t.inside)
        t.inside();
    if (n < t.n_answers)
        return t.answers[n];
    return t.due_ns > t.last_ns ? t.due_ns : SPT_NEVER;
}

static void open_on(uv_loop_t *uv)
{
    memset(&t, 0, sizeof t);
    assert_int_equal(spt_loop_new(&t.loop, uv, drain, &t), SEPTET_OK);
}

static int setup(void **state)
{
    open_on(NULL);
    return 0;
}

static int teardown(void **state)
{
    spt_loop_free(t.loop);
    return 0;
}

static void test_turn_drains_before_and_after_the_poll(void **state)
{
    spt_loop_run_once(t.loop, false);
    assert_int_equal(t.drains, 2);
}

static void test_now_keeps_a_waiting_turn_from_blocking(void **state)
{
    t.answers[0] = SPT_LOOP_NOW;
    t.n_answers = 1;
    spt_loop_run_once(t.loop, true); /* would wait for ever */
    assert_int_equal(t.drains, 2);
}

/* Each turn is counted: an instant that is not a whole millisecond must not make the loop spin. */
static void test_instant_is_waited_for_and_not_spun_for(void **state)
{
    uint64_t due_ns = uv_hrtime() + MS(20) + 345678;
    for (unsigned i = 0; i < 8; i++)
        t.answers[i] = due_ns;
    t.n_answers = 8;
    unsigned turns = 0;
    while (t.last_ns < due_ns && turns < 1000) {
        spt_loop_run_once(t.loop, true);
        turns++;
    }
    assert_true(t.last_ns >= due_ns);
    assert_true(turns <= 2);
}

static void test_past_instant_does_not_block(void **state)
{
    t.answers[0] = 1;
    t.n_answers = 1;
    spt_loop_run_once(t.loop, true);
    assert_true(t.drains >= 1);
}

static void test_earlier_instant_takes_over(void **state)
{
    uint64_t now_ns = uv_hrtime(), due_ns = now_ns + MS(10);
    t.answers[0] = now_ns + MS(100000);
    for (unsigned i = 1; i < 8; i++)
        t.answers[i] = due_ns;
    t.n_answers = 8;
    spt_loop_run_once(t.loop, false);
    for (unsigned turns = 0; t.last_ns < due_ns && turns < 3; turns++)
        spt_loop_run_once(t.loop, true); /* libuv counts whole milliseconds */
    assert_true(t.last_ns >= due_ns);
    assert_true(t.last_ns < now_ns + MS(100000));
}

static void test_wake_makes_the_next_turn_not_block(void **state)
{
    spt_loop_wake(t.loop);
    spt_loop_run_once(t.loop, true);
    assert_int_equal(t.drains, 2);
}

static void *wake_from_thread(void *loop)
{
    spt_loop_wake_async(loop);
    return NULL;
}

static void test_wake_async_ends_a_blocking_poll(void **state)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, t.loop), 0);
    spt_loop_run_once(t.loop, true);
    pthread_join(thread, NULL);
    assert_int_equal(t.drains, 2);
}

static void turn_inside(void)
{
    spt_loop_run_once(t.loop, true);
    uv_run(spt_loop_uv(t.loop), UV_RUN_NOWAIT);
}

static void test_nested_turn_does_nothing(void **state)
{
    t.inside = turn_inside;
    spt_loop_run_once(t.loop, false);
    assert_int_equal(t.drains, 2);
}

static void test_foreign_loop_is_not_kept_running_by_an_idle_host(void **state)
{
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    open_on(&uv);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    spt_loop_wake(t.loop);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_true(t.drains > 0);
    t.due_ns = uv_hrtime() + MS(15); /* as many drains as this libuv makes of it */
    spt_loop_wake(t.loop);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0); /* stays for what is due */
    assert_true(t.last_ns >= t.due_ns);
    spt_loop_ref(t.loop);
    assert_int_not_equal(uv_run(&uv, UV_RUN_NOWAIT), 0);
    spt_loop_unref(t.loop);
    assert_int_equal(uv_run(&uv, UV_RUN_NOWAIT), 0);
    spt_loop_free(t.loop);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void on_held_closed(uv_handle_t *handle)
{
    spt_loop_handle_closed(handle->data);
}

static void test_block_stays_until_what_holds_it_has_closed(void **state)
{
    uv_loop_t uv;
    uv_timer_t timer;
    assert_int_equal(uv_loop_init(&uv), 0);
    open_on(&uv);
    uv_timer_init(&uv, &timer);
    timer.data = t.loop;
    spt_loop_handle_opened(t.loop);
    spt_loop_free(t.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, on_held_closed); /* touches the block */
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static unsigned nested;

static void count_nested(void *ud)
{
    nested++;
}

static void run_each_mode(void)
{
    static const uv_run_mode modes[] = {UV_RUN_DEFAULT, UV_RUN_ONCE, UV_RUN_NOWAIT};
    for (int i = 0; i < 3; i++)
        uv_run(spt_loop_uv(t.loop), modes[i]);
}

static void test_run_inside_the_drain_returns_at_once(void **state)
{
    static uv_timer_t timer; /* ends with the loop */
    nested = 0;
    spt_loop_on_nested(t.loop, count_nested);
    uv_timer_init(spt_loop_uv(t.loop), &timer);
    uv_timer_start(&timer, (uv_timer_cb)abort, 1000000, 0);
    t.inside = run_each_mode;
    spt_loop_run_once(t.loop, false);
    assert_int_equal(t.drains, 2);
    assert_int_equal(nested, 6);
    t.inside = NULL;
    spt_loop_run_once(t.loop, false); /* is not stopped */
    assert_int_equal(t.drains, 4);
    assert_int_equal(spt_loop_polls(t.loop), 2);
}

/* The time in the poll is idle, that of the drain is not. */
static void test_idle_time_is_measured_once_it_is_asked_for(void **state)
{
    uint64_t idle_ns = 7, from_ns = uv_hrtime();
    assert_false(spt_loop_idle(t.loop, &idle_ns));
    assert_int_equal(idle_ns, 7);
    spt_loop_measure_idle(t.loop);
    spt_loop_measure_idle(t.loop);
    assert_true(spt_loop_idle(t.loop, &idle_ns));
    assert_int_equal(idle_ns, 0);
    t.due_ns = from_ns + MS(5);
    while (t.last_ns < t.due_ns)
        spt_loop_run_once(t.loop, true);
    assert_true(spt_loop_idle(t.loop, &idle_ns));
    assert_in_range(idle_ns, 1, uv_hrtime() - from_ns);
}

static void test_idle_time_is_unknown_on_a_virtual_clock_and_a_foreign_loop(void **state)
{
    uint64_t idle_ns;
    spt_loop_make_virtual(t.loop);
    spt_loop_measure_idle(t.loop);
    assert_false(spt_loop_idle(t.loop, &idle_ns));
    struct spt_loop *own = t.loop, *foreign;
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    open_on(&uv);
    spt_loop_measure_idle(t.loop);
    assert_false(spt_loop_idle(t.loop, &idle_ns));
    foreign = t.loop;
    t.loop = own;
    spt_loop_free(foreign);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_turn_drains_before_and_after_the_poll),
        TEST(test_run_inside_the_drain_returns_at_once),
        TEST(test_now_keeps_a_waiting_turn_from_blocking),
        TEST(test_instant_is_waited_for_and_not_spun_for),
        TEST(test_past_instant_does_not_block),
        TEST(test_earlier_instant_takes_over),
        TEST(test_wake_makes_the_next_turn_not_block),
        TEST(test_wake_async_ends_a_blocking_poll),
        TEST(test_idle_time_is_measured_once_it_is_asked_for),
        TEST(test_idle_time_is_unknown_on_a_virtual_clock_and_a_foreign_loop),
        TEST(test_nested_turn_does_nothing),
        cmocka_unit_test(test_foreign_loop_is_not_kept_running_by_an_idle_host),
        cmocka_unit_test(test_block_stays_until_what_holds_it_has_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
