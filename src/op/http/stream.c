/* stream: runs an HTTP request and reads its body piece by piece. A stream is a resource of the
 * scope that opened it, and ends with the scope. Cancelling a read ends only that read. The head
 * and the bytes are waited for; closing does not wait. */
#include <lauxlib.h>
#include <string.h>

#include "core/anchor.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/scope.h"
#include "core/task.h"
#include "http/attempt.h"
#include "op/http/call.h"
#include "op/http/header_block.h"
#include "op/http/openers.h"
#include "op/http/options.h"
#include "op/http/upload_handle.h"

#define META "septet.http.stream"

enum { HIGH_WATER = 256 * 1024 }; /* bytes buffered for a reader before the sender is paused */

enum reading {
    BYTES, /* at most `n` bytes, as soon as there are any */
    LINE,  /* a line of at most `n` bytes */
    REST,  /* all bytes, at the end of the body */
};

struct stream {
    struct spt_resource resource; /* in the scope that opened it, until its request has ended */
    /* in the env's while it has a call: the host closes the rest */
    struct spt_resource host_resource;
    struct spt_env *env;
    /* owned; NULL once closed. The user values keep alive what it borrows. */
    struct spt_http_request *call;
    struct stream_op *waiter;
    /* kept alive by the user values, as are the next two */
    const struct spt_session_handle *handle;
    const char *method, *url;
    size_t room;    /* buffered bytes that pause the sender, unless a read needs more */
    size_t scanned; /* number of buffered bytes that contain no LF */
    bool ended;     /* the request has ended; buffered bytes may still be read */
    bool opened;    /* its head was returned */
    bool read;      /* a task reads: from the start of its wait until it has its bytes */
};

struct stream_op {
    septet_op op;
    struct stream *stream; /* kept alive by the handle at index STREAM, or 1 */
    enum reading reading;
    size_t n; /* maximum bytes */
};

enum { STREAM = SPT_HTTP_ARGS + 1 }; /* in the stack of l_stream */

/* --- the end of a stream --- */

static void leave_scope(struct stream *stream)
{
    spt_link_remove(&stream->resource.link);
    stream->ended = true;
}

static void end_wait(struct stream *stream, int status)
{
    struct stream_op *waiter = stream->waiter;
    stream->waiter = NULL;
    if (waiter)
        septet_op_done(&waiter->op, status);
}

/* Cancels the request if it has not ended, and releases the call with its buffers. A waiting read
 * completes with SEPTET_ECLOSED. */
static void close_stream(struct stream *stream)
{
    struct spt_http_request *call = stream->call;
    if (!call)
        return;
    stream->call = NULL;
    spt_link_remove(&stream->host_resource.link);
    if (!stream->ended) {
        leave_scope(stream);
        spt_attempt_cancel(&call->request);
        call->cancelled = !stream->opened;
        spt_http_request_ended(call);
    }
    spt_http_request_release(call);
    end_wait(stream, SEPTET_ECLOSED);
}

static void on_scope_end(struct spt_resource *resource)
{
    close_stream(SPT_OF(resource, struct stream, resource));
}

static void on_host_end(struct spt_resource *resource)
{
    close_stream(SPT_OF(resource, struct stream, host_resource));
}

/* --- buffered bytes --- */

static const char *held_bytes(const struct spt_request *r)
{
    return r->response->body.buf.data + r->response->body.consumed;
}

/* Returns where the first buffered line ends: the index of its LF, or the number of bytes buffered.
 * No byte is scanned twice. */
static size_t line_end(struct stream *stream)
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

/* Returns true if a read can be served. An unfinished line is too long only if one more byte, which
 * may be a CR, does not fit. */
static bool is_enough(struct stream *stream, enum reading reading, size_t n)
{
    if (!stream->call || stream->ended)
        return true;
    size_t held = spt_request_available(&stream->call->request);
    switch (reading) {
    case BYTES:
        return held > 0;
    case LINE:
        return line_end(stream) < held || held > n + 1;
    case REST:
        return false;
    }
    return true;
}

/* Raises the high-water mark while a read needs more than it allows. The mark grows with the bytes
 * received, not with the number requested. */
