/* stream: an HTTP request whose body is read piece by piece. A stream is a resource of the scope that opened it, and
 * ends with it; to cancel one read ends that read alone. Three waits: for the head, for bytes, and none to close. */
#include "core/check.h"
#include "core/error.h"
#include "core/keep.h"
#include "core/op.h"
#include "core/scope.h"
#include "core/task.h"
#include "op/http_env.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define META "septet.http.stream"

enum { HIGH_WATER = 256 * 1024 }; /* bytes held for a reader until the sender is paused */

struct stream {
    struct spt_resource resource; /* in the scope that opened it, until its request is over */
    struct spt_link link;         /* in env->streams, while it has a call */
    struct spt_env *env;
    struct spt_call *call; /* owned; NULL once closed. What it borrows is kept by the user values */
    struct stream_op *waiter;
    const struct spt_session_box *box; /* kept by the user values, as is the next */
    const char *method;
    bool over;   /* the request; what it held may still be read */
    bool opened; /* its head was given out */
};

struct stream_op {
    septet_op op;
    struct stream *stream; /* kept by the handle at index STREAM, or 1 */
    size_t n;              /* bytes at most; 0: what there is */
};

enum { STREAM = SPT_ASK_ARGS + 1 }; /* of l_stream's stack */

/* --- its end --- */

static void leave_scope(struct stream *stream)
{
    spt_link_remove(&stream->resource.link);
    stream->over = true;
}

static void end_wait(struct stream *stream, int status)
{
    struct stream_op *waiter = stream->waiter;
    stream->waiter = NULL;
    if (waiter)
        septet_op_done(&waiter->op, status);
}

/* Ends the request, if it is not over, and lets go of what it held. */
static void close_stream(struct stream *stream)
{
    struct spt_call *call = stream->call;
    if (!call)
        return;
    stream->call = NULL;
    spt_link_remove(&stream->link);
    if (!stream->over) {
        leave_scope(stream);
        spt_request_cancel(&call->request);
        call->cancelled = !stream->opened;
        spt_call_ended(call);
    }
    spt_call_put(call);
    end_wait(stream, SEPTET_ECLOSED);
}

static void on_scope_end(struct spt_resource *resource)
{
    close_stream(SPT_OF(resource, struct stream, resource));
}

/* --- what the driver tells --- */

static void on_news(struct spt_request *request)
{
    struct stream *stream = SPT_OF(request, struct spt_call, request)->owner;
    if (request->upload)
        spt_upload_room(request);
    if (stream->opened ? spt_request_held(request) > 0 : request->transfer->headed)
        end_wait(stream, SEPTET_OK);
}

static void on_done(struct spt_request *request)
{
    struct spt_call *call = SPT_OF(request, struct spt_call, request);
    struct stream *stream = call->owner;
    leave_scope(stream);
    spt_call_ended(call);
    bool headed = request->transfer && request->transfer->headed;
    end_wait(stream, request->failure.code && !headed ? SEPTET_EHTTP : SEPTET_OK);
}

/* --- waiting for the head --- */

static int open_start(septet_op *op)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    const struct spt_task *task = op->task;
    int rc = spt_call_start(stream->call, stream->box, task->id);
    if (rc == SEPTET_OK) {
        stream->waiter = (struct stream_op *)op;
        return rc;
    }
    leave_scope(stream);
    spt_call_ended(stream->call);
    return rc;
}

static void open_cancel(septet_op *op)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    stream->waiter = NULL;
    close_stream(stream);
}

/* A table {status, head, redirect_url, stream}. A body that breaks off is for its reader to learn of. */
static int open_push(septet_op *op, lua_State *L)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    if (op->status < 0)
        return spt_call_raise(L, stream->call, op->status);
    const struct spt_request *r = &stream->call->request;
    const struct spt_transfer *t = r->transfer;
    lua_createtable(L, 0, 5); /* the fifth field is Lua's: url */
    lua_pushinteger(L, t->status);
    lua_setfield(L, -2, "status");
    spt_call_push_head(L, r);
    lua_setfield(L, -2, "head");
    if (t->redirect_url) {
        lua_pushstring(L, t->redirect_url);
        lua_setfield(L, -2, "redirect_url");
    }
    lua_pushvalue(L, STREAM);
    lua_setfield(L, -2, "stream");
    stream->opened = true;
    return 1;
}

static void describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_request *r = &((const struct stream_op *)op)->stream->call->request;
    char room[SPT_URL_SHOWN];
    snprintf(text, size, "%s %s", r->method, spt_public_url(r->url, room, sizeof room));
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

/* Pushes a stream for what is asked, which keeps the values that were asked with. */
static struct stream *push_stream(lua_State *L, struct spt_env *env, const struct spt_ask *ask)
{
    struct stream *stream = lua_newuserdatauv(L, sizeof *stream, SPT_ASK_ARGS);
    *stream = (struct stream){
        .resource.release = on_scope_end, .env = env, .box = ask->box, .method = ask->method};
    spt_link_init(&stream->resource.link);
    spt_link_init(&stream->link);
    luaL_setmetatable(L, META);
    for (int i = 1; i <= SPT_ASK_ARGS; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, -2, i);
    }
    return stream;
}

