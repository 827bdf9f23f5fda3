/* SPDX-License-Identifier: MIT */
/* Bytes that arrive from outside the process, as what reads them sees them: the part that an input
 * and a stream have in common. The bytes collect in a buffer that outlives its waiter, so that
 * ending a wait loses nothing. It knows neither lines nor tasks: its waiter is a callback. */
#ifndef SPT_LOOP_INCOMING_H
#define SPT_LOOP_INCOMING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct spt_incoming;

/* Called when something has arrived. May take bytes and wait for more, but must not free the
 * source. */
typedef void spt_incoming_fn(void *ud);

/* What a kind of source does. */
struct spt_incoming_type {
    /* Starts a read, or goes on with one. Returns 0 or libuv's error number. */
    int (*start)(struct spt_incoming *in);
    /* Reads available bytes without blocking. Returns true if something has arrived. NULL: it
     * cannot. */
    bool (*try_now)(struct spt_incoming *in);
    /* Called when the waiter is gone. A read in flight completes into the buffer. */
    void (*forget)(struct spt_incoming *in);
    /* Closes the source. Does not wait for a read in flight. */
    void (*free)(struct spt_incoming *in);
};

struct spt_incoming {
    void *waiter; /* the caller's own: the operation that takes the bytes */
    int error;    /* libuv's error number, reset by the caller; 0: none */
    bool ended;   /* no more bytes will come */

    const struct spt_incoming_type *type; /* private, like all members below */
    spt_incoming_fn *on_more;             /* NULL: no waiter */
    void *ud;
    struct spt_buf buf;
    size_t start;   /* number of bytes of the buffer that were taken */
    size_t scanned; /* number of bytes after those that hold no newline */
};

void spt_incoming_init(struct spt_incoming *in, const struct spt_incoming_type *type);

/* Frees the bytes. */
void spt_incoming_release(struct spt_incoming *in);

/* Calls fn(ud) once when more bytes, the end or an error have arrived. A source has at most one
 * waiter. Returns false, with `error` set, if the wait cannot start. */
bool spt_incoming_wait(struct spt_incoming *in, spt_incoming_fn *fn, void *ud);

/* Reads available bytes without blocking, if the source can. Returns true if bytes, the end or an
 * error have arrived. */
bool spt_incoming_try(struct spt_incoming *in);

/* Clears the callback. A read in flight completes into the buffer. */
void spt_incoming_forget(struct spt_incoming *in);

/* Closes the source and frees it. */
void spt_incoming_free(struct spt_incoming *in);

static inline bool spt_incoming_waits(const struct spt_incoming *in)
{
    return in->on_more != NULL;
}

/* Returns the number of buffered bytes, which are those that have arrived and were not taken. */
static inline size_t spt_incoming_len(const struct spt_incoming *in)
{
    return in->buf.len - in->start;
}

static inline const char *spt_incoming_bytes(const struct spt_incoming *in)
{
    return in->buf.data ? in->buf.data + in->start : "";
}

/* Returns the offset of the first newline in the buffered bytes, or their number if there is
 * none. */
size_t spt_incoming_newline(struct spt_incoming *in);

/* Removes the first n buffered bytes. */
void spt_incoming_take(struct spt_incoming *in, size_t n);

/* --- for the sources --- */

/* Makes room for n bytes behind the buffered ones, and returns where. Returns NULL, with `error`
 * set, if memory is out. */
char *spt_incoming_room(struct spt_incoming *in, size_t n);

/* Notes the result of a read into that room: a number of bytes, 0 for the end, or libuv's error
 * number. */
void spt_incoming_note(struct spt_incoming *in, long result);

/* Calls the waiter, if there is one. */
void spt_incoming_tell(struct spt_incoming *in);

#endif
