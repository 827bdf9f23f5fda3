/* SPDX-License-Identifier: MIT */
/* Streams: what they read ahead, what becomes of a write that the kernel does not take, and that no
 * peer that is gone raises SIGPIPE. */
#include "loop/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/timer.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

static unsigned told;

static uint64_t drain(void *ud)
{
    return SPT_NEVER;
}

static void on_told(void *ud)
{
    told++;
}

static struct spt_loop *new_loop(uv_loop_t *foreign)
{
    struct spt_loop *loop = NULL;
    assert_int_equal(spt_loop_new(&loop, foreign, drain, NULL), SEPTET_OK);
    told = 0;
    return loop;
}

/* Returns a stream of one end of a pair of sockets, and the other end. */
static struct spt_stream *socket_stream(struct spt_loop *loop, int *other)
{
    int ends[2];
    struct spt_stream *s = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(spt_stream_open(&s, loop, ends[0]), 0);
    *other = ends[1];
    return s;
}

static void turn(struct spt_loop *loop)
{
    unsigned before = told;
    while (told == before)
        spt_loop_run_once(loop, true);
    assert_int_equal(told, before + 1);
}

static void await_bytes(struct spt_loop *loop, struct spt_stream *s, size_t n)
{
    while (spt_incoming_len(&s->in) < n && !s->in.ended && !s->in.error) {
        assert_true(spt_incoming_wait(&s->in, on_told, NULL));
        turn(loop);
    }
}

static void test_bytes_and_the_end_arrive(void **state)
{
    int other;
    struct spt_loop *loop = new_loop(NULL);
    struct spt_stream *s = socket_stream(loop, &other);
    assert_int_equal(write(other, "one\ntwo", 7), 7);
    await_bytes(loop, s, 7);
    assert_int_equal(spt_incoming_newline(&s->in), 3);
    spt_incoming_take(&s->in, 4);
    close(other);
    await_bytes(loop, s, 100);
    assert_true(s->in.ended);
    assert_memory_equal(spt_incoming_bytes(&s->in), "two", 3);
    spt_stream_free(s);
    spt_loop_free(loop);
}

static void test_what_is_read_ahead_has_a_limit(void **state)
{
    int other;
    static char bytes[64 * 1024];
    size_t written = 0;
    struct spt_loop *loop = new_loop(NULL);
    struct spt_stream *s = socket_stream(loop, &other);
    fcntl(other, F_SETFL, O_NONBLOCK);
    assert_true(spt_incoming_wait(&s->in, on_told, NULL));
    for (int idle = 0; idle < 10;) {
        ssize_t n = write(other, bytes, sizeof bytes);
        idle = n > 0 ? 0 : idle + 1;
        written += n > 0 ? (size_t)n : 0;
        spt_loop_run_once(loop, false);
    }
    assert_int_equal(told, 1);
    assert_true(spt_incoming_len(&s->in) < 512 * 1024);
    assert_true(written > spt_incoming_len(&s->in));
    spt_incoming_take(&s->in, spt_incoming_len(&s->in));
    await_bytes(loop, s, 1); /* goes on */
    close(other);
    spt_stream_free(s);
    spt_loop_free(loop);
}

static void test_a_write_that_the_kernel_does_not_take_follows(void **state)
{
    int other;
    size_t written = 0, n = 0;
    static char piece[SPT_STREAM_PIECE];
    struct spt_loop *loop = new_loop(NULL);
    struct spt_stream *s = socket_stream(loop, &other);
    while (spt_stream_is_flushed(s)) {
        memset(piece, 'a' + (int)(written / sizeof piece % 26), sizeof piece);
        assert_int_equal(spt_stream_write(s, piece, sizeof piece), 0);
        written += sizeof piece;
    }
    assert_int_equal(spt_stream_on_flushed(s, on_told, NULL), 0);
    spt_loop_run_once(loop, false);
    assert_int_equal(told, 0);
    while (n < written) {
        static char got[SPT_STREAM_PIECE];
        ssize_t r = read(other, got, sizeof got);
        for (ssize_t i = 0; i < r; i++)
            assert_int_equal(got[i], 'a' + (int)((n + (size_t)i) / sizeof piece % 26));
        n += (size_t)r;
        spt_loop_run_once(loop, false);
    }
    assert_int_equal(told, 1);
    assert_true(spt_stream_is_flushed(s));
    close(other);
    spt_stream_free(s);
    spt_loop_free(loop);
}

/* SIGPIPE has its default action here, which ends the process. */
static void test_a_peer_that_is_gone_raises_no_signal(void **state)
{
    int other;
    signal(SIGPIPE, SIG_DFL);
    struct spt_loop *loop = new_loop(NULL);
    struct spt_stream *s = socket_stream(loop, &other), *p = NULL;
    close(other);
    assert_int_equal(spt_stream_write(s, "x", 1), UV_EPIPE);
    assert_int_equal(spt_stream_write(s, "x", 1), UV_EPIPE);
    assert_int_equal(spt_stream_pipe(&p, loop, true, &other), 0);
    assert_int_equal(spt_stream_write(p, "x", 1), 0);
    close(other);
    assert_int_equal(spt_stream_write(p, "x", 1), UV_EPIPE);
    sigset_t pending;
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    spt_stream_free(s);
    spt_stream_free(p);
    spt_loop_free(loop);
}

