/* SPDX-License-Identifier: MIT */
/* Polls a descriptor that reports when it is readable (a pipe, a socket, a terminal), and then
 * reads once. Any other descriptor (a file, /dev/null) is always "readable" and may still be slow,
 * so it is read in the thread pool.
 *
 * Standard input is shared: O_NONBLOCK on it would affect the shell and every process that inherits
 * it. uv_poll_init sets that flag on its descriptor, so it gets a private epoll descriptor that
 * watches standard input. */
#include "loop/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "loop/loop.h"
#include "septet/septet.h"

#define CHUNK (64 * 1024) /* bytes of one read; the capacity of a pipe */

static struct spt_input *input_of(struct spt_incoming *in)
{
    return SPT_OF(in, struct spt_input, in);
}

/* --- life --- */

static const struct spt_incoming_type incoming_type;

static struct spt_input *new_input(struct spt_loop *loop)
{
    struct spt_input *in = calloc(1, sizeof *in);
    if (!in)
        return NULL;
    in->loop = loop;
    in->source.fd = in->source.read_fd = in->source.epoll_fd = -1;
    spt_incoming_init(&in->in, &incoming_type);
    return in;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void free_unused(struct spt_input *in)
{
    if (in->in_pool)
        return;
    close_fd(&in->source.epoll_fd);
    close_fd(&in->source.read_fd);
    close_fd(&in->source.fd);
    if (in->watching)
        return;
    spt_incoming_release(&in->in);
    free(in);
}

/* Returns true if the poller is a handle that other code has not closed. */
static bool can_watch(const struct spt_input *in)
{
    return in->watching && !uv_is_closing((const uv_handle_t *)&in->poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct spt_input *in = SPT_OF(handle, struct spt_input, poll);
    struct spt_loop *loop = in->loop;
    in->watching = false;
    free_unused(in);
    spt_loop_handle_closed(loop);
}

static void free_input(struct spt_incoming *incoming)
{
    struct spt_input *in = input_of(incoming);
    in->freed = true;
    if (in->in_pool)
        uv_cancel((uv_req_t *)&in->fs); /* succeeds only if it has not begun */
    uv_handle_t *poll = (uv_handle_t *)&in->poll;
    bool closed = in->watching && !spt_loop_close_handle(in->loop, &in->stray, poll, on_closed);
    if (closed)
        on_closed(poll);
    else
        free_unused(in);
}

static void forget(struct spt_incoming *incoming)
{
    struct spt_input *in = input_of(incoming);
    if (can_watch(in))
        uv_poll_stop(&in->poll);
}

/* --- by readiness --- */

/* Reads once. Returns false if another reader was faster. */
static bool read_ready(struct spt_input *in)
{
    char *to = spt_incoming_room(&in->in, CHUNK);
    if (!to)
        return true;
    ssize_t n;
    do {
        if (in->source.is_socket)
            n = recv(in->source.fd, to, CHUNK, MSG_DONTWAIT);
        else
            n = read(in->source.read_fd >= 0 ? in->source.read_fd : in->source.fd, to, CHUNK);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return false;
    spt_incoming_note(&in->in, n < 0 ? uv_translate_sys_error(errno) : n);
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct spt_input *in = SPT_OF(poll, struct spt_input, poll);
    if (spt_loop_is_draining(in->loop)) /* in a nested uv_run: the event comes again */
        return;
    if (status < 0)
        in->in.error = status;
    else if (!read_ready(in))
        return;
    spt_incoming_tell(&in->in);
    if (!spt_incoming_waits(&in->in) && can_watch(in))
        uv_poll_stop(poll);
}

static bool try_now(struct spt_incoming *incoming)
{
    struct spt_input *in = input_of(incoming);
    struct pollfd p = {.fd = in->source.fd, .events = POLLIN};
    return in->watching && poll(&p, 1, 0) > 0 && read_ready(in);
}

/* --- in the pool --- */

static void left_pool(struct spt_input *in)
{
    uv_fs_req_cleanup(&in->fs);
    in->in_pool = false;
    if (in->freed)
        free_unused(in);
    else
        spt_incoming_tell(&in->in);
}

static void on_read(uv_fs_t *fs)
{
    struct spt_input *in = SPT_OF(fs, struct spt_input, fs);
    struct spt_loop *loop = in->loop;
    spt_incoming_note(&in->in, fs->result);
    left_pool(in);
    spt_loop_handle_closed(loop);
}

static int start_read(struct spt_input *in)
{
    char *room = spt_incoming_room(&in->in, CHUNK);
    if (!room)
        return UV_ENOMEM;
    uv_buf_t to = uv_buf_init(room, CHUNK);
    int rc = uv_fs_read(spt_loop_uv(in->loop), &in->fs, in->source.fd, &to, 1, -1, on_read);
    if (rc < 0)
        return rc;
    in->in_pool = true;
    spt_loop_handle_opened(in->loop);
    return 0;
}

static int start(struct spt_incoming *incoming)
{
    struct spt_input *in = input_of(incoming);
    if (in->watching && !can_watch(in))
        return UV_ECANCELED;
    if (in->watching && !uv_is_active((uv_handle_t *)&in->poll))
        return uv_poll_start(&in->poll, UV_READABLE, on_poll);
    return in->watching || in->in_pool ? 0 : start_read(in);
}

static const struct spt_incoming_type incoming_type = {
    .start = start, .try_now = try_now, .forget = forget, .free = free_input};

struct spt_input *spt_input_of(struct spt_incoming *in)
{
    return in->type == &incoming_type ? SPT_OF(in, struct spt_input, in) : NULL;
}

/* --- opening --- */

/* Opens the pipe again, which gives it private flags. If a pipe has several readers, it may be
 * empty before the slower ones read it, and their reads would block. Readiness is still that of
 * `fd`, because a FIFO opened after its last writer has left would wait for the next one. */
static void reopen_nonblocking(struct spt_input *in)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", in->source.fd);
    in->source.read_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* Prepares polling. Returns 1 if the descriptor can be watched, 0 if it is always ready, or an
 * error. */
static int watch(struct spt_input *in)
{
    struct epoll_event event = {.events = EPOLLIN};
    in->source.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (in->source.epoll_fd < 0)
        return uv_translate_sys_error(errno);
    if (epoll_ctl(in->source.epoll_fd, EPOLL_CTL_ADD, in->source.fd, &event) != 0) {
        int error = errno;
        close_fd(&in->source.epoll_fd);
        return error == EPERM ? 0 : uv_translate_sys_error(error);
    }
    int rc = uv_poll_init(spt_loop_uv(in->loop), &in->poll, in->source.epoll_fd);
    if (rc < 0)
        return rc;
    in->watching = true;
    spt_loop_handle_opened(in->loop);
    return 1;
}

/* Determines the type of fd and how it is read. Returns 0 or an error. */
static int classify_descriptor(struct spt_input *in)
{
    struct stat st;
    if (fstat(in->source.fd, &st) != 0)
        return uv_translate_sys_error(errno);
    if (S_ISDIR(st.st_mode))
        return UV_EISDIR;
    in->source.is_socket = S_ISSOCK(st.st_mode);
    int rc = watch(in);
    if (rc == 0 && in->source.own) /* a read in the pool must block */
        fcntl(in->source.fd, F_SETFL, fcntl(in->source.fd, F_GETFL) & ~O_NONBLOCK);
    if (rc == 1 && !in->source.own && S_ISFIFO(st.st_mode))
        reopen_nonblocking(in);
    return rc < 0 ? rc : 0;
}

static void on_opened(uv_fs_t *fs)
{
    struct spt_input *in = SPT_OF(fs, struct spt_input, fs);
    struct spt_loop *loop = in->loop;
    if (fs->result < 0)
        in->in.error = (int)fs->result;
    else
        in->source.fd = (int)fs->result;
    if (in->source.fd >= 0 && !in->freed)
        in->in.error = classify_descriptor(in);
    left_pool(in);
    spt_loop_handle_closed(loop);
}

/* Opens with O_NONBLOCK, because a FIFO would otherwise block a thread of the pool until it has a
 * writer. */
int spt_input_open(struct spt_input **out, struct spt_loop *loop, const char *path,
                   spt_incoming_fn *fn, void *ud)
{
    struct spt_input *in = new_input(loop);
    if (!in)
        return SEPTET_ENOMEM;
    in->source.own = true;
    int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    if (uv_fs_open(spt_loop_uv(loop), &in->fs, path, flags, 0, on_opened) < 0) {
        free(in);
        return SEPTET_ENOMEM;
    }
    in->in_pool = true;
    spt_loop_handle_opened(loop);
    in->in.on_more = fn;
    in->in.ud = ud;
    *out = in;
    return SEPTET_OK;
}

/* Duplicates the descriptor, so that it stays open if a script closes io.stdin. */
int spt_input_stdin(struct spt_input **out, struct spt_loop *loop)
{
    struct spt_input *in = new_input(loop);
    if (!in)
        return SEPTET_ENOMEM;
    in->source.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (spt_loop_is_lost(loop))
        in->in.error = UV_ECANCELED;
    else
        in->in.error = in->source.fd < 0 ? uv_translate_sys_error(errno) : classify_descriptor(in);
    *out = in;
    return SEPTET_OK;
}
