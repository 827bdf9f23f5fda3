/* SPDX-License-Identifier: MIT */
/* A connected socket, or an end of a pipe, that bytes are read from and written to. What it reads
 * is its spt_incoming. What the kernel does not take at once of a write is copied, and follows. It
 * knows neither addresses nor processes, and never raises SIGPIPE. */
#ifndef SPT_LOOP_STREAM_H
#define SPT_LOOP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "loop/closing.h"
#include "loop/incoming.h"

struct spt_loop;

/* Called when all is written, the stream is connected, or that has failed. May write, wait, or free
 * the stream. */
typedef void spt_stream_fn(void *ud);

struct spt_stream {
    /* once a wait has begun, bytes are read ahead up to a limit, also without a waiter */
    struct spt_incoming in;
    /* libuv's error number of a failed write, which all later ones have; 0: none */
    int write_error;

    struct spt_loop *loop; /* private, like all members below */
    int fd;
    int read_error;            /* libuv's error number, which all later reads have; 0: none */
    bool is_socket;            /* else a pipe */
    bool connecting;           /* a connection is being made */
    bool reading;              /* bytes are wanted */
    int armed;                 /* events that the poller watches */
    size_t chunk;              /* bytes of the next read */
    spt_stream_fn *on_flushed; /* NULL: no waiter */
    void *flushed_ud;
    struct spt_buf out; /* bytes to write */
    size_t out_start;   /* number of them that are written */
    uv_poll_t poll;
    struct spt_stray stray; /* of poll */
};

/* Makes a stream of an open descriptor, a socket or an end of a pipe, and makes that non-blocking.
 * The descriptor is the stream's, also after a failure, which closes it. Returns 0 or libuv's error
 * number. */
int spt_stream_open(struct spt_stream **out, struct spt_loop *loop, int fd);

/* Makes a pipe, and a stream of its reading or its writing end. The other end, which blocks, is
 * `*other` and the caller's. It is closed in programs that the process executes. Returns 0 or
 * libuv's error number. */
int spt_stream_pipe(struct spt_stream **out, struct spt_loop *loop, bool writes, int *other);

/* Closes the stream at once. Bytes that the kernel has not taken are lost. */
void spt_stream_free(struct spt_stream *s);

/* --- reading: &s->in, by incoming.h --- */

/* Reads once what has arrived, without blocking and whatever the budget of the turn. Returns false
 * if there was nothing. */
bool spt_stream_try(struct spt_stream *s);

/* --- writing: one writer at a time, in pieces of at most SPT_STREAM_PIECE --- */

#define SPT_STREAM_PIECE ((size_t)128 * 1024)

/* Begins to connect a socket. It is not flushed until it is connected, or `write_error` is set. */
void spt_stream_connect(struct spt_stream *s, const struct sockaddr *address, socklen_t len);

/* Writes a piece to a stream that is flushed. Copies what the kernel does not take at once. Returns
 * 0 or libuv's error number. */
int spt_stream_write(struct spt_stream *s, const char *bytes, size_t n);

/* Like spt_stream_write(), but leaves all of it to the next turn of the loop, which lets others
 * have theirs. */
int spt_stream_write_later(struct spt_stream *s, const char *bytes, size_t n);

/* Returns true if everything that was written has reached the kernel, or cannot. */
static inline bool spt_stream_is_flushed(const struct spt_stream *s)
{
    return s->write_error || (!s->connecting && s->out.len == 0);
}

/* Calls fn(ud) once when the stream is flushed. It may not be flushed yet. Returns 0 or libuv's
 * error number. */
int spt_stream_on_flushed(struct spt_stream *s, spt_stream_fn *fn, void *ud);

/* Clears that callback. The bytes are still written. */
void spt_stream_forget_flush(struct spt_stream *s);

/* Ends the writing direction of a socket that is flushed: the peer reads the end. Returns 0 or
 * libuv's error number. A pipe is left as it is: only closing ends it. */
int spt_stream_shutdown(struct spt_stream *s);

#endif
