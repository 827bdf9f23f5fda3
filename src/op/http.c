/* http: one attempt of an HTTP request, its body gathered into one Lua string. Redirects, defaults and
 * the shape of a response are Lua's (lua/septet/http.lua); connections and limits are the driver's. */
#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "loop/curl_driver.h"
#include "loop/profile.h"
#include "loop/url.h"
#include "op/env.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_META "septet.http.session"
#define HEADERS_META "septet.http.headers"
#define HEAD_META    "septet.http.head"
#define TERMS_META   "septet.http.terms"
#define TRACES       "septet.http.traces" /* registry: operation -> its trace, weak: the await keeps it */

/* A request at work. These rest in a pool with their buffers: what is written for every request stays in
 * the cache, and the collector has less to do. */
struct call {
    struct spt_link link; /* in env->calls while it rests */
    struct spt_env *env;
    struct http_op *http;
    struct spt_request request;
    struct spt_note note; /* the terminal event of a traced request */
    uint64_t t_start_ns, t_end_ns;
    bool cancelled;
};

#define CALLS_MAX 256  /* resting */
#define URL_SHOWN 1024 /* bytes of a URL in errors and traces */

/* What holds for a request: its session's, unless it has its own. */
struct terms {
    uint64_t connect_ns, first_byte_ns, idle_ns, queue_ns; /* limits; 0: none */
    size_t max_body;                                       /* bytes */
    struct spt_profile profile;
};

struct http_op {
    septet_op op;
    struct call *call; /* owned between start and close */
    struct spt_env *env;
    struct session_box
        *session; /* kept by the handle at index 1, as all that follows is by its own */
    const struct spt_headers *headers;
    const struct terms *terms;
    const char *method, *url, *body;
    size_t body_len;      /* bytes */
    uint64_t deadline_ns; /* 0: none */
    uint64_t place;       /* line of the script, at trace level 2 */
    bool traced;
};
_Static_assert(sizeof(struct http_op) <= SPT_SLOT_SIZE,
               "a request needs no memory of Lua's to wait in");

struct session_box {
    struct spt_session *session; /* owned; NULL once closed */
    struct spt_link link;        /* in env->sessions while open: the host closes what is left */
};

static struct call *take_call(struct spt_env *env)
{
    struct spt_link *l = spt_list_pop(&env->calls);
    if (!l)
        return calloc(1, sizeof(struct call));
    env->ncalls--;
    return SPT_OF(l, struct call, link);
}

static void put_call(struct call *call)
{
    struct spt_env *env = call->env;
    if (!env->driver || env->ncalls == CALLS_MAX) {
        spt_request_release(&call->request);
        free(call);
        return;
    }
    spt_request_reset(&call->request);
    spt_link_init(&call->link);
    spt_list_push_front(&env->calls, &call->link);
    env->ncalls++;
}

/* --- the terminal event: told to the trace hooks on the main state before the waiter runs on --- */

/* The URL without what may be a password: itself where it has none, else written to `out`, cut at the
 * room there is. */
static const char *public_url(const char *url, char *out, size_t size)
{
    if (!strchr(url, '@'))
        return url;
    const char *authority = strstr(url, "://");
    authority = authority ? authority + 3 : url;
    const char *host = authority;
    for (const char *p = authority; *p && !strchr("/?#", *p); p++)
        if (*p == '@')
            host = p + 1;
    snprintf(out, size, "%.*s%s", (int)(authority - url), url, host);
    return out;
}

static void push_failure(lua_State *L, const struct spt_request *r)
{
    char room[URL_SHOWN];
    const char *url = public_url(r->url, room, sizeof room);
    const struct spt_failure *f = &r->failure;
    const char *text = f->text[0] ? f->text : f->reason ? f->reason : f->code;
    spt_error_push(L, "HttpError", "%s %s: %s", r->method, url, text);
    lua_pushstring(L, f->code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, f->reason);
    lua_setfield(L, -2, "reason");
    lua_pushstring(L, spt_phase_word(f->phase));
    lua_setfield(L, -2, "phase");
    lua_pushstring(L, url);
    lua_setfield(L, -2, "url");
    lua_pushstring(L, r->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, text);
    lua_setfield(L, -2, "text");
    lua_pushinteger(L, 1);
    lua_setfield(L, -2, "attempts");
}