static void test_a_peer_that_leaves_ends_a_write_that_waits(void **state)
{
    int other;
    static char piece[SPT_STREAM_PIECE];
    struct spt_loop *loop = new_loop(NULL);
    struct spt_stream *s = NULL;
    assert_int_equal(spt_stream_pipe(&s, loop, true, &other), 0);
    while (spt_stream_is_flushed(s))
        assert_int_equal(spt_stream_write(s, piece, sizeof piece), 0);
    assert_int_equal(spt_stream_on_flushed(s, on_told, NULL), 0);
    close(other);
    turn(loop);
    assert_int_equal(s->write_error, UV_EPIPE);
    spt_stream_free(s);
    spt_loop_free(loop);
}

/* Returns the address of a listener on the loopback. */
static struct sockaddr_in listener(int *fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(*fd, 1), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&at, &len), 0);
    return at;
}

static struct spt_stream *connect_to(struct spt_loop *loop, const struct sockaddr_in *at)
{
    struct spt_stream *s = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(spt_stream_open(&s, loop, fd), 0);
    spt_stream_connect(s, (const struct sockaddr *)at, sizeof *at);
    if (!spt_stream_is_flushed(s)) {
        assert_int_equal(spt_stream_on_flushed(s, on_told, NULL), 0);
        turn(loop);
    }
    return s;
}

static void test_a_connection_is_made_or_refused(void **state)
{
    int fd;
    struct spt_loop *loop = new_loop(NULL);
    struct sockaddr_in at = listener(&fd);
    struct spt_stream *s = connect_to(loop, &at);
    assert_int_equal(s->write_error, 0);
    assert_int_equal(spt_stream_write(s, "x", 1), 0);
    spt_stream_free(s);
    close(fd);
    s = connect_to(loop, &at);
    assert_int_equal(s->write_error, UV_ECONNREFUSED);
    spt_stream_free(s);
    spt_loop_free(loop);
}

/* The kernel reports a reset once, to the write. Then it reports an end, as if the peer had sent
 * all. */
static void test_a_reset_that_a_write_met_is_no_end_for_the_reader(void **state)
{
    int fd;
    struct spt_loop *loop = new_loop(NULL);
    struct sockaddr_in at = listener(&fd);
    struct spt_stream *s = connect_to(loop, &at);
    int peer = accept(fd, NULL, NULL);
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(peer);
    assert_int_equal(spt_stream_write(s, "x", 1), UV_ECONNRESET);
    for (int i = 0; i < 2; i++) {
        if (spt_incoming_wait(&s->in, on_told, NULL))
            turn(loop);
        assert_int_equal(s->in.error, UV_ECONNRESET);
        s->in.error = 0;
        assert_false(s->in.ended);
    }
    spt_stream_free(s);
    close(fd);
    spt_loop_free(loop);
}

static void test_only_a_waiter_keeps_a_foreign_loop(void **state)
{
    int other;
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    struct spt_loop *loop = new_loop(&uv);
    struct spt_stream *s = socket_stream(loop, &other);
    assert_false(uv_loop_alive(&uv));
    assert_true(spt_incoming_wait(&s->in, on_told, NULL));
    assert_true(uv_loop_alive(&uv));
    spt_incoming_forget(&s->in);
    assert_false(uv_loop_alive(&uv));
    spt_stream_free(s);
    spt_loop_free(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    close(other);
}

static void close_all(uv_handle_t *handle, void *ud)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void test_a_stream_whose_handle_other_code_closed(void **state)
{
    int other;
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    struct spt_loop *loop = new_loop(&uv);
    struct spt_stream *s = socket_stream(loop, &other);
    assert_true(spt_incoming_wait(&s->in, on_told, NULL));
    uv_walk(&uv, close_all, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    spt_incoming_forget(&s->in);
    assert_false(spt_incoming_wait(&s->in, on_told, NULL));
    assert_int_equal(s->in.error, UV_ECANCELED);
    spt_stream_free(s);
    spt_loop_free(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_the_end_arrive),
        cmocka_unit_test(test_what_is_read_ahead_has_a_limit),
        cmocka_unit_test(test_a_write_that_the_kernel_does_not_take_follows),
        cmocka_unit_test(test_a_peer_that_is_gone_raises_no_signal),
        cmocka_unit_test(test_a_peer_that_leaves_ends_a_write_that_waits),
        cmocka_unit_test(test_a_connection_is_made_or_refused),
        cmocka_unit_test(test_a_reset_that_a_write_met_is_no_end_for_the_reader),
        cmocka_unit_test(test_only_a_waiter_keeps_a_foreign_loop),
        cmocka_unit_test(test_a_stream_whose_handle_other_code_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
