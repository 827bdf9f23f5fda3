/* SPDX-License-Identifier: MIT */
/* http: runs one attempt of an HTTP request and returns its body as one Lua string. Redirects,
 * defaults and the shape of a response are up to request.lua, redirect.lua and response.lua in
 * lua/septet/http/. Connections and timeouts are up to the driver. The call is made before start,
 * as that needs `L`. A refused await would leak it, so l_http() takes the steps of
 * septet_op_await() itself: core/op.h. */
#include <lauxlib.h>

#include "core/check.h"
#include "core/op.h"
#include "core/task.h"
#include "http/attempt.h"
#include "http/signal.h"
#include "op/http/call.h"
#include "op/http/failure.h"
#include "op/http/openers.h"
#include "op/http/upload_handle.h"
#include "op/openers.h"

struct http_op {
    septet_op op;
    struct spt_http_call *call; /* owned; the arguments of l_http keep alive what it borrows */
    const struct spt_session_handle *handle;
};
_Static_assert(sizeof(struct http_op) <= SPT_SLOT_SIZE,
               "a request needs no memory of Lua's to wait in");

static void on_progress(struct spt_request *request)
{
    if (request->upload)
        spt_upload_handle_on_sent(request);
}

static void on_done(struct spt_request *request)
{
    struct spt_http_call *call = SPT_OF(request, struct spt_http_call, request);
    struct http_op *http = call->owner;
    spt_http_call_ended(call);
    septet_op_done(&http->op, request->failure.code ? SEPTET_EHTTP : SEPTET_OK);
}

static const struct spt_request_events events = {
    .on_done = on_done, .on_progress = on_progress, .on_signal = spt_http_call_on_signal};

static int http_start(septet_op *op)
{
    struct http_op *http = (struct http_op *)op;
    const struct spt_task *task = op->task;
    int rc = spt_http_call_start(http->call, http->handle, task);
    if (rc != SEPTET_OK) { /* the await raises immediately, so no deferred event is sent */
        http->call->hooks.key = NULL;
        spt_http_call_ended(http->call);
    }
    return rc;
}

static void http_cancel(septet_op *op)
{
    struct spt_http_call *call = ((struct http_op *)op)->call;
    spt_attempt_cancel(&call->request);
    call->end.cancelled = true;
    spt_http_call_ended(call);
}

static void http_close(septet_op *op)
{
    struct http_op *http = (struct http_op *)op;
    spt_http_call_release(http->call);
    http->call = NULL;
}

/* Pushes a table {status, body, head, redirect_url, url}. */
static int http_push(septet_op *op, lua_State *L)
{
    const struct http_op *http = (struct http_op *)op;
    const struct spt_http_call *call = http->call;
    if (op->status < 0)
        return spt_http_call_raise(L, call, op->status);
    const struct spt_request *r = &call->request;
    const struct spt_response *t = r->response;
    lua_createtable(L, 0, 4); /* body, status, head, url; a redirect_url makes it grow */
    lua_pushlstring(L, t->body.buf.data ? t->body.buf.data : "", t->body.buf.len);
    lua_setfield(L, -2, "body");
    spt_http_call_set_response(L, call);
    return 1;
}

static void http_describe(const septet_op *op, char *text, size_t size)
{
    spt_http_call_describe(((const struct http_op *)op)->call, text, size);
}

static const septet_op_type http_type = {
    .name = "http",
    .size = sizeof(struct http_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = http_start,
    .cancel = http_cancel,
    .push = http_push,
    .close = http_close,
    .describe = http_describe,
};

/* http(session, options, headers, method, url, body, timeout, hooks, no_follow, number, resend):
 * waits for the response and returns {status, body, head, redirect_url, url}. The body of a
 * redirect is read only with `no_follow`. `options` is from http_options() and `headers` from
 * http_headers(). `body` (a string or an upload) and `timeout` (seconds, for this attempt including
 * its time in the queue) may be nil. `hooks` is a table or nil; its method `signal` is called for
 * each signal among its `wanted`, and `ended` at the end. `number` is that of the request, from
 * http_number() or from the head of its first response, and `resend` how many attempts of it came
 * before; both may be nil. Raises HttpError. */
static int l_http(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_sched *s = env->sched;
    struct spt_http_args args;
    spt_http_args_check(L, env, &args);
    bool hooked = !lua_isnoneornil(L, SPT_HTTP_ARG_HOOKS),
         no_follow = lua_toboolean(L, SPT_HTTP_ARG_NO_FOLLOW);
    unsigned wanted = 0;
    struct http_op *http = (struct http_op *)spt_op_new(L, s, &http_type);
    if (hooked)
        wanted = spt_http_hooks_set(L, SPT_HTTP_ARG_HOOKS, http);
    if (spt_op_check_cancelled(s))
        return spt_op_await_cancelled(L, &http->op);
    spt_http_call_check_limit(L, s);
    struct spt_http_call *call = spt_http_call_new(spt_http_pool(L), &args, http);
    if (!call)
        return spt_http_failure_raise_memory(L, args.method, args.url);
    http->call = call;
    http->handle = args.handle;
    http->op.ref = call->ref;
    if (hooked)
        spt_http_call_hook(call, http, wanted);
    call->request.manner.follows_redirects = !no_follow;
    call->request.events = &events;
    spt_http_call_set_place(L, call);
    return spt_op_wait(L, &http->op, false);
}

/* http_number(): returns a number for a request that may take several attempts. */
static int l_http_number(lua_State *L)
{
    lua_pushinteger(L, ++spt_env(L)->sched->counts.refs);
    return 1;
}

/* http_signals(): returns the names of the signals, in the order of their bits in `wanted`. */
static int l_http_signals(lua_State *L)
{
    lua_createtable(L, SPT_SIGNALS, 0);
    for (int i = 0; i < SPT_SIGNALS; i++) {
        lua_pushstring(L, spt_signal_name((enum spt_signal_type)i));
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* trace_bodies(n): has the trace record up to n bytes of each body of later requests, at level 3;
 * 0 for none. */
static int l_trace_bodies(lua_State *L)
{
    spt_http_pool_keep_bodies(spt_http_pool(L), (uint64_t)spt_check_count(L, 1, 0));
    return 0;
}

static const luaL_Reg functions[] = {{"http", l_http},
                                     {"http_number", l_http_number},
                                     {"http_signals", l_http_signals},
                                     {"trace_bodies", l_trace_bodies},
                                     {NULL, NULL}};

void spt_open_http(lua_State *L, struct spt_env *env)
{
    struct spt_http_pool *pool = spt_http_pool_new(L, env);
    spt_http_add_functions(L, env, pool, functions);
    spt_open_http_options(L, env);
    spt_open_http_session(L, env);
    spt_open_http_cookies(L, env);
    spt_open_http_headers(L, env);
    spt_open_http_header_block(L, env);
    spt_open_http_failure(L, env);
    spt_open_http_request_head(L, env);
    spt_open_http_features(L, env);
    spt_open_http_url(L, env);
    spt_open_http_text(L, env);
    spt_open_http_upload(L, env);
    spt_open_http_stream(L, env, pool);
}
