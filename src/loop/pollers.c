/* The table of sockets and their pollers.
 *
 *              open                 want(mask)              want(0)
 *     (none) ───────▶ new, stopped ───────────▶ watched ──────────────▶ idle, watched for its end
 *        ▲                                         ▲                        │          │ event
 *        │ close, from any                         └──────── want(mask) ────┴──────────▼
 *        └─────────────────────────────────────────────────────────────────────── idle, stopped
 *
 * Each uv_poll_start is two epoll_ctl in libuv, so masks are compared and applied once a lap. */
#include "loop/pollers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loop/loop.h"
#include "septet/septet.h"

enum {
    ERRORS_MAX = 8,   /* error events in a row until the socket is shut down */
    WASTED_MAX = 1024 /* events in a row on a foreign descriptor that lead to nothing */
};

static struct spt_socket *socket_of(struct spt_link *link)
{
    return SPT_OF(link, struct spt_socket, link);
}

void spt_sockets_init(struct spt_sockets *table, struct spt_loop *loop,
                      spt_socket_ready_fn *on_ready, spt_socket_idle_fn *is_idle)
{
    *table = (struct spt_sockets){.loop = loop, .on_ready = on_ready, .is_idle = is_idle};
    spt_link_init(&table->dirty);
}

struct spt_socket *spt_sockets_find(const struct spt_sockets *table, int fd)
{
    return fd >= 0 && fd < table->cap ? table->by_fd[fd] : NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct spt_loop *loop = handle->data;
    free(SPT_OF(handle, struct spt_socket, poll));
    spt_loop_release(loop);
}

/* uv_close takes the descriptor out of epoll at once; only the memory waits for a turn. */
static void drop(struct spt_socket *s)
{
    struct spt_sockets *table = s->table;
    table->by_fd[s->fd] = NULL;
    table->count--;
    spt_link_remove(&s->link);
    spt_link_remove(&s->attempt);
    s->poll.data = table->loop;
    uv_close((uv_handle_t *)&s->poll, on_closed);
}

void spt_sockets_release(struct spt_sockets *table)
{
    for (int fd = 0; fd < table->cap; fd++)
        spt_sockets_close(table, fd);
    assert(table->count == 0);
    free(table->by_fd);
}

void spt_sockets_close(struct spt_sockets *table, int fd)
{
    struct spt_socket *s = spt_sockets_find(table, fd);
    if (s)
        drop(s);
}

void spt_sockets_close_all(struct spt_sockets *table, void *owner)
{
    for (int fd = 0; fd < table->cap; fd++)
        if (table->by_fd[fd] && table->by_fd[fd]->owner == owner)
            drop(table->by_fd[fd]);
}

unsigned spt_sockets_owned(const struct spt_sockets *table, const void *owner)
{
    unsigned n = 0;
    for (int fd = 0; fd < table->cap; fd++)
        n += table->by_fd[fd] && table->by_fd[fd]->owner == owner && table->by_fd[fd]->ours;
    return n;
}

bool spt_sockets_idle(const struct spt_sockets *table, void *owner)
{
    for (int fd = 0; fd < table->cap; fd++) {
        const struct spt_socket *s = table->by_fd[fd];
        if (s && s->owner == owner && s->ours && !s->want && table->is_idle(owner))
            return true;
    }
    return false;
}

static int grow(struct spt_sockets *table, int fd)
{
    int cap = table->cap ? table->cap : 64;
    while (cap <= fd)
        cap *= 2;
    struct spt_socket **by_fd = realloc(table->by_fd, (size_t)cap * sizeof(struct spt_socket *));
    if (!by_fd)
        return SEPTET_ENOMEM;
    memset(by_fd + table->cap, 0, (size_t)(cap - table->cap) * sizeof(struct spt_socket *));
    table->by_fd = by_fd;
    table->cap = cap;
    return SEPTET_OK;
}

static int add(struct spt_sockets *table, int fd, void *owner, bool ours, struct spt_socket **out)
{
    if (fd >= table->cap && grow(table, fd) != SEPTET_OK)
        return SEPTET_ENOMEM;
    struct spt_socket *s = calloc(1, sizeof *s);
    if (!s)
        return SEPTET_ENOMEM;
    if (uv_poll_init_socket(spt_loop_uv(table->loop), &s->poll, fd) != 0) {
        free(s);
        return SEPTET_ELOOP;
    }
    s->poll.data = s;
    uv_unref((uv_handle_t *)&s->poll); /* an idle connection keeps no loop running */
    spt_loop_hold(table->loop);
    s->table = table;
    s->owner = owner;
    s->fd = fd;
    s->gen = ++table->gens;
    s->ours = ours;
    spt_link_init(&s->link);
    spt_link_init(&s->attempt);
    table->by_fd[fd] = s;
    table->count++;
    *out = s;
    return SEPTET_OK;
}