static void make_room(struct stream *stream)
{
    struct spt_request *r = &stream->call->request;
    r->high_water = stream->room + 4 * spt_request_available(r);
    spt_attempt_resume(r);
}

/* Consumes `len` bytes. */
static void take(struct stream *stream, size_t len)
{
    struct spt_request *r = &stream->call->request;
    struct spt_response *t = r->response;
    t->body.consumed += len;
    stream->scanned = stream->scanned > len ? stream->scanned - len : 0;
    if (t->body.consumed == t->body.buf.len)
        t->body.consumed = t->body.buf.len = 0;
    spt_attempt_resume(r);
}

/* --- callbacks of the driver --- */

static void on_progress(struct spt_request *request)
{
    struct stream *stream = SPT_OF(request, struct spt_http_request, request)->owner;
    const struct stream_op *waiter = stream->waiter;
    if (request->upload)
        spt_upload_handle_on_sent(request);
    if (!waiter)
        return;
    if (stream->opened ? is_enough(stream, waiter->reading, waiter->n)
                       : request->response->headers_done)
        end_wait(stream, SEPTET_OK);
    else if (stream->opened)
        make_room(stream);
}

static void on_done(struct spt_request *request)
{
    struct spt_http_request *call = SPT_OF(request, struct spt_http_request, request);
    struct stream *stream = call->owner;
    leave_scope(stream);
    spt_http_request_ended(call);
    bool headed = request->response && request->response->headers_done;
    end_wait(stream, request->failure.code && !headed ? SEPTET_EHTTP : SEPTET_OK);
}

static const struct spt_request_events events = {.on_done = on_done, .on_progress = on_progress};

/* --- waiting for the head --- */

static int open_start(septet_op *op)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    const struct spt_task *task = op->task;
    int rc = spt_http_request_start(stream->call, stream->handle, task->id);
    if (rc == SEPTET_OK) {
        stream->waiter = (struct stream_op *)op;
        return rc;
    }
    leave_scope(stream);
    spt_http_request_ended(stream->call);
    return rc;
}

static void open_cancel(septet_op *op)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    stream->waiter = NULL;
    close_stream(stream);
}

/* Pushes a table {status, head, redirect_url, url, stream}. A truncated body is reported to its
 * reader. */
static int open_push(septet_op *op, lua_State *L)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    if (op->status < 0)
        return spt_http_request_raise(L, stream->call, op->status);
    const struct spt_request *r = &stream->call->request;
    lua_createtable(L, 0, 5); /* the fifth field is url: set in Lua if it is unchanged */
    spt_http_request_set_response(L, r);
    lua_pushvalue(L, STREAM);
    lua_setfield(L, -2, "stream");
    stream->opened = true;
    return 1;
}

static void describe(const septet_op *op, char *text, size_t size)
{
    spt_http_request_describe(((const struct stream_op *)op)->stream->call, text, size);
}

static const septet_op_type open_type = {
    .name = "http",
    .size = sizeof(struct stream_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = open_start,
    .cancel = open_cancel,
    .push = open_push,
    .describe = describe,
};

/* Pushes a stream for `args`. Its user values keep the arguments alive. */
static struct stream *push_stream(lua_State *L, struct spt_env *env,
                                  const struct spt_http_args *args)
{
    struct stream *stream = lua_newuserdatauv(L, sizeof *stream, SPT_HTTP_ARGS);
    *stream = (struct stream){.resource.release = on_scope_end,
                              .host_resource.release = on_host_end,
                              .env = env,
                              .handle = args->handle,
                              .method = args->method,
                              .url = args->url};
    spt_link_init(&stream->resource.link);
    spt_link_init(&stream->host_resource.link);
    luaL_setmetatable(L, META);
    for (int i = 1; i <= SPT_HTTP_ARGS; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, -2, i);
    }
    return stream;
}

