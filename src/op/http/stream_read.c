/* SPDX-License-Identifier: MIT */
/* stream_read: takes bytes, lines or all from what a stream has buffered. No byte is scanned for a
 * line's end twice. */
#include "op/http/stream_read.h"

#include <lauxlib.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "http/attempt.h"
#include "op/env.h"
#include "op/http/call.h"
#include "op/http/failure.h"
#include "op/http/header_block.h"
#include "op/http/openers.h"

static const char *held_bytes(const struct spt_request *r)
{
    return r->response->body.buf.data + r->response->body.consumed;
}

/* Returns where the first buffered line ends: the index of its LF, or the number of bytes buffered.
 * No byte is scanned twice. */
static size_t line_end(struct spt_http_stream *stream)
{
    const struct spt_request *r = &stream->call->request;
    size_t held = spt_request_available(r), at = stream->scanned;
    const char *lf = held > at ? memchr(held_bytes(r) + at, '\n', held - at) : NULL;
    stream->scanned = lf ? (size_t)(lf - held_bytes(r)) : held;
    return stream->scanned;
}

/* Returns the length of a line that ends at `end`. A CR before the LF belongs to the line's end. */
static size_t line_len(const struct spt_request *r, size_t end)
{
    bool crlf = end > 0 && end < spt_request_available(r) && held_bytes(r)[end - 1] == '\r';
    return crlf ? end - 1 : end;
}

bool spt_http_stream_read_is_enough(struct spt_http_stream *stream,
                                    const struct spt_http_stream_op *read)
{
    if (!stream->call || stream->ended)
        return true;
    size_t held = spt_request_available(&stream->call->request);
    switch (read->reading) {
    case SPT_HTTP_STREAM_BYTES:
    case SPT_HTTP_STREAM_HELD:
        return held > 0;
    case SPT_HTTP_STREAM_LINE:
        return line_end(stream) < held || held > read->n + 1;
    case SPT_HTTP_STREAM_REST:
        return false;
    }
    return true;
}

void spt_http_stream_read_make_room(struct spt_http_stream *stream)
{
    struct spt_request *r = &stream->call->request;
    r->high_water = stream->room + 4 * spt_request_available(r);
    spt_attempt_resume(r);
}

/* Consumes `len` bytes that were pushed, unless a finalizer has closed the stream or read from it
 * meanwhile. */
static void take(struct spt_http_stream *stream, size_t len)
{
    if (!stream->call || spt_request_available(&stream->call->request) < len)
        return;
    struct spt_request *r = &stream->call->request;
    struct spt_response *t = r->response;
    t->body.consumed += len;
    stream->scanned = stream->scanned > len ? stream->scanned - len : 0;
    if (t->body.consumed == t->body.buf.len)
        t->body.consumed = t->body.buf.len = 0;
    spt_attempt_resume(r);
}

/* --- bytes for a file --- */

static struct spt_buf *held_buffer(struct spt_held *held)
{
    struct spt_http_stream *stream = SPT_OF(held, struct spt_http_stream, held);
    if (!stream->call || !stream->call->request.response)
        return NULL;
    struct spt_sink *body = &stream->call->request.response->body;
    spt_sink_drop_consumed(body);
    return &body->buf;
}

static void held_emptied(struct spt_held *held)
{
    struct spt_http_stream *stream = SPT_OF(held, struct spt_http_stream, held);
    stream->scanned = 0;
    spt_attempt_resume(&stream->call->request);
}

void spt_http_stream_read_init_held(struct spt_held *held)
{
    *held = (struct spt_held){held_buffer, held_emptied};
}

/* --- reading --- */

static int read_start(septet_op *op)
{
    struct spt_http_stream_op *read = (struct spt_http_stream_op *)op;
    struct spt_http_stream *stream = read->stream;
    stream->read = true;
    if (spt_http_stream_read_is_enough(stream, read)) {
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    stream->waiter = read;
    if (read->reading == SPT_HTTP_STREAM_LINE || read->reading == SPT_HTTP_STREAM_REST)
        spt_http_stream_read_make_room(stream);
    return SEPTET_OK;
}

static void end_read(struct spt_http_stream *stream)
{
    stream->read = false;
    if (stream->call)
        stream->call->request.high_water = stream->room;
}

static void read_cancel(septet_op *op)
{
    struct spt_http_stream *stream = ((struct spt_http_stream_op *)op)->stream;
    stream->waiter = NULL;
    end_read(stream);
}

/* Raises HttpError for the stream at index 1, which was closed. */
static int raise_closed(lua_State *L, const struct spt_http_stream *stream)
{
    const struct spt_request r = {
        .method = stream->method,
        .url = stream->url,
        .failure = {.code = "closed",
                    .phase = SPT_PHASE_RECEIVING,
                    .text = (char *)"the response was closed"},
    };
    spt_http_failure_push(L, &r);
    lua_getiuservalue(L, 1, SPT_HTTP_STREAM_HEAD);
    size_t len;
    const char *lines = spt_header_block_lines(L, -1, &len);
    lua_pushlstring(L, lines, len);
    lua_rotate(L, -3, 2); // stack: head, lines, error
    spt_http_failure_set_response(L, stream->status, -2);
    return lua_error(L);
}

/* Pushes the buffered rest of a body that has ended, or raises its failure. */
static int push_end(lua_State *L, const struct spt_http_stream *stream)
{
    const struct spt_request *r = &stream->call->request;
    size_t held = spt_request_available(r);
    if (r->failure.code)
        return spt_http_call_raise(L, stream->call, SEPTET_EHTTP);
    lua_pushlstring(L, held > 0 ? held_bytes(r) : "", held);
    return 1;
}

/* Pushes how much is held, or nil at the end of the body. */
static int push_held(lua_State *L, const struct spt_http_stream *stream)
{
    const struct spt_request *r = &stream->call->request;
    size_t held = spt_request_available(r);
    if (held == 0 && r->failure.code)
        return spt_http_call_raise(L, stream->call, SEPTET_EHTTP);
    if (held == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)held);
    return 1;
}

