/* SPDX-License-Identifier: MIT */
/* Handles that other code closes, and the end of a loop with what is left on it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/timer.h"
#include "loop/closing.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

static unsigned calls, drains;

static uint64_t drain(void *ud)
{
    drains++;
    return SPT_NEVER;
}

static struct spt_loop *new_loop(uv_loop_t *uv)
{
    struct spt_loop *loop = NULL;
    calls = drains = 0;
    assert_int_equal(spt_loop_new(&loop, uv, drain, NULL), SEPTET_OK);
    return loop;
}

static void count_close(uv_handle_t *handle)
{
    calls++;
}

static void close_one(uv_handle_t *handle, void *ud)
{
    if (!uv_is_closing(handle))
        uv_close(handle, ud ? count_close : NULL);
}

static void close_all(uv_loop_t *uv)
{
    uv_walk(uv, close_one, uv);
}

/* --- one handle --- */

static void test_a_handle_is_closed(void **state)
{
    uv_loop_t uv;
    uv_idle_t idle;
    struct spt_stray stray;
    struct spt_closing closing;
    calls = 0;
    assert_int_equal(uv_loop_init(&uv), 0);
    spt_closing_init(&closing, &uv);
    uv_idle_init(&uv, &idle);
    assert_true(spt_closing_close(&closing, &stray, (uv_handle_t *)&idle, count_close));
    assert_int_equal(calls, 0);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void on_stray_closed(uv_handle_t *handle)
{
    assert_false(uv_is_active(handle));
    calls += 10;
}

static void test_a_handle_that_other_code_closes_is_reported_once_it_is_closed(void **state)
{
    uv_loop_t uv;
    uv_idle_t idle[3];
    struct spt_stray strays[3];
    struct spt_closing closing;
    calls = 0;
    assert_int_equal(uv_loop_init(&uv), 0);
    spt_closing_init(&closing, &uv);
    for (int i = 0; i < 3; i++) {
        uv_idle_init(&uv, &idle[i]);
        uv_close((uv_handle_t *)&idle[i], i == 0 ? NULL : count_close);
        assert_true(
            spt_closing_close(&closing, &strays[i], (uv_handle_t *)&idle[i], on_stray_closed));
    }
    assert_int_equal(calls, 0);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(calls, 32);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* The mark is libuv's own; all depends on it. */
static void test_a_handle_that_libuv_has_closed_is_known(void **state)
{
    uv_loop_t uv;
    uv_poll_t poll;
    int ends[2];
    struct spt_stray stray;
    struct spt_closing closing;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(uv_loop_init(&uv), 0);
    spt_closing_init(&closing, &uv);
    assert_int_equal(uv_poll_init(&uv, &poll, ends[0]), 0);
    uv_close((uv_handle_t *)&poll, NULL);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
    memset(&uv, 0xee, sizeof uv); /* is not touched any more */
    assert_false(spt_closing_close(&closing, &stray, (uv_handle_t *)&poll, count_close));
    close(ends[0]);
    close(ends[1]);
}

/* --- the end of a loop --- */

static void on_work(uv_work_t *work)
{
    usleep(1000);
}

static void on_worked(uv_work_t *work, int status)
{
    calls++;
}

static void test_the_end_waits_for_requests_and_closes_handles(void **state)
{
    uv_work_t work[8];
    uv_timer_t timer, unref;
    struct spt_loop *loop = new_loop(NULL);
    uv_loop_t *uv = spt_loop_uv(loop);
    for (int i = 0; i < 8; i++)
        assert_int_equal(uv_queue_work(uv, &work[i], on_work, on_worked), 0);
    uv_timer_init(uv, &timer);
    uv_timer_start(&timer, (uv_timer_cb)abort, 1000000, 0);
    uv_timer_init(uv, &unref);
    uv_unref((uv_handle_t *)&unref);
    spt_loop_free(loop);
    assert_int_equal(calls, 8);
    assert_int_equal(drains, 0);
}

static void reopen(uv_handle_t *handle)
{
    calls++;
    uv_timer_init(handle->loop, (uv_timer_t *)handle);
    uv_timer_start((uv_timer_t *)handle, (uv_timer_cb)abort, 1000000, 1000000);
}

static void test_the_end_closes_a_handle_that_its_close_callback_opens_again(void **state)
{
    uv_timer_t timer;
    struct spt_loop *loop = new_loop(NULL);
    uv_timer_init(spt_loop_uv(loop), &timer);
    uv_close((uv_handle_t *)&timer, reopen);
    spt_loop_free(loop);
    assert_int_equal(calls, 1);
}

static void close_again(uv_handle_t *handle)
{
    calls++;
    uv_timer_init(handle->loop, (uv_timer_t *)handle);
    uv_close(handle, close_again);
}

static void test_the_end_comes_with_a_handle_that_closes_for_ever(void **state)
{
    uv_timer_t timer;
    struct spt_loop *loop = new_loop(NULL);
    uv_timer_init(spt_loop_uv(loop), &timer);
    uv_close((uv_handle_t *)&timer, close_again);
    spt_loop_free(loop);
    assert_true(calls > 1);
}

static void test_the_end_of_a_loop_that_was_stopped(void **state)
{
    uv_work_t work;
    struct spt_loop *loop = new_loop(NULL);
    assert_int_equal(uv_queue_work(spt_loop_uv(loop), &work, on_work, on_worked), 0);
    uv_stop(spt_loop_uv(loop));
    spt_loop_free(loop);
    assert_int_equal(calls, 1);
}

/* --- a loop whose handles other code closes --- */

static void test_a_loop_is_lost_once_other_code_has_closed_its_handles(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    assert_false(spt_loop_is_lost(loop));
    close_all(spt_loop_uv(loop));
    assert_true(spt_loop_is_lost(loop));
    spt_loop_run_once(loop, true); /* does not block */
    spt_loop_wake(loop);
    spt_loop_wake_async(loop);
    spt_loop_ref(loop);
    spt_loop_unref(loop);
    assert_int_equal(drains, 0);
    spt_loop_free(loop);
    assert_int_equal(calls, 5);
}

static void test_a_lost_loop_that_ran_to_its_end(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    close_all(spt_loop_uv(loop));
    assert_int_equal(uv_run(spt_loop_uv(loop), UV_RUN_DEFAULT), 0);
    spt_loop_wake(loop);
    spt_loop_wake_async(loop);
    spt_loop_free(loop);
}

static void test_an_internal_loop_that_was_closed(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    close_all(spt_loop_uv(loop));
    assert_int_equal(uv_run(spt_loop_uv(loop), UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(spt_loop_uv(loop)), 0);
    spt_loop_free(loop);
}

static void test_a_foreign_loop_that_closes_after_its_loss(void **state)
{
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    struct spt_loop *loop = new_loop(&uv);
    close_all(&uv);
    spt_loop_free(loop);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void test_a_foreign_loop_that_is_gone(void **state)
{
    uv_loop_t *uv = malloc(sizeof *uv);
    assert_int_equal(uv_loop_init(uv), 0);
    struct spt_loop *loop = new_loop(uv);
    close_all(uv);
    assert_int_equal(uv_run(uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(uv), 0);
    free(uv);
    assert_true(spt_loop_is_lost(loop));
    spt_loop_run_once(loop, true);
    spt_loop_wake(loop);
    spt_loop_wake_async(loop);
    spt_loop_ref(loop);
    spt_loop_unref(loop);
    spt_loop_free(loop);
}

static void close_type(uv_handle_t *handle, void *ud)
{
    if (handle->type == *(uv_handle_type *)ud)
        uv_close(handle, NULL);
}

static void test_any_of_the_handles_may_be_closed(void **state)
{
    uv_handle_type types[] = {UV_PREPARE, UV_CHECK, UV_IDLE, UV_TIMER, UV_ASYNC};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (int turns = 0; turns < 3; turns++) {
            uv_loop_t uv;
            assert_int_equal(uv_loop_init(&uv), 0);
            struct spt_loop *loop = new_loop(&uv);
            uv_walk(&uv, close_type, &types[i]);
            for (int n = 0; n < turns; n++)
                uv_run(&uv, UV_RUN_NOWAIT);
            spt_loop_wake(loop);
            spt_loop_free(loop);
            assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
            assert_int_equal(uv_loop_close(&uv), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_handle_is_closed),
        cmocka_unit_test(test_a_handle_that_other_code_closes_is_reported_once_it_is_closed),
        cmocka_unit_test(test_a_handle_that_libuv_has_closed_is_known),
        cmocka_unit_test(test_the_end_waits_for_requests_and_closes_handles),
        cmocka_unit_test(test_the_end_closes_a_handle_that_its_close_callback_opens_again),
        cmocka_unit_test(test_the_end_comes_with_a_handle_that_closes_for_ever),
        cmocka_unit_test(test_the_end_of_a_loop_that_was_stopped),
        cmocka_unit_test(test_a_loop_is_lost_once_other_code_has_closed_its_handles),
        cmocka_unit_test(test_a_lost_loop_that_ran_to_its_end),
        cmocka_unit_test(test_an_internal_loop_that_was_closed),
        cmocka_unit_test(test_a_foreign_loop_that_closes_after_its_loss),
        cmocka_unit_test(test_a_foreign_loop_that_is_gone),
        cmocka_unit_test(test_any_of_the_handles_may_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
