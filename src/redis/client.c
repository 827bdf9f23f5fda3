/* SPDX-License-Identifier: MIT */
/* Carries the bytes by an spt_stream, and lets hiredis read them. hiredis' own connections end the
 * process if memory is out, or if a server answers what it was not asked. */
#include "redis/client.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "core/timer.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "redis/tls.h"
#include "septet/septet.h"

#define HEAD_MAX  ((size_t)24)        /* of an argument */
#define TLS_PIECE ((size_t)16 * 1024) /* of a record */

struct spt_redis {
    struct spt_loop *loop;     /* borrowed */
    struct spt_timers *timers; /* borrowed */
    struct spt_redis_limits limits;
    struct spt_stream *stream; /* owned */
    redisReader *reader;       /* owned */
    struct spt_redis_room room;
    struct spt_link calls;     /* spt_redis_call that wait for replies, oldest first */
    struct spt_redis_tls *tls; /* owned; NULL: the bytes are the commands */
    struct spt_buf plain;      /* commands that TLS has not taken */
    struct spt_buf out;        /* bytes that the stream has not taken */
    size_t out_start;          /* number of them that it has */
    struct spt_timer timer;
    const char *failure; /* static; NULL unless broken */
    char text[160];
};

/* --- calls --- */

struct spt_redis_call *spt_redis_call_new(unsigned n, const struct spt_redis_limits *limits)
{
    struct spt_redis_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->replies = calloc(n ? n : 1, sizeof(struct spt_redis_value *));
    if (!call->replies) {
        free(call);
        return NULL;
    }
    call->n = n;
    spt_link_init(&call->link);
    spt_buf_init(&call->request, limits->request_max);
    return call;
}

/* Appends a mark, a number and the end of a line. By hand, as an argument costs twice as much by
 * snprintf, and a call has a thousand of them. */
