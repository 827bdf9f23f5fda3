/* SPDX-License-Identifier: MIT */
/* Watches the descriptor by one poller, which stays armed while bytes are read: arming it anew
 * costs two system calls. libuv's own streams write without MSG_NOSIGNAL, so that a peer that is
 * gone would end the embedder's process. */
#include "loop/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "loop/loop.h"
#include "loop/turn_budget.h"
#include "septet/septet.h"

enum {
    CHUNK_MIN = 4 * 1024,         /* bytes of the first read; those of an idle stream */
    CHUNK_MAX = 64 * 1024,        /* bytes of one read */
    AHEAD_MAX = 256 * 1024,       /* buffered bytes at which reading ahead stops */
    OUT_KEPT_MAX = 2 * CHUNK_MAX, /* bytes of an empty output buffer that is kept */
};

static struct spt_stream *stream_of(struct spt_incoming *in)
{
    return SPT_OF(in, struct spt_stream, in);
}

static int last_error(void)
{
    return uv_translate_sys_error(errno);
}

/* --- watching --- */

static bool is_closing(const struct spt_stream *s)
{
    return uv_is_closing((const uv_handle_t *)&s->poll);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Watches what the stream waits for. Only a waiter keeps a foreign loop running. Returns 0 or
 * libuv's error number. */
static int arm(struct spt_stream *s)
{
    uv_handle_t *handle = (uv_handle_t *)&s->poll;
    if (is_closing(s))
        return UV_ECANCELED;
    int wanted = (s->reading ? UV_READABLE : 0) | (spt_stream_is_flushed(s) ? 0 : UV_WRITABLE);
    if (wanted != s->armed) {
        int rc = wanted ? uv_poll_start(&s->poll, wanted, on_poll) : uv_poll_stop(&s->poll);
        if (rc != 0)
            return rc;
        s->armed = wanted;
    }
    if (spt_incoming_waits(&s->in) || s->on_flushed)
        uv_ref(handle);
    else
        uv_unref(handle);
    return 0;
}

/* --- reading --- */

/* A write that failed may have consumed the error of a reset, after which the kernel reports an
 * end. */
static int result_of_read(const struct spt_stream *s, ssize_t n)
{
    if (n < 0)
        return last_error();
    return n == 0 && s->write_error == UV_ECONNRESET ? UV_ECONNRESET : (int)n;
}

/* Reads once. A full read makes the next one larger. Returns false if there was nothing. */
static bool read_once(struct spt_stream *s)
{
    ssize_t n;
    char *to = spt_incoming_room(&s->in, s->chunk);
    if (!to) {
        s->reading = false;
        return true;
    }
    do {
        n = read(s->fd, to, s->chunk);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    int result = result_of_read(s, n);
    if (result < 0)
        s->read_error = result;
    if (result <= 0)
        s->reading = false;
    if (n > 0)
        spt_turn_budget_take(spt_loop_budget(s->loop), (uint64_t)n);
    if (n == (ssize_t)s->chunk && s->chunk < CHUNK_MAX)
        s->chunk *= 2;
    spt_incoming_note(&s->in, result);
    return true;
}

bool spt_stream_try(struct spt_stream *s)
{
    return read_once(s);
}

/* Reads if the turn has bytes left. Otherwise the event comes again in the next one. */
static void read_and_tell(struct spt_stream *s)
{
    if (spt_turn_budget_is_spent(spt_loop_budget(s->loop)) || !read_once(s))
        return;
    spt_incoming_tell(&s->in);
    if (!spt_incoming_waits(&s->in) && spt_incoming_len(&s->in) >= AHEAD_MAX)
        s->reading = false;
}

static int start(struct spt_incoming *in)
{
    struct spt_stream *s = stream_of(in);
    if (s->read_error)
        return s->read_error;
    s->reading = true;
    return arm(s);
}

static void forget(struct spt_incoming *in)
{
    arm(stream_of(in));
}

static void free_stream(struct spt_incoming *in)
{
    spt_stream_free(stream_of(in));
}

static const struct spt_incoming_type incoming_type = {
    .start = start, .forget = forget, .free = free_stream};

/* --- writing --- */

/* Writes to a pipe with SIGPIPE blocked, and takes the signal back. One that was pending before
 * stays. */
static ssize_t write_pipe(int fd, const char *bytes, size_t n)
{
    sigset_t broken, pending, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    ssize_t written = write(fd, bytes, n);
    int error = errno;
    if (written < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&broken, NULL, &(struct timespec){0}) < 0 && errno == EINTR) {
        }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

/* Writes what the kernel takes. Returns the number of bytes, or libuv's error number. */
static ssize_t write_some(const struct spt_stream *s, const char *bytes, size_t n)
{
    ssize_t written;
    do {
        written = s->is_socket ? send(s->fd, bytes, n, MSG_NOSIGNAL) : write_pipe(s->fd, bytes, n);
    } while (written < 0 && errno == EINTR);
    if (written < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : last_error();
    return written;
}

/* Drops the output that an error makes pointless. */
static void fail(struct spt_stream *s, int error)
{
    s->write_error = error;
    s->connecting = false;
    s->out.len = s->out_start = 0;
}

/* Returns libuv's error number for the end of an attempt to connect, 0 if the socket is connected,
 * or UV_EAGAIN. */
static int result_of_connect(const struct spt_stream *s)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct sockaddr_storage peer;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return last_error();
    if (error)
        return uv_translate_sys_error(error);
    size = sizeof peer;
    if (getpeername(s->fd, (struct sockaddr *)&peer, &size) == 0)
        return 0;
    return errno == ENOTCONN ? UV_EAGAIN : last_error();
}

static void end_connect(struct spt_stream *s)
{
    int rc = result_of_connect(s);
    if (rc == 0)
        s->connecting = false;
    else if (rc != UV_EAGAIN)
        fail(s, rc);
}

static void flush(struct spt_stream *s)
{
    if (s->connecting)
        end_connect(s);
    if (s->connecting || s->out.len == 0)
        return;
    ssize_t n = write_some(s, s->out.data + s->out_start, s->out.len - s->out_start);
    if (n < 0) {
        fail(s, (int)n);
        return;
    }
    s->out_start += (size_t)n;
    if (s->out_start < s->out.len)
        return;
    s->out.len = s->out_start = 0;
    if (s->out.cap > OUT_KEPT_MAX)
        spt_buf_release(&s->out);
}

/* Called last in a callback, because the waiter may free the stream. */
static void tell_flushed(struct spt_stream *s)
{
    spt_stream_fn *fn = s->on_flushed;
    if (!fn || !spt_stream_is_flushed(s))
        return;
    s->on_flushed = NULL;
    arm(s);
    fn(s->flushed_ud);
}

int spt_stream_write_later(struct spt_stream *s, const char *bytes, size_t n)
{
    if (s->write_error)
        return s->write_error;
    if (spt_buf_append(&s->out, bytes, n) != SEPTET_OK)
        return UV_ENOMEM;
    return arm(s);
}

int spt_stream_write(struct spt_stream *s, const char *bytes, size_t n)
{
    if (s->write_error)
        return s->write_error;
    ssize_t written = write_some(s, bytes, n);
    if (written < 0) {
        fail(s, (int)written);
        return s->write_error;
    }
    if ((size_t)written == n)
        return 0;
    int rc = spt_stream_write_later(s, bytes + written, n - (size_t)written);
    if (rc == UV_ENOMEM) /* a part is written: what follows would make no sense to the peer */
        fail(s, rc);
    return rc;
}

int spt_stream_on_flushed(struct spt_stream *s, spt_stream_fn *fn, void *ud)
{
    s->on_flushed = fn;
    s->flushed_ud = ud;
    int rc = arm(s);
    if (rc != 0)
        s->on_flushed = NULL;
    return rc;
}

void spt_stream_forget_flush(struct spt_stream *s)
{
    s->on_flushed = NULL;
    arm(s);
}

int spt_stream_shutdown(struct spt_stream *s)
{
    if (s->write_error)
        return s->write_error;
    return s->is_socket && shutdown(s->fd, SHUT_WR) != 0 ? last_error() : 0;
}

void spt_stream_connect(struct spt_stream *s, const struct sockaddr *address, socklen_t len)
{
    int rc;
    do {
        rc = connect(s->fd, address, len);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno == EINPROGRESS)
        s->connecting = true;
    else if (rc != 0)
        fail(s, last_error());
}

/* --- both --- */

/* libuv stops the poller before it reports an error. The system calls tell which error it is. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct spt_stream *s = SPT_OF(poll, struct spt_stream, poll);
    if (status < 0) {
        s->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (!spt_loop_is_draining(s->loop)) { /* else a nested uv_run: the event comes again */
        if ((events & UV_READABLE) && s->reading)
            read_and_tell(s);
        if ((events & UV_WRITABLE) && !spt_stream_is_flushed(s))
            flush(s);
    }
    arm(s);
    tell_flushed(s);
}

