/* SPDX-License-Identifier: MIT */
/* Watches the socket only until a connection arrives that no caller waits for. The kernel reports
 * it in each turn otherwise. */
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "loop/loop.h"

#define PAUSE_MIN_NS (10 * SPT_NS_PER_MS)
#define PAUSE_MAX_NS SPT_NS_PER_SECOND
#define ABORTED_MAX  64 /* connections that failed in the queue, which one call passes over */

static int last_error(void)
{
    return uv_translate_sys_error(errno);
}

static void tell(struct spt_listener *listener)
{
    spt_listener_fn *fn = listener->fn;
    listener->fn = NULL;
    if (fn)
        fn(listener->ud);
}

/* --- watching --- */

static bool is_closing(const struct spt_listener *listener)
{
    return uv_is_closing((const uv_handle_t *)&listener->poll);
}

static bool is_full(const struct spt_listener *listener)
{
    return listener->n >= listener->max;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Watches while a caller waits for what can arrive. Returns 0 or libuv's error number. */
static int arm(struct spt_listener *listener)
{
    uv_handle_t *handle = (uv_handle_t *)&listener->poll;
    if (is_closing(listener))
        return UV_ECANCELED;
    if (listener->fn)
        uv_ref(handle);
    else
        uv_unref(handle);
    if (!listener->fn || listener->armed || is_full(listener) || listener->starved)
        return 0;
    int rc = uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    listener->armed = rc == 0;
    return rc;
}

static void disarm(struct spt_listener *listener)
{
    listener->armed = false;
    if (!is_closing(listener))
        uv_poll_stop(&listener->poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct spt_listener *listener = SPT_OF(poll, struct spt_listener, poll);
    if (status < 0)
        listener->armed = false;
    if (spt_loop_is_draining(listener->loop)) { /* in a nested uv_run: the event comes again */
        arm(listener);
        return;
    }
    if (!listener->fn || is_full(listener) || listener->starved)
        disarm(listener);
    else
        tell(listener);
}

static void on_retry(struct spt_timer *timer)
{
    struct spt_listener *listener = SPT_OF(timer, struct spt_listener, retry);
    listener->starved = false;
    tell(listener);
}

int spt_listener_wait(struct spt_listener *listener, spt_listener_fn *fn, void *ud)
{
    listener->fn = fn;
    listener->ud = ud;
    int rc = arm(listener);
    if (rc != 0)
        listener->fn = NULL;
    return rc;
}

void spt_listener_forget(struct spt_listener *listener)
{
    listener->fn = NULL;
    arm(listener);
}

/* --- connections --- */

/* Returns true for an error of a connection that failed while it was queued, as accept(2) says. */
static bool is_of_connection(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == EPERM || error == ENETDOWN ||
           error == ENETUNREACH || error == EHOSTUNREACH || error == EHOSTDOWN || error == ENONET ||
           error == ENOPROTOOPT || error == EOPNOTSUPP || error == EINTR;
}

static void starve(struct spt_listener *listener)
{
    uint64_t now_ns = spt_loop_now(listener->loop);
    listener->starved = true;
    spt_timer_start(listener->timers, &listener->retry, now_ns + listener->pause_ns, on_retry);
    if (listener->pause_ns < PAUSE_MAX_NS)
        listener->pause_ns *= 2;
}

int spt_listener_accept(struct spt_listener *listener)
{
    if (is_full(listener) || listener->starved)
        return UV_EAGAIN;
    for (int i = 0; i < ABORTED_MAX; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            listener->pause_ns = PAUSE_MIN_NS;
            return fd;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            starve(listener);
            return UV_EAGAIN;
        }
        if (!is_of_connection(errno))
            return last_error();
    }
    return UV_EAGAIN;
}

void spt_listener_add(struct spt_listener *listener, struct spt_accepted *accepted)
{
    accepted->listener = listener;
    spt_link_init(&accepted->link);
    spt_list_push(&listener->accepted, &accepted->link);
    listener->n++;
}

/* The descriptor of the connection is closed soon, so a listener without one tries again. */
void spt_listener_remove(struct spt_accepted *accepted)
{
    struct spt_listener *listener = accepted->listener;
    if (!listener)
        return;
    accepted->listener = NULL;
    spt_link_remove(&accepted->link);
    listener->n--;
    if (listener->starved)
        spt_timer_start(listener->timers, &listener->retry, spt_loop_now(listener->loop), on_retry);
    else
        arm(listener);
}

/* --- opening --- */

/* Returns true if the file is a unix socket that nothing listens on. */
static bool is_stale(const struct spt_address *address, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = spt_address_open(address);
    if (fd < 0)
        return false;
    int rc = connect(fd, (const struct sockaddr *)&address->at, address->len);
    bool stale = rc != 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

/* Returns 0 or libuv's error number. */
static int bind_socket(struct spt_listener *listener)
{
    const struct spt_address *address = &listener->address;
    const struct sockaddr *at = (const struct sockaddr *)&address->at;
    struct spt_listener_file *file = &listener->file;
    struct stat st;
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener->fd, at, address->len) != 0) {
        int error = last_error();
        if (error != UV_EADDRINUSE || !file->path || !is_stale(address, file->path))
            return error;
        unlink(file->path);
        if (bind(listener->fd, at, address->len) != 0)
            return last_error();
    }
    if (file->path && lstat(file->path, &st) == 0) {
        file->device = st.st_dev;
        file->inode = st.st_ino;
    }
    return 0;
}

