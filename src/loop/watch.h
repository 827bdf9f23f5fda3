/* SPDX-License-Identifier: MIT */
/* Watches files and folders for changes, by one inotify descriptor for all watches of a host. Says
 * if events were lost, which libuv's uv_fs_event does not. It knows neither tasks nor the meaning
 * of a change. */
#ifndef SPT_LOOP_WATCH_H
#define SPT_LOOP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"

struct spt_loop;
struct spt_watch_add;
struct spt_watcher;

enum spt_watch_kind {
    SPT_WATCH_CHANGE = 1, /* the contents or the attributes of a file changed */
    SPT_WATCH_RENAME,     /* a name appeared or went away */
    SPT_WATCH_OVERFLOW,   /* events were lost */
    SPT_WATCH_GONE        /* the last event of a path: its file was removed */
};

struct spt_watch_event {
    uint32_t size; /* bytes from this event to the next one */
    uint32_t tag;  /* of the path, as given to spt_watch_add() */
    uint8_t kind;  /* enum spt_watch_kind */
    bool folder;   /* the name is that of a folder */
    char name[];   /* in the watched folder; "": the path itself */
};

/* Called when there is an event, or when no path is left. May take events, but must not release the
 * watch. */
typedef void spt_watch_fn(void *ud);

struct spt_watch {
    void *waiter; /* the caller's own */

    struct spt_watcher *watcher; /* private, like all members below */
    struct spt_link link;        /* in the watcher's list */
    struct spt_link paths;       /* those that are watched */
    struct spt_link adds;        /* those that are being added */
    struct spt_buf events;       /* from `at` on, those to come */
    size_t at;
    size_t count;     /* number of those */
    size_t count_max; /* more than these are lost */
    bool lost;        /* the last event is SPT_WATCH_OVERFLOW */
    spt_watch_fn *fn; /* NULL: no waiter */
    void *ud;
};

/* Begins a watch without a path, with room for `count_max` events. The first watch makes the
 * watcher and puts it into `slot`, which is NULL otherwise. Returns 0 or libuv's error number. */
int spt_watch_init(struct spt_watch *watch, struct spt_watcher **slot, struct spt_loop *loop,
                   size_t count_max);

/* Ends a watch, with its adds. */
void spt_watch_release(struct spt_watch *watch);

/* Called when a path is watched, or with libuv's error number. */
typedef void spt_watch_added_fn(void *ud, int error);

/* Adds a path to the watch, in the thread pool, and calls fn(ud, error) once that is done. Of a
 * folder's names, only events of `only` are handed out, unless it is "". Returns what
 * spt_watch_add_forget() takes until then, or NULL if there is no memory. */
struct spt_watch_add *spt_watch_add(struct spt_watch *watch, const char *path, const char *only,
                                    uint32_t tag, spt_watch_added_fn *fn, void *ud);

/* Clears the callback. The path is watched nevertheless. */
void spt_watch_add_forget(struct spt_watch_add *add);

/* Calls fn(ud) once there is an event, or no path is left. */
void spt_watch_wait(struct spt_watch *watch, spt_watch_fn *fn, void *ud);
void spt_watch_forget(struct spt_watch *watch);

/* Returns the next event, or NULL. Valid until the next function is called. */
const struct spt_watch_event *spt_watch_peek(const struct spt_watch *watch);

/* Removes that event. */
void spt_watch_take(struct spt_watch *watch);

/* Returns true if no path is watched or is being added. */
bool spt_watch_is_over(const struct spt_watch *watch);

#endif
