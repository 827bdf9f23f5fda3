/* SPDX-License-Identifier: MIT */
/* stream: runs an HTTP request and reads its body piece by piece. A stream is a resource of the
 * scope that opened it, and ends with the scope. Cancelling a read ends only that read. The head
 * and the bytes are waited for; closing does not wait. */
#include <lauxlib.h>

#include "base/list.h"
#include "core/anchor.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "http/attempt.h"
#include "op/env.h"
#include "op/http/call.h"
#include "op/http/failure.h"
#include "op/http/header_block.h"
#include "op/http/refs.h"
#include "op/http/openers.h"
#include "op/http/options.h"
#include "op/http/stream_read.h"
#include "op/http/upload_handle.h"

enum { HIGH_WATER = 256 * 1024 }; /* bytes buffered for a reader before the sender is paused */

#define HOME "septet.http.home"

enum { STREAM = SPT_HTTP_ARGS_KEPT + 1 }; /* in the stack of l_stream */

/* --- the end of a stream --- */

static void leave_scope(struct spt_http_stream *stream)
{
    spt_link_remove(&stream->resource.link);
    stream->ended = true;
}

static void end_wait(struct spt_http_stream *stream, int status)
{
    struct spt_http_stream_op *waiter = stream->waiter;
    stream->waiter = NULL;
    if (waiter)
        septet_op_done(&waiter->op, status);
}

/* Returns true if a stream that is closed now is closed by a cancellation: before its head was
 * returned, or because its scope was cancelled. */
static bool is_cancelled(const struct spt_http_stream *stream)
{
    return !stream->opened || stream->scope->cancel_pending;
}

/* Cancels the request if it has not ended, and releases the call with its buffers. A waiting read
 * completes with SEPTET_ECLOSED. */
static void close_stream(struct spt_http_stream *stream)
{
    struct spt_http_call *call = stream->call;
    if (!call)
        return;
    stream->call = NULL;
    spt_link_remove(&stream->host_resource.link);
    if (!stream->ended) {
        call->end.cancelled = is_cancelled(stream);
        leave_scope(stream);
        spt_attempt_cancel(&call->request);
        call->end.incomplete = !call->end.cancelled;
        spt_http_call_ended(call);
    }
    spt_http_call_release(call);
    end_wait(stream, SEPTET_ECLOSED);
}

static void on_scope_end(struct spt_resource *resource)
{
    close_stream(SPT_OF(resource, struct spt_http_stream, resource));
}

static void on_host_end(struct spt_resource *resource)
{
    close_stream(SPT_OF(resource, struct spt_http_stream, host_resource));
}

/* --- callbacks of the driver --- */

static void on_progress(struct spt_request *request)
{
    struct spt_http_stream *stream = SPT_OF(request, struct spt_http_call, request)->owner;
    const struct spt_http_stream_op *waiter = stream->waiter;
    if (request->upload)
        spt_upload_handle_on_sent(request);
    if (!waiter)
        return;
    if (stream->opened ? spt_http_stream_read_is_enough(stream, waiter)
                       : request->response->headers_done)
        end_wait(stream, SEPTET_OK);
    else if (stream->opened)
        spt_http_stream_read_make_room(stream);
}

static void on_done(struct spt_request *request)
{
    struct spt_http_call *call = SPT_OF(request, struct spt_http_call, request);
    struct spt_http_stream *stream = call->owner;
    leave_scope(stream);
    spt_http_call_ended(call);
    bool headed = request->response && request->response->headers_done;
    end_wait(stream, request->failure.code && !headed ? SEPTET_EHTTP : SEPTET_OK);
}

static const struct spt_request_events events = {
    .on_done = on_done, .on_progress = on_progress, .on_signal = spt_http_call_on_signal};

/* --- waiting for the head --- */

static int open_start(septet_op *op)
{
    struct spt_http_stream *stream = ((struct spt_http_stream_op *)op)->stream;
    const struct spt_task *task = op->task;
    int rc = spt_http_call_start(stream->call, stream->handle, task);
    if (rc == SEPTET_OK) {
        stream->waiter = (struct spt_http_stream_op *)op;
        return rc;
    }
    leave_scope(stream);
    spt_http_call_unhook(stream->call); /* the await raises immediately: request.lua reports that */
    spt_http_call_ended(stream->call);
    return rc;
}