static void arm(struct stream *stream, struct spt_call *call, const struct spt_ask *ask,
                bool follows)
{
    stream->call = call;
    call->kept = stream;
    call->request.high_water = HIGH_WATER;
    call->request.max_body = ask->terms->max_stream;
    call->request.follows = follows;
    call->request.on_news = on_news;
    call->request.on_done = on_done;
    spt_list_push(&stream->env->streams, &stream->link);
    spt_scope_add(stream->env->sched->current->scope, &stream->resource);
}

/* http_stream(session, terms, headers, method, url, body, timeout, nil, follows): as http, but waits for the head
 * alone: {status, head, redirect_url, stream}. With `follows`, a redirect is waited for to its end. */
static int l_stream(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_sched *s = env->sched;
    struct spt_ask ask;
    bool follows = lua_toboolean(L, SPT_ASK_ARGS + 1);
    spt_ask_check(L, env, &ask);
    lua_settop(L, SPT_ASK_ARGS);
    struct stream *stream = push_stream(L, env, &ask);
    struct stream_op *op = (struct stream_op *)spt_op_new(L, s, &open_type);
    op->stream = stream;
    luaL_checkstack(L, 8, NULL);
    spt_keep(L, STREAM);
    if (spt_op_refused(s)) {
        spt_let_go(L, stream);
        return spt_op_refuse(L, &op->op);
    }
    struct spt_call *call = spt_call_new(env, &ask, stream);
    if (!call) {
        spt_let_go(L, stream);
        return spt_call_raise_memory(L, &ask);
    }
    arm(stream, call, &ask, follows);
    op->op.ref = call->ref;
    return spt_op_begin(L, &op->op, false);
}

/* --- reading --- */

static bool is_enough(const struct stream *stream)
{
    return !stream->call || stream->over || spt_request_held(&stream->call->request) > 0;
}

static int read_start(septet_op *op)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    if (is_enough(stream))
        septet_op_done(op, SEPTET_OK);
    else
        stream->waiter = (struct stream_op *)op;
    return SEPTET_OK;
}

static void read_cancel(septet_op *op)
{
    ((struct stream_op *)op)->stream->waiter = NULL;
}

static int push_bytes(lua_State *L, struct spt_request *r, size_t n)
{
    struct spt_transfer *t = r->transfer;
    size_t held = spt_request_held(r), len = n > 0 && n < held ? n : held;
    lua_pushlstring(L, t->body_in.data + t->taken, len);
    t->taken += len;
    if (t->taken == t->body_in.len)
        t->taken = t->body_in.len = 0;
    spt_request_go_on(r);
    return 1;
}

static int read_push(septet_op *op, lua_State *L)
{
    struct stream *stream = ((struct stream_op *)op)->stream;
    struct spt_call *call = stream->call;
    if (!call) {
        spt_error_push(L, "HttpError", "%s: the response was closed", stream->method);
        lua_pushliteral(L, "closed");
        lua_setfield(L, -2, "code");
        return lua_error(L);
    }
    if (spt_request_held(&call->request) > 0)
        return push_bytes(L, &call->request, ((struct stream_op *)op)->n);
    if (call->request.failure.code)
        return spt_call_raise(L, call, SEPTET_EHTTP);
    lua_pushnil(L);
    return 1;
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

/* stream:read(n): waits for bytes, and returns up to n of them, or all there are; nil at the end of the body. Raises
 * HttpError where the body does not reach its end. */
static int l_read(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    size_t n = lua_isnoneornil(L, 2) ? 0 : (size_t)spt_check_count(L, 2, 1);
    if (stream->waiter)
        return spt_error_usage(L, "another task reads the response");
    struct stream_op *op = (struct stream_op *)spt_op_new(L, stream->env->sched, &read_type);
    op->stream = stream;
    op->n = n;
    op->op.ref = stream->call ? stream->call->ref : 0;
    return septet_op_await(L, &op->op);
}

/* stream:close(): ends the request where it is not over. */
static int l_close(lua_State *L)
{
    close_stream(spt_check_self(L, "stream"));
    return 0;
}

static int l_gc(lua_State *L)
{
    close_stream(spt_check_self(L, "stream"));
    return 0;
}

/* stream:head(): anew, with the times of the whole. */
static int l_head(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    if (!stream->call)
        return 0;
    spt_call_push_head(L, &stream->call->request);
    return 1;
}

/* stream:trace(trace): it is told the end by its method `ended`. */
static int l_trace(lua_State *L)
{
    struct stream *stream = spt_check_self(L, "stream");
    lua_settop(L, 2);
    if (!stream->call)
        return 0;
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, SPT_ASK_TRACE);
    spt_call_set_trace(L, 2, stream);
    spt_keep(L, 1);
    stream->call->trace = stream;
    if (stream->over)
        spt_call_tell(stream->call);
    return 0;
}

void spt_http_stream_release(struct spt_env *env)
{
    for (struct spt_link *l; (l = spt_list_pop(&env->streams));)
        close_stream(SPT_OF(l, struct stream, link));
}

static const luaL_Reg methods[] = {{"read", l_read},   {"close", l_close}, {"head", l_head},
                                   {"trace", l_trace}, {"__gc", l_gc},     {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_stream", l_stream}, {NULL, NULL}};

void spt_open_http_stream(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
    spt_link_init(&env->streams);
}