static int append_head(struct spt_buf *request, char mark, size_t n)
{
    char head[HEAD_MAX];
    size_t at = sizeof head;
    head[--at] = '\n';
    head[--at] = '\r';
    do {
        head[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    head[--at] = mark;
    return spt_buf_append(request, head + at, sizeof head - at);
}

int spt_redis_call_command(struct spt_redis_call *call, size_t n)
{
    return append_head(&call->request, '*', n);
}

int spt_redis_call_argument(struct spt_redis_call *call, const char *bytes, size_t len)
{
    int rc = spt_buf_reserve(&call->request, HEAD_MAX + len + 2);
    if (rc != SEPTET_OK)
        return rc;
    append_head(&call->request, '$', len);
    if (len > 0)
        spt_buf_append(&call->request, bytes, len);
    return spt_buf_append(&call->request, "\r\n", 2);
}

void spt_redis_call_free(struct spt_redis_call *call)
{
    if (!call)
        return;
    for (unsigned i = 0; i < call->got; i++)
        spt_redis_value_free(call->replies[i]);
    free(call->replies);
    spt_buf_release(&call->request);
    free(call);
}

void spt_redis_forget(struct spt_redis_call *call)
{
    call->on_done = NULL;
}

static struct spt_redis_call *call_of(struct spt_link *link)
{
    return SPT_OF(link, struct spt_redis_call, link);
}

/* Unlinks a call that is done, and tells its caller. */
static void finish(struct spt_redis_call *call)
{
    spt_link_remove(&call->link);
    if (call->on_done)
        call->on_done(call);
    else
        spt_redis_call_free(call);
}

/* --- failures --- */

static void fail(struct spt_redis *redis, const char *failure, const char *text)
{
    if (!redis->failure) {
        redis->failure = failure;
        snprintf(redis->text, sizeof redis->text, "%s", text);
    }
    spt_timer_stop(redis->timers, &redis->timer);
    spt_incoming_forget(&redis->stream->in);
    spt_stream_forget_flush(redis->stream);
    spt_buf_release(&redis->out);
    spt_buf_release(&redis->plain);
    redis->out_start = 0;
    while (!spt_list_is_empty(&redis->calls)) {
        struct spt_redis_call *call = call_of(redis->calls.next);
        call->failed = true;
        finish(call);
    }
}

static void fail_uv(struct spt_redis *redis, int error)
{
    char words[128];
    uv_strerror_r(error, words, sizeof words);
    fail(redis, error == UV_ENOMEM ? "memory" : "cut", words);
}

static void on_silent(struct spt_timer *timer)
{
    fail(SPT_OF(timer, struct spt_redis, timer), "timeout", "the server does not answer");
}

/* Waits for an answer to the oldest call. */
static void start_timer(struct spt_redis *redis)
{
    uint64_t silence_ns = redis->limits.silence_ns;
    if (!spt_list_is_empty(&redis->calls))
        silence_ns = spt_timer_instant(silence_ns, call_of(redis->calls.next)->work_ns);
    uint64_t due_ns = spt_timer_instant(spt_loop_now(redis->loop), silence_ns);
    spt_timer_start(redis->timers, &redis->timer, due_ns, on_silent);
}

/* --- writing --- */

static void on_flushed(void *ud);

/* Gives the stream what it takes. Bytes that are left follow when it is flushed. */
static void write_out(struct spt_redis *redis)
{
    while (!redis->failure && redis->out_start < redis->out.len) {
        size_t n = redis->out.len - redis->out_start;
        if (n > SPT_STREAM_PIECE)
            n = SPT_STREAM_PIECE;
        int rc = redis->stream->write_error;
        if (rc == 0 && !spt_stream_is_flushed(redis->stream)) {
            rc = spt_stream_on_flushed(redis->stream, on_flushed, redis);
            if (rc == 0)
                return;
        } else if (rc == 0) {
            rc = spt_stream_write(redis->stream, redis->out.data + redis->out_start, n);
        }
        if (rc != 0)
            fail_uv(redis, rc);
        else
            redis->out_start += n;
    }
    redis->out_start = 0;
    if (redis->out.cap > SPT_STREAM_PIECE)
        spt_buf_release(&redis->out);
    else
        redis->out.len = 0;
}

static void on_flushed(void *ud)
{
    struct spt_redis *redis = ud;
    if (!spt_list_is_empty(&redis->calls))
        start_timer(redis); /* a server that takes bytes is not silent */
    write_out(redis);
}

/* --- TLS --- */

/* Gives TLS the commands, once it takes them, and the stream what TLS has for the server. */
static void seal(struct spt_redis *redis)
{
    char bytes[TLS_PIECE];
    size_t n;
    const bool open = spt_redis_tls_is_open(redis->tls);
    for (size_t at = 0; open && at < redis->plain.len; at += n) {
        n = redis->plain.len - at < TLS_PIECE ? redis->plain.len - at : TLS_PIECE;
        if (!spt_redis_tls_write(redis->tls, redis->plain.data + at, n)) {
            fail(redis, "tls", spt_redis_tls_failure(redis->tls));
            return;
        }
    }
    if (open)
        spt_buf_release(&redis->plain);
    while ((n = spt_redis_tls_take(redis->tls, bytes, sizeof bytes)) > 0) {
        if (spt_buf_append(&redis->out, bytes, n) != SEPTET_OK) {
            fail(redis, "memory", "not enough memory");
            return;
        }
    }
}

static bool feed(struct spt_redis *redis, const char *bytes, size_t n)
{
    if (redisReaderFeed(redis->reader, bytes, n) == REDIS_OK)
        return true;
    fail(redis, "memory", "not enough memory");
    return false;
}

/* Gives the reader what the server has said. Returns false if the connection is broken. */
static bool unseal(struct spt_redis *redis, const char *bytes, size_t n)
{
    char words[TLS_PIECE];
    int got;
    bool ok = spt_redis_tls_feed(redis->tls, bytes, n);
    while (ok && (got = spt_redis_tls_read(redis->tls, words, sizeof words)) != 0) {
        ok = got > 0;
        if (ok && !feed(redis, words, (size_t)got))
            return false;
    }
    seal(redis); /* also an alert that says why it failed */
    if (!redis->failure)
        write_out(redis);
    if (!ok)
        fail(redis, "tls", spt_redis_tls_failure(redis->tls));
    return !redis->failure;
}

/* --- reading --- */

/* Gives a reply to the oldest call. One that no call waits for is the server's last word, as that
 * it has too many clients, or no Redis speaks. */
static void take_reply(struct spt_redis *redis, struct spt_redis_value *reply)
{
    if (spt_list_is_empty(&redis->calls)) {
        if (reply->kind == SPT_REDIS_ERROR)
            fail(redis, "cut", reply->text);
        else
            fail(redis, "protocol", "an answer without a question");
        spt_redis_value_free(reply);
        return;
    }
    struct spt_redis_call *call = call_of(redis->calls.next);
    call->replies[call->got++] = reply;
    if (call->got == call->n)
        finish(call);
}

static void read_replies(struct spt_redis *redis)
{
    while (!redis->failure) {
        void *reply = NULL;
        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
            fail(redis, "protocol",
                 redis->reader->err == REDIS_ERR_OOM ? "an answer is too large, or of no known kind"
                                                     : redis->reader->errstr);
            return;
        }
        if (!reply)
            break;
        take_reply(redis, reply);
    }
    if (!redis->failure && redis->reader->len > redis->limits.reply_max)
        fail(redis, "protocol", "an answer is too large");
}

/* Reads what has arrived, and the end. */
static void consume(struct spt_redis *redis)
{
    struct spt_incoming *in = &redis->stream->in;
    size_t n = spt_incoming_len(in);
    if (n > 0) {
        const char *bytes = spt_incoming_bytes(in);
        if (!(redis->tls ? unseal(redis, bytes, n) : feed(redis, bytes, n)))
            return;
        spt_incoming_take(in, n);
        start_timer(redis);
        read_replies(redis);
    }
    if (!redis->failure && in->error)
        fail_uv(redis, in->error);
    else if (!redis->failure && in->ended)
        fail(redis, "cut", "the server has closed the connection");
}

/* Reads, and waits for more while a call waits for a reply. */
static void read_on(void *ud)
{
    struct spt_redis *redis = ud;
    struct spt_incoming *in = &redis->stream->in;
    consume(redis);
    if (redis->failure)
        return;
    if (spt_list_is_empty(&redis->calls))
        spt_timer_stop(redis->timers, &redis->timer);
    else if (!spt_incoming_waits(in) && !spt_incoming_wait(in, read_on, redis))
        fail_uv(redis, in->error);
}

/* --- life --- */

struct spt_redis *spt_redis_new(struct spt_loop *loop, struct spt_timers *timers,
                                struct spt_stream *stream, const struct spt_redis_limits *limits)
{
    struct spt_redis *redis = calloc(1, sizeof *redis);
    redisReader *reader = redis ? spt_redis_value_reader(&redis->room) : NULL;
    if (!reader) {
        free(redis);
        spt_stream_free(stream);
        return NULL;
    }
    redis->loop = loop;
    redis->timers = timers;
    redis->limits = *limits;
    redis->stream = stream;
    redis->reader = reader;
    redis->room.max = limits->reply_max;
    spt_link_init(&redis->calls);
    spt_buf_init(&redis->out, SIZE_MAX);
    spt_buf_init(&redis->plain, SIZE_MAX);
    return redis;
}

int spt_redis_secure(struct spt_redis *redis, const char *host)
{
    redis->tls = spt_redis_tls_new(host);
    if (!redis->tls)
        return SEPTET_ENOMEM;
    if (!spt_redis_tls_feed(redis->tls, NULL, 0))
        fail(redis, "tls", spt_redis_tls_failure(redis->tls));
    return SEPTET_OK;
}

int spt_redis_send(struct spt_redis *redis, struct spt_redis_call *call)
{
    if (redis->failure) {
        call->failed = true;
        return SEPTET_OK;
    }
    struct spt_buf *to = redis->tls ? &redis->plain : &redis->out;
    if (spt_buf_append(to, call->request.data, call->request.len) != SEPTET_OK)
        return SEPTET_ENOMEM;
    spt_buf_release(&call->request);
    const bool idle = spt_list_is_empty(&redis->calls);
    spt_list_push(&redis->calls, &call->link);
    if (idle)
        start_timer(redis);
    if (redis->tls)
        seal(redis);
    if (!redis->failure)
        write_out(redis);
    if (!redis->failure)
        read_on(redis);
    return SEPTET_OK;
}

const char *spt_redis_failure(const struct spt_redis *redis)
{
    return redis->failure;
}

const char *spt_redis_failure_text(const struct spt_redis *redis)
{
    return redis->text;
}

void spt_redis_free(struct spt_redis *redis)
{
    if (!redis)
        return;
    fail(redis, "closed", "the connection is closed");
    spt_redis_tls_free(redis->tls);
    redisReaderFree(redis->reader);
    spt_stream_free(redis->stream);
    free(redis);
}
