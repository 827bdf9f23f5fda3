/* SPDX-License-Identifier: MIT */
/* The driver against an origin, a network and a caller that misbehave: each failure by its words,
 * and the session works afterwards. */
#include "support/http_fixture.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG MS(60000) /* no machine stands still for so long */

typedef int resolve_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Stands in for the C library's, so that no name leaves this machine: none exists but
 * two.invalid, which has two addresses. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    resolve_fn *resolve = (resolve_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(node, "two.invalid") != 0)
        return EAI_NONAME;
    int rc = resolve("127.0.0.2", service, hints, res);
    return rc == 0 ? resolve("127.0.0.1", service, hints, &(*res)->ai_next) : rc;
}

/* --- connecting --- */

static struct fetch *fetch_failed(const char *path, const char *code, const char *reason,
                                  const char *phase)
{
    struct fetch *f = fetch_get(path);
    fetch_finish(f);
    assert_failed(f, code, reason, phase);
    return f;
}

static int bind_to(const char *address, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = inet_addr(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* A bound socket that nobody listens on keeps its port free of others. */
static int bound_socket(uint16_t *port)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    int fd = bind_to("127.0.0.1", 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static const char *url_of(uint16_t port)
{
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    return url;
}

static void test_refused(void **state)
{
    uint16_t port;
    int fd = bound_socket(&port);
    struct fetch *f = fetch_failed(url_of(port), "connect", "refused", "connect");
    close(fd);
    assert_string_equal(f->request.response->peer.address, "");
    assert_int_equal(f->request.response->status, 0);
    fetch_ok("/bytes/1", 200);
}

static void test_unresolvable_name(void **state)
{
    struct fetch *f = fetch_failed("http://nowhere.invalid/", "dns", "not_found", "dns");
    assert_true(f->request.response->times.dns_ns >= 0);
    assert_int_equal(f->request.response->times.tcp_ns, -1);
    fetch_ok("/bytes/1", 200);
}

/* A listener with a full queue drops what knocks: the connection is never made. */
static void fill_listener(int fd, int fillers[4])
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(fillers[i], (struct sockaddr *)&a, sizeof a) != 0)
            assert_int_equal(errno, EINPROGRESS);
    }
}

static void close_listener(int fd, const int fillers[4])
{
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
}

static uint16_t origin_port(void)
{
    return (uint16_t)atoi(strrchr(origin(), ':') + 1);
}

static struct fetch *fetch_from_two_addresses(void)
{
    char url[64];
    snprintf(url, sizeof url, "http://two.invalid:%u/bytes/3", origin_port());
    struct fetch *f = fetch_prepare(url);
    f->timeouts.connect_ns = MS(4000); /* half of it is waited for below */
    fetch_start(f);
    fetch_finish(f);
    assert_null(f->request.failure.code);
    assert_string_equal(f->request.response->peer.address, "127.0.0.1");
    assert_int_equal(f->request.response->body.buf.len, 3);
    return f;
}

static void test_second_address_when_the_first_refuses(void **state)
{
    fetch_from_two_addresses();
}

/* Half of the limit goes to the first address; libcurl before 8.4.0 has to be made to go on. */
static void test_second_address_when_the_first_never_answers(void **state)
{
    int fillers[4], fd = bind_to("127.0.0.2", origin_port());
    fill_listener(fd, fillers);
    struct fetch *f = fetch_from_two_addresses();
    close_listener(fd, fillers);
    assert_true(f->request.response->times.tcp_ns >= (int64_t)MS(200));
}

static void test_connect_limit(void **state)
{
    uint16_t port;
    int fillers[4], fd = bound_socket(&port);
    fill_listener(fd, fillers);
    struct fetch *f = fetch_prepare(url_of(port));
    f->timeouts.connect_ns = MS(50);
    uint64_t start_ns = spt_loop_now(http.loop);
    fetch_start(f);
    fetch_finish(f);
    assert_failed(f, "timeout", "connect", "connect");
    assert_true(spt_loop_now(http.loop) - start_ns >= MS(50));
    close_listener(fd, fillers);
    fetch_ok("/bytes/1", 200);
}

/* --- limits --- */

static struct fetch *start_limited(const char *path, uint64_t first_byte_ns, uint64_t idle_ns,
                                   uint64_t total_ns)
{
    struct fetch *f = fetch_prepare(path);
    f->timeouts.connect_ns = MS(10000);
    f->timeouts.first_byte_ns = first_byte_ns;
    f->timeouts.idle_ns = idle_ns;
    f->request.deadline_ns = total_ns ? spt_loop_now(http.loop) + total_ns : 0;
    fetch_start(f);
    return f;
}

