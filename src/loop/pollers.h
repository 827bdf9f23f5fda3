/* SPDX-License-Identifier: MIT */
/* Watches the descriptors of libcurl and c-ares, each with one libuv poller for its whole life. A
 * poller stays armed while its connection is idle. A request on an open connection therefore costs
 * no epoll_ctl, and a connection that the peer drops is noticed. The table knows no libcurl: masks
 * are libuv's, and readiness is reported to a callback. */
#ifndef SPT_LOOP_POLLERS_H
#define SPT_LOOP_POLLERS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "loop/closing.h"
#include "loop/turn_budget.h"

struct spt_loop;

/* What was left to the next turn. */
struct spt_poller_left {
    struct spt_left_work work;
    int events; /* as on_ready takes them */
};

/* Events in a row that had no effect. */
struct spt_poller_faults {
    uint8_t errors;
    uint16_t spurious; /* of a socket that septet did not open */
};

struct spt_poller {
    uv_poll_t poll;
    struct spt_stray stray;
    struct spt_pollers *table;
    void *owner;             /* borrowed; owner of the socket, passed to on_ready */
    struct spt_link link;    /* link in the table's dirty list */
    void *opener;            /* borrowed; connects through the socket; NULL once connected */
    struct spt_link attempt; /* link in the opener's list; removed when the socket closes */
    void *mark;              /* borrowed; passed to on_gone; NULL if that is not to be called */
    int fd;
    uint32_t generation; /* distinguishes it from earlier sockets with the same number */
    uint8_t wanted_mask; /* UV_READABLE | UV_WRITABLE; 0: idle */
    uint8_t armed_mask;  /* events that the poller watches; 0: stopped */
    bool shared;         /* serves several requests at a time (HTTP/2) */
    bool owns_fd;        /* its close is reported; otherwise it is watched only while wanted */
    struct spt_poller_faults faults;
    struct spt_poller_left left;
};

/* Called when a wanted event or an error arrives. `events` combines UV_READABLE, UV_WRITABLE and
 * SPT_POLLER_ERROR. May close or open any socket. */
#define SPT_POLLER_ERROR 0x100
typedef void spt_poller_ready_fn(void *owner, int fd, int events);

/* Returns true if unwatched sockets of this owner are idle connections. */
typedef bool spt_poller_idle_fn(void *owner);

/* Called when an idle connection of this owner was found dead. */
typedef void spt_poller_dropped_fn(void *owner);

/* Called once with the mark of a socket, when it closes or is found dead. */
typedef void spt_poller_gone_fn(void *mark);

struct spt_pollers {
    struct spt_loop *loop; /* borrowed */
    spt_poller_ready_fn *on_ready;
    spt_poller_idle_fn *is_idle;
    spt_poller_dropped_fn *on_dropped; /* set after spt_pollers_init; may be NULL */
    spt_poller_gone_fn *on_gone;       /* set if sockets have marks */
    struct spt_poller **by_fd;
    int cap;
    struct spt_link dirty; /* list of sockets with a wanted mask that is not yet armed */
    unsigned count;
    unsigned dropped;  /* number of idle connections found dead, for tests */
    uint64_t searched; /* number of polls at the last search for lost pollers */
    uint32_t generations;
};

void spt_pollers_init(struct spt_pollers *table, struct spt_loop *loop,
                      spt_poller_ready_fn *on_ready, spt_poller_idle_fn *is_idle);

/* Closes all remaining pollers and frees the table. Each poller is freed in its close callback. */
void spt_pollers_release(struct spt_pollers *table);

/* Adds a socket that septet opened, before it connects. An older one with the same number is stale
 * (its close was not reported) and is dropped. Its wanted mask is kept if the owner is the same, as
 * libcurl may not know that the socket has changed. Returns NULL if there is no memory or libuv
 * cannot watch the socket. */
struct spt_poller *spt_pollers_open(struct spt_pollers *table, int fd, void *owner);

/* Marks `s` as a connection attempt of `opener`, until spt_pollers_connected is called. */
void spt_pollers_connecting(struct spt_poller *s, void *opener, struct spt_link *attempts);
void spt_pollers_connected(struct spt_poller *s);

/* Returns the number of sockets that were added by spt_pollers_open for `owner`. */
unsigned spt_pollers_owned(const struct spt_pollers *table, const void *owner);

/* Returns true if `owner` has an idle connection. */
bool spt_pollers_idle(const struct spt_pollers *table, void *owner);

/* Returns the socket with descriptor `fd`, or NULL. */
struct spt_poller *spt_pollers_find(const struct spt_pollers *table, int fd);

/* Sets the events wanted on `fd`. A mask of 0 makes the socket idle; while it has an opener, it is
 * dropped instead, as it may already be closed. A descriptor that septet did not open is added and
 * watched at once, and dropped by a mask of 0. Returns SEPTET_OK, SEPTET_ENOMEM or SEPTET_ELOOP. */
int spt_pollers_want(struct spt_pollers *table, int fd, int mask, void *owner);

/* Stops watching `fd`; must be called before close(fd). Does nothing if `fd` is unknown. */
void spt_pollers_close(struct spt_pollers *table, int fd);

/* Like spt_pollers_close(), but for every socket of `owner`. */
void spt_pollers_close_all(struct spt_pollers *table, void *owner);

/* Leaves events of `fd`, of which on_ready was called, to the next turn. It is called again then,
 * unless they are no longer wanted. */
void spt_pollers_leave(struct spt_pollers *table, int fd, int events);

/* Returns true if spt_pollers_apply() has something to do. */
bool spt_pollers_have_work(const struct spt_pollers *table);

/* Arms all pollers with their wanted masks; called once per pass. If other code has closed a
 * poller, as uv_walk() with uv_close() does, its socket is shut down and reported as ready with an
 * error. */
void spt_pollers_apply(struct spt_pollers *table);

#endif
