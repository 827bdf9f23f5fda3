/* SPDX-License-Identifier: MIT */
/* Keeps a table of inotify's watch descriptors, each with the paths that it stands for: two paths
 * of one file have one descriptor. Paths are added in the pool, because looking them up may block.
 * Meanwhile no events are read, as their descriptors may not be in the table yet. Without a waiter
 * the kernel keeps the events. */
#include "loop/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#include "loop/closing.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum {
    MASK = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
           IN_DELETE_SELF | IN_MOVE_SELF,
    CHUNK = 64 * 1024, /* bytes of one read */
    BUCKETS = 1024
};

/* A path of a watch: in its list, and in the watcher's table. */
struct watched_path {
    struct spt_link of_watch;
    struct spt_link of_table;
    struct spt_watch *watch;
    int wd;
    uint32_t tag;
    char only[]; /* name to which events are limited; "": none */
};

struct spt_watch_add {
    struct spt_job job;
    struct spt_link link; /* in the watch's list, or alone */
    struct spt_watcher *watcher;
    struct spt_watch *watch;   /* NULL: it was released */
    struct watched_path *path; /* owned; for the table */
    spt_watch_added_fn *fn;    /* NULL: no waiter */
    void *ud;
    char name[]; /* the path to be looked up */
};

struct spt_watcher {
    struct spt_job job; /* closes the descriptor, which may take long */
    struct spt_watcher **slot;
    struct spt_loop *loop; /* borrowed */
    int fd;
    size_t adding;           /* number of adds in the pool */
    size_t waiting;          /* number of watches with a waiter */
    struct spt_link watches; /* struct spt_watch */
    struct spt_link left;    /* paths; once none is added, their descriptors are dropped */
    struct spt_link buckets[BUCKETS];
    uv_poll_t poll;
    struct spt_stray stray;
    bool closed;
};

/* --- events --- */

static void start_or_stop(struct spt_watcher *watcher);

static void tell(struct spt_watch *watch)
{
    spt_watch_fn *fn = watch->fn;
    if (!fn)
        return;
    spt_watch_forget(watch);
    fn(watch->ud);
}

static struct spt_watch_event *last_event(struct spt_watch *watch, size_t at)
{
    return (struct spt_watch_event *)(watch->events.data + at);
}

/* Appends an event. Returns false if there is no memory. */
static bool append(struct spt_watch *watch, const struct spt_watch_event *event, const char *name)
{
    const size_t len = strlen(name) + 1;
    const size_t to = _Alignof(struct spt_watch_event);
    const size_t size = (offsetof(struct spt_watch_event, name) + len + to - 1) / to * to;
    struct spt_buf *events = &watch->events;
    if (watch->at == events->len) {
        watch->at = events->len = 0;
    } else if (watch->at > events->len / 2) {
        memmove(events->data, events->data + watch->at, events->len - watch->at);
        events->len -= watch->at;
        watch->at = 0;
    }
    if (spt_buf_reserve(events, size) != SEPTET_OK)
        return false;
    struct spt_watch_event *added = last_event(watch, events->len);
    memcpy(added, event, offsetof(struct spt_watch_event, name));
    memcpy(added->name, name, len);
    added->size = (uint32_t)size;
    events->len += size;
    watch->count++;
    return true;
}

/* Notes that events were lost, once until that is taken. The room for it is never used up: if there
 * is no memory, the flag alone says so. */
static void lose(struct spt_watch *watch)
{
    static const struct spt_watch_event overflow = {.kind = SPT_WATCH_OVERFLOW};
    if (!watch->lost)
        append(watch, &overflow, "");
    watch->lost = true;
}

static void put(struct spt_watch *watch, const struct spt_watch_event *event, const char *name)
{
    if (!watch->lost && (watch->count >= watch->count_max || !append(watch, event, name)))
        lose(watch);
}

const struct spt_watch_event *spt_watch_peek(const struct spt_watch *watch)
{
    static const struct spt_watch_event overflow = {.kind = SPT_WATCH_OVERFLOW};
    if (watch->at < watch->events.len)
        return (const struct spt_watch_event *)(watch->events.data + watch->at);
    return watch->lost ? &overflow : NULL;
}

void spt_watch_take(struct spt_watch *watch)
{
    const struct spt_watch_event *event = spt_watch_peek(watch);
    if (event->kind == SPT_WATCH_OVERFLOW)
        watch->lost = false;
    if (watch->at < watch->events.len) {
        watch->at += event->size;
        watch->count--;
    }
}

/* --- the table --- */

static struct spt_link *bucket_of(struct spt_watcher *watcher, int wd)
{
    return &watcher->buckets[(unsigned)wd % BUCKETS];
}

static bool is_watched(struct spt_watcher *watcher, int wd)
{
    const struct spt_link *bucket = bucket_of(watcher, wd);
    for (const struct spt_link *l = bucket->next; l != bucket; l = l->next)
        if (SPT_OF(l, const struct watched_path, of_table)->wd == wd)
            return true;
    return false;
}

/* Drops the descriptors that no path needs. None may be in the pool, because that may have got one
 * of them. */