/* Calls `trace:ended(time, status, error, cancelled, redirects)`, where trace is what the await was
 * given. */
static int tell_protected(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, TRACES);
    if (lua_rawgetp(L, -1, call->http) == LUA_TNIL)
        return 0;
    lua_getfield(L, -1, "ended");
    lua_insert(L, -2);
    lua_pushnumber(L, (lua_Number)call->t_end_ns / 1e9);
    lua_pushinteger(L, call->request.status);
    if (call->request.failure.code)
        push_failure(L, &call->request);
    else
        lua_pushnil(L);
    lua_pushboolean(L, call->cancelled);
    lua_pushboolean(L, call->request.redirect_url != NULL);
    lua_call(L, 6, 0);
    return 0;
}

static void tell(struct spt_note *note, lua_State *L)
{
    struct call *call = SPT_OF(note, struct call, note);
    lua_pushcfunction(L, tell_protected);
    lua_pushlightuserdata(L, call);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        struct spt_sched *s = call->env->sched;
        const char *message = lua_tostring(L, -1);
        s->world.warn(s->world.ud, message ? message : "a trace hook failed");
        lua_pop(L, 1);
    }
    call->note.run = NULL;
    if (!call->http->call) /* closed meanwhile: nobody else has it */
        put_call(call);
}

/* --- the operation --- */

static int32_t us(int64_t ns)
{
    return ns < 0 ? -1 : (int32_t)(ns / 1000);
}

static void record(const struct call *call)
{
    struct spt_trace *tr = &call->env->sched->trace;
    const struct spt_request *r = &call->request;
    const struct spt_task *task = call->http->op.task;
    const struct spt_times *t = &r->times;
    const char *code = call->cancelled ? "cancelled" : r->failure.code;
    if (!tr->ring)
        return;
    char room[URL_SHOWN];
    const char *url = public_url(r->url, room, sizeof room);
    struct spt_xfer x = {
        .queue_us = us(t->queue_ns),
        .dns_us = us(t->dns_ns),
        .tcp_us = us(t->tcp_ns),
        .tls_us = us(t->tls_ns),
        .send_us = us(t->send_ns),
        .wait_us = us(t->wait_ns),
        .recv_us = us(t->recv_ns),
        .total_us = us((int64_t)(call->t_end_ns - call->t_start_ns)),
        .bytes = r->body_in.len,
        .place = call->http->place,
        .url = spt_trace_text(tr, url, strlen(url)),
        .method = spt_trace_intern(tr, r->method),
        .code = spt_trace_intern(tr, code),
        .phase = code ? spt_trace_intern(tr, spt_phase_word(r->failure.phase)) : 0,
        .status = (uint16_t)r->status,
        .version = (uint8_t)r->version,
        .reused = r->reused,
    };
    spt_trace_xfer(tr, call->t_start_ns, task->id, call->http->op.ref, &x);
}

static void ended(struct call *call)
{
    struct spt_sched *s = call->env->sched;
    call->t_end_ns = spt_sched_clock(s);
    record(call);
    if (call->http->traced) {
        spt_link_init(&call->note.link);
        call->note.run = tell;
        spt_sched_note(s, &call->note);
    }
}

static void on_done(struct spt_request *request)
{
    struct call *call = SPT_OF(request, struct call, request);
    ended(call);
    septet_op_done(&call->http->op, request->failure.code ? SEPTET_EHTTP : SEPTET_OK);
}