static void test_first_byte_limit(void **state)
{
    struct fetch *f = start_limited("/stall", MS(40), MS(5000), 0);
    fetch_finish(f);
    assert_failed(f, "timeout", "first_byte", "wait");
    assert_true(f->request.response->times.wait_ns >= (int64_t)MS(40));
    assert_int_equal(f->request.response->times.recv_ns, -1);
    assert_string_equal(f->request.response->peer.address, "127.0.0.1");
    fetch_ok("/bytes/1", 200);
}

struct arrival {
    struct fetch *fetch;
    size_t bytes;
};

static bool has_arrived(void *ud)
{
    const struct arrival *a = ud;
    const struct spt_response *response = a->fetch->request.response;
    return a->fetch->calls > 0 || (response && response->body.buf.len >= a->bytes);
}

/* Turns the loop until so many bytes of the body have arrived, or it has ended. */
static void receive(struct fetch *f, size_t bytes)
{
    turn_until(has_arrived, &(struct arrival){f, bytes});
}

static void test_idle_limit(void **state)
{
    struct fetch *f = start_limited("/stall?after=10&length=100", LONG, LONG, 0);
    receive(f, 10);
    move_clock(LONG);
    fetch_finish(f);
    assert_failed(f, "timeout", "idle", "receive");
    assert_int_equal(f->request.response->status, 200);
    assert_int_equal(f->request.response->body.buf.len, 10);
}

/* Bytes that arrive push the limit off, though they move no timer. */
static void test_idle_limit_counts_from_the_last_byte(void **state)
{
    struct fetch *f = start_limited("/drip?bytes=3000&interval=0.005", 0, LONG, 0);
    receive(f, 1);
    for (int i = 0; i < 5; i++) {
        move_clock(LONG / 2);
        receive(f, f->request.response->body.buf.len + 1);
        assert_int_equal(f->calls, 0);
    }
    spt_attempt_cancel(&f->request);
    assert_true(f->request.response->times.total_ns >= (int64_t)(2 * LONG));
}

static void test_deadline_names_the_phase(void **state)
{
    struct fetch *f = start_limited("/stall", 0, 0, LONG);
    fetch_reach(f, SPT_PHASE_WAITING);
    move_clock(LONG);
    fetch_finish(f);
    assert_failed(f, "timeout", "total", "wait");
    f = start_limited("/stall?after=10&length=100", 0, 0, LONG);
    receive(f, 10);
    move_clock(LONG);
    fetch_finish(f);
    assert_failed(f, "timeout", "total", "receive");
}

static void test_deadline_in_the_queue(void **state)
{
    spt_driver_free_session(http.session);
    http.session = open_session(1, 1);
    struct fetch *first = fetch_get("/stall");
    struct fetch *f = start_limited("/bytes/1", 0, 0, MS(40));
    fetch_finish(f);
    assert_failed(f, "timeout", "total", "queue");
    assert_null(f->request.response); /* it never was admitted */
    assert_int_equal(first->calls, 0);
    spt_attempt_cancel(&first->request);
    fetch_ok("/bytes/1", 200);
}

/* Nobody reads a connection that only waits in a listener's queue: the body does not go out. */
static void test_upload_limit_names_sending(void **state)
{
    enum { N = 32 << 20 };
    uint16_t port;
    int fd = bound_socket(&port);
    assert_int_equal(listen(fd, 8), 0);
    char *body = test_calloc(1, N);
    struct fetch *f = fetch_prepare(url_of(port));
    f->request.method = "POST";
    f->request.body = body;
    f->request.body_len = N;
    f->timeouts.idle_ns = MS(60);
    fetch_start(f);
    fetch_finish(f);
    test_free(body);
    close(fd);
    assert_failed(f, "timeout", "idle", "send");
}

/* The limit for the answer begins when the body is out. */
static void test_sent_upload_waits_for_its_first_byte(void **state)
{
    struct fetch *f = fetch_prepare("/stall");
    f->request.method = "POST";
    f->request.body = "abc";
    f->request.body_len = 3;
    f->timeouts.first_byte_ns = 2 * LONG;
    f->timeouts.idle_ns = LONG;
    fetch_start(f);
    fetch_reach(f, SPT_PHASE_WAITING);
    move_clock(LONG + LONG / 2);
    spt_loop_run_once(http.loop, false);
    assert_int_equal(f->calls, 0);
    move_clock(LONG / 2);
    fetch_finish(f);
    assert_failed(f, "timeout", "first_byte", "wait");
    assert_true(f->request.response->times.wait_ns >= (int64_t)(2 * LONG));
}

