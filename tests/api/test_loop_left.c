/* SPDX-License-Identifier: MIT */
/* septet_free on the host's own loop, with what the embedder has left on it. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "support/host_fixture.h"

static unsigned calls, closings;

static void never(uv_timer_t *timer)
{
    calls += 1000000;
}

static void on_work(uv_work_t *work)
{
    usleep(2000);
}

static void on_worked(uv_work_t *work, int status)
{
    calls++;
}

static void on_fs(uv_fs_t *fs)
{
    uv_fs_req_cleanup(fs);
    calls++;
}

static void on_address(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    uv_freeaddrinfo(found);
    calls++;
}

static void count_closing(uv_handle_t *handle)
{
    closings++;
}

/* Frees the host and counts what it has left. */
static void end(struct host_fixture *f)
{
    host_fixture_close(f);
    assert_int_equal(count_descriptors(), f->descriptors);
    assert_silent(&f->reports);
}

static int setup(void **state)
{
    calls = closings = 0;
    return host_fixture_setup(state);
}

static void test_e_8_free_waits_for_requests_in_flight(void **state)
{
    struct host_fixture *f = *state;
    uv_loop_t *loop = septet_loop(f->host);
    uv_work_t work[10];
    uv_fs_t fs;
    uv_getaddrinfo_t address;
    for (int i = 0; i < 10; i++)
        assert_int_equal(uv_queue_work(loop, &work[i], on_work, on_worked), 0);
    assert_int_equal(uv_fs_stat(loop, &fs, "/dev/null", on_fs), 0);
    assert_int_equal(uv_getaddrinfo(loop, &address, on_address, "127.0.0.1", NULL, NULL), 0);
    end(f);
    assert_int_equal(calls, 12);
}

static void test_e_8_free_closes_open_handles_without_a_callback(void **state)
{
    struct host_fixture *f = *state;
    uv_loop_t *loop = septet_loop(f->host);
    struct sockaddr_in address;
    uv_timer_t timer, stopped, unref;
    uv_tcp_t server;
    uv_signal_t signal;
    uv_async_t async;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, never, 1000000, 1);
    uv_timer_init(loop, &stopped);
    uv_timer_init(loop, &unref);
    uv_timer_start(&unref, never, 1000000, 1);
    uv_unref((uv_handle_t *)&unref);
    assert_int_equal(uv_tcp_init(loop, &server), 0);
    assert_int_equal(uv_tcp_bind(&server, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server, 1, (uv_connection_cb)abort), 0);
    uv_signal_init(loop, &signal);
    uv_signal_start(&signal, (uv_signal_cb)abort, SIGUSR1);
    assert_int_equal(uv_async_init(loop, &async, (uv_async_cb)abort), 0);
    end(f);
    assert_int_equal(calls, 0);
}

static void on_written(uv_write_t *write, int status)
{
    calls++;
    assert_int_equal(status, UV_ECANCELED);
}