static void open_cancel(septet_op *op)
{
    struct spt_http_stream *stream = ((struct spt_http_stream_op *)op)->stream;
    stream->waiter = NULL;
    close_stream(stream);
}

/* Pushes a table {status, head, redirect_url, url, stream}. A truncated body is reported to its
 * reader. */
static int open_push(septet_op *op, lua_State *L)
{
    struct spt_http_stream *stream = ((struct spt_http_stream_op *)op)->stream;
    if (op->status < 0)
        return spt_http_call_raise(L, stream->call, op->status);
    lua_createtable(L, 0, 5); /* the fifth field is url: set in Lua if it is unchanged */
    spt_http_call_set_response(L, stream->call);
    lua_pushvalue(L, STREAM);
    lua_setfield(L, -2, "stream");
    lua_getfield(L, -1, "head");
    lua_setiuservalue(L, STREAM, SPT_HTTP_STREAM_HEAD);
    stream->status = stream->call->request.response->status;
    stream->opened = true;
    return 1;
}

static void open_describe(const septet_op *op, char *text, size_t size)
{
    spt_http_call_describe(((const struct spt_http_stream_op *)op)->stream->call, text, size);
}

static const septet_op_type open_type = {
    .name = "http",
    .size = sizeof(struct spt_http_stream_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = open_start,
    .cancel = open_cancel,
    .push = open_push,
    .describe = open_describe,
};

/* Pushes a stream for `args`. Its user values keep the arguments alive. */
static struct spt_http_stream *push_stream(lua_State *L, struct spt_env *env,
                                           const struct spt_http_args *args)
{
    struct spt_http_stream *stream = lua_newuserdatauv(L, sizeof *stream, SPT_HTTP_STREAM_HEAD);
    *stream = (struct spt_http_stream){.resource.release = on_scope_end,
                                       .host_resource.release = on_host_end,
                                       .env = env,
                                       .handle = args->handle,
                                       .method = args->method,
                                       .url = args->url};
    spt_http_stream_read_init_held(&stream->held);
    spt_link_init(&stream->resource.link);
    spt_link_init(&stream->host_resource.link);
    luaL_setmetatable(L, SPT_HTTP_STREAM_META);
    for (int i = 1; i <= SPT_HTTP_ARGS_KEPT; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, -2, i);
    }
    return stream;
}

static void attach(struct spt_http_stream *stream, struct spt_http_call *call,
                   const struct spt_http_args *args, bool no_follow, bool whole)
{
    stream->call = call;
    call->anchored = stream;
    stream->room = whole ? SIZE_MAX / 2 : HIGH_WATER;
    call->request.high_water = stream->room;
    call->request.max_body = whole ? args->options->max_body : args->options->max_stream;
    call->request.manner.follows_redirects = !no_follow;
    call->request.events = &events;
    spt_env_add(stream->env, &stream->host_resource);
    stream->scope = spt_scope_keeper(stream->env->sched->current->scope);
    spt_scope_add(stream->scope, &stream->resource);
}

/* http_stream(session, options, headers, method, url, body, timeout, hooks, no_follow, number,
 * resend, whole): like http(), but waits only for the head and returns {status, head, redirect_url,
 * url, stream}. For a redirect it waits for the end, unless `no_follow` is set. `whole` says that
 * the caller will read the whole body, if any of it. Then the sender is not paused, and the maximum
 * size is that of http(). */
static int l_stream(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_sched *s = env->sched;
    struct spt_http_args args;
    bool no_follow = lua_toboolean(L, SPT_HTTP_ARG_NO_FOLLOW);
    bool whole = lua_toboolean(L, SPT_HTTP_ARG_WHOLE);
    spt_http_args_check(L, env, &args);
    lua_settop(L, SPT_HTTP_ARGS_KEPT);
    struct spt_http_stream *stream = push_stream(L, env, &args);
    bool hooked = !lua_isnil(L, SPT_HTTP_ARG_HOOKS);
    unsigned wanted = 0;
    if (hooked)
        wanted = spt_http_hooks_set(L, SPT_HTTP_ARG_HOOKS, stream);
    struct spt_http_stream_op *op = (struct spt_http_stream_op *)spt_op_new(L, s, &open_type);
    op->stream = stream;
    luaL_checkstack(L, 8, NULL);
    if (spt_op_check_cancelled(s))
        return spt_op_await_cancelled(L, &op->op);
    spt_http_call_check_limit(L, s);
    spt_anchor_keep(L, STREAM);
    struct spt_http_call *call =
        spt_http_call_new(spt_http_pool(L), &args, stream, hooked ? &wanted : NULL);
    if (!call) {
        spt_anchor_release(L, stream);
        return spt_http_failure_raise_memory(L, args.method, args.url);
    }
    spt_http_call_set_place(L, call);
    attach(stream, call, &args, no_follow, whole);
    op->op.ref = call->ref;
    return spt_op_wait(L, &op->op, false);
}