static void fill(struct spt_request *r, const struct http_op *http)
{
    const struct terms *terms = http->terms;
    r->method = http->method;
    r->url = http->url;
    r->headers = http->headers;
    r->body = http->body;
    r->body_len = http->body_len;
    r->profile = &terms->profile;
    r->max_body = terms->max_body;
    r->connect_ns = terms->connect_ns;
    r->first_byte_ns = terms->first_byte_ns;
    r->idle_ns = terms->idle_ns;
    r->queue_ns = terms->queue_ns;
    r->deadline_ns = http->deadline_ns;
    r->on_done = on_done;
}

static int http_start(septet_op *op)
{
    struct http_op *http = (struct http_op *)op;
    struct call *call = take_call(http->env);
    if (!call)
        return SEPTET_ENOMEM;
    http->call = call;
    call->env = http->env;
    call->http = http;
    call->cancelled = false;
    call->note.run = NULL;
    call->t_start_ns = spt_sched_clock(http->env->sched);
    fill(&call->request, http);
    struct spt_session *session = http->session->session;
    int rc = session ? spt_request_start(session, &call->request) : SEPTET_ECLOSED;
    if (rc != SEPTET_OK) { /* its await raises at once, before a note could be told */
        call->t_end_ns = spt_sched_clock(call->env->sched);
        record(call);
    }
    return rc;
}

static void http_cancel(septet_op *op)
{
    struct call *call = ((struct http_op *)op)->call;
    spt_request_cancel(&call->request);
    call->cancelled = true;
    ended(call);
}

static void http_close(septet_op *op)
{
    struct http_op *http = (struct http_op *)op;
    struct call *call = http->call;
    http->call = NULL;
    if (call && !call->note.run) /* else the note gives it back */
        put_call(call);
}

/* What a response keeps of its head: the raw lines and the times, read when somebody asks. */
struct head {
    struct spt_times times;
    int version;     /* 10, 11, 20 */
    char method[20]; /* cut there: none in use is as long */
    size_t len;
    char lines[];
};

static void push_head(lua_State *L, const struct spt_request *r)
{
    struct head *head = lua_newuserdatauv(L, sizeof *head + r->head.len, 0);
    head->times = r->times;
    head->version = r->version;
    size_t len = strnlen(r->method, sizeof head->method - 1);
    memcpy(head->method, r->method, len);
    head->method[len] = '\0';
    head->len = r->head.len;
    if (head->len)
        memcpy(head->lines, r->head.data, head->len);
    luaL_setmetatable(L, HEAD_META);
}

static int raise_status(lua_State *L, const struct call *call, int status)
{
    if (call && call->request.failure.code) {
        push_failure(L, &call->request);
        return lua_error(L);
    }
    return luaL_error(L, "%s", septet_strerror(status));
}

/* A table {status, body, head, redirect_url}. */
static int http_push(septet_op *op, lua_State *L)
{
    const struct call *call = ((struct http_op *)op)->call;
    if (op->status < 0)
        return raise_status(L, call, op->status);
    const struct spt_request *r = &call->request;
    lua_createtable(L, 0, 4); /* the fourth field is Lua's: url */
    lua_pushinteger(L, r->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, r->body_in.data ? r->body_in.data : "", r->body_in.len);
    lua_setfield(L, -2, "body");
    push_head(L, r);
    lua_setfield(L, -2, "head");
    if (r->redirect_url) {
        lua_pushstring(L, r->redirect_url);
        lua_setfield(L, -2, "redirect_url");
    }
    return 1;
}

static void http_describe(const septet_op *op, char *text, size_t size)
{
    const struct http_op *http = (const struct http_op *)op;
    char room[URL_SHOWN];
    snprintf(text, size, "%s %s", http->method, public_url(http->url, room, sizeof room));
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

/* --- for Lua --- */

static struct session_box *check_session(lua_State *L, int arg)
{
    return spt_check_udata(L, arg, SESSION_META, "session");
}

/* The field of the table at 1, which keeps it; NULL where it is nil. */
static const char *text_field(lua_State *L, const char *name)
{
    const char *text = NULL;
    if (lua_getfield(L, 1, name) != LUA_TNIL)
        text = spt_check_string(L, -1, NULL);
    lua_pop(L, 1);
    return text;
}

static bool flag_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static lua_Integer count_field(lua_State *L, const char *name, lua_Integer least)
{
    lua_getfield(L, 1, name);
    lua_Integer n = spt_check_count(L, lua_gettop(L), least);
    lua_pop(L, 1);
    return n;
}

static uint64_t seconds_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    uint64_t ns = spt_opt_seconds(L, lua_gettop(L), SPT_NEVER);
    lua_pop(L, 1);
    return ns;
}