/* Nothing else is going on when the last transfer times out. */
static void test_last_transfer_that_times_out_is_reported(void **state)
{
    struct fetch *f = start_limited("/stall", MS(20), 0, 0);
    fetch_finish(f);
    assert_int_equal(f->calls, 1);
    assert_int_equal(spt_driver_requests(http.driver), 0);
    assert_false(spt_driver_has_work(http.driver));
}

/* --- answers and requests that are wrong --- */

static void test_broken_connections(void **state)
{
    fetch_failed("/reset", "reset", "receive", "wait");
    struct fetch *f = fetch_failed("/reset?after=100&length=1000", "reset", "receive", "receive");
    assert_int_equal(f->request.response->status, 200);
    fetch_failed("/empty", "reset", "empty", "wait");
    f = fetch_failed("/truncate?length=1000&sent=500", "partial", "truncated", "receive");
    assert_int_equal(f->request.response->body.buf.len, 500);
    fetch_failed("/garbage", "protocol", "status_line", NULL);
    fetch_failed("/status/101", "protocol", NULL, NULL);
    fetch_ok("/bytes/1", 200);
}

static void test_body_limit(void **state)
{
    static const char *const paths[] = {"/bytes/5000", "/chunked?chunks=50&size=100",
                                        "/gzip?bytes=500000"};
    for (size_t i = 0; i < 3; i++) {
        struct fetch *f = fetch_prepare(paths[i]);
        f->request.max_body = 4000;
        fetch_start(f);
        fetch_finish(f);
        assert_failed(f, "body_too_large", NULL, "receive");
        assert_true(f->request.response->body.buf.cap <= 4000);
    }
    struct fetch *f = fetch_prepare("/bytes/4000");
    f->request.max_body = 4000;
    fetch_start(f);
    fetch_finish(f);
    assert_null(f->request.failure.code);
}

static void refused_at_start(const char *method, const char *url, const char *code,
                             const char *reason)
{
    struct fetch *f = fetch_prepare(url);
    f->request.method = method;
    assert_int_equal(spt_attempt_start(http.session, &f->request), SEPTET_EINVAL);
    assert_failed(f, code, reason, "queue");
    spt_attempt_cancel(&f->request); /* harmless */
    assert_int_equal(spt_driver_requests(http.driver), 0);
    spt_request_release(&f->request);
    http.started--;
    memset(f, 0, sizeof *f);
}

static void test_bad_urls_and_methods_arm_nothing(void **state)
{
    static const char *const urls[][2] = {
        {"example.com/x", "no_scheme"},
        {"127.0.0.1:80", "no_scheme"},
        {"", "no_scheme"},
        {"mailto:x", "no_scheme"},
        {"ftp://127.0.0.1/", "scheme"},
        {"file:///etc/passwd", "scheme"},
        {"httpx://127.0.0.1/", "scheme"},
        {"http://127.0.0.1/a\tb", "characters"},
        {"http://127.0.0.1/a\r\nX: 1", "characters"},
        {"http://127.0.0.1/\x7f", "characters"},
        {" http://127.0.0.1/", "characters"},
        {"http://user:secret@127.0.0.1/", "userinfo"},
        {"http://127.0.0.1:99999/", "port"},
        {"http:///path", NULL},
        {"http://", NULL},
        {"http://[::1/", NULL},
    };
    static const char *const methods[] = {"", "GE T", "GET\r\nX: 1", "G\"T", "CONNECT"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        refused_at_start("GET", urls[i][0], "url", urls[i][1]);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        refused_at_start(methods[i], "/bytes/1", "protocol", "method");
    fetch_ok("/bytes/1", 200);
}

static void test_refusals_do_not_repeat_passwords(void **state)
{
    struct fetch *f = fetch_prepare("http://user:secret@127.0.0.1:99999/");
    assert_int_equal(spt_attempt_start(http.session, &f->request), SEPTET_EINVAL);
    assert_null(strstr(f->request.failure.text, "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refused),
        TEST(test_unresolvable_name),
        TEST(test_connect_limit),
        TEST(test_second_address_when_the_first_refuses),
        TEST(test_second_address_when_the_first_never_answers),
        TEST(test_first_byte_limit),
        TEST(test_idle_limit),
        TEST(test_idle_limit_counts_from_the_last_byte),
        TEST(test_deadline_names_the_phase),
        TEST(test_deadline_in_the_queue),
        TEST(test_upload_limit_names_sending),
        TEST(test_sent_upload_waits_for_its_first_byte),
        TEST(test_last_transfer_that_times_out_is_reported),
        TEST(test_broken_connections),
        TEST(test_body_limit),
        TEST(test_bad_urls_and_methods_arm_nothing),
        TEST(test_refusals_do_not_repeat_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