static int push_bytes(lua_State *L, struct spt_http_stream *stream, size_t n)
{
    const struct spt_request *r = &stream->call->request;
    size_t held = spt_request_available(r), len = n < held ? n : held;
    if (held == 0)
        return push_held(L, stream);
    lua_pushlstring(L, held_bytes(r), len);
    take(stream, len);
    return 1;
}

/* Pushes a line, or nil at the end. If the line is too long, pushes nil and true, and leaves it. */
static int push_line(lua_State *L, struct spt_http_stream *stream, size_t max)
{
    const struct spt_request *r = &stream->call->request;
    size_t end = line_end(stream), held = spt_request_available(r), len = line_len(r, end);
    if (len > max) {
        lua_pushnil(L);
        lua_pushboolean(L, 1);
        return 2;
    }
    if (end == held && r->failure.code)
        return spt_http_call_raise(L, stream->call, SEPTET_EHTTP);
    if (held == 0) {
        lua_pushnil(L);
        return 1;
    }
    const size_t taken = end < held ? end + 1 : end;
    lua_pushlstring(L, held_bytes(r), len);
    take(stream, taken);
    return 1;
}

static int read_push(septet_op *op, lua_State *L)
{
    const struct spt_http_stream_op *read = (const struct spt_http_stream_op *)op;
    struct spt_http_stream *stream = read->stream;
    end_read(stream);
    if (!stream->call)
        return raise_closed(L, stream);
    switch (read->reading) {
    case SPT_HTTP_STREAM_BYTES:
        return push_bytes(L, stream, read->n);
    case SPT_HTTP_STREAM_HELD:
        return push_held(L, stream);
    case SPT_HTTP_STREAM_LINE:
        return push_line(L, stream, read->n);
    case SPT_HTTP_STREAM_REST:
        return push_end(L, stream);
    }
    return 0;
}

static void read_describe(const septet_op *op, char *text, size_t size)
{
    spt_http_call_describe(((const struct spt_http_stream_op *)op)->stream->call, text, size);
}

static const septet_op_type read_type = {
    .name = "read",
    .size = sizeof(struct spt_http_stream_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = read_start,
    .cancel = read_cancel,
    .push = read_push,
    .describe = read_describe,
};

static int await_read(lua_State *L, enum spt_http_stream_reading reading, size_t n)
{
    struct spt_http_stream *stream = spt_check_self(L, "stream");
    if (stream->read)
        return spt_error_usage(L, "another task reads the response");
    struct spt_http_stream_op *op =
        (struct spt_http_stream_op *)spt_op_new(L, stream->env->sched, &read_type);
    op->stream = stream;
    op->reading = reading;
    op->n = n;
    op->op.ref = stream->call ? stream->call->ref : 0;
    return septet_op_await(L, &op->op);
}

/* stream:read(n): waits for bytes and returns up to n of them, or nil at the end of the body. Like
 * the next two, raises HttpError if the body is truncated, and consumes only what it returns. */
static int l_read(lua_State *L)
{
    size_t n = lua_isnoneornil(L, 2) ? SIZE_MAX : (size_t)spt_check_count(L, 2, 1);
    return await_read(L, SPT_HTTP_STREAM_BYTES, n);
}

/* stream:hold(): waits for bytes and returns how many are buffered, or nil at the end of the body.
 * They stay there until file:write_held() or a read takes them. */
static int l_hold(lua_State *L)
{
    return await_read(L, SPT_HTTP_STREAM_HELD, 0);
}

/* stream:read_line(max): waits for a line and returns it without its end, or nil at the end of the
 * body. Returns nil and true if it is longer than max bytes. */
static int l_read_line(lua_State *L)
{
    return await_read(L, SPT_HTTP_STREAM_LINE, (size_t)spt_check_count(L, 2, 0));
}

/* stream:peek(): waits for the end of the body and returns the unread bytes, which stay buffered
 * until they are taken. */
static int l_peek(lua_State *L)
{
    return await_read(L, SPT_HTTP_STREAM_REST, 0);
}

/* stream:take(): consumes all buffered bytes. */
static int l_take(lua_State *L)
{
    struct spt_http_stream *stream = spt_check_self(L, "stream");
    if (stream->call && stream->call->request.response)
        take(stream, spt_request_available(&stream->call->request));
    return 0;
}

static const luaL_Reg methods[] = {{"read", l_read}, {"hold", l_hold}, {"read_line", l_read_line},
                                   {"peek", l_peek}, {"take", l_take}, {NULL, NULL}};

void spt_open_http_stream_read(lua_State *L, struct spt_env *env)
{
    spt_add_methods(L, env, SPT_HTTP_STREAM_META, methods);
}
