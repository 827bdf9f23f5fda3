/* SPDX-License-Identifier: MIT */
/* Idle connections that the server closes, and sessions that are closed under their requests. */
#include "support/http_fixture.h"

#include <sys/resource.h>
#include <unistd.h>

static void test_nine_idle_connections_reset_by_the_server(void **state)
{
    for (int i = 0; i < 9; i++)
        fetch_get("/idle-reset?after=0.05");
    fetch_finish_all(9);
    while (http.driver->pollers.dropped < 9)
        spt_loop_run_once(http.loop, true);
    fetch_ok("/bytes/3", 200);
}

/* The reset is not seen before the request goes out on the dead connections. */
static void test_nine_stale_connections_nobody_watched(void **state)
{
    for (int i = 0; i < 9; i++)
        fetch_get("/idle-reset");
    fetch_finish_all(9);
    for (int i = 0; i < 9; i++)
        assert_int_equal(http.fetches[i].request.response->status, 200);
    for (int i = 0; i < 20; i++)
        fetch_ok("/bytes/3", 200);
}

static void test_idle_connection_closed_by_the_server(void **state)
{
    fetch_ok("/idle-close?after=0.02", 200);
    while (http.driver->pollers.dropped < 1)
        spt_loop_run_once(http.loop, true);
    assert_false(fetch_ok("/bytes/3", 200)->request.response->reused);
}

static void test_no_descriptors_left_for_now(void **state)
{
    struct rlimit old, tight;
    fetch_ok("/bytes/1", 200);
    int next = dup(0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)next;
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    struct fetch *a = fetch_get("/delay/0.05"), *b = fetch_get("/bytes/1");
    fetch_finish(b);
    fetch_finish(a);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_null(a->request.failure.code); /* rides on the open connection */
    assert_null(b->request.failure.code); /* has waited for it */
    fetch_ok("/bytes/1", 200);
}

static void test_closing_a_session_ends_its_requests(void **state)
{
    spt_driver_free_session(http.session);
    http.session = open_session(2, 2);
    for (int i = 0; i < 5; i++)
        fetch_get("/stall");
    fetch_reach(&http.fetches[1], SPT_PHASE_WAITING);
    spt_driver_close_session(http.session);
    assert_int_equal(spt_driver_sockets(http.driver), 0);
    assert_int_equal(http.done, 0); /* reported in a pass, not from within */
    fetch_finish_all(5);
    for (int i = 0; i < 5; i++)
        assert_failed(&http.fetches[i], "closed", NULL, i < 2 ? "wait" : "queue");
    struct fetch *late = fetch_prepare("/bytes/1");
    assert_int_equal(spt_attempt_start(http.session, &late->request), SEPTET_ECLOSED);
    spt_driver_close_session(http.session);
}

static void close_session(struct fetch *f)
{
    spt_driver_close_session(http.session);
}

static void test_closing_a_session_from_the_end_of_a_request(void **state)
{
    http.after_done = close_session;
    fetch_get("/bytes/1");
    for (int i = 0; i < 5; i++)
        fetch_get("/stall");
    fetch_finish_all(6);
    assert_null(http.fetches[0].request.failure.code);
    for (int i = 1; i < 6; i++)
        assert_failed(&http.fetches[i], "closed", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nine_idle_connections_reset_by_the_server),
        TEST(test_nine_stale_connections_nobody_watched),
        TEST(test_idle_connection_closed_by_the_server),
        TEST(test_no_descriptors_left_for_now),
        TEST(test_closing_a_session_ends_its_requests),
        TEST(test_closing_a_session_from_the_end_of_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
