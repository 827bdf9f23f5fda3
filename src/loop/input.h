/* SPDX-License-Identifier: MIT */
/* Reads bytes from outside the process: a file, a pipe or a terminal. The caller waits for them,
 * takes them and frees the input through its spt_incoming. */
#ifndef SPT_LOOP_INPUT_H
#define SPT_LOOP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "loop/closing.h"
#include "loop/incoming.h"

struct spt_loop;

/* The descriptors of an input; -1: none. */
struct spt_input_source {
    int fd;
    int read_fd;  /* the same pipe, opened again as non-blocking */
    int epoll_fd; /* an epoll descriptor that watches fd */
    bool own;     /* fd was opened here: no other process shares its flags */
    bool is_socket;
};

struct spt_input {
    struct spt_incoming in;
    struct spt_loop *loop;          /* private, like all members below */
    struct spt_input_source source; /* the descriptors that are read and watched */
    bool watching; /* poll is a live handle; otherwise bytes are read in the thread pool */
    bool in_pool;  /* fs is in the thread pool, which may be writing to the buffer */
    bool freed;    /* spt_incoming_free was called; the memory is kept for the pool or poll */
    uv_poll_t poll;
    struct spt_stray stray; /* of poll */
    uv_fs_t fs;
};

/* Opens a file in the thread pool. Calls fn(ud) once it is open or the `error` of
 * `in` is set. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_input_open(struct spt_input **out, struct spt_loop *loop, const char *path,
                   spt_incoming_fn *fn, void *ud);

/* Returns the input that fills `in`, or NULL if that belongs to another kind of source. */
struct spt_input *spt_input_of(struct spt_incoming *in);

/* Returns true if no read is in flight, so that all bytes up to the descriptor's offset are
 * buffered or were taken. */
static inline bool spt_input_is_settled(const struct spt_input *input)
{
    return !input->in_pool;
}

/* Opens standard input through a duplicate descriptor. The flags that it shares with other
 * processes are left unchanged. Returns SEPTET_OK or SEPTET_ENOMEM; `error` is set if there is no
 * input. */
int spt_input_stdin(struct spt_input **out, struct spt_loop *loop);

#endif
