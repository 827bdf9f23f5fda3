/* SPDX-License-Identifier: MIT */
/* Cancelling a request, and freeing everything, wherever requests are. */
#include "support/http_fixture.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a resolver that answers on demand --- */

static struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool held;   /* lookups wait */
    int waiting; /* of them */
} resolver = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

/* Stands in for the C library's. libcurl calls it on threads of its own. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    pthread_mutex_lock(&resolver.lock);
    resolver.waiting++;
    pthread_cond_broadcast(&resolver.change);
    while (resolver.held)
        pthread_cond_wait(&resolver.change, &resolver.lock);
    resolver.waiting--;
    pthread_cond_broadcast(&resolver.change);
    pthread_mutex_unlock(&resolver.lock);
    return EAI_NONAME;
}

static void hold_lookups(bool held)
{
    pthread_mutex_lock(&resolver.lock);
    resolver.held = held;
    pthread_cond_broadcast(&resolver.change);
    pthread_mutex_unlock(&resolver.lock);
}

static void wait_for_lookups(int n)
{
    pthread_mutex_lock(&resolver.lock);
    while (resolver.waiting != n)
        pthread_cond_wait(&resolver.change, &resolver.lock);
    pthread_mutex_unlock(&resolver.lock);
}

/* A listener that never accepts: the connection is made, nothing answers. */
static int mute_listener(char *url, size_t size, const char *scheme)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(url, size, "%s://127.0.0.1:%u/", scheme, ntohs(a.sin_port));
    return fd;
}

/* A phase that was not reached has no time, and one that was left or cut short has; to wait begins
 * where the request may go out. Together they are the whole. */
static void assert_times_up_to(const struct spt_request *r, enum spt_phase phase)
{
    if (phase == SPT_PHASE_QUEUED) {
        assert_null(r->response);
        return;
    }
    const struct spt_times *t = &r->response->times;
    assert_true(t->queue_ns >= 0 && t->total_ns >= t->queue_ns);
    assert_int_equal(t->tcp_ns >= 0, phase >= SPT_PHASE_CONNECTING && !r->response->reused);
    assert_int_equal(t->wait_ns >= 0, phase >= SPT_PHASE_SENDING);
    assert_int_equal(t->recv_ns >= 0, phase >= SPT_PHASE_RECEIVING);
    const int64_t parts[] = {t->queue_ns, t->dns_ns,  t->tcp_ns, t->tls_ns,
                             t->send_ns,  t->wait_ns, t->recv_ns};
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sum += parts[i] > 0 ? parts[i] : 0;
    assert_int_equal(sum, t->total_ns);
}

static void cancel(struct fetch *f, enum spt_phase phase)
{
    spt_attempt_cancel(&f->request);
    assert_int_equal(f->request.failure.phase, phase);
    assert_int_equal(f->request.state.phase, SPT_PHASE_ENDED);
    assert_times_up_to(&f->request, phase);
    spt_attempt_cancel(&f->request); /* harmless */
}

/* Turns enough for anything late to show, and checks that nothing did. */
static void assert_silent(struct fetch *f)
{
    fetch_ok("/bytes/1", 200);
    fetch_ok("/delay/0.01", 200);
    assert_int_equal(f->calls, 0);
}

static void test_http_14_cancel_before_the_first_lap(void **state)
{
    struct fetch *f = fetch_get("/bytes/1");
    cancel(f, SPT_PHASE_QUEUED);
    assert_int_equal(spt_driver_requests(http.driver), 0);
    assert_silent(f);
}

static void test_http_14_cancel_queued_lets_the_next_one_on(void **state)
{
    spt_driver_free_session(http.session);
    http.session = open_session(1, 1);
    struct fetch *a = fetch_get("/stall"), *b = fetch_get("/bytes/1"), *c = fetch_get("/bytes/2");
    fetch_reach(a, SPT_PHASE_WAITING);
    cancel(b, SPT_PHASE_QUEUED);
    cancel(a, SPT_PHASE_WAITING);
    fetch_finish(c);
    assert_int_equal(c->request.response->status, 200);
    assert_silent(a);
    assert_silent(b);
}

