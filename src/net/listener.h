/* SPDX-License-Identifier: MIT */
/* A socket that accepts connections, while a caller waits for one: all others stay in the kernel's
 * queue. It accepts no more than so many at once. Without a file descriptor left it pauses. Knows
 * no Lua and no tasks. */
#ifndef SPT_NET_LISTENER_H
#define SPT_NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/list.h"
#include "core/timer.h"
#include "loop/closing.h"
#include "net/address.h"

struct spt_loop;

/* Called when it may be possible to accept a connection. May accept or wait, but not free the
 * listener. */
typedef void spt_listener_fn(void *ud);

/* A connection of a listener, as a member of what the caller makes of it. */
struct spt_accepted {
    struct spt_link link;
    struct spt_listener *listener; /* NULL once one of the two is closed */
};

/* The file of a unix socket, which is removed with the listener. */
struct spt_listener_file {
    char *path; /* owned; NULL for none */
    dev_t device;
    ino_t inode;
};

struct spt_listener {
    struct spt_address address; /* with the port that the kernel chose */
    bool starved; /* no descriptor, or no memory of the kernel's, was left for the next */

    struct spt_loop *loop; /* private, like all members below */
    struct spt_timers *timers;
    int fd;
    bool armed; /* the poller watches */
    struct spt_link accepted;
    unsigned n, max;     /* connections: number of those that are open, and the most of them */
    spt_listener_fn *fn; /* NULL: no waiter */
    void *ud;
    struct spt_timer retry; /* while starved */
    uint64_t pause_ns;      /* until the next try */
    struct spt_listener_file file;
    uv_poll_t poll;
    struct spt_stray stray; /* of poll */
};

/* Listens on an address. The file of a unix socket that nothing listens on is replaced. Returns 0
 * or libuv's error number. */
int spt_listener_open(struct spt_listener **out, struct spt_loop *loop, struct spt_timers *timers,
                      const struct spt_address *address, int backlog, unsigned max);

/* Closes the listener, and removes its file. Connections stay. */
void spt_listener_free(struct spt_listener *listener);

/* Accepts a connection. Returns its descriptor, which does not block, or libuv's error number.
 * UV_EAGAIN: there is none, or none may be accepted now. */
int spt_listener_accept(struct spt_listener *listener);

/* Calls fn(ud) once when it is worth while to try again. Returns 0 or libuv's error number. */
int spt_listener_wait(struct spt_listener *listener, spt_listener_fn *fn, void *ud);

void spt_listener_forget(struct spt_listener *listener);

/* Counts a connection as open, until it is closed. */
void spt_listener_add(struct spt_listener *listener, struct spt_accepted *accepted);

/* Counts it no more. One that is not counted, or zeroed, is a no-op. */
void spt_listener_remove(struct spt_accepted *accepted);

#endif