/* --- life --- */

static void on_closed(uv_handle_t *handle)
{
    struct spt_stream *s = SPT_OF(handle, struct spt_stream, poll);
    struct spt_loop *loop = s->loop;
    free(s);
    spt_loop_handle_closed(loop);
}

void spt_stream_free(struct spt_stream *s)
{
    uv_handle_t *poll = (uv_handle_t *)&s->poll;
    s->on_flushed = NULL;
    s->in.on_more = NULL;
    spt_incoming_release(&s->in);
    spt_buf_release(&s->out);
    int fd = s->fd;
    if (!spt_loop_close_handle(s->loop, &s->stray, poll, on_closed))
        on_closed(poll);
    close(fd); /* libuv watches it no more */
}

/* Returns 0 or libuv's error number. */
static int init(struct spt_stream *s, struct spt_loop *loop, int fd)
{
    struct stat st;
    spt_incoming_init(&s->in, &incoming_type);
    spt_buf_init(&s->out, SIZE_MAX);
    s->loop = loop;
    s->fd = fd;
    s->chunk = CHUNK_MIN;
    if (spt_loop_is_lost(loop))
        return UV_ECANCELED;
    if (fstat(fd, &st) != 0)
        return last_error();
    s->is_socket = S_ISSOCK(st.st_mode);
    return uv_poll_init(spt_loop_uv(loop), &s->poll, fd);
}

int spt_stream_open(struct spt_stream **out, struct spt_loop *loop, int fd)
{
    struct spt_stream *s = calloc(1, sizeof *s);
    int rc = s ? init(s, loop, fd) : UV_ENOMEM;
    if (rc != 0) {
        free(s);
        close(fd);
        return rc;
    }
    uv_unref((uv_handle_t *)&s->poll);
    spt_loop_handle_opened(loop);
    *out = s;
    return 0;
}

int spt_stream_pipe(struct spt_stream **out, struct spt_loop *loop, bool writes, int *other)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return last_error();
    int rc = spt_stream_open(out, loop, ends[writes]);
    if (rc == 0)
        *other = ends[!writes];
    else
        close(ends[!writes]);
    return rc;
}