static int l_terms_gc(lua_State *L)
{
    struct terms *terms = luaL_checkudata(L, 1, TERMS_META);
    spt_profile_release(&terms->profile);
    return 0;
}

/* http_terms{...}: what holds for requests. Seconds, nil for no limit: connect, first_byte, idle, queue; bytes:
 * max_body; and of the connection: proxy (a URL, true for what the environment says), ca_file, cert_file, key_file,
 * insecure, tls13. */
static int l_terms(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    uint64_t queue = seconds_field(L, "queue");
    struct terms made = {
        .connect_ns = seconds_field(L, "connect"),
        .first_byte_ns = seconds_field(L, "first_byte"),
        .idle_ns = seconds_field(L, "idle"),
        .queue_ns = queue > 0 ? queue : 1, /* 0: at once, or not at all */
        .max_body = (size_t)count_field(L, "max_body", 0),
    };
    lua_getfield(L, 1, "proxy");
    bool env_proxy = lua_type(L, -1) == LUA_TBOOLEAN && lua_toboolean(L, -1);
    struct spt_profile profile = {
        .env_proxy = env_proxy,
        .proxy = env_proxy ? NULL : (char *)lua_tostring(L, -1),
        .ca_file = (char *)text_field(L, "ca_file"),
        .cert_file = (char *)text_field(L, "cert_file"),
        .key_file = (char *)text_field(L, "key_file"),
        .insecure = flag_field(L, "insecure"),
        .tls13 = flag_field(L, "tls13"),
    };
    struct terms *terms = lua_newuserdatauv(L, sizeof *terms, 0);
    *terms = made;
    luaL_setmetatable(L, TERMS_META);
    if (spt_profile_copy(&terms->profile, &profile) != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(SEPTET_ENOMEM));
    return 1;
}

/* The strings of the array at `arg`, or nil; they and their array stay while it does. */
static const char *const *check_strings(lua_State *L, int arg, size_t *n)
{
    *n = 0;
    if (lua_isnoneornil(L, arg))
        return NULL;
    luaL_checktype(L, arg, LUA_TTABLE);
    *n = lua_rawlen(L, arg);
    const char **strings = lua_newuserdatauv(L, *n * sizeof *strings + 1, 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        strings[i] = spt_check_string(L, -1, NULL);
        lua_pop(L, 1); /* the table keeps it */
    }
    return strings;
}

/* http_session{limit, limit_per_host, cookies, resolve}: a pool of connections. `resolve` is a list of
 * "host:port:address", or nil. */
static int l_session(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    struct spt_session_config config = {
        .limit = (unsigned)count_field(L, "limit", 1),
        .limit_per_host = (unsigned)count_field(L, "limit_per_host", 1),
        .cookies = flag_field(L, "cookies"),
    };
    lua_getfield(L, 1, "resolve");
    config.resolve = check_strings(L, lua_gettop(L), &config.n_resolve);
    struct session_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct session_box){0};
    luaL_setmetatable(L, SESSION_META);
    if (!env->driver)
        return spt_error_usage(L, "the host is closed");
    int rc = spt_session_new(&box->session, env->driver, &config);
    if (rc != SEPTET_OK)
        return luaL_error(L, "cannot make a session: %s", septet_strerror(rc));
    spt_link_init(&box->link);
    spt_list_push(&env->sessions, &box->link);
    return 1;
}

