/* SPDX-License-Identifier: MIT */
/* Descriptors: numbers that come back at once as something else, and none that are left. */
#include "support/http_fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a process that may have so many sockets of the driver's, and no more --- */

static struct {
    unsigned allowed;
    unsigned asked; /* and how often it was asked for one */
} limit = {.allowed = UINT_MAX};

typedef int socket_fn(int, int, int);

/* Stands in for the C library's. */
int socket(int family, int type, int protocol)
{
    limit.asked++;
    if (http.driver && spt_driver_sockets(http.driver) >= limit.allowed) {
        errno = EMFILE;
        return -1;
    }
    return ((socket_fn *)dlsym(RTLD_NEXT, "socket"))(family, type, protocol);
}

static int limited_setup(void **state)
{
    limit.allowed = UINT_MAX;
    limit.asked = 0;
    return http_fixture_setup(state);
}

#define LIMITED(fn) cmocka_unit_test_setup_teardown(fn, limited_setup, http_fixture_teardown)

static int dead(int fd)
{
    return fcntl(fd, F_GETFD) < 0;
}

/* A loop of connecting and cancelling makes the same number come back at once. */
static void test_http_19_descriptor_numbers_come_back_at_once(void **state)
{
    fetch_ok("/close", 200);
    uint32_t gens = http.driver->pollers.generations;
    for (int i = 0; i < 100; i++) {
        struct fetch *f = fetch_get("/stall");
        fetch_reach(f, SPT_PHASE_WAITING);
        spt_attempt_cancel(&f->request);
        http.started--;
        spt_request_release(&f->request);
        memset(f, 0, sizeof *f);
        fetch_ok("/close", 200);
        spt_request_release(&http.fetches[--http.started].request);
        memset(&http.fetches[http.started], 0, sizeof *f);
    }
    assert_int_equal(http.driver->pollers.generations - gens, 200);
    assert_true(http.driver->pollers.cap <= 64); /* and no other numbers were needed */
}

static int open_fd; /* by the thread pool */

static void on_open(uv_fs_t *req)
{
    open_fd = (int)req->result;
    uv_fs_req_cleanup(req);
}

static bool is_open(void *unused)
{
    return open_fd >= 0;
}

static void open_in_the_pool(uv_fs_t *req, const char *path)
{
    open_fd = -1;
    assert_int_equal(uv_fs_open(spt_loop_uv(http.loop), req, path, O_RDONLY, 0, on_open), 0);
    turn_until(is_open, NULL);
}

/* The number of the only socket there is. */
static int only_socket(void)
{
    assert_int_equal(spt_driver_sockets(http.driver), 1);
    for (int fd = 0;; fd++)
        if (spt_pollers_find(&http.driver->pollers, fd))
            return fd;
}

static void assert_file_untouched(const char *text)
{
    char read_back[64] = {0};
    assert_false(dead(open_fd));
    assert_int_equal(pread(open_fd, read_back, sizeof read_back, 0), strlen(text));
    assert_string_equal(read_back, text);
    assert_null(spt_pollers_find(&http.driver->pollers, open_fd));
}

static void test_http_19_a_file_of_the_thread_pool_takes_the_number_of_a_socket(void **state)
{
    char path[] = "/tmp/septet-descriptor-XXXXXX";
    uv_fs_t req;
    int tmp = mkstemp(path);
    assert_int_equal(write(tmp, "a file", 6), 6);
    close(tmp);
    for (int i = 0; i < 20; i++) {
        struct fetch *f = fetch_get("/stall");
        fetch_reach(f, SPT_PHASE_WAITING);
        int fd = only_socket();
        spt_attempt_cancel(&f->request);
        open_in_the_pool(&req, path);
        assert_int_equal(open_fd, fd);
        fetch_ok("/close", 200);
        fetch_ok("/close", 200);
        assert_file_untouched("a file");
        close(open_fd);
    }
    unlink(path);
}

static bool is_waiting(void *f)
{
    const struct spt_response *t = ((struct fetch *)f)->request.response;
    return t && !spt_link_alone(&t->links.fd_wait);
}

static void on_pause_over(struct spt_timer *t)
{
}

static bool is_over(void *timer)
{
    return !spt_timer_is_armed(timer);
}

/* Turns the loop for so long, and tells how often it turned. */
static uint64_t turns_in(uint64_t ns)
{
    struct spt_timer pause = {0};
    uint64_t before = spt_loop_polls(http.loop);
    spt_timer_start(&http.timers, &pause, spt_loop_now(http.loop) + ns, on_pause_over);
    turn_until(is_over, &pause);
    return spt_loop_polls(http.loop) - before;
}

static void test_http_20_fault_42_requests_wait_for_a_descriptor(void **state)
{
    limit.allowed = 2;
    struct fetch *a = fetch_get("/stall"), *b = fetch_get("/stall"), *waiting[6];
    fetch_reach(a, SPT_PHASE_WAITING);
    fetch_reach(b, SPT_PHASE_WAITING);
    for (int i = 0; i < 6; i++)
        waiting[i] = fetch_get(i % 2 ? "/close" : "/bytes/10");
    for (int i = 0; i < 6; i++)
        turn_until(is_waiting, waiting[i]);
    unsigned asked = limit.asked;
    assert_true(turns_in(MS(50)) < 10); /* asleep */
    assert_int_equal(limit.asked, asked);
    assert_int_equal(http.done, 0);
    assert_int_equal(spt_timeouts_phase(&waiting[0]->request), SPT_PHASE_CONNECTING);
    spt_attempt_cancel(&a->request);
    fetch_finish_all(6);
    for (int i = 0; i < 6; i++) {
        assert_null(waiting[i]->request.failure.code);
        assert_int_equal(waiting[i]->request.response->status, 200);
    }
    assert_true(limit.asked - asked <= 24);
    spt_attempt_cancel(&b->request);
}

