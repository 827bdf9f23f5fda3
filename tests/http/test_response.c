/* SPDX-License-Identifier: MIT */
/* Responses between two requests: which request gets them, and what of them is kept. */
#include "http/response.h"

#include "http/request.h"

#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"
#include "support/cmocka.h"

static struct spt_response_pool transfers;
static struct spt_request request;

static int setup(void **state)
{
    spt_response_pool_init(&transfers);
    return 0;
}

static int teardown(void **state)
{
    spt_response_pool_release(&transfers);
    return (int)transfers.n;
}

static struct spt_response *take(void)
{
    struct spt_response *t = spt_response_take(&transfers, &request);
    assert_non_null(t);
    assert_ptr_equal(t->request, &request);
    return t;
}

static void fill(struct spt_buf *b, size_t n)
{
    b->max = SIZE_MAX / 2;
    assert_int_equal(spt_buf_reserve(b, n), SEPTET_OK);
    b->len = n;
}

static void test_what_was_used_last_is_used_next(void **state)
{
    struct spt_response *one = take(), *two = take();
    spt_response_put(&transfers, one);
    spt_response_put(&transfers, two);
    assert_int_equal(transfers.n, 2);
    assert_ptr_equal(take(), two);
    assert_ptr_equal(take(), one);
    assert_int_equal(transfers.n, 0);
    spt_response_free(one);
    spt_response_free(two);
}

static void test_nothing_is_left_of_the_request_before(void **state)
{
    struct spt_response *t = take();
    fill(&t->head, 100);
    fill(&t->body.buf, 200);
    t->status = 200;
    t->body.received = 200;
    t->body.consumed = 7;
    t->headers_done = t->reused = t->body.paused = true;
    t->redirect_url = strdup("http://127.0.0.1/");
    strcpy(t->peer.address, "127.0.0.1");
    t->times.total_ns = t->stamps.admitted_ns = 1;
    const char *head = t->head.data, *body = t->body.buf.data;
    spt_response_put(&transfers, t);
    static const struct spt_times none;
    assert_ptr_equal(take(), t);
    assert_ptr_equal(t->head.data, head);
    assert_ptr_equal(t->body.buf.data, body);
    assert_int_equal(t->head.len + t->body.buf.len, 0);
    assert_memory_equal(&t->times, &none, sizeof none);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->body.consumed + t->body.received + t->stamps.admitted_ns, 0);
    assert_false(t->headers_done || t->reused || t->body.paused);
    assert_null(t->redirect_url);
    assert_string_equal(t->peer.address, "");
    spt_response_free(t);
}

static void test_large_buffers_and_transfers_too_many_are_freed(void **state)
{
    static struct spt_response *all[SPT_RESPONSES_MAX + 10];
    struct spt_response *t = take();
    fill(&t->body.buf, 1000000);
    spt_response_put(&transfers, t);
    assert_ptr_equal(take(), t);
    assert_null(t->body.buf.data);
    spt_response_put(&transfers, t);
    for (int i = 0; i < SPT_RESPONSES_MAX + 10; i++)
        all[i] = take();
    for (int i = 0; i < SPT_RESPONSES_MAX + 10; i++)
        spt_response_put(&transfers, all[i]);
    assert_int_equal(transfers.n, SPT_RESPONSES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_used_last_is_used_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_of_the_request_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_large_buffers_and_transfers_too_many_are_freed, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