/* session:close(): requests in flight fail with the code "closed", connections are dropped. */
static int l_session_close(lua_State *L)
{
    struct session_box *box = check_session(L, 1);
    if (box->session) {
        struct spt_session *session = box->session;
        box->session = NULL;
        spt_link_remove(&box->link);
        spt_session_free(session);
    }
    return 0;
}

void spt_http_release(struct spt_env *env)
{
    for (struct spt_link *l; (l = spt_list_pop(&env->calls));) {
        struct call *call = SPT_OF(l, struct call, link);
        spt_request_release(&call->request);
        free(call);
    }
    for (struct spt_link *l; (l = spt_list_pop(&env->sessions));) {
        struct session_box *box = SPT_OF(l, struct session_box, link);
        spt_session_free(box->session);
        box->session = NULL;
    }
}

struct headers_box {
    struct spt_headers *headers; /* owned */
};

static int l_headers_gc(lua_State *L)
{
    struct headers_box *box = luaL_checkudata(L, 1, HEADERS_META);
    spt_headers_free(box->headers);
    box->headers = NULL;
    return 0;
}

/* http_headers{name1, value1, name2, value2, ...}: checked header lines. Raises Usage, naming the header
 * that cannot be sent. */
static int l_headers(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1) / 2, at = 0;
    const char *why = NULL;
    luaL_checkstack(L, 8, NULL);
    struct spt_header *pairs = lua_newuserdatauv(L, n * sizeof *pairs + 1, 0);
    struct headers_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->headers = NULL;
    luaL_setmetatable(L, HEADERS_META);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)(2 * i + 1));
        lua_rawgeti(L, 1, (lua_Integer)(2 * i + 2));
        pairs[i].name = lua_tolstring(L, -2, &pairs[i].name_len);
        pairs[i].value = lua_tolstring(L, -1, &pairs[i].value_len);
        lua_pop(L, 2); /* the table keeps them */
    }
    int rc = spt_headers_new(&box->headers, pairs, n, &why, &at);
    if (rc == SEPTET_EINVAL) {
        spt_error_push(L, "Usage", "header '%s': %s", pairs[at].name, why);
        return lua_error(L);
    }
    if (rc != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(rc));
    return 1;
}

/* http_encodings(): what a response may be encoded in, as Accept-Encoding says it. */
static int l_encodings(lua_State *L)
{
    lua_pushstring(L, spt_http_encodings());
    return 1;
}

/* http_join(base, url): where `url`, which may be relative, points from `base`; or nil and a word for what is wrong. */
static int l_join(lua_State *L)
{
    size_t base_len, url_len;
    const char *base = spt_check_string(L, 1, &base_len), *url = spt_check_string(L, 2, &url_len);
    size_t size = base_len + 3 * url_len + 8;
    if (strlen(base) != base_len || strlen(url) != url_len) {
        lua_pushnil(L);
        lua_pushliteral(L, "characters");
        return 2;
    }
    char *out = lua_newuserdatauv(L, size, 0);
    const char *word = spt_url_join(base, url, out, size);
    if (!word) {
        lua_pushstring(L, out);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, word);
    return 2;
}

/* http(session, terms, method, url, headers, body, timeout, trace): waits for the response: {status, body, head,
 * redirect_url}. `terms` is http_terms', `headers` is http_headers'; `body` and `timeout` (seconds, for this attempt
 * with its wait in the queue) may be nil; `trace`, a table or nil, is told the end by its method `ended`. Raises
 * HttpError. */
