/* SPDX-License-Identifier: MIT */
/* Runs processes: starts them in the thread pool, learns of their end by SIGCHLD, and ends them by
 * SIGTERM, then SIGKILL. None is left unreaped. It knows neither tasks nor what the processes read
 * and write. */
#ifndef SPT_LOOP_CHILD_H
#define SPT_LOOP_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "loop/child_exit.h"
#include "loop/launch.h"

struct spt_loop;
struct spt_child_set;

/* Called when the process has started, or has failed to. Must not free the child. */
typedef void spt_child_fn(void *ud);

/* Notified of the end of a process. */
struct spt_child_watch {
    struct spt_link link;
    void (*fire)(struct spt_child_watch *watch); /* called once; the node is out of the list */
};

/* How a process is ended. */
struct spt_child_ending {
    uint64_t grace_ns;
    uint64_t kill_at_ns; /* when SIGKILL follows, by uv_hrtime(); 0: its end was not requested */
    bool killed;         /* SIGKILL was sent for that */
};

enum spt_child_state {
    SPT_CHILD_STARTING, /* a thread of the pool starts it */
    SPT_CHILD_RUNNING,
    SPT_CHILD_ENDED, /* or failed to start */
};

struct spt_child {
    enum spt_child_state state;
    int exit_code; /* once ended: 0 to 255, or -1 if a signal ended the process */
    int signal;    /* once ended: the signal that ended it, or 0 */
    bool lost;     /* once ended: other code has reaped it, so that its end is not known */
    struct spt_launch launch; /* readable once started; its error says whether it failed */

    struct spt_child_set *set;  /* private, like all members below */
    struct spt_link link;       /* in set->children */
    struct spt_child_exit exit; /* in the list while the process runs */
    struct spt_link watches;
    spt_child_fn *on_started; /* NULL: no waiter */
    void *ud;
    struct spt_child_ending ending;
    bool group_left; /* the process has ended; its group may have not */
    bool freed;      /* spt_child_free was called */
    uv_work_t work;
};

/* Makes the set of a loop's processes. Returns NULL if out of memory. */
struct spt_child_set *spt_child_set_new(struct spt_loop *loop);

/* Ends all processes of the set, and waits for them: SIGTERM, then SIGKILL after the grace or five
 * seconds. Does not wait longer than a second for a process that SIGKILL does not end. Children
 * that were not freed before stay readable until they are. */
void spt_child_set_free(struct spt_child_set *set);

/* Starts a process in the thread pool. Owns the descriptors of the plan, in any case. Calls fn(ud)
 * later. Returns 0 or libuv's number of an error. */
int spt_child_start(struct spt_child **out, struct spt_child_set *set,
                    const struct spt_launch_plan *plan, uint64_t grace_ns, spt_child_fn *fn,
                    void *ud);

/* Clears the callback. */
void spt_child_forget(struct spt_child *child);

/* Adds a watch to a process that has not ended. spt_link_remove() ends it. */
void spt_child_add_watch(struct spt_child *child, struct spt_child_watch *watch);

/* Sends a signal to the process, or to its group if it leads one. Returns 0 or libuv's number of an
 * error: UV_ESRCH if the process has ended. */
int spt_child_kill(struct spt_child *child, int signal);

/* Begins to end the process, or its group: by SIGTERM, and by SIGKILL if it lives after the grace.
 * A process that has ended, or is being ended, is a no-op. */
void spt_child_end(struct spt_child *child);

/* Ends the process and frees the child. Does not wait. Watches that are left do not fire. A process
 * that is starting gets SIGKILL once it has started. */
void spt_child_free(struct spt_child *child);

#endif