static void drop_left(struct spt_watcher *watcher)
{
    if (watcher->adding > 0)
        return;
    for (struct spt_link *l; (l = spt_list_pop(&watcher->left));) {
        struct watched_path *path = SPT_OF(l, struct watched_path, of_table);
        if (!is_watched(watcher, path->wd))
            inotify_rm_watch(watcher->fd, path->wd);
        free(path);
    }
}

static void remove_path(struct watched_path *path)
{
    spt_link_remove(&path->of_watch);
    spt_link_remove(&path->of_table);
    path->watch = NULL;
}

/* Hands an event to a path. */
static void hand_to(struct watched_path *path, const struct inotify_event *e)
{
    const char *name = e->len ? e->name : "";
    struct spt_watch *watch = path->watch;
    const bool content = e->mask & (IN_MODIFY | IN_ATTRIB);
    struct spt_watch_event event = {.tag = path->tag,
                                    .kind = content ? SPT_WATCH_CHANGE : SPT_WATCH_RENAME,
                                    .folder = e->mask & IN_ISDIR};
    const bool gone = e->mask & IN_IGNORED;
    const bool other = path->only[0] && (e->len ? strcmp(name, path->only) != 0 : content);
    if (gone)
        event.kind = SPT_WATCH_GONE;
    if (other || e->mask & (IN_DELETE_SELF | IN_UNMOUNT)) /* IN_IGNORED follows */
        return;
    put(watch, &event, name);
    if (gone) {
        remove_path(path);
        free(path);
    }
    tell(watch);
}

static void hand_out(struct spt_watcher *watcher, const struct inotify_event *e)
{
    struct spt_link *next,
        *list = e->mask & IN_Q_OVERFLOW ? &watcher->watches : bucket_of(watcher, e->wd);
    for (struct spt_link *l = list->next; l != list; l = next) {
        next = l->next;
        if (list == &watcher->watches) {
            struct spt_watch *watch = SPT_OF(l, struct spt_watch, link);
            lose(watch);
            tell(watch);
        } else if (SPT_OF(l, struct watched_path, of_table)->wd == e->wd) {
            hand_to(SPT_OF(l, struct watched_path, of_table), e);
        }
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct spt_watcher *watcher = SPT_OF(poll, struct spt_watcher, poll);
    _Alignas(struct inotify_event) char chunk[CHUNK];
    if (spt_loop_is_draining(watcher->loop)) /* in a nested uv_run: the event comes again */
        return;
    ssize_t n = read(watcher->fd, chunk, sizeof chunk);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(chunk + at);
        at += (ssize_t)(sizeof *e + e->len);
        hand_out(watcher, e);
    }
    start_or_stop(watcher);
}

/* --- the watcher --- */

static bool can_poll(const struct spt_watcher *watcher)
{
    return !watcher->closed && !uv_is_closing((const uv_handle_t *)&watcher->poll);
}

/* Reads events while a watch waits for them, and no path is being added. */
static void start_or_stop(struct spt_watcher *watcher)
{
    if (!can_poll(watcher))
        return;
    if (watcher->waiting > 0 && watcher->adding == 0)
        uv_poll_start(&watcher->poll, UV_READABLE, on_poll);
    else
        uv_poll_stop(&watcher->poll);
}

static void run_close(struct spt_job *job)
{
    close(SPT_OF(job, struct spt_watcher, job)->fd);
    job->unfinished = false;
}

static void release_watcher(struct spt_job *job)
{
    free(SPT_OF(job, struct spt_watcher, job));
}

static const struct spt_job_type close_type = {.run = run_close, .release = release_watcher};

static void on_closed(uv_handle_t *handle)
{
    struct spt_watcher *watcher = SPT_OF(handle, struct spt_watcher, poll);
    struct spt_loop *loop = watcher->loop;
    watcher->job = (struct spt_job){.type = &close_type, .loop = loop, .unfinished = true};
    spt_job_release(&watcher->job);
    spt_loop_handle_closed(loop);
}

/* Closes a watcher that nothing uses. */
static void close_unused(struct spt_watcher *watcher)
{
    uv_handle_t *poll = (uv_handle_t *)&watcher->poll;
    if (!spt_list_is_empty(&watcher->watches) || watcher->adding > 0)
        return;
    for (struct spt_link *l; (l = spt_list_pop(&watcher->left));)
        free(SPT_OF(l, struct watched_path, of_table));
    watcher->closed = true;
    if (!spt_loop_close_handle(watcher->loop, &watcher->stray, poll, on_closed))
        on_closed(poll);
}

static int new_watcher(struct spt_watcher **slot, struct spt_loop *loop)
{
    struct spt_watcher *watcher = calloc(1, sizeof *watcher);
    if (!watcher)
        return UV_ENOMEM;
    watcher->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int rc = watcher->fd < 0 ? uv_translate_sys_error(errno) : 0;
    if (rc == 0)
        rc = uv_poll_init(spt_loop_uv(loop), &watcher->poll, watcher->fd);
    if (rc) {
        if (watcher->fd >= 0)
            close(watcher->fd);
        free(watcher);
        return rc;
    }
    watcher->loop = loop;
    watcher->slot = slot;
    spt_link_init(&watcher->watches);
    spt_link_init(&watcher->left);
    for (size_t i = 0; i < BUCKETS; i++)
        spt_link_init(&watcher->buckets[i]);
    spt_loop_handle_opened(loop);
    *slot = watcher;
    return 0;
}