static int l_http(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    struct session_box *box = check_session(L, 1);
    const struct terms *terms = spt_check_udata(L, 2, TERMS_META, "terms");
    const char *method = spt_check_string(L, 3, NULL);
    size_t url_len, body_len = 0;
    const char *url = spt_check_string(L, 4, &url_len);
    struct headers_box *headers = spt_check_udata(L, 5, HEADERS_META, "headers");
    const char *body = lua_isnoneornil(L, 6) ? NULL : spt_check_string(L, 6, &body_len);
    uint64_t total = spt_opt_seconds(L, 7, SPT_NEVER);
    lua_settop(L, 8);
    if (!box->session)
        return spt_error_usage(L, "the session is closed");
    if (strlen(url) != url_len || strlen(method) != lua_rawlen(L, 3))
        return spt_error_usage(L, "a NUL in the URL or the method");
    struct http_op *http = (struct http_op *)spt_op_new(L, s, &http_type);
    http->env = spt_env(L);
    http->session = box;
    http->terms = terms;
    http->method = method;
    http->url = url;
    http->headers = headers->headers;
    http->body = body;
    http->body_len = body_len;
    if (total != SPT_NEVER)
        http->deadline_ns = spt_instant(spt_sched_clock(s), total);
    http->op.ref = ++s->next_ref;
    if (s->trace.level >= 2)
        http->place = spt_lua_place(L, s, 1);
    if (!lua_isnil(L, 8)) {
        http->traced = true;
        luaL_getsubtable(L, LUA_REGISTRYINDEX, TRACES);
        lua_pushvalue(L, 8);
        lua_rawsetp(L, -2, http);
        lua_pop(L, 1);
    }
    return septet_op_await(L, &http->op);
}

/* head:lines(): the raw header lines, the status line first. */
static int l_head_lines(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, HEAD_META);
    lua_pushlstring(L, head->lines, head->len);
    return 1;
}

/* head:version(): "1.0", "1.1" or "2". */
static int l_head_version(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, HEAD_META);
    lua_pushstring(L, head->version == 20 ? "2" : head->version == 10 ? "1.0" : "1.1");
    return 1;
}

/* head:method(): what was asked for. */
static int l_head_method(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, HEAD_META);
    lua_pushstring(L, head->method);
    return 1;
}

static void set_time(lua_State *L, const char *name, int64_t ns)
{
    if (ns >= 0) {
        lua_pushnumber(L, (lua_Number)ns / 1e9);
        lua_setfield(L, -2, name);
    }
}

/* head:times(): seconds each phase took; those that did not take place are absent. */
static int l_head_times(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, HEAD_META);
    const struct spt_times *t = &head->times;
    lua_createtable(L, 0, 8);
    set_time(L, "queue", t->queue_ns);
    set_time(L, "dns", t->dns_ns);
    set_time(L, "tcp", t->tcp_ns);
    set_time(L, "tls", t->tls_ns);
    set_time(L, "send", t->send_ns);
    set_time(L, "wait", t->wait_ns);
    set_time(L, "receive", t->recv_ns);
    set_time(L, "total", t->total_ns);
    return 1;
}

static const luaL_Reg session_methods[] = {{"close", l_session_close},
                                           {"__gc", l_session_close},
                                           {"__close", l_session_close},
                                           {NULL, NULL}};
static const luaL_Reg terms_methods[] = {{"__gc", l_terms_gc}, {NULL, NULL}};
static const luaL_Reg headers_methods[] = {{"__gc", l_headers_gc}, {NULL, NULL}};
static const luaL_Reg head_methods[] = {{"lines", l_head_lines},
                                        {"times", l_head_times},
                                        {"version", l_head_version},
                                        {"method", l_head_method},
                                        {NULL, NULL}};
static const luaL_Reg functions[] = {{"http", l_http},
                                     {"http_join", l_join},
                                     {"http_terms", l_terms},
                                     {"http_session", l_session},
                                     {"http_encodings", l_encodings},
                                     {"http_headers", l_headers},
                                     {NULL, NULL}};

void spt_open_http(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SESSION_META, session_methods);
    spt_new_type(L, env, TERMS_META, terms_methods);
    spt_new_type(L, env, HEADERS_META, headers_methods);
    spt_new_type(L, env, HEAD_META, head_methods);
    spt_add_functions(L, env, functions);
    spt_link_init(&env->sessions);
    spt_link_init(&env->calls);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, TRACES);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
