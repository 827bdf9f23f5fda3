/* SPDX-License-Identifier: MIT */
/* Keeps the pollers in an array indexed by descriptor.
 *
 *              open                 want(mask)              want(0)
 *     (none) ───────▶ new, stopped ───────────▶ watched ──────────────▶ idle, watched for its end
 *        ▲                                         ▲                        │          │ event
 *        │ close, from any                         └──────── want(mask) ────┴──────────▼
 *        └─────────────────────────────────────────────────────────────────────── idle, stopped
 *
 * Each uv_poll_start makes two epoll_ctl calls, so masks are compared and applied once per pass. */
#include "loop/pollers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loop/loop.h"
#include "septet/septet.h"

enum {
    ERRORS_MAX = 8,    /* error events in a row before the socket is shut down */
    WASTED_MAX = 1024, /* events in a row without effect before a foreign descriptor is dropped */
    SEARCH_POLLS = 64  /* number of polls between two searches for lost pollers */
};

static struct spt_poller *socket_of(struct spt_link *link)
{
    return SPT_OF(link, struct spt_poller, link);
}

void spt_pollers_init(struct spt_pollers *table, struct spt_loop *loop,
                      spt_poller_ready_fn *on_ready, spt_poller_idle_fn *is_idle)
{
    *table = (struct spt_pollers){.loop = loop, .on_ready = on_ready, .is_idle = is_idle};
    spt_link_init(&table->dirty);
}

struct spt_poller *spt_pollers_find(const struct spt_pollers *table, int fd)
{
    return fd >= 0 && fd < table->cap ? table->by_fd[fd] : NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct spt_loop *loop = handle->data;
    free(SPT_OF(handle, struct spt_poller, poll));
    spt_loop_handle_closed(loop);
}

static void take_mark(struct spt_poller *s)
{
    void *mark = s->mark;
    s->mark = NULL;
    if (mark)
        s->table->on_gone(mark);
}

/* Drops the poller. uv_close removes the descriptor from epoll at once; the memory is freed in the
 * close callback. */
static void drop(struct spt_poller *s)
{
    struct spt_pollers *table = s->table;
    take_mark(s);
    table->by_fd[s->fd] = NULL;
    table->count--;
    spt_link_remove(&s->link);
    spt_link_remove(&s->attempt);
    spt_link_remove(&s->left.work.link);
    s->poll.data = table->loop;
    uv_handle_t *handle = (uv_handle_t *)&s->poll;
    if (!spt_loop_close_handle(table->loop, &s->stray, handle, on_closed))
        on_closed(handle);
}

void spt_pollers_release(struct spt_pollers *table)
{
    for (int fd = 0; fd < table->cap; fd++)
        spt_pollers_close(table, fd);
    assert(table->count == 0);
    free(table->by_fd);
}

void spt_pollers_close(struct spt_pollers *table, int fd)
{
    struct spt_poller *s = spt_pollers_find(table, fd);
    if (s)
        drop(s);
}

void spt_pollers_close_all(struct spt_pollers *table, void *owner)
{
    for (int fd = 0; fd < table->cap; fd++)
        if (table->by_fd[fd] && table->by_fd[fd]->owner == owner)
            drop(table->by_fd[fd]);
}

unsigned spt_pollers_owned(const struct spt_pollers *table, const void *owner)
{
    unsigned n = 0;
    for (int fd = 0; fd < table->cap; fd++)
        n += table->by_fd[fd] && table->by_fd[fd]->owner == owner && table->by_fd[fd]->owns_fd;
    return n;
}

bool spt_pollers_idle(const struct spt_pollers *table, void *owner)
{
    for (int fd = 0; fd < table->cap; fd++) {
        const struct spt_poller *s = table->by_fd[fd];
        if (s && s->owner == owner && s->owns_fd && !s->wanted_mask && table->is_idle(owner))
            return true;
    }
    return false;
}

static int grow(struct spt_pollers *table, int fd)
{
    int cap = table->cap ? table->cap : 64;
    while (cap <= fd)
        cap *= 2;
    struct spt_poller **by_fd = realloc(table->by_fd, (size_t)cap * sizeof(struct spt_poller *));
    if (!by_fd)
        return SEPTET_ENOMEM;
    memset(by_fd + table->cap, 0, (size_t)(cap - table->cap) * sizeof(struct spt_poller *));
    table->by_fd = by_fd;
    table->cap = cap;
    return SEPTET_OK;
}

static void run_left(struct spt_left_work *work);

