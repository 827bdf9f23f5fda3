/* SPDX-License-Identifier: MIT */
/* septet_next: what a program that polls by itself waits for. And a step of an idle host, which
 * does not poll at all. */
#include "support/host_fixture.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/epoll.h>
#include <uv.h>

/* --- what stands between the host and its C library --- */

static unsigned epolls;

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    typedef int fn(int, struct epoll_event *, int, int);
    epolls++;
    return ((fn *)dlsym(RTLD_NEXT, "epoll_wait"))(fd, events, max, timeout);
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    typedef int fn(int, struct epoll_event *, int, int, const sigset_t *);
    epolls++;
    return ((fn *)dlsym(RTLD_NEXT, "epoll_pwait"))(fd, events, max, timeout, mask);
}

/* --- a program with a loop of its own --- */

static septet_wait next(septet_host *host)
{
    septet_wait wait = {.fd = -2, .timeout_ms = -2};
    assert_int_equal(septet_next(host, &wait), SEPTET_OK);
    assert_true(wait.fd >= 0);
    assert_true(wait.timeout_ms >= -1);
    return wait;
}

/* Waits as the host asks for. */
static void await_host(septet_host *host)
{
    septet_wait wait = next(host);
    struct pollfd fd = {.fd = wait.fd, .events = POLLIN};
    assert_true(poll(&fd, 1, wait.timeout_ms) >= 0);
}

/* Steps the host until its tasks have ended. Returns the number of steps. */
static unsigned play(septet_host *host)
{
    unsigned steps = 1;
    for (int rc; (rc = septet_step(host, 1000)) != SEPTET_DONE; steps++) {
        assert_true(rc > 0);
        await_host(host);
    }
    return steps;
}

static void test_next_drives_a_thousand_requests(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "thousand_requests");
    play(f->host);
    assert_silent(&f->reports);
    assert_int_equal(global(f->L, "n"), 1000);
}

static void test_next_drives_tasks_without_io(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 0 task.gather(task.map(function(i) task.sleep(i / 1000)"
                                  " n = n + 1 end, {0, 1, 5, 20, 20.5}))");
    /* Rounded up, a timeout never ends before the sleep: each costs two steps and the start. */
    assert_true(play(f->host) < 20);
    assert_silent(&f->reports);
    assert_int_equal(global(f->L, "n"), 5);
}

static void test_next_of_a_host_without_tasks_has_no_limit(void **state)
{
    struct host_fixture *f = *state;
    assert_int_equal(next(f->host).timeout_ms, -1);
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
    assert_int_equal(next(f->host).timeout_ms, -1);
}

static void test_next_is_at_once_if_a_task_can_run(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, "n = 1");
    assert_loads(f->host, PRELUDE "n = 2 task.sleep(1000)");
    assert_int_equal(next(f->host).timeout_ms, 0);
    assert_int_equal(septet_step(f->host, 0), SEPTET_MORE);
    assert_int_equal(next(f->host).timeout_ms, 0);
    assert_int_equal(global(f->L, "n"), 1);
    assert_int_equal(septet_step(f->host, 0), SEPTET_IDLE);
    assert_true(next(f->host).timeout_ms > 900000);
    septet_interrupt(f->host);
    assert_int_equal(next(f->host).timeout_ms, 0);
    while (septet_step(f->host, 0) > 0)
        assert_int_equal(next(f->host).timeout_ms, 0);
    assert_int_equal(next(f->host).timeout_ms, -1);
}

static void set_manual(septet_config *config)
{
    config->clock = SEPTET_CLOCK_MANUAL;
}

static int manual_setup(void **state)
{
    return host_fixture_setup_with(state, set_manual);
}

static void test_next_on_a_manual_clock_waits_for_the_embedder(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "task.sleep(1) task.sleep(1)");
    assert_int_equal(septet_step(f->host, 1000), SEPTET_IDLE);
    assert_int_equal(next(f->host).timeout_ms, -1);
    assert_int_equal(septet_advance(f->host, 999999999), SEPTET_OK);
    assert_int_equal(next(f->host).timeout_ms, -1);
    assert_int_equal(septet_advance(f->host, 1), SEPTET_OK);
    assert_int_equal(next(f->host).timeout_ms, 0);
    assert_int_equal(septet_step(f->host, 1000), SEPTET_IDLE);
    assert_int_equal(septet_advance(f->host, 1000000000), SEPTET_OK);
    assert_int_equal(septet_step(f->host, 1000), SEPTET_DONE);
}

static void set_virtual(septet_config *config)
{
    config->clock = SEPTET_CLOCK_VIRTUAL;
}

static int virtual_setup(void **state)
{
    return host_fixture_setup_with(state, set_virtual);
}

static void test_next_on_a_virtual_clock_that_jumps_is_at_once(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "n = 1 task.sleep(1000) n = 2 task.sleep(math.huge)");
    while (septet_step(f->host, 0) == SEPTET_MORE)
        assert_int_equal(next(f->host).timeout_ms, 0);
    assert_int_equal(global(f->L, "n"), 2);
    assert_int_equal(next(f->host).timeout_ms, -1);
}

static void on_async(uv_async_t *async)
{
    ++*(int *)async->data;
}

