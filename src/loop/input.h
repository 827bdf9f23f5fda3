/* SPDX-License-Identifier: MIT */
/* Reads bytes from outside the process: a file, a pipe or a terminal. They collect in a buffer that
 * outlives its waiter, so that ending a wait loses nothing. The input knows neither lines nor
 * tasks: its waiter is a callback. */
#ifndef SPT_LOOP_INPUT_H
#define SPT_LOOP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/buf.h"
#include "loop/closing.h"

struct spt_loop;

/* Called when input has arrived. May take bytes and wait for more, but must not free the input. */
typedef void spt_input_fn(void *ud);

/* The descriptors of an input; -1: none. */
struct spt_input_source {
    int fd;
    int read_fd;  /* the same pipe, opened again as non-blocking */
    int epoll_fd; /* an epoll descriptor that watches fd */
    bool own;     /* fd was opened here: no other process shares its flags */
    bool is_socket;
};

struct spt_input {
    void *waiter; /* the caller's own: the operation that takes the bytes */
    int error;    /* libuv's error number, reset by the caller; 0: none */
    bool ended;   /* no more bytes will come */

    struct spt_loop *loop; /* private, like all members below */
    spt_input_fn *on_more; /* NULL: no waiter */
    void *ud;
    struct spt_buf buf;
    size_t start;                   /* number of bytes of the buffer that were taken */
    size_t scanned;                 /* number of bytes after those that hold no newline */
    struct spt_input_source source; /* the descriptors that are read and watched */
    bool watching; /* poll is a live handle; otherwise bytes are read in the thread pool */
    bool in_pool;  /* fs is in the thread pool, which may be writing to the buffer */
    bool freed;    /* spt_input_free was called; the memory is kept for the pool or poll */
    uv_poll_t poll;
    struct spt_stray stray; /* of poll */
    uv_fs_t fs;
};

/* Opens a file in the thread pool. Calls fn(ud) once it is open or `error` is set. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_input_open(struct spt_input **out, struct spt_loop *loop, const char *path,
                   spt_input_fn *fn, void *ud);

/* Opens standard input through a duplicate descriptor. The flags that it shares with other
 * processes are left unchanged. Returns SEPTET_OK or SEPTET_ENOMEM; `error` is set if there is no
 * input. */
int spt_input_stdin(struct spt_input **out, struct spt_loop *loop);

/* Closes the input. Does not wait for a read in flight. */
void spt_input_free(struct spt_input *in);

/* Calls fn(ud) once when more bytes, the end or an error have arrived. An input has at most one
 * waiter. Returns false, with `error` set, if the wait cannot start. */
bool spt_input_wait(struct spt_input *in, spt_input_fn *fn, void *ud);

/* Reads available bytes without blocking, if the descriptor can be polled. Returns true if bytes,
 * the end or an error have arrived. */
bool spt_input_try(struct spt_input *in);

/* Clears the callback. A read in flight completes into the buffer. */
void spt_input_forget(struct spt_input *in);

static inline bool spt_input_waits(const struct spt_input *in)
{
    return in->on_more != NULL;
}

/* Returns the number of buffered bytes, which are those that have arrived and were not taken. */
static inline size_t spt_input_len(const struct spt_input *in)
{
    return in->buf.len - in->start;
}

static inline const char *spt_input_bytes(const struct spt_input *in)
{
    return in->buf.data ? in->buf.data + in->start : "";
}

/* Returns the offset of the first newline in the buffered bytes, or their number if there is
 * none. */
size_t spt_input_newline(struct spt_input *in);

/* Removes the first n buffered bytes. */
void spt_input_take(struct spt_input *in, size_t n);

#endif
