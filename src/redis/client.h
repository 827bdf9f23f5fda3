/* SPDX-License-Identifier: MIT */
/* A connection to a Redis server: sends commands without waiting for earlier answers, and gives
 * each its replies, in order. A server that answers nothing for a time is a broken connection; a
 * broken connection ends all its calls, and takes no more. It knows neither Lua nor how it was
 * made. */
#ifndef SPT_REDIS_CLIENT_H
#define SPT_REDIS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "redis/value.h"

struct spt_loop;
struct spt_redis;
struct spt_stream;
struct spt_timers;

/* Some commands that are sent together, on the heap. */
struct spt_redis_call {
    struct spt_link link; /* link in the calls of the connection */
    struct spt_buf request;
    struct spt_redis_value **replies; /* owned; one for each command */
    unsigned n, got;                  /* numbers of commands and of replies so far */
    bool failed;                      /* the connection broke before the last reply */
    uint64_t work_ns;                 /* how long the server may be at work, besides the silence */
    /* called once when it is complete or has failed; may not free the connection. NULL: the caller
     * has forgotten it */
    void (*on_done)(struct spt_redis_call *call);
    void *ud;
};

struct spt_redis_limits {
    uint64_t silence_ns; /* without an answer: the connection is broken */
    size_t request_max;  /* bytes of the commands of a call */
    size_t reply_max;    /* bytes of a reply */
};

/* --- calls --- */

/* Returns a call for `n` commands, or NULL if memory is out. */
struct spt_redis_call *spt_redis_call_new(unsigned n, const struct spt_redis_limits *limits);

/* Append the head of a command with `n` arguments, its name included, and then each argument.
 * Return SEPTET_OK, SEPTET_ETOOBIG or SEPTET_ENOMEM. */
int spt_redis_call_command(struct spt_redis_call *call, size_t n);
int spt_redis_call_argument(struct spt_redis_call *call, const char *bytes, size_t len);

/* Frees a call that was never sent or is done; NULL is a no-op. */
void spt_redis_call_free(struct spt_redis_call *call);

/* --- connections --- */

/* Makes a connection of a stream that is connected, which it owns, also after a failure. Returns
 * NULL if memory is out. */
struct spt_redis *spt_redis_new(struct spt_loop *loop, struct spt_timers *timers,
                                struct spt_stream *stream, const struct spt_redis_limits *limits);

/* Begins TLS with a server that must have a certificate for `host`, before anything is sent.
 * Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_redis_secure(struct spt_redis *redis, const char *host);

/* Sends a call that has all its arguments. Returns SEPTET_OK, or SEPTET_ENOMEM if nothing was sent.
 * The call is done at once, without on_done, if the connection is broken. */
int spt_redis_send(struct spt_redis *redis, struct spt_redis_call *call);

/* Ends the caller's interest in a call that was sent and is not done. The connection frees it once
 * its replies have arrived. */
void spt_redis_forget(struct spt_redis_call *call);

/* Returns why the connection is broken, a static word: "timeout", "cut", "protocol", "tls",
 * "memory", "closed". NULL: it is not. */
const char *spt_redis_failure(const struct spt_redis *redis);

/* Returns a text that says more, which may be empty. */
const char *spt_redis_failure_text(const struct spt_redis *redis);

/* Ends the calls, as "closed", and frees the connection; NULL is a no-op. May not be called in
 * on_done. */
void spt_redis_free(struct spt_redis *redis);

#endif