static int add(struct spt_pollers *table, int fd, void *owner, bool ours, struct spt_poller **out)
{
    if (fd >= table->cap && grow(table, fd) != SEPTET_OK)
        return SEPTET_ENOMEM;
    struct spt_poller *s = calloc(1, sizeof *s);
    if (!s)
        return SEPTET_ENOMEM;
    if (uv_poll_init_socket(spt_loop_uv(table->loop), &s->poll, fd) != 0) {
        free(s);
        return SEPTET_ELOOP;
    }
    s->poll.data = s;
    uv_unref((uv_handle_t *)&s->poll); /* an idle connection does not keep the loop running */
    spt_loop_handle_opened(table->loop);
    s->table = table;
    s->owner = owner;
    s->fd = fd;
    s->generation = ++table->generations;
    s->owns_fd = ours;
    spt_link_init(&s->link);
    spt_link_init(&s->attempt);
    spt_link_init(&s->left.work.link);
    s->left.work.run = run_left;
    table->by_fd[fd] = s;
    table->count++;
    *out = s;
    return SEPTET_OK;
}

/* Returns the mask to arm. An idle socket stays armed, because the end of the connection makes it
 * readable. One that was stopped by such an event stays stopped, as the event would repeat for
 * ever. */
static int desired_mask(const struct spt_poller *s)
{
    if (s->wanted_mask)
        return s->wanted_mask;
    return s->owns_fd && s->armed_mask ? UV_READABLE : 0;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Returns true if other code has closed the poller. It reports no event any more, and may not be
 * armed or stopped. */
static bool is_lost(const struct spt_poller *s)
{
    return uv_is_closing((const uv_handle_t *)&s->poll);
}

static void stop(struct spt_poller *s)
{
    if (s->armed_mask && !is_lost(s))
        uv_poll_stop(&s->poll);
    s->armed_mask = 0;
}

static int sync_poller(struct spt_poller *s)
{
    int mask = desired_mask(s);
    if (mask == s->armed_mask)
        return SEPTET_OK;
    if (is_lost(s))
        return SEPTET_ELOOP;
    s->armed_mask = (uint8_t)mask;
    if (mask == 0) {
        uv_poll_stop(&s->poll);
    } else if (uv_poll_start(&s->poll, mask, on_poll) != 0) {
        s->armed_mask = 0;
        return SEPTET_ELOOP;
    }
    return SEPTET_OK;
}

static void mark_dirty(struct spt_poller *s)
{
    if (desired_mask(s) != s->armed_mask && spt_link_alone(&s->link))
        spt_list_push(&s->table->dirty, &s->link);
}

/* Sets the mask of a descriptor that septet did not open. Its close will not be reported, so it is
 * watched at once and only while it is wanted. */
static int want_foreign(struct spt_pollers *table, struct spt_poller *s, int fd, int mask,
                        void *owner)
{
    if (mask == 0) {
        spt_pollers_close(table, fd);
        return SEPTET_OK;
    }
    if (!s) {
        int rc = add(table, fd, owner, false, &s);
        if (rc != SEPTET_OK)
            return rc;
    }
    s->wanted_mask = (uint8_t)mask;
    s->faults.spurious = 0;
    return sync_poller(s);
}

int spt_pollers_want(struct spt_pollers *table, int fd, int mask, void *owner)
{
    struct spt_poller *s = spt_pollers_find(table, fd);
    if (!s || !s->owns_fd)
        return want_foreign(table, s, fd, mask, owner);
    if (mask == 0 && s->opener) { /* it may be closed and its number reused */
        drop(s);
        return SEPTET_OK;
    }
    s->wanted_mask = (uint8_t)mask;
    mark_dirty(s);
    return SEPTET_OK;
}

struct spt_poller *spt_pollers_open(struct spt_pollers *table, int fd, void *owner)
{
    struct spt_poller *s = spt_pollers_find(table, fd);
    int want = s && s->owner == owner ? s->wanted_mask : 0;
    spt_pollers_close(table, fd);
    if (add(table, fd, owner, true, &s) != SEPTET_OK)
        return NULL;
    spt_pollers_want(table, fd, want, owner);
    return s;
}

void spt_pollers_connecting(struct spt_poller *s, void *opener, struct spt_link *attempts)
{
    s->opener = opener;
    spt_list_push(attempts, &s->attempt);
}

void spt_pollers_connected(struct spt_poller *s)
{
    s->opener = NULL;
    spt_link_remove(&s->attempt);
}

/* Ends what waits for a socket that cannot be watched any more: its reader sees the end. */
static void report_lost(struct spt_poller *s)
{
    shutdown(s->fd, SHUT_RDWR);
    if (s->wanted_mask)
        s->table->on_ready(s->owner, s->fd, SPT_POLLER_ERROR | UV_READABLE | UV_WRITABLE);
}

static void search_lost(struct spt_pollers *table)
{
    table->searched = spt_loop_polls(table->loop);
    for (int fd = 0; fd < table->cap; fd++)
        if (table->by_fd[fd] && is_lost(table->by_fd[fd]))
            report_lost(table->by_fd[fd]);
}

static bool is_search_due(const struct spt_pollers *table)
{
    return table->count > 0 && spt_loop_polls(table->loop) - table->searched >= SEARCH_POLLS;
}

bool spt_pollers_have_work(const struct spt_pollers *table)
{
    return !spt_list_is_empty(&table->dirty) || is_search_due(table);
}

void spt_pollers_apply(struct spt_pollers *table)
{
    struct spt_link *link;
    bool failed = false;
    while ((link = spt_list_pop(&table->dirty)))
        failed |= sync_poller(socket_of(link)) != SEPTET_OK;
    if (failed || is_search_due(table))
        search_lost(table);
}

/* Discards unexpected bytes, so that libcurl does not take them for a response. */
static void drain_receive_buffer(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

/* Handles an event on an idle connection. If it is dead or has received unexpected bytes, its error
 * is cleared and the socket shut down. libcurl fails a request after a few pooled connections that
 * report an error, but skips any number that have ended. It would also take the bytes for the
 * response to the next request. On a connection for several requests at a time, the peer may send
 * at any time, so its bytes are left for libcurl. If there is nothing, the event is of a poll
 * before the socket became idle, and it stays watched. */
static void idle_event(struct spt_poller *s, bool error)
{
    char byte;
    ssize_t n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (!error && n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || error || !s->shared) {
        int pending;
        socklen_t len = sizeof pending;
        drain_receive_buffer(s->fd);
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &pending, &len);
        shutdown(s->fd, SHUT_RDWR);
        take_mark(s);
        s->table->dropped++;
        if (s->table->on_dropped)
            s->table->on_dropped(s->owner);
    }
    stop(s);
}

/* Counts an event, and returns true if the poller is to be dropped. Some versions of libcurl leave
 * an internal descriptor readable for ever; libcurl registers it again if needed. */
static bool wasted(struct spt_poller *s)
{
    return !s->owns_fd && ++s->faults.spurious > WASTED_MAX;
}

/* Calls on_ready. An error has stopped the poller, which is then armed again. */
static void report(struct spt_poller *s, int events)
{
    struct spt_pollers *table = s->table;
    int fd = s->fd;
    uint32_t gen = s->generation;
    table->on_ready(s->owner, fd, events);
    s = spt_pollers_find(table, fd);
    if (s && s->generation == gen)
        mark_dirty(s);
}

void spt_pollers_leave(struct spt_pollers *table, int fd, int events)
{
    struct spt_poller *s = spt_pollers_find(table, fd);
    s->left.events = events;
    spt_turn_budget_leave(spt_loop_budget(table->loop), &s->left.work, spt_loop_polls(table->loop));
}

static void run_left(struct spt_left_work *work)
{
    struct spt_poller *s = SPT_OF(work, struct spt_poller, left.work);
    if (s->left.events & s->wanted_mask)
        report(s, s->left.events);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct spt_poller *s = poll->data;
    struct spt_pollers *table = s->table;
    int fd = s->fd;
    if (spt_loop_is_draining(table->loop)) /* in a nested uv_run: the event comes again */
        return;
    if (status < 0) {
        s->armed_mask = 0; /* libuv stops the poller before it reports an error */
        events = SPT_POLLER_ERROR | UV_READABLE | UV_WRITABLE;
        if (++s->faults.errors >= ERRORS_MAX)
            shutdown(fd, SHUT_RDWR); /* its reader sees the end and closes it */
    } else {
        s->faults.errors = 0;
    }
    if (s->wanted_mask == 0) {
        if (table->is_idle(s->owner))
            idle_event(s, status < 0);
        else
            stop(s);
        return;
    }
    if (status >= 0 && !spt_link_alone(&s->left.work.link)) /* it was left to a later turn */
        return;
    if (wasted(s)) {
        drop(s);
        return;
    }
    report(s, events);
}
