/* SPDX-License-Identifier: MIT */
/* The driver against the origin, where all goes well. */
#include "support/http_fixture.h"

#include <strings.h>

static void assert_pattern(const struct spt_buf *body, size_t len)
{
    assert_int_equal(body->len, len);
    for (size_t i = 0; i < len; i++)
        if (body->data[i] != "0123456789abcdef"[i % 16])
            fail_msg("byte %zu is wrong", i);
}

static bool has_line(const struct spt_buf *head, const char *line)
{
    size_t n = strlen(line);
    for (size_t i = 0; i + n <= head->len; i++)
        if (strncasecmp(head->data + i, line, n) == 0 &&
            (i + n == head->len || head->data[i + n] == '\r'))
            return true;
    return false;
}

static bool body_has(const struct fetch *f, const char *text)
{
    const struct spt_buf *b = &f->request.response->body.buf;
    return b->len > 0 && memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void test_get_gives_status_head_and_body(void **state)
{
    struct fetch *f = fetch_ok("/bytes/1000", 200);
    assert_pattern(&f->request.response->body.buf, 1000);
    assert_int_equal(f->request.response->body.buf.cap, 1000); /* sized from Content-Length */
    assert_int_equal(f->request.response->version, 11);
    assert_memory_equal(f->request.response->head.data, "HTTP/1.1 200 OK\r\n", 17);
    assert_true(has_line(&f->request.response->head, "content-length: 1000"));
    assert_int_not_equal(f->request.response->head.data[f->request.response->head.len - 1], '\n');
    assert_string_equal(f->request.response->peer.address, "127.0.0.1");
    assert_int_equal(f->request.response->peer.port, atoi(strrchr(origin(), ':') + 1));
    assert_int_equal(f->request.state.phase, SPT_PHASE_ENDED);
}

static void test_get_large_body_crosses_whole(void **state)
{
    assert_pattern(&fetch_ok("/bytes/5000000", 200)->request.response->body.buf, 5000000);
}

static void test_get_without_body(void **state)
{
    assert_int_equal(fetch_ok("/bytes/0", 200)->request.response->body.buf.len, 0);
    assert_int_equal(fetch_ok("/status/204", 204)->request.response->body.buf.len, 0);
    assert_int_equal(fetch_ok("/status/304", 304)->request.response->body.buf.len, 0);
}

static void test_status_is_never_a_failure(void **state)
{
    fetch_ok("/status/404", 404);
    fetch_ok("/status/500", 500);
    assert_int_equal(fetch_ok("/redirect/2", 302)->request.response->body.buf.len, 0);
}

static void test_head_of_informational_answer_is_skipped(void **state)
{
    struct fetch *f = fetch_ok("/status/103", 200);
    assert_memory_equal(f->request.response->head.data, "HTTP/1.1 200", 12);
}

static void test_head_has_no_body(void **state)
{
    struct fetch *f = fetch_prepare("/bytes/100");
    f->request.method = "HEAD";
    f->request.max_body = 10; /* a length that is only announced is no body */
    fetch_start(f);
    fetch_finish(f);
    assert_null(f->request.failure.code);
    assert_int_equal(f->request.response->status, 200);
    assert_int_equal(f->request.response->body.buf.len, 0);
    assert_true(has_line(&f->request.response->head, "content-length: 100"));
}

static struct fetch *send_body(const char *method, const char *body, size_t len)
{
    struct fetch *f = fetch_prepare("/echo");
    f->request.method = method;
    f->request.body = body;
    f->request.body_len = len;
    fetch_start(f);
    fetch_finish(f);
    assert_null(f->request.failure.code);
    return f;
}

static void test_bodies_are_sent_by_any_method(void **state)
{
    assert_true(body_has(send_body("POST", "a=1", 3), "\"body\": \"a=1\""));
    assert_true(body_has(send_body("PUT", "xyz", 3), "\"method\": \"PUT\""));
    assert_true(body_has(send_body("PATCH", "xyz", 3), "\"body\": \"xyz\""));
    assert_true(body_has(send_body("DELETE", "xyz", 3), "\"method\": \"DELETE\""));
    assert_true(body_has(send_body("GET", "xyz", 3), "\"method\": \"GET\""));
    assert_true(body_has(send_body("X-OWN", NULL, 0), "\"method\": \"X-OWN\""));
    assert_true(body_has(send_body("POST", NULL, 0), "\"content-length\": \"0\""));
    assert_true(body_has(send_body("PUT", NULL, 0), "\"content-length\": \"0\""));
    assert_false(body_has(send_body("DELETE", NULL, 0), "content-length"));
}

static void test_nothing_is_sent_that_nobody_asked_for(void **state)
{
    struct fetch *f = send_body("POST", "a=1", 3);
    assert_false(body_has(f, "\"expect\""));
    assert_false(body_has(f, "\"content-type\""));
    assert_false(body_has(f, "\"cookie\""));
}

static void test_large_body_is_sent_without_waiting_for_100(void **state)
{
    enum { N = 3 << 20 };
    char *body = test_malloc(N);
    memset(body, 'x', N);
    struct fetch *f = send_body("POST", body, N);
    test_free(body);
    assert_true(body_has(f, "\"body_size\": 3145728"));
    assert_false(body_has(f, "\"expect\""));
}

static void test_headers_are_sent_as_given(void **state)
{
    const struct spt_header pairs[] = {
        {"X-One", 5, "1", 1}, {"X-Empty", 7, "", 0}, {"Content-Type", 12, "text/x", 6}};
    struct spt_headers *headers;
    const char *why;
    size_t at;
    assert_int_equal(spt_headers_new(&headers, pairs, 3, &why, &at), SEPTET_OK);
    struct fetch *f = fetch_prepare("/echo");
    f->request.method = "POST";
    f->request.body = "b";
    f->request.body_len = 1;
    f->request.headers = headers;
    fetch_start(f);
    fetch_finish(f);
    spt_headers_free(headers);
    assert_true(body_has(f, "\"x-one\": \"1\""));
    assert_true(body_has(f, "\"x-empty\": \"\""));
    assert_true(body_has(f, "\"content-type\": \"text/x\""));
    assert_false(body_has(send_body("POST", "b", 1), "x-one")); /* the handle is the same one */
}

static void test_connection_is_kept_and_its_times_add_up(void **state)
{
    struct fetch *a = fetch_ok("/bytes/10", 200), *b = fetch_ok("/delay/0.02", 200);
    assert_false(a->request.response->reused);
    assert_true(b->request.response->reused);
    assert_int_equal(spt_driver_sockets(http.driver), 1);
    const struct spt_times *t = &a->request.response->times;
    assert_true(t->dns_ns >= 0 && t->tcp_ns >= 0 && t->tls_ns == -1);
    assert_int_equal(t->total_ns,
                     t->queue_ns + t->dns_ns + t->tcp_ns + t->send_ns + t->wait_ns + t->recv_ns);
    t = &b->request.response->times;
    assert_true(t->dns_ns == -1 && t->tcp_ns == -1 && t->tls_ns == -1);
    assert_int_equal(t->total_ns, t->queue_ns + t->send_ns + t->wait_ns + t->recv_ns);
    assert_true(t->wait_ns >= (int64_t)MS(19));
}

static void test_sessions_do_not_share_connections(void **state)
{
    fetch_ok("/bytes/1", 200);
    struct spt_session *first = http.session;
    http.session = open_session(1, 1);
    assert_false(fetch_ok("/bytes/1", 200)->request.response->reused);
    spt_driver_free_session(first);
    assert_int_equal(spt_driver_sockets(http.driver), 1);
    assert_true(fetch_ok("/bytes/1", 200)->request.response->reused);
}

static void test_framings_of_a_body(void **state)
{
    assert_pattern(&fetch_ok("/chunked?chunks=5&size=300", 200)->request.response->body.buf, 1500);
    assert_pattern(&fetch_ok("/close-delimited?bytes=70000", 200)->request.response->body.buf,
                   70000);
    assert_pattern(&fetch_ok("/close?bytes=33", 200)->request.response->body.buf, 33);
    assert_pattern(&fetch_ok("/gzip?bytes=100000", 200)->request.response->body.buf, 100000);
    assert_pattern(&fetch_ok("/drip?bytes=5&interval=0.005", 200)->request.response->body.buf, 5);
}

/* How many of the origin's connections, opened after byte `from` of its log, were open at once. */
static int peak_connections(long from)
{
    static bool ours[100000];
    int open = 0, peak = 0;
    char line[4096];
    FILE *log = fopen(getenv("SEPTET_ORIGIN_LOG"), "r");
    assert_non_null(log);
    memset(ours, 0, sizeof ours);
    fseek(log, from, SEEK_SET);
    while (fgets(line, sizeof line, log)) {
        const char *number = strstr(line, "\"connection\": ");
        if (!number || atoi(number + 14) >= (int)(sizeof ours / sizeof ours[0]))
            continue;
        int id = atoi(number + 14);
        if (strstr(line, "\"event\": \"open\"") && ++open > peak)
            peak = open;
        if (strstr(line, "\"event\": \"open\""))
            ours[id] = true;
        if (strstr(line, "\"event\": \"close\"") && ours[id])
            open--;
    }
    fclose(log);
    return peak;
}

static long log_size(void)
{
    FILE *log = fopen(getenv("SEPTET_ORIGIN_LOG"), "r");
    assert_non_null(log);
    fseek(log, 0, SEEK_END);
    long size = ftell(log);
    fclose(log);
    return size;
}

static void test_limit_is_never_exceeded(void **state)
{
    long from = log_size();
    spt_driver_free_session(http.session);
    http.session = open_session(8, 64);
    for (int i = 0; i < 200; i++)
        fetch_get("/delay/0.002");
    assert_int_equal(spt_driver_requests(http.driver), 200);
    fetch_finish_all(200);
    for (int i = 0; i < 200; i++) {
        assert_null(http.fetches[i].request.failure.code);
        assert_int_equal(http.fetches[i].calls, 1);
    }
    assert_int_equal(peak_connections(from), 8);
    assert_int_equal(spt_driver_requests(http.driver), 0);
}

static void test_limit_per_host_is_never_exceeded(void **state)
{
    long from = log_size();
    spt_driver_free_session(http.session);
    http.session = open_session(64, 3);
    for (int i = 0; i < 30; i++)
        fetch_get("/delay/0.005");
    fetch_finish_all(30);
    assert_int_equal(peak_connections(from), 3);
}

static void start_another(struct fetch *done)
{
    if (http.started < 20 &&
        spt_attempt_start(http.session, &fetch_prepare("/bytes/5")->request) != 0)
        done->calls = 100;
}

static void test_a_request_may_be_started_by_the_end_of_another(void **state)
{
    http.after_done = start_another;
    fetch_get("/bytes/5");
    fetch_finish_all(20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(http.fetches[i].calls, 1);
        assert_int_equal(http.fetches[i].request.response->status, 200);
    }
}

static void test_queue_time_is_told(void **state)
{
    spt_driver_free_session(http.session);
    http.session = open_session(1, 1);
    struct fetch *a = fetch_get("/delay/0.05"), *b = fetch_get("/bytes/1");
    fetch_finish(b);
    assert_true(b->request.response->times.queue_ns >= (int64_t)MS(45));
    assert_true(a->request.response->times.queue_ns < b->request.response->times.queue_ns);
}

/* An idle connection wants nothing, and its poller stays armed: what one epoll_ctl pair per request
 * would undo. */
static void test_poller_stays_armed_over_idle(void **state)
{
    fetch_ok("/delay/0.01", 200);
    struct spt_poller *idle = NULL;
    for (int fd = 0; fd < http.driver->pollers.cap; fd++)
        if (http.driver->pollers.by_fd[fd])
            idle = http.driver->pollers.by_fd[fd];
    assert_non_null(idle);
    assert_int_equal(idle->wanted_mask, 0);
    assert_int_equal(idle->armed_mask, UV_READABLE);
    uint32_t gen = idle->generation;
    fetch_ok("/delay/0.01", 200);
    assert_int_equal(idle->generation, gen);
    assert_int_equal(idle->armed_mask, UV_READABLE);
}

static void test_foreign_loop_ends_when_nothing_is_in_flight(void **state)
{
    uv_loop_t uv;
    struct spt_loop *own = http.loop;
    spt_driver_free_session(http.session);
    spt_driver_free(http.driver);
    spt_loop_free(own);
    assert_int_equal(uv_loop_init(&uv), 0);
    http.driver = NULL;
    assert_int_equal(spt_loop_new(&http.loop, &uv, http_fixture_drain, NULL), SEPTET_OK);
    assert_int_equal(spt_driver_new(&http.driver, http.loop, &http.timers), SEPTET_OK);
    http.session = open_session(4, 4);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    struct fetch *f = fetch_get("/delay/0.02");
    uv_run(&uv, UV_RUN_DEFAULT); /* returns by itself, though a connection stays open */
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->request.response->status, 200);
    assert_int_equal(spt_driver_sockets(http.driver), 1);
    fetch_get("/stall");
    while (http.fetches[1].request.state.phase != SPT_PHASE_WAITING)
        uv_run(&uv, UV_RUN_ONCE);
    spt_driver_free(http.driver); /* with a request in flight and pollers to close */
    http.driver = NULL;
    http.session = NULL;
    spt_loop_free(http.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    assert_int_equal(spt_loop_new(&http.loop, NULL, http_fixture_drain, NULL), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get_gives_status_head_and_body),
        TEST(test_get_large_body_crosses_whole),
        TEST(test_get_without_body),
        TEST(test_status_is_never_a_failure),
        TEST(test_head_of_informational_answer_is_skipped),
        TEST(test_head_has_no_body),
        TEST(test_bodies_are_sent_by_any_method),
        TEST(test_nothing_is_sent_that_nobody_asked_for),
        TEST(test_large_body_is_sent_without_waiting_for_100),
        TEST(test_headers_are_sent_as_given),
        TEST(test_connection_is_kept_and_its_times_add_up),
        TEST(test_sessions_do_not_share_connections),
        TEST(test_framings_of_a_body),
        TEST(test_limit_is_never_exceeded),
        TEST(test_limit_per_host_is_never_exceeded),
        TEST(test_a_request_may_be_started_by_the_end_of_another),
        TEST(test_queue_time_is_told),
        TEST(test_poller_stays_armed_over_idle),
        TEST(test_foreign_loop_ends_when_nothing_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