/* Removes the file of the socket, unless another one has its path by now. */
static void remove_file(const struct spt_listener_file *file)
{
    struct stat st;
    if (file->inode && lstat(file->path, &st) == 0 && st.st_ino == file->inode &&
        st.st_dev == file->device)
        unlink(file->path);
}

/* Returns 0 or libuv's error number. */
static int open_socket(struct spt_listener *listener, int backlog)
{
    char path[SPT_ADDRESS_TEXT_SIZE];
    struct spt_address *address = &listener->address;
    if (address->at.ss_family == AF_UNIX) {
        spt_address_write(address, path);
        listener->file.path = strdup(path);
        if (!listener->file.path)
            return UV_ENOMEM;
    }
    listener->fd = spt_address_open(address);
    if (listener->fd < 0)
        return listener->fd;
    int rc = bind_socket(listener);
    if (rc == 0 && listen(listener->fd, backlog) != 0)
        rc = last_error();
    address->len = sizeof address->at;
    if (rc == 0 && getsockname(listener->fd, (struct sockaddr *)&address->at, &address->len) != 0)
        rc = last_error();
    return rc ? rc : uv_poll_init(spt_loop_uv(listener->loop), &listener->poll, listener->fd);
}

static void release(struct spt_listener *listener)
{
    if (listener->file.path)
        remove_file(&listener->file);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    free(listener->file.path);
    listener->file.path = NULL;
}

int spt_listener_open(struct spt_listener **out, struct spt_loop *loop, struct spt_timers *timers,
                      const struct spt_address *address, int backlog, unsigned max)
{
    struct spt_listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return UV_ENOMEM;
    *listener = (struct spt_listener){.loop = loop, .timers = timers, .fd = -1, .max = max};
    listener->address = *address;
    listener->pause_ns = PAUSE_MIN_NS;
    spt_link_init(&listener->accepted);
    int rc = spt_loop_is_lost(loop) ? UV_ECANCELED : open_socket(listener, backlog);
    if (rc != 0) {
        release(listener);
        free(listener);
        return rc;
    }
    uv_unref((uv_handle_t *)&listener->poll);
    spt_loop_handle_opened(loop);
    *out = listener;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct spt_listener *listener = SPT_OF(handle, struct spt_listener, poll);
    struct spt_loop *loop = listener->loop;
    free(listener);
    spt_loop_handle_closed(loop);
}

void spt_listener_free(struct spt_listener *listener)
{
    uv_handle_t *poll = (uv_handle_t *)&listener->poll;
    listener->fn = NULL;
    spt_timer_stop(listener->timers, &listener->retry);
    for (struct spt_link *l; (l = spt_list_pop(&listener->accepted));)
        SPT_OF(l, struct spt_accepted, link)->listener = NULL;
    int fd = listener->fd;
    listener->fd = -1;
    release(listener);
    if (!spt_loop_close_handle(listener->loop, &listener->stray, poll, on_closed))
        on_closed(poll);
    close(fd); /* libuv watches it no more */
}