static void test_http_20_fault_42_no_descriptor_until_the_limit(void **state)
{
    limit.allowed = 1;
    struct fetch *holder = fetch_get("/stall"), *f = fetch_prepare("/bytes/10");
    fetch_reach(holder, SPT_PHASE_WAITING);
    f->timeouts.connect_ns = MS(40);
    fetch_start(f);
    fetch_finish(f);
    assert_failed(f, "connect", "too_many_files", "connect");
    assert_true(f->request.response->times.total_ns >= (int64_t)MS(40));
    struct fetch *total = fetch_prepare("/bytes/10");
    total->request.deadline_ns = spt_loop_now(http.loop) + MS(20);
    fetch_start(total);
    fetch_finish(total);
    assert_failed(total, "timeout", "total", "connect");
    struct fetch *cancelled = fetch_get("/bytes/10");
    turn_until(is_waiting, cancelled);
    spt_attempt_cancel(&cancelled->request);
    assert_int_equal(cancelled->request.failure.phase, SPT_PHASE_CONNECTING);
    limit.allowed = UINT_MAX;
    fetch_ok("/bytes/10", 200);
    spt_attempt_cancel(&holder->request);
}

static void test_http_20_fault_42_nothing_that_could_give_one_back(void **state)
{
    limit.allowed = 0;
    struct fetch *a = fetch_get("/bytes/10"), *b = fetch_get("/bytes/10");
    fetch_finish_all(2);
    assert_failed(a, "connect", "too_many_files", NULL);
    assert_failed(b, "connect", "too_many_files", NULL);
    limit.allowed = UINT_MAX;
    fetch_ok("/bytes/10", 200);
}

enum { HOSTS = 12 };

static char hosts[HOSTS][64];

/* A session that knows some names, which all lead to the origin. */
static void use_hosts(void)
{
    struct spt_session_config config = {.limit = 64, .limit_per_host = 64, .n_resolve = HOSTS};
    const char *bad_rule;
    const char *resolve[HOSTS];
    for (int i = 0; i < HOSTS; i++) {
        snprintf(hosts[i], sizeof hosts[i], "h%d.test:%s:127.0.0.1", i, strrchr(origin(), ':') + 1);
        resolve[i] = hosts[i];
    }
    config.resolve = resolve;
    spt_driver_free_session(http.session);
    assert_int_equal(spt_session_new(&http.session, http.driver, &config, &bad_rule), SEPTET_OK);
}

static struct fetch *get_at(int host)
{
    char url[64];
    snprintf(url, sizeof url, "http://h%d.test:%s/bytes/10", host, strrchr(origin(), ':') + 1);
    return fetch_get(url);
}

/* Each host's connection would stay open, idle, and keep the next host from having one. */
static void test_http_20_fault_42_idle_connections_make_room(void **state)
{
    use_hosts();
    limit.allowed = 3;
    for (int i = 0; i < HOSTS; i++)
        get_at(i);
    fetch_finish_all(HOSTS);
    for (int i = 0; i < HOSTS; i++)
        assert_null(http.fetches[i].request.failure.code);
}

/* Nor need any request run that could give its own back. */
static void test_http_20_fault_42_idle_connections_make_room_where_nothing_runs(void **state)
{
    use_hosts();
    limit.allowed = 3;
    for (int i = 0; i < HOSTS; i++) {
        struct fetch *f = get_at(i);
        fetch_finish(f);
        assert_null(f->request.failure.code);
        assert_false(f->request.response->reused);
    }
    assert_int_equal(spt_driver_sockets(http.driver), 3); /* one had to go for each that came */
    limit.allowed = 4;
    for (int i = 0; i < HOSTS; i++)
        get_at(i);
    fetch_finish_all(HOSTS + HOSTS);
    for (int i = 0; i < HOSTS; i++)
        assert_null(http.fetches[HOSTS + i].request.failure.code);
}

static void test_http_20_fault_42_the_session_closes_while_they_wait(void **state)
{
    limit.allowed = 1;
    struct fetch *holder = fetch_get("/stall"), *f = fetch_get("/bytes/10");
    fetch_reach(holder, SPT_PHASE_WAITING);
    turn_until(is_waiting, f);
    spt_driver_close_session(http.session);
    fetch_finish_all(2);
    assert_failed(f, "closed", NULL, "connect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_19_descriptor_numbers_come_back_at_once),
        TEST(test_http_19_a_file_of_the_thread_pool_takes_the_number_of_a_socket),
        LIMITED(test_http_20_fault_42_requests_wait_for_a_descriptor),
        LIMITED(test_http_20_fault_42_no_descriptor_until_the_limit),
        LIMITED(test_http_20_fault_42_nothing_that_could_give_one_back),
        LIMITED(test_http_20_fault_42_idle_connections_make_room),
        LIMITED(test_http_20_fault_42_idle_connections_make_room_where_nothing_runs),
        LIMITED(test_http_20_fault_42_the_session_closes_while_they_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
