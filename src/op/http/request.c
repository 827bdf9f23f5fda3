/* SPDX-License-Identifier: MIT */
/* http: runs one attempt of an HTTP request and returns a whole response. The verbs of sessions do
 * so by themselves for a plain request, and call lua/septet/http/ for any other: redirects,
 * retries, options and hooks are up to that. Connections and timeouts are up to the driver.
 *
 * The call is made before start, as that needs `L`. A refused await would leak it, so run() takes
 * the steps of septet_op_await() itself: core/op.h. */
#include <lauxlib.h>
#include <string.h>

#include "core/bare.h"
#include "core/check.h"
#include "core/op.h"
#include "core/task.h"
#include "http/attempt.h"
#include "http/signal.h"
#include "op/http/call.h"
#include "op/http/failure.h"
#include "op/http/headers.h"
#include "op/http/openers.h"
#include "op/http/refs.h"
#include "op/http/result.h"
#include "op/http/session.h"
#include "op/http/upload_handle.h"
#include "op/openers.h"

struct http_op {
    septet_op op;
    struct spt_http_call *call; /* owned; the arguments of the call keep alive what it borrows */
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
        spt_http_call_unhook(http->call);
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

static int http_push(septet_op *op, lua_State *L)
{
    const struct http_op *http = (struct http_op *)op;
    const struct spt_http_call *call = http->call;
    if (op->status < 0)
        return spt_http_call_raise(L, call, op->status);
    return spt_http_result_push(L, call);
}

static void http_describe(const septet_op *op, char *text, size_t size)
{
    spt_http_call_describe(((const struct http_op *)op)->call, text, size);
}

#define HTTP_TYPE                                                                                  \
    {                                                                                              \
        .name = "http", .size = sizeof(struct http_op), .flags = SEPTET_OP_EXTERNAL,               \
        .abi = SPT_OP_ABI_THEN, .start = http_start, .cancel = http_cancel, .push = http_push,     \
        .close = http_close, .describe = http_describe,                                            \
    }

enum { VERB_SESSION = 1, VERB_URL, VERB_HANDLE };   /* arguments, and what is pushed behind them */
enum { VERB_METHOD = 3, VERB_OTHER, VERB_DEFAULT }; /* upvalues of a verb */

/* Runs an attempt with checked arguments, and waits for its end. `hooks` is the index of its hooks,
 * or 0. */
static int run(lua_State *L, const struct spt_http_args *args, const struct spt_op_type *type,
               int hooks, bool no_follow)
{
    struct spt_sched *s = spt_env(L)->sched;
    unsigned wanted = 0;
    struct http_op *http = (struct http_op *)spt_op_new(L, s, &type->type);
    if (hooks)
        wanted = spt_http_hooks_set(L, hooks, http);
    if (spt_op_check_cancelled(s))
        return spt_op_await_cancelled(L, &http->op);
    spt_http_call_check_limit(L, s);
    struct spt_http_call *call =
        spt_http_call_new(spt_http_pool(L), args, http, hooks ? &wanted : NULL);
    if (!call)
        return spt_http_failure_raise_memory(L, args->method, args->url);
    http->call = call;
    http->handle = args->handle;
    http->op.ref = call->ref;
    call->request.manner.follows_redirects = !no_follow;
    call->request.events = &events;
    spt_http_call_set_place(L, call);
    if (!s->current->co) { /* a bare task, with a verb: its arguments are the handle and the URL */
        lua_pushvalue(L, VERB_HANDLE);
        lua_pushvalue(L, VERB_URL);
        spt_bare_keep(L, s, 2);
    }
    return spt_op_wait(L, &http->op, false);
}

static struct spt_http_refs *refs_of(lua_State *L)
{
    return spt_http_pool_refs(spt_http_pool(L));
}

/* --- any attempt --- */

static int http_then(lua_State *L, int n)
{
    spt_http_result_make(L, refs_of(L), n, SPT_HTTP_ARG_URL);
    return 1;
}

static const struct spt_op_type http_type = {HTTP_TYPE, http_then};

/* http(session, options, headers, method, url, body, timeout, hooks, no_follow, number, resend):
 * waits for the response and returns it, with body, head, status, url and, of a redirect,
 * redirect_url. The body of a redirect is read only with `no_follow`. `options` is from
 * http_options() and `headers` from http_headers(). `body` (a string or an upload) and `timeout`
 * (seconds, for this attempt including its time in the queue) may be nil. `hooks` is a table or
 * nil; its method `signal` is called for each signal among its `wanted`, and `ended` at the end.
 * `number` is that of the request, from http_number() or from the head of its first response, and
 * `resend` how many attempts of it came before; both may be nil. Raises HttpError. */
static int l_http(lua_State *L)
{
    struct spt_http_args args;
    spt_http_args_check(L, spt_env(L), &args);
    int hooks = lua_isnoneornil(L, SPT_HTTP_ARG_HOOKS) ? 0 : SPT_HTTP_ARG_HOOKS;
    return run(L, &args, &http_type, hooks, lua_toboolean(L, SPT_HTTP_ARG_NO_FOLLOW));
}

/* --- verbs --- */

/* Pushes the handle of a session. Returns NULL, with another value on the stack, if it has none. */
static const struct spt_session_handle *push_handle(lua_State *L, const struct spt_http_refs *refs)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, refs->handle);
    lua_rawget(L, VERB_SESSION);
    return spt_http_refs_has_meta(L, -1, refs->session_handle_meta) ? lua_touserdata(L, -1) : NULL;
}