/* stream:close(): cancels the request if it has not ended. */
static int l_close(lua_State *L)
{
    close_stream(spt_check_self(L, "stream"));
    return 0;
}

/* stream:discard(): skips the rest of the body. Returns true if there is any, in which case the
 * request soon ends by itself. */
static int l_discard(lua_State *L)
{
    struct spt_http_stream *stream = spt_check_self(L, "stream");
    bool continues = stream->call && !stream->ended;
    if (continues)
        spt_attempt_discard_body(&stream->call->request);
    else
        close_stream(stream);
    lua_pushboolean(L, continues);
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
    struct spt_http_stream *stream = spt_check_self(L, "stream");
    if (!stream->call)
        return 0;
    spt_header_block_push(L, &stream->call->request, stream->call->number.request,
                          spt_http_pool_refs(stream->call->pool)->head_meta);
    return 1;
}

/* --- homes --- */

/* A scope to which streams are moved that were opened in scopes below it. */
struct home {
    struct spt_resource resource; /* in the scope, until one of the two ends */
    /* in the env's: the host unlinks it from a scope that was never closed */
    struct spt_resource host_resource;
    struct spt_scope *scope; /* borrowed; NULL once it has closed */
};

static void leave_home(struct home *home)
{
    spt_link_remove(&home->resource.link);
    spt_link_remove(&home->host_resource.link);
    home->scope = NULL;
}

static void on_home_scope_end(struct spt_resource *resource)
{
    leave_home(SPT_OF(resource, struct home, resource));
}

static void on_home_host_end(struct spt_resource *resource)
{
    leave_home(SPT_OF(resource, struct home, host_resource));
}

static int l_home_gc(lua_State *L)
{
    leave_home(spt_check_self(L, "home"));
    return 0;
}

/* http_home(): returns a home for streams: the innermost scope of the running task. */
static int l_home(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    const struct spt_task *task = env->sched->current;
    if (!task)
        return spt_error_usage(L, "cannot wait here: not inside a task");
    struct home *home = lua_newuserdatauv(L, sizeof *home, 0);
    *home = (struct home){.resource.release = on_home_scope_end,
                          .host_resource.release = on_home_host_end,
                          .scope = spt_scope_keeper(task->scope)};
    spt_link_init(&home->resource.link);
    spt_link_init(&home->host_resource.link);
    luaL_setmetatable(L, HOME);
    spt_env_add(env, &home->host_resource);
    spt_scope_add(home->scope, &home->resource);
    return 1;
}

/* home:take(stream): moves an open stream to the scope. It then ends with that one. */
static int l_home_take(lua_State *L)
{
    struct home *home = spt_check_self(L, "home");
    struct spt_http_stream *stream = luaL_checkudata(L, 2, SPT_HTTP_STREAM_META);
    if (!stream->call || stream->ended || !home->scope)
        return 0;
    spt_link_remove(&stream->resource.link);
    stream->scope = home->scope;
    spt_scope_add(home->scope, &stream->resource);
    return 0;
}

static const luaL_Reg home_methods[] = {{"take", l_home_take}, {"__gc", l_home_gc}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"head", l_head}, {"__gc", l_gc}, {"close", l_close}, {"discard", l_discard}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"http_stream", l_stream}, {"http_home", l_home}, {NULL, NULL}};

void spt_open_http_stream(lua_State *L, struct spt_env *env, struct spt_http_pool *pool)
{
    spt_new_type(L, env, SPT_HTTP_STREAM_META, methods);
    spt_open_http_stream_read(L, env);
    spt_new_type(L, env, HOME, home_methods);
    spt_http_add_functions(L, env, pool, functions);
}