static void test_http_14_cancel_while_resolving_returns_at_once(void **state)
{
    hold_lookups(true);
    struct fetch *f = fetch_get("http://slow.invalid/");
    fetch_reach(f, SPT_PHASE_RESOLVING);
    wait_for_lookups(1);
    cancel(f, SPT_PHASE_RESOLVING); /* the lookup is still held: waiting for it would hang */
    assert_silent(f);
    hold_lookups(false);
    wait_for_lookups(0);
}

/* A session that asks for names at a server that never answers. Returns its descriptor. */
static int ask_nobody(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    char server[32];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(server, sizeof server, "127.0.0.1:%u", ntohs(a.sin_port));
    struct spt_session_config config = {.limit = 64, .limit_per_host = 64, .resolver = server};
    const char *bad_rule;
    spt_driver_free_session(http.session);
    assert_int_equal(spt_session_new(&http.session, http.driver, &config, &bad_rule), SEPTET_OK);
    return fd;
}

static bool was_asked(void *fd)
{
    char byte;
    return recv(*(int *)fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void test_http_14_cancel_while_our_own_resolver_asks(void **state)
{
    int fd = ask_nobody();
    struct fetch *a = fetch_get("http://slow.invalid/"), *b = fetch_get("http://slow.invalid/");
    turn_until(was_asked, &fd);
    cancel(a, SPT_PHASE_RESOLVING);
    spt_loop_run_once(http.loop, false);
    cancel(b, SPT_PHASE_RESOLVING);
    close(fd);
    assert_silent(a);
    assert_silent(b);
}

static void test_http_12_time_limit_while_resolving(void **state)
{
    hold_lookups(true);
    struct fetch *f = fetch_prepare("http://slow.invalid/");
    f->timeouts.connect_ns = MS(30);
    fetch_start(f);
    fetch_finish(f);
    assert_failed(f, "timeout", "connect", "dns");
    hold_lookups(false);
    wait_for_lookups(0);
    fetch_ok("/bytes/1", 200);
}

static void test_http_14_cancel_while_connecting(void **state)
{
    char url[64];
    int fd = mute_listener(url, sizeof url, "http");
    listen(fd, 0);
    for (int i = 0; i < 8; i++)
        fetch_get(url);
    struct fetch *last = &http.fetches[7]; /* the queue of the listener is full before it */
    fetch_reach(last, SPT_PHASE_CONNECTING);
    for (int i = 0; i < 8; i++)
        spt_attempt_cancel(&http.fetches[i].request);
    assert_int_equal(last->request.failure.phase, SPT_PHASE_CONNECTING);
    assert_times_up_to(&last->request, SPT_PHASE_CONNECTING);
    assert_int_equal(spt_driver_sockets(http.driver), 0);
    close(fd);
    assert_silent(last);
}

static void test_http_14_cancel_in_the_tls_handshake(void **state)
{
    char url[64];
    int fd = mute_listener(url, sizeof url, "https");
    struct fetch *f = fetch_get(url);
    fetch_reach(f, SPT_PHASE_TLS);
    cancel(f, SPT_PHASE_TLS);
    close(fd);
    assert_silent(f);
}

static void test_http_12_time_limit_in_the_tls_handshake(void **state)
{
    char url[64];
    int fd = mute_listener(url, sizeof url, "https");
    struct fetch *f = fetch_prepare(url);
    f->timeouts.connect_ns = MS(60000);
    fetch_start(f);
    fetch_reach(f, SPT_PHASE_TLS);
    move_clock(MS(60000));
    fetch_finish(f);
    assert_failed(f, "timeout", "connect", "tls");
    assert_true(f->request.response->times.tls_ns > 0);
    close(fd);
}

static void test_http_14_cancel_while_sending(void **state)
{
    enum { N = 32 << 20 };
    char url[64];
    int fd = mute_listener(url, sizeof url, "http");
    char *body = test_calloc(1, N);
    struct fetch *f = fetch_prepare(url);
    f->request.method = "PUT";
    f->request.body = body;
    f->request.body_len = N;
    fetch_start(f);
    fetch_reach(f, SPT_PHASE_SENDING);
    cancel(f, SPT_PHASE_SENDING);
    test_free(body);
    close(fd);
    assert_silent(f);
}

static void test_http_14_cancel_while_waiting_and_receiving(void **state)
{
    struct fetch *a = fetch_get("/stall"), *b = fetch_get("/stall?after=10&length=100");
    fetch_reach(a, SPT_PHASE_WAITING);
    fetch_reach(b, SPT_PHASE_RECEIVING);
    cancel(a, SPT_PHASE_WAITING);
    cancel(b, SPT_PHASE_RECEIVING);
    assert_int_equal(spt_driver_sockets(http.driver), 0);
    assert_silent(a);
    assert_silent(b);
}

static void take_no_news(struct spt_request *r)
{
}

static bool is_paused(void *f)
{
    const struct spt_response *t = ((struct fetch *)f)->request.response;
    return t && (t->body.paused || t->upload_paused);
}

/* A stream that is paused, because nobody reads it. */
static struct fetch *get_paused(void)
{
    struct fetch *f = fetch_prepare("/bytes/8000000");
    f->request.high_water = 65536;
    f->events.on_progress = take_no_news;
    fetch_start(f);
    turn_until(is_paused, f);
    return f;
}

static void test_http_14_cancel_of_a_paused_stream(void **state)
{
    struct fetch *f = get_paused();
    assert_true(http.session->paused == 1);
    cancel(f, SPT_PHASE_RECEIVING);
    assert_int_equal(http.session->paused, 0);
    assert_int_equal(spt_driver_sockets(http.driver), 0);
    assert_silent(f);
}

/* Its reader has just made room, and the lap that would let it go on has not come. */
static void test_http_14_cancel_of_a_stream_about_to_go_on(void **state)
{
    struct fetch *f = get_paused();
    f->request.response->body.consumed = f->request.response->body.buf.len;
    spt_attempt_resume(&f->request);
    cancel(f, SPT_PHASE_RECEIVING);
    assert_int_equal(http.session->paused, 0);
    assert_silent(f);
}

static void test_http_14_cancel_of_an_upload_that_waits_for_its_source(void **state)
{
    struct spt_upload upload;
    spt_upload_init(&upload, -1);
    struct fetch *f = fetch_prepare("/echo");
    f->request.method = "POST";
    f->request.upload = &upload;
    f->events.on_progress = take_no_news;
    fetch_start(f);
    turn_until(is_paused, f);
    cancel(f, SPT_PHASE_SENDING);
    assert_int_equal(spt_driver_sockets(http.driver), 0);
    spt_upload_release(&upload);
    assert_silent(f);
}

static void test_http_14_cancel_once_done_does_nothing(void **state)
{
    struct fetch *f = fetch_ok("/bytes/7", 200);
    spt_attempt_cancel(&f->request);
    assert_int_equal(f->request.response->body.buf.len, 7);
    assert_int_equal(f->calls, 1);
}

static void cancel_the_rest(struct fetch *f)
{
    for (unsigned i = 0; i < http.started; i++)
        spt_attempt_cancel(&http.fetches[i].request);
}

/* All are over when the first of them is delivered: the others are not any more. */
static void test_http_14_cancel_of_what_is_done_but_undrained(void **state)
{
    http.after_done = cancel_the_rest;
    for (int i = 0; i < 5; i++)
        fetch_get("/stall");
    fetch_reach(&http.fetches[4], SPT_PHASE_WAITING);
    spt_driver_close_session(http.session);
    fetch_finish_all(1);
    spt_loop_run_once(http.loop, false);
    assert_int_equal(http.done, 1);
    assert_int_equal(http.fetches[0].calls, 1);
}

/* Some hundred requests, each cancelled at a turn that a fixed seed chooses. */
static void test_http_14_cancel_at_arbitrary_moments(void **state)
{
    static const char *const paths[] = {"/delay/0.001",    "/bytes/20000",
                                        "/close?bytes=10", "/chunked?chunks=20&size=100",
                                        "/idle-reset",     "/reset"};
    uint32_t seed = 12345;
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 50; i++)
            fetch_get(paths[i % 6]);
        for (unsigned i = 0; i < 50; i++) {
            seed = seed * 1103515245 + 12345;
            for (uint32_t turns = (seed >> 16) % 3; turns > 0; turns--)
                spt_loop_run_once(http.loop, false);
            spt_attempt_cancel(&http.fetches[(seed >> 20) % 50].request);
        }
        for (unsigned i = 0; i < 50; i++)
            spt_attempt_cancel(&http.fetches[i].request);
        for (unsigned i = 0; i < 50; i++) {
            assert_true(http.fetches[i].calls <= 1);
            spt_request_release(&http.fetches[i].request);
        }
        assert_int_equal(spt_driver_requests(http.driver), 0);
        memset(http.fetches, 0, sizeof http.fetches);
        http.started = 0;
    }
    fetch_ok("/bytes/1", 200);
}