/* Handles of the embedder's on the host's loop are served by the steps. */
static void test_next_and_step_serve_handles_of_the_embedder(void **state)
{
    struct host_fixture *f = *state;
    int calls = 0;
    uv_async_t async = {.data = &calls};
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
    assert_int_equal(uv_async_init(septet_loop(f->host), &async, on_async), 0);
    uv_unref((uv_handle_t *)&async);
    for (int i = 1; i <= 2; i++) {
        septet_wait wait = next(f->host);
        assert_int_equal(wait.timeout_ms, -1);
        uv_async_send(&async);
        assert_int_equal(poll(&(struct pollfd){.fd = wait.fd, .events = POLLIN}, 1, -1), 1);
        assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
        assert_int_equal(calls, i);
    }
    uv_close((uv_handle_t *)&async, NULL);
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
}

/* A message that counts its runs. */
struct counted {
    septet_message message;
    int runs;
};

static void run_counted(septet_message *message, septet_host *host)
{
    ((struct counted *)message)->runs += host != NULL;
}

struct sender {
    septet_mailbox *mailbox;
    struct counted counted;
};

static void post_counted(void *ud)
{
    struct sender *sender = ud;
    septet_post(sender->mailbox, &sender->counted.message);
}

/* A message that another thread sends ends the wait for an idle host, each time. */
static void test_next_is_woken_by_messages_of_other_threads(void **state)
{
    struct host_fixture *f = *state;
    struct sender sender = {.mailbox = septet_mailbox_new(f->host),
                            .counted.message.run = run_counted};
    assert_non_null(sender.mailbox);
    assert_int_equal(septet_step(f->host, 1000), SEPTET_DONE);
    for (int i = 1; i <= 100; i++) {
        uv_thread_t thread;
        assert_int_equal(uv_thread_create(&thread, post_counted, &sender), 0);
        while (sender.counted.runs < i) {
            await_host(f->host);
            assert_true(septet_step(f->host, 0) >= 0);
        }
        uv_thread_join(&thread);
    }
    assert_int_equal(sender.counted.runs, 100);
    epolls = 0;
    assert_int_equal(septet_step(f->host, 0), SEPTET_DONE);
    assert_int_equal(epolls, 0); /* idle again */
    septet_mailbox_release(sender.mailbox);
}

static void test_next_on_the_embedders_loop_is_refused(void **state)
{
    septet_config config;
    septet_wait wait;
    septet_config_init(&config);
    config.loop = uv_default_loop();
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_int_equal(septet_next(host, &wait), SEPTET_EINVAL);
    assert_int_equal(septet_free(host), SEPTET_OK);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* --- an idle host --- */

static void check_idle_steps(struct host_fixture *f, int result)
{
    assert_int_equal(septet_step(f->host, 1000000), result);
    epolls = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(septet_step(f->host, i % 2 * 1000), result);
    assert_int_equal(epolls, 0);
}

static void test_step_of_an_idle_host_polls_nothing(void **state)
{
    struct host_fixture *f = *state;
    check_idle_steps(f, SEPTET_DONE);
    assert_loads(f->host, PRELUDE "n = 1 task.spawn(task.sleep, 2000)"
                                  " require 'septet.sync'.event():wait()");
    check_idle_steps(f, SEPTET_IDLE);
    assert_loads(f->host, "n = 2");
    check_idle_steps(f, SEPTET_IDLE);
    assert_int_equal(global(f->L, "n"), 2);
    septet_interrupt(f->host);
    while (septet_step(f->host, 0) > 0)
        ;
    check_idle_steps(f, SEPTET_DONE);
}

static void test_step_of_an_idle_host_fires_timers(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "for i = 1, 3 do task.sleep(0.002) n = i end");
    while (septet_step(f->host, 0) > 0)
        ;
    assert_int_equal(global(f->L, "n"), 3);
}

static void test_step_of_a_host_with_a_request_in_flight_polls(void **state)
{
    struct host_fixture *f = *state;
    assert_loads(f->host, PRELUDE "http.get(origin .. '/stall')");
    assert_true(septet_step(f->host, 1000) > 0);
    for (int i = 0; i < 10; i++) {
        epolls = 0;
        assert_true(septet_step(f->host, 0) > 0);
        assert_true(epolls > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_next_drives_a_thousand_requests),
        TEST(test_next_drives_tasks_without_io),
        TEST(test_next_of_a_host_without_tasks_has_no_limit),
        TEST(test_next_is_at_once_if_a_task_can_run),
        cmocka_unit_test_setup_teardown(test_next_on_a_manual_clock_waits_for_the_embedder,
                                        manual_setup, host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_next_on_a_virtual_clock_that_jumps_is_at_once,
                                        virtual_setup, host_fixture_teardown),
        TEST(test_next_and_step_serve_handles_of_the_embedder),
        TEST(test_next_is_woken_by_messages_of_other_threads),
        cmocka_unit_test(test_next_on_the_embedders_loop_is_refused),
        TEST(test_step_of_an_idle_host_polls_nothing),
        TEST(test_step_of_an_idle_host_fires_timers),
        TEST(test_step_of_a_host_with_a_request_in_flight_polls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