static void attach(struct stream *stream, struct spt_http_request *call,
                   const struct spt_http_args *args, bool stays, bool gathers)
{
    stream->call = call;
    call->anchored = stream;
    stream->room = gathers ? SIZE_MAX / 2 : HIGH_WATER;
    call->request.high_water = stream->room;
    call->request.max_body = gathers ? args->options->max_body : args->options->max_stream;
    call->request.follows_redirects = !stays;
    call->request.events = &events;
    spt_env_add(stream->env, &stream->host_resource);
    spt_scope_add(stream->env->sched->current->scope, &stream->resource);
}

/* http_stream(session, options, headers, method, url, body, timeout, nil, stays, gathers): like
 * http(), but waits only for the head and returns {status, head, redirect_url, url, stream}. For a
 * redirect it waits for the end, unless `stays` is set. `gathers` says that the caller will read
 * the whole body, if any of it. Then the sender is not paused, and the maximum size is that of
 * http(). */
static int l_stream(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_sched *s = env->sched;
    struct spt_http_args args;
    bool stays = lua_toboolean(L, SPT_HTTP_ARGS + 1), gathers = lua_toboolean(L, SPT_HTTP_ARGS + 2);
    spt_http_args_check(L, env, &args);
    lua_settop(L, SPT_HTTP_ARGS);
    struct stream *stream = push_stream(L, env, &args);
    struct stream_op *op = (struct stream_op *)spt_op_new(L, s, &open_type);
    op->stream = stream;
    luaL_checkstack(L, 8, NULL);
    spt_anchor_keep(L, STREAM);
    if (spt_op_is_cancelled(s)) {
        spt_anchor_release(L, stream);
        return spt_op_await_cancelled(L, &op->op);
    }
    struct spt_http_request *call = spt_http_request_new(spt_http_pool(L), &args, stream);
    if (!call) {
        spt_anchor_release(L, stream);
        return spt_http_request_raise_memory(L, &args);
    }
    spt_http_request_set_place(L, call);
    attach(stream, call, &args, stays, gathers);
    op->op.ref = call->ref;
    return spt_op_wait(L, &op->op, false);
}

/* --- reading --- */

static int read_start(septet_op *op)
{
    struct stream_op *read = (struct stream_op *)op;
    struct stream *stream = read->stream;
    stream->read = true;
    if (is_enough(stream, read->reading, read->n)) {
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    stream->waiter = read;
    if (read->reading != BYTES)
        make_room(stream);
    return SEPTET_OK;
}

static void end_read(struct stream *stream)
{
    stream->read = false;
    if (stream->call)
        stream->call->request.high_water = stream->room;
}

static void read_cancel(septet_op *op)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    stream->waiter = NULL;
    end_read(stream);
}

static int raise_closed(lua_State *L, const struct stream *stream)
{
    char room[SPT_HTTP_URL_MAX];
    const char *url = spt_redact_url(stream->url, room, sizeof room);
    spt_error_push(L, "HttpError", "%s %s: the response was closed", stream->method, url);
    lua_pushliteral(L, "closed");
    lua_setfield(L, -2, "code");
    lua_pushstring(L, url);
    lua_setfield(L, -2, "url");
    lua_pushstring(L, stream->method);
    lua_setfield(L, -2, "method");
    lua_pushliteral(L, "receive");
    lua_setfield(L, -2, "phase");
    lua_pushinteger(L, 1);
    lua_setfield(L, -2, "attempts");
    return lua_error(L);
}

/* Pushes the buffered rest of a body that has ended, or raises its failure. */
static int push_end(lua_State *L, const struct stream *stream)
{
    const struct spt_request *r = &stream->call->request;
    size_t held = spt_request_available(r);
    if (r->failure.code)
        return spt_http_request_raise(L, stream->call, SEPTET_EHTTP);
    lua_pushlstring(L, held > 0 ? held_bytes(r) : "", held);
    return 1;
}

static int push_bytes(lua_State *L, struct stream *stream, size_t n)
{
    const struct spt_request *r = &stream->call->request;
    size_t held = spt_request_available(r), len = n < held ? n : held;
    if (held == 0 && r->failure.code)
        return spt_http_request_raise(L, stream->call, SEPTET_EHTTP);
    if (held == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, held_bytes(r), len);
    take(stream, len);
    return 1;
}