/* Returns true if the arguments are those of a plain request, which needs nothing of Lua: an open
 * session with options that allow it, a URL, no options, and no hooks of the host. Then pushes the
 * session's handle to VERB_HANDLE, which keeps alive what is sent. Otherwise leaves the stack as it
 * is, but for a last nil. */
static bool read_plain(lua_State *L, const struct spt_http_refs *refs, struct spt_http_args *args)
{
    size_t url_len;
    if (refs->hooked || lua_gettop(L) > VERB_HANDLE || !lua_isnoneornil(L, VERB_HANDLE) ||
        lua_type(L, VERB_URL) != LUA_TSTRING || lua_type(L, VERB_SESSION) != LUA_TTABLE ||
        !spt_http_refs_has_meta(L, VERB_SESSION, refs->session_meta))
        return false;
    lua_settop(L, VERB_URL);
    const struct spt_session_handle *handle = push_handle(L, refs);
    args->url = lua_tolstring(L, VERB_URL, &url_len);
    if (!handle || !handle->session || !handle->plain.allowed || strlen(args->url) != url_len) {
        lua_settop(L, VERB_URL);
        return false;
    }
    args->handle = handle;
    args->options = handle->plain.options;
    args->headers = handle->plain.headers->headers;
    return true;
}

/* Returns what the other function of a verb has returned. */
static int other_done(lua_State *L, int status, lua_KContext ctx)
{
    return lua_gettop(L);
}

static int follow_done(lua_State *L, int status, lua_KContext ctx)
{
    return 1;
}

/* Returns the response of a plain request, or that to which its redirects lead. */
static int verb_then(lua_State *L, int n)
{
    const struct spt_http_refs *refs = refs_of(L);
    const int first = lua_gettop(L) - n + 1;
    spt_http_result_make(L, refs, n, VERB_URL);
    if (n <= SPT_RESULT_REDIRECT)
        return 1;
    lua_rawgeti(L, LUA_REGISTRYINDEX, refs->follow);
    if (lua_type(L, VERB_SESSION) == LUA_TUSERDATA) /* the handle, which a bare task has kept */
        lua_getiuservalue(L, VERB_SESSION, SPT_SESSION_UV_SESSION);
    else
        lua_pushvalue(L, VERB_SESSION);
    lua_pushvalue(L, first + SPT_RESULT_METHOD);
    lua_pushvalue(L, VERB_URL);
    lua_pushvalue(L, first + SPT_RESULT_DEADLINE);
    lua_pushvalue(L, -6); // stack: response, follow, session, method, url, deadline, response
    lua_callk(L, 5, 1, 0, follow_done);
    return 1;
}