/* --- watches --- */

int spt_watch_init(struct spt_watch *watch, struct spt_watcher **slot, struct spt_loop *loop,
                   size_t count_max)
{
    int rc = *slot ? 0 : new_watcher(slot, loop);
    if (rc)
        return rc;
    *watch = (struct spt_watch){.watcher = *slot, .count_max = count_max};
    spt_link_init(&watch->paths);
    spt_link_init(&watch->adds);
    spt_link_init(&watch->link);
    spt_buf_init(&watch->events, SIZE_MAX);
    spt_list_push(&watch->watcher->watches, &watch->link);
    return 0;
}

void spt_watch_release(struct spt_watch *watch)
{
    struct spt_watcher *watcher = watch->watcher;
    spt_watch_forget(watch);
    for (struct spt_link *l; (l = spt_list_pop(&watch->adds));)
        SPT_OF(l, struct spt_watch_add, link)->watch = NULL;
    while (!spt_list_is_empty(&watch->paths)) {
        struct watched_path *path = SPT_OF(watch->paths.next, struct watched_path, of_watch);
        remove_path(path);
        spt_list_push(&watcher->left, &path->of_table);
    }
    spt_link_remove(&watch->link);
    spt_buf_release(&watch->events);
    if (!spt_list_is_empty(&watcher->watches))
        drop_left(watcher);
    else {
        *watcher->slot = NULL; /* which may go before the adds have ended */
        close_unused(watcher);
    }
}

void spt_watch_wait(struct spt_watch *watch, spt_watch_fn *fn, void *ud)
{
    watch->watcher->waiting += !watch->fn;
    watch->fn = fn;
    watch->ud = ud;
    start_or_stop(watch->watcher);
}

void spt_watch_forget(struct spt_watch *watch)
{
    watch->watcher->waiting -= watch->fn != NULL;
    watch->fn = NULL;
    start_or_stop(watch->watcher);
}

bool spt_watch_is_over(const struct spt_watch *watch)
{
    return spt_list_is_empty(&watch->paths) && spt_list_is_empty(&watch->adds);
}

/* --- adding --- */

static void run_add(struct spt_job *job)
{
    struct spt_watch_add *add = SPT_OF(job, struct spt_watch_add, job);
    add->path->wd = inotify_add_watch(add->watcher->fd, add->name, MASK);
    job->error = add->path->wd < 0 ? uv_translate_sys_error(errno) : 0;
}

static void release_add(struct spt_job *job)
{
    struct spt_watch_add *add = SPT_OF(job, struct spt_watch_add, job);
    free(add->path);
    free(add);
}

static const struct spt_job_type add_type = {.run = run_add, .release = release_add};

/* Puts the path into the table. That of a watch that was released is dropped. */
static void on_added(void *ud)
{
    struct spt_watch_add *add = ud;
    struct spt_watcher *watcher = add->watcher;
    struct watched_path *path = add->path;
    const int error = add->job.error;
    watcher->adding--;
    spt_link_remove(&add->link);
    if (error == 0 && add->watch) {
        spt_list_push(&add->watch->paths, &path->of_watch);
        spt_list_push(bucket_of(watcher, path->wd), &path->of_table);
    } else if (error == 0) {
        spt_list_push(&watcher->left, &path->of_table);
    }
    if (error == 0)
        add->path = NULL;
    if (add->fn)
        add->fn(add->ud, error);
    spt_job_release(&add->job);
    drop_left(watcher);
    start_or_stop(watcher);
    close_unused(watcher);
}

struct spt_watch_add *spt_watch_add(struct spt_watch *watch, const char *name, const char *only,
                                    uint32_t tag, spt_watch_added_fn *fn, void *ud)
{
    struct spt_watch_add *add = calloc(1, sizeof *add + strlen(name) + 1);
    struct watched_path *path = calloc(1, sizeof *path + strlen(only) + 1);
    if (!add || !path) {
        free(path);
        free(add);
        return NULL;
    }
    strcpy(path->only, only);
    path->tag = tag;
    path->watch = watch;
    spt_link_init(&path->of_watch);
    spt_link_init(&path->of_table);
    strcpy(add->name, name);
    add->job.type = &add_type;
    add->watcher = watch->watcher;
    add->watch = watch;
    add->path = path;
    add->fn = fn;
    add->ud = ud;
    spt_link_init(&add->link);
    spt_list_push(&watch->adds, &add->link);
    watch->watcher->adding++;
    start_or_stop(watch->watcher);
    spt_job_start(&add->job, watch->watcher->loop, on_added, add);
    return add;
}

void spt_watch_add_forget(struct spt_watch_add *add)
{
    add->fn = NULL;
}