/* Pushes a line, or nil at the end. If the line is too long, pushes nil and true, and leaves it. */
static int push_line(lua_State *L, struct stream *stream, size_t max)
{
    const struct spt_request *r = &stream->call->request;
    size_t end = line_end(stream), held = spt_request_available(r), len = line_len(r, end);
    if (len > max) {
        lua_pushnil(L);
        lua_pushboolean(L, 1);
        return 2;
    }
    if (end == held && r->failure.code)
        return spt_http_request_raise(L, stream->call, SEPTET_EHTTP);
    if (held == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, held_bytes(r), len);
    take(stream, end < held ? end + 1 : end);
    return 1;
}

static int read_push(septet_op *op, lua_State *L)
{
    const struct stream_op *read = (const struct stream_op *)op;
    struct stream *stream = read->stream;
    end_read(stream);
    if (!stream->call)
        return raise_closed(L, stream);
    switch (read->reading) {
    case BYTES:
        return push_bytes(L, stream, read->n);
    case LINE:
        return push_line(L, stream, read->n);
    case REST:
        return push_end(L, stream);
    }
    return 0;
}

static const septet_op_type read_type = {
    .name = "read",
    .size = sizeof(struct stream_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = read_start,
    .cancel = read_cancel,
    .push = read_push,
    .describe = describe,
};

static int await_read(lua_State *L, enum reading reading, size_t n)
{
    struct stream *stream = spt_check_self(L, "stream");
    if (stream->read)
        return spt_error_usage(L, "another task reads the response");
    struct stream_op *op = (struct stream_op *)spt_op_new(L, stream->env->sched, &read_type);
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
    return await_read(L, BYTES, n);
}

/* stream:read_line(max): waits for a line and returns it without its end, or nil at the end of the
 * body. Returns nil and true if it is longer than max bytes. */
static int l_read_line(lua_State *L)
{
    return await_read(L, LINE, (size_t)spt_check_count(L, 2, 0));
}

/* stream:peek(): waits for the end of the body and returns the unread bytes, which stay buffered
 * until they are taken. */
static int l_peek(lua_State *L)
{
    return await_read(L, REST, 0);
}

/* stream:take(): consumes all buffered bytes. */
static int l_take(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    if (stream->call && stream->call->request.response)
        take(stream, spt_request_available(&stream->call->request));
    return 0;
}

/* stream:close(): cancels the request if it has not ended. */
static int l_close(lua_State *L)
{
    close_stream(spt_check_self(L, "stream"));
    return 0;
}

/* stream:pass_over(): skips the rest of the body. Returns true if there is any, in which case the
 * request soon ends by itself. */
static int l_pass_over(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    bool goes_on = stream->call && !stream->ended;
    if (goes_on)
        spt_attempt_pass_over(&stream->call->request);
    else
        close_stream(stream);
    lua_pushboolean(L, goes_on);
    return 1;
}

static int l_gc(lua_State *L)
{
    close_stream(spt_check_self(L, "stream"));
    return 0;
}

/* stream:head(): returns a new head, with the times of the whole response. */
static int l_head(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    if (!stream->call)
        return 0;
    spt_header_block_push(L, &stream->call->request);
    return 1;
}

/* stream:trace(trace): sets the trace. Its method `ended` is called at the end of the request. */
static int l_trace(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    lua_settop(L, 2);
    if (!stream->call)
        return 0;
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, SPT_HTTP_TRACE);
    spt_http_request_set_trace(L, 2, stream);
    spt_anchor_keep(L, 1);
    stream->call->trace = stream;
    if (stream->ended)
        spt_http_request_report(stream->call);
    return 0;
}

static const luaL_Reg methods[] = {
    {"read", l_read}, {"read_line", l_read_line}, {"peek", l_peek},
    {"take", l_take}, {"head", l_head},           {"trace", l_trace},
    {"__gc", l_gc},   {"close", l_close},         {"pass_over", l_pass_over},
    {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_stream", l_stream}, {NULL, NULL}};

void spt_open_http_stream(lua_State *L, struct spt_env *env, struct spt_http_pool *pool)
{
    spt_new_type(L, env, META, methods);
    spt_http_add_functions(L, env, pool, functions);
}