static const struct spt_op_type verb_type = {HTTP_TYPE, verb_then};

/* Pushes the default session below the arguments of a verb that takes none. Returns false if these
 * are not those of a plain request. */
static bool add_default(lua_State *L)
{
    if (lua_isnoneornil(L, lua_upvalueindex(VERB_DEFAULT)))
        return true;
    if (lua_type(L, 1) != LUA_TSTRING || !lua_isnoneornil(L, 2) || lua_gettop(L) > 2)
        return false;
    lua_pushvalue(L, lua_upvalueindex(VERB_DEFAULT));
    lua_call(L, 0, 1);
    lua_insert(L, VERB_SESSION);
    return true;
}

/* verb(session, url, options): performs a request and waits for the whole response. A plain one is
 * made here; any other, and any mistake, is left to the other function. One of the module has no
 * session, but a function that returns the default one. */
static int l_verb(lua_State *L)
{
    struct spt_http_args args = {.method = NULL};
    struct spt_sched *s = spt_env(L)->sched;
    septet_op *done = spt_bare_done(s);
    if (done)
        return spt_op_resumed(L, LUA_YIELD, (lua_KContext)done);
    bool added = add_default(L);
    if (added && read_plain(L, refs_of(L), &args)) {
        args.method = lua_tostring(L, lua_upvalueindex(VERB_METHOD));
        if (args.handle->plain.total_ns != SPT_NEVER)
            args.deadline_ns = spt_timer_instant(spt_sched_clock(s), args.handle->plain.total_ns);
        return run(L, &args, &verb_type, 0, false);
    }
    if (spt_bare_begins(L, s)) { /* the other function needs a coroutine */
        lua_pushnil(L);
        return lua_error(L);
    }
    if (added && !lua_isnoneornil(L, lua_upvalueindex(VERB_DEFAULT)))
        lua_remove(L, VERB_SESSION);
    lua_pushvalue(L, lua_upvalueindex(VERB_OTHER));
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, other_done);
    return other_done(L, LUA_OK, 0);
}

/* http_verb(method, other, default): returns the function of sessions for a method. `other` takes
 * the same arguments. With `default`, returns that of the module, without a session. */
static int l_http_verb(lua_State *L)
{
    (void)spt_check_string(L, 1, NULL);
    spt_check_callable(L, 2);
    lua_settop(L, 3);
    lua_pushlightuserdata(L, spt_env(L));
    lua_pushlightuserdata(L, spt_http_pool(L));
    lua_rotate(L, 1, 2);
    lua_pushcclosure(L, l_verb, 5);
    return 1;
}

/* http_sessions(session_meta, response_meta, follow): takes what verbs need. `follow(session,
 * method, url, deadline, response)` follows the redirects of a plain request. */
static int l_http_sessions(lua_State *L)
{
    spt_http_refs_take(L, refs_of(L));
    return 0;
}

/* http_hooked(hooked): says whether the host has hooks for the requests of all sessions. */
static int l_http_hooked(lua_State *L)
{
    refs_of(L)->hooked = lua_toboolean(L, 1);
    return 0;
}

/* http_is_plain(session, url, options): returns true if the verbs of a session make this request
 * without Lua. */
static int l_http_is_plain(lua_State *L)
{
    struct spt_http_args args = {.method = NULL};
    lua_pushboolean(L, read_plain(L, refs_of(L), &args));
    return 1;
}

/* --- numbers and names --- */

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
                                     {"http_verb", l_http_verb},
                                     {"http_sessions", l_http_sessions},
                                     {"http_hooked", l_http_hooked},
                                     {"http_is_plain", l_http_is_plain},
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
    spt_http_refs_init(L, spt_http_pool_refs(pool));
    spt_bare_allow(env->sched, SPT_BARE_CALL, l_verb);
}