static void test_e_8_free_cancels_the_requests_of_handles(void **state)
{
    struct host_fixture *f = *state;
    static char bytes[4 << 20]; /* more than a pipe takes */
    uv_buf_t buf = uv_buf_init(bytes, sizeof bytes);
    uv_pipe_t pipe;
    uv_write_t write;
    int ends[2];
    assert_int_equal(uv_pipe(ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    uv_pipe_init(septet_loop(f->host), &pipe, 0);
    assert_int_equal(uv_pipe_open(&pipe, ends[1]), 0);
    assert_int_equal(uv_write(&write, (uv_stream_t *)&pipe, &buf, 1, on_written), 0);
    f->descriptors++;
    end(f);
    close(ends[0]);
    assert_int_equal(calls, 1);
}

static void test_e_8_free_runs_closing_handles_to_their_callbacks(void **state)
{
    struct host_fixture *f = *state;
    uv_timer_t timers[5];
    for (int i = 0; i < 5; i++) {
        uv_timer_init(septet_loop(f->host), &timers[i]);
        uv_close((uv_handle_t *)&timers[i], count_closing);
    }
    end(f);
    assert_int_equal(closings, 5);
}

static void arm_again(uv_handle_t *handle)
{
    closings++;
    uv_timer_init(handle->loop, (uv_timer_t *)handle);
    uv_timer_start((uv_timer_t *)handle, never, 1000000, 1);
}

static void close_again(uv_handle_t *handle)
{
    closings++;
    uv_timer_init(handle->loop, (uv_timer_t *)handle);
    uv_close(handle, close_again);
}

static void test_e_8_free_ends_with_handles_that_their_callbacks_open_again(void **state)
{
    struct host_fixture *f = *state;
    uv_timer_t armed, closed;
    uv_timer_init(septet_loop(f->host), &armed);
    uv_close((uv_handle_t *)&armed, arm_again);
    uv_timer_init(septet_loop(f->host), &closed);
    uv_close((uv_handle_t *)&closed, close_again);
    end(f);
    assert_in_range(closings, 2, 1000000);
    assert_int_equal(calls, 0);
}

struct chain {
    uv_work_t work;
    uv_timer_t timer;
    int left;
};

/* Queues more work, and opens a handle that nobody closes. */
static void on_link(uv_work_t *work, int status)
{
    struct chain *chain = work->data;
    uv_loop_t *loop = work->loop;
    calls++;
    if (chain->left-- > 0)
        assert_int_equal(uv_queue_work(loop, work, on_work, on_link), 0);
    else
        uv_timer_init(loop, &chain->timer);
}

static void test_e_8_free_waits_for_what_callbacks_start(void **state)
{
    struct host_fixture *f = *state;
    struct chain chain = {.left = 5};
    chain.work.data = &chain;
    assert_int_equal(uv_queue_work(septet_loop(f->host), &chain.work, on_work, on_link), 0);
    end(f);
    assert_int_equal(calls, 6);
}

static void test_e_8_free_with_tasks_and_requests_of_both(void **state)
{
    struct host_fixture *f = *state;
    uv_work_t work[4];
    assert_loads(f->host, PRELUDE "for _ = 1, 5 do task.spawn(http.get, origin .. '/stall') end"
                                  " local io = require 'septet.io' local r = io.open('/dev/zero')"
                                  " while true do r:read(100) end");
    for (int i = 0; i < 20; i++)
        assert_in_range(septet_step(f->host, 100), SEPTET_IDLE, SEPTET_MORE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(uv_queue_work(septet_loop(f->host), &work[i], on_work, on_worked), 0);
    end(f);
    assert_int_equal(calls, 4);
}

/* A run of the embedder's whose callback tries to free the host. */
static void free_in_callback(uv_poll_t *poll, int status, int events)
{
    calls++;
    assert_int_equal(septet_free(poll->data), SEPTET_EBUSY);
    uv_stop(poll->loop);
}

static void test_e_8_free_in_a_callback_of_the_hosts_loop_is_refused(void **state)
{
    struct host_fixture *f = *state;
    int ends[2];
    uv_poll_t poll;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    poll.data = f->host;
    assert_int_equal(uv_poll_init(septet_loop(f->host), &poll, ends[0]), 0);
    assert_int_equal(uv_poll_start(&poll, UV_READABLE, free_in_callback), 0);
    uv_run(septet_loop(f->host), UV_RUN_DEFAULT);
    assert_int_equal(calls, 1);
    assert_loads(f->host, PRELUDE "task.sleep(0.001)");
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    f->descriptors += 2;
    end(f);
    close(ends[0]);
    close(ends[1]);
}

#define LEFT(fn) cmocka_unit_test_setup_teardown(fn, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEFT(test_e_8_free_waits_for_requests_in_flight),
        LEFT(test_e_8_free_closes_open_handles_without_a_callback),
        LEFT(test_e_8_free_cancels_the_requests_of_handles),
        LEFT(test_e_8_free_runs_closing_handles_to_their_callbacks),
        LEFT(test_e_8_free_ends_with_handles_that_their_callbacks_open_again),
        LEFT(test_e_8_free_waits_for_what_callbacks_start),
        LEFT(test_e_8_free_with_tasks_and_requests_of_both),
        LEFT(test_e_8_free_in_a_callback_of_the_hosts_loop_is_refused),
    };
    struct reports reports; /* the first loop of a process opens descriptors that stay */
    septet_free(new_host(&reports));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