static void test_http_24_the_driver_is_freed_with_requests_in_every_phase(void **state)
{
    char mute[64], tls[64], full[64];
    int a = mute_listener(mute, sizeof mute, "http"), b = mute_listener(tls, sizeof tls, "https");
    int c = mute_listener(full, sizeof full, "http");
    int d = ask_nobody();
    listen(c, 0);
    fetch_get("http://slow.invalid/");
    turn_until(was_asked, &d);
    http.session = open_session(64, 64); /* the driver frees the other one */
    hold_lookups(true);
    fetch_ok("/bytes/1", 200);
    fetch_get("http://slow.invalid/");
    for (int i = 0; i < 8; i++)
        fetch_get(full);
    struct fetch *in_tls = fetch_get(tls), *waiting = fetch_get(mute);
    struct fetch *receiving = fetch_get("/stall?after=10&length=100"), *paused = get_paused();
    fetch_reach(in_tls, SPT_PHASE_TLS);
    fetch_reach(waiting, SPT_PHASE_WAITING);
    fetch_reach(receiving, SPT_PHASE_RECEIVING);
    wait_for_lookups(1);
    struct fetch *queued = fetch_get("/bytes/1");
    unsigned done = http.done;
    spt_driver_free(http.driver);
    http.driver = NULL;
    http.session = NULL;
    spt_loop_run_once(http.loop, false);
    assert_int_equal(http.done, done);
    assert_int_equal(queued->calls + paused->calls, 0);
    hold_lookups(false);
    wait_for_lookups(0);
    close(a);
    close(b);
    close(c);
    close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_14_cancel_before_the_first_lap),
        TEST(test_http_14_cancel_queued_lets_the_next_one_on),
        TEST(test_http_14_cancel_while_resolving_returns_at_once),
        TEST(test_http_14_cancel_while_our_own_resolver_asks),
        TEST(test_http_12_time_limit_while_resolving),
        TEST(test_http_14_cancel_while_connecting),
        TEST(test_http_14_cancel_in_the_tls_handshake),
        TEST(test_http_12_time_limit_in_the_tls_handshake),
        TEST(test_http_14_cancel_while_sending),
        TEST(test_http_14_cancel_while_waiting_and_receiving),
        TEST(test_http_14_cancel_of_a_paused_stream),
        TEST(test_http_14_cancel_of_a_stream_about_to_go_on),
        TEST(test_http_14_cancel_of_an_upload_that_waits_for_its_source),
        TEST(test_http_14_cancel_once_done_does_nothing),
        TEST(test_http_14_cancel_of_what_is_done_but_undrained),
        TEST(test_http_14_cancel_at_arbitrary_moments),
        TEST(test_http_24_the_driver_is_freed_with_requests_in_every_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