/* An idle socket's poller stays: the peer's end of the connection shows as readable. One that was
 * stopped by such an event stays stopped, as the event would repeat for ever. */
static int target(const struct spt_socket *s)
{
    if (s->want)
        return s->want;
    return s->ours && s->armed ? UV_READABLE : 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void stop(struct spt_socket *s)
{
    if (s->armed)
        uv_poll_stop(&s->poll);
    s->armed = 0;
}

static int bring_in_line(struct spt_socket *s)
{
    int mask = target(s);
    if (mask == s->armed)
        return SEPTET_OK;
    s->armed = (uint8_t)mask;
    if (mask == 0) {
        uv_poll_stop(&s->poll);
    } else if (uv_poll_start(&s->poll, mask, on_poll) != 0) {
        s->armed = 0;
        return SEPTET_ELOOP;
    }
    return SEPTET_OK;
}

static void mark(struct spt_socket *s)
{
    if (target(s) != s->armed && spt_link_alone(&s->link))
        spt_list_push(&s->table->dirty, &s->link);
}

/* The descriptor is on no list of ours, so nobody will tell of its close: watched at once and only
 * while it is wanted. */
static int want_foreign(struct spt_sockets *table, struct spt_socket *s, int fd, int mask,
                        void *owner)
{
    if (mask == 0) {
        spt_sockets_close(table, fd);
        return SEPTET_OK;
    }
    if (!s) {
        int rc = add(table, fd, owner, false, &s);
        if (rc != SEPTET_OK)
            return rc;
    }
    s->want = (uint8_t)mask;
    s->wasted = 0;
    return bring_in_line(s);
}

int spt_sockets_want(struct spt_sockets *table, int fd, int mask, void *owner)
{
    struct spt_socket *s = spt_sockets_find(table, fd);
    if (!s || !s->ours)
        return want_foreign(table, s, fd, mask, owner);
    if (mask == 0 && s->opener) { /* it may be closed, and its number another's */
        drop(s);
        return SEPTET_OK;
    }
    s->want = (uint8_t)mask;
    mark(s);
    return SEPTET_OK;
}

struct spt_socket *spt_sockets_open(struct spt_sockets *table, int fd, void *owner)
{
    struct spt_socket *s = spt_sockets_find(table, fd);
    int want = s && s->owner == owner ? s->want : 0;
    spt_sockets_close(table, fd);
    if (add(table, fd, owner, true, &s) != SEPTET_OK)
        return NULL;
    spt_sockets_want(table, fd, want, owner);
    return s;
}

void spt_socket_opening(struct spt_socket *s, void *opener, struct spt_link *attempts)
{
    s->opener = opener;
    spt_list_push(attempts, &s->attempt);
}

void spt_socket_opened(struct spt_socket *s)
{
    s->opener = NULL;
    spt_link_remove(&s->attempt);
}

void spt_sockets_apply(struct spt_sockets *table)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&table->dirty)))
        bring_in_line(socket_of(link));
}

/* Takes away what came unasked, so that nobody takes it for an answer. */
static void discard(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

/* Something happened on a connection nobody uses. Dead, or talking unasked: the pending error is taken off and the
 * socket shut down, because libcurl gives up a request after a few pooled connections that report an error, but passes
 * over any number that are at their end; and it would take the bytes for the answer to the next request. Where many
 * share a connection, the peer may have something to say at any time: that is left for libcurl. */
static void idle_event(struct spt_socket *s, bool error)
{
    char byte;
    ssize_t n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    bool gone = error || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (gone || (n > 0 && !s->shared)) {
        int pending;
        socklen_t len = sizeof pending;
        discard(s->fd);
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &pending, &len);
        shutdown(s->fd, SHUT_RDWR);
        s->table->dropped++;
        if (s->table->on_dropped)
            s->table->on_dropped(s->owner);
    }
    stop(s);
}

/* Some versions of libcurl leave a descriptor of their own readable for ever. It is let go; libcurl
 * asks again if it needs it. */
static bool wasted(struct spt_socket *s)
{
    return !s->ours && ++s->wasted > WASTED_MAX;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct spt_socket *s = poll->data;
    struct spt_sockets *table = s->table;
    int fd = s->fd;
    uint32_t gen = s->gen;
    if (status < 0) {
        s->armed = 0; /* libuv has stopped the poller before it says so */
        events = SPT_SOCKET_ERROR | UV_READABLE | UV_WRITABLE;
        if (++s->errors >= ERRORS_MAX)
            shutdown(fd, SHUT_RDWR); /* whoever reads it sees the end, and lets go */
    } else {
        s->errors = 0;
    }
    if (s->want == 0) {
        if (table->is_idle(s->owner))
            idle_event(s, status < 0);
        else
            stop(s);
        return;
    }
    if (wasted(s)) {
        drop(s);
        return;
    }
    table->on_ready(s->owner, fd, events);
    s = spt_sockets_find(table, fd);
    if (s && s->gen == gen)
        mark(s);
}
