/* Bytes from outside the process: a file, a pipe, a terminal. They gather in a buffer that outlives
 * whoever waits for them, so that to stop waiting loses nothing. It knows neither lines nor tasks:
 * who waits is a function. */
#ifndef SPT_LOOP_INPUT_H
#define SPT_LOOP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/buf.h"

struct spt_loop;

/* May take bytes and ask for more, but not free the input. */
typedef void spt_input_fn(void *ud);

struct spt_input {
    void *waiter; /* the caller's own: who is to take what comes */
    int error;    /* libuv's number of what went wrong; 0: nothing; the caller's to reset */
    bool ended;   /* no more bytes will come */

    struct spt_loop *loop; /* private, as all that follows */
    spt_input_fn *on_more; /* NULL: nobody waits */
    void *ud;
    struct spt_buf buf;
    size_t start;   /* bytes of the buffer that were taken */
    size_t scanned; /* bytes behind those that are known to hold no newline */
    int fd;         /* -1: none, as the next two */
    int read_fd;    /* the same pipe once more, never blocking */
    int epoll_fd;   /* an epoll that watches fd */
    bool own;       /* fd was opened here: its flags are nobody else's */
    bool is_socket;
    bool watching; /* poll is a live handle: readiness; else bytes are read in the thread pool */
    bool in_pool;  /* the pool has fs, and may be writing to the buffer */
    bool freed;    /* ... which is all that keeps it */
    uv_poll_t poll;
    uv_fs_t fs;
};

/* Opens a file in the thread pool, and calls fn(ud) when it is open or `error` says why not.
 * Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_input_open(struct spt_input **out, struct spt_loop *loop, const char *path,
                   spt_input_fn *fn, void *ud);

/* Standard input, by a descriptor of our own; the flags it shares with other processes stay as they
 * are. Returns SEPTET_OK or SEPTET_ENOMEM; `error` says whether there is one. */
int spt_input_stdin(struct spt_input **out, struct spt_loop *loop);

/* Closes it. A read that is under way is not waited for. */
void spt_input_free(struct spt_input *in);

/* Calls fn(ud) once when there are more bytes, the end or an error; one may wait at a time. Returns
 * false where `error` says that there is nothing to wait for. */
bool spt_input_wait(struct spt_input *in, spt_input_fn *fn, void *ud);

/* Reads what is there without waiting, where that can be known. Returns whether bytes, the end or
 * an error came. */
bool spt_input_try(struct spt_input *in);

/* Has nobody called. What is being read is kept. */
void spt_input_forget(struct spt_input *in);

static inline bool spt_input_waits(const struct spt_input *in)
{
    return in->on_more != NULL;
}

/* The bytes that are there and not taken. */
static inline size_t spt_input_len(const struct spt_input *in)
{
    return in->buf.len - in->start;
}

static inline const char *spt_input_bytes(const struct spt_input *in)
{
    return in->buf.data ? in->buf.data + in->start : "";
}

/* Where the first newline is among them; their number where there is none. */
size_t spt_input_newline(struct spt_input *in);

/* Takes the first n of them away. */
void spt_input_take(struct spt_input *in, size_t n);

#endif
