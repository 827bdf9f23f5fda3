/* The descriptors libcurl uses, each with one libuv poller for its whole life: kept armed while the
 * connection is idle, so that a request on an open connection costs no epoll_ctl and a connection
 * the peer drops is noticed. It knows no libcurl: masks are libuv's, readiness is a callback. */
#ifndef SPT_LOOP_POLLERS_H
#define SPT_LOOP_POLLERS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"

struct spt_loop;

struct spt_poller {
    uv_poll_t poll;
    struct spt_pollers *table;
    void *owner;             /* borrows: whose socket it is, given back to on_ready */
    struct spt_link link;    /* in the table's dirty list */
    void *opener;            /* borrows: who connects through it; NULL once it is connected */
    struct spt_link attempt; /* in the opener's list; leaves it by itself when the socket closes */
    int fd;
    uint32_t generation; /* tells it from earlier sockets of the same number */
    uint8_t wanted_mask; /* UV_READABLE | UV_WRITABLE; 0: idle */
    uint8_t armed_mask;  /* what the poller watches; 0: stopped */
    uint8_t errors;      /* error events in a row */
    bool shared;         /* by requests at the same time: HTTP/2 */
    bool owns_fd;        /* we are told of its close; else it is watched only while it is wanted */
    uint16_t spurious_events; /* foreign: events in a row that changed nothing */
};

/* `events` are UV_READABLE | UV_WRITABLE, and SPT_POLLER_ERROR. It may close or open any socket. */
#define SPT_POLLER_ERROR 0x100
typedef void spt_poller_ready_fn(void *owner, int fd, int events);

/* Is a socket of this owner that wants nothing one that nobody uses? */
typedef bool spt_poller_idle_fn(void *owner);

/* A socket of this owner that nobody used was found dead. */
typedef void spt_poller_dropped_fn(void *owner);

struct spt_pollers {
    struct spt_loop *loop; /* borrows */
    spt_poller_ready_fn *on_ready;
    spt_poller_idle_fn *is_idle;
    spt_poller_dropped_fn *on_dropped; /* set after the init; NULL: nobody asks */
    struct spt_poller **by_fd;
    int cap;
    struct spt_link dirty; /* sockets whose wanted mask is not what the poller watches */
    unsigned count;
    unsigned dropped; /* idle connections found dead, for the census */
    uint32_t generations;
};

void spt_pollers_init(struct spt_pollers *table, struct spt_loop *loop,
                      spt_poller_ready_fn *on_ready, spt_poller_idle_fn *is_idle);

/* Closes what is left and frees the table; the pollers' memory goes in their close callbacks. */
void spt_pollers_release(struct spt_pollers *table);

/* Takes note of a socket we opened, before it connects. An older one of the same number is stale
 * (it was closed behind our back) and is dropped; what was wanted of it stays wanted, as libcurl
 * may not know that it has changed. Returns NULL when there is no memory or libuv cannot watch
 * it. */
struct spt_poller *spt_pollers_open(struct spt_pollers *table, int fd, void *owner);

/* `opener` connects through `s`, until spt_poller_opened says that it does no longer. */
void spt_poller_opening(struct spt_poller *s, void *opener, struct spt_link *attempts);
void spt_poller_opened(struct spt_poller *s);

/* How many of them we opened for `owner`. */
unsigned spt_pollers_owned(const struct spt_pollers *table, const void *owner);

/* Is there one of them that nobody uses? */
bool spt_pollers_idle(const struct spt_pollers *table, void *owner);

/* The socket of that number, or NULL. */
struct spt_poller *spt_pollers_find(const struct spt_pollers *table, int fd);

/* What is wanted of `fd` from now on: 0 makes it idle, or stops it at once while it is being
 * opened, as it may be closed already. One that was not opened here is taken in, and watched at
 * once; 0 drops it again. Returns SEPTET_OK, SEPTET_ENOMEM or SEPTET_ELOOP. */
int spt_pollers_want(struct spt_pollers *table, int fd, int mask, void *owner);

/* Stops watching, to be called before close(fd). Harmless for a number that is not known. */
void spt_pollers_close(struct spt_pollers *table, int fd);

/* The same for every socket of `owner`. */
void spt_pollers_close_all(struct spt_pollers *table, void *owner);

/* Brings the pollers in line with what is wanted; once a lap. */
void spt_pollers_apply(struct spt_pollers *table);

#endif
