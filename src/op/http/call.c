/* SPDX-License-Identifier: MIT */
/* Runs one attempt for an operation or a stream, and delivers its end to the trace and the hooks.
 * Calls are recycled in a pool: memory that is written for every request stays in the cache, and
 * the garbage collector has less to do. */
#include "op/http/call.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "core/anchor.h"
#include "core/error.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/script.h"
#include "core/task.h"
#include "http/attempt.h"
#include "http/driver.h"
#include "op/http/failure.h"
#include "op/http/header_block.h"
#include "op/http/options.h"
#include "op/http/refs.h"
#include "op/http/session.h"
#include "op/http/upload_handle.h"

enum {
    CALLS_MAX = 256, /* idle calls kept in the pool */
    PEERS = 64,      /* texts of peers that are kept; a power of two */
};

/* --- the pool --- */

/* The text of a connection's peer in the trace, so that not each attempt writes one. */
struct peer_text {
    uint32_t connection; /* its number; 0 for none */
    uint32_t text;
    uint64_t head; /* of the ring of texts, when it was written */
};

/* The idle calls of a host. */
struct spt_http_pool {
    struct spt_env *env;
    struct spt_sched *sched;
    struct spt_link idle; /* spt_http_call, the last used first */
    unsigned n;
    uint64_t bodies_max; /* bytes of each body that the trace records at level 3 */
    struct spt_http_refs refs;
    struct peer_text peers[PEERS];
    /* among the env's resources, and the first of them: the host releases it last */
    struct spt_resource resource;
};

void spt_http_pool_keep_bodies(struct spt_http_pool *pool, uint64_t max)
{
    pool->bodies_max = max;
}

struct spt_http_refs *spt_http_pool_refs(struct spt_http_pool *pool)
{
    return &pool->refs;
}

static struct spt_http_call *acquire(struct spt_http_pool *pool)
{
    struct spt_link *l = spt_list_pop(&pool->idle);
    if (!l)
        return calloc(1, sizeof(struct spt_http_call));
    pool->n--;
    return SPT_OF(l, struct spt_http_call, link);
}

static void fill(struct spt_request *r, const struct spt_http_args *args)
{
    const struct spt_http_options *options = args->options;
    r->method = args->method;
    r->url = args->url;
    r->headers = args->headers;
    r->body = args->body;
    r->body_len = args->body_len;
    r->upload = args->upload ? &args->upload->upload : NULL;
    r->connection = &options->connection;
    r->manner = options->manner;
    r->max_body = options->max_body;
    r->timeouts = &options->timeouts;
    r->deadline_ns = args->deadline_ns;
}

/* Makes what a watched call needs. `key` is that of its hooks, or NULL. Returns false if memory is
 * out. */
static bool watch(struct spt_http_call *call, const void *key, unsigned wanted)
{
    struct spt_http_watched *w = calloc(1, sizeof *w);
    if (!w)
        return false;
    w->call = call;
    w->kept.max = call->pool->bodies_max;
    w->hooks.key = key;
    spt_signal_log_reset(&w->hooks.log, wanted);
    call->watched = w;
    call->request.state.signalled = &w->signalled;
    call->request.state.watched = wanted ? wanted | SPT_SIGNALS_OF_CONNECTIONS : 0;
    return true;
}

struct spt_http_call *spt_http_call_new(struct spt_http_pool *pool,
                                        const struct spt_http_args *args, void *owner,
                                        const unsigned *hooks)
{
    struct spt_http_call *call = acquire(pool);
    if (!call)
        return NULL;
    call->pool = pool;
    call->owner = owner;
    call->end = (struct spt_http_end){0};
    call->anchored = NULL;
    call->account = NULL;
    call->watched = NULL;
    call->ref = ++pool->sched->counts.refs;
    call->number = args->number;
    if (!args->number.request)
        call->number.request = call->ref;
    fill(&call->request, args);
    unsigned wanted = spt_http_record_wanted(&pool->sched->trace, pool->bodies_max > 0);
    if ((wanted || hooks) && !watch(call, hooks ? owner : NULL, hooks ? *hooks : 0)) {
        spt_http_call_release(call);
        return NULL;
    }
    call->request.state.watched |= wanted;
    return call;
}

void spt_http_call_unhook(struct spt_http_call *call)
{
    if (call->watched)
        call->watched->hooks.key = NULL;
}

void spt_http_call_check_limit(lua_State *L, const struct spt_sched *s)
{
    const struct spt_account *full = spt_account_full_of_requests(s->current->spawn.account);
    if (full)
        spt_error_limit(L, spt_account_owner(full), "make a request", "requests",
                        full->limits.requests);
}

static void count_end(struct spt_http_call *call)
{
    struct spt_account *account = call->account;
    call->account = NULL;
    if (!account)
        return;
    spt_account_remove_request(account);
    if (account->script)
        spt_script_settle(account->script);
}

int spt_http_call_start(struct spt_http_call *call, const struct spt_session_handle *handle,
                        const struct spt_task *task)
{
    struct spt_request *r = &call->request;
    struct spt_account *account = task->spawn.account;
    call->task = task->id;
    r->max_body = spt_account_max_body(account, r->max_body);
    int rc = handle->session ? spt_attempt_start(handle->session, r) : SEPTET_ECLOSED;
    if (rc == SEPTET_OK) {
        call->account = account;
        spt_account_add_request(account);
    } else {
        r->state.t_start_ns = spt_sched_clock(call->pool->sched); /* for the record */
    }
    if (rc == SEPTET_OK && r->upload) {
        struct spt_upload_handle *upload = SPT_OF(r->upload, struct spt_upload_handle, upload);
        upload->used = true;
        upload->request = r;
    }
    return rc;
}

void spt_http_call_set_place(lua_State *L, struct spt_http_call *call)
{
    struct spt_sched *s = call->pool->sched;
    if (s->trace.level < 2 || !call->watched || !s->current->co) /* a bare task has no line */
        return;
    call->watched->place = spt_inspect_place(L, s, 1);
    spt_trace_pin(&s->trace, call->watched->place); /* the record is still to come */
}

void spt_http_call_describe(const struct spt_http_call *call, char *text, size_t size)
{
    const struct spt_request *r = &call->request;
    char room[SPT_HTTP_URL_MAX];
    snprintf(text, size, "%s %s", r->method, spt_redact_kept_url(r->url, room, sizeof room));
}

static void unwatch(struct spt_http_call *call)
{
    struct spt_http_watched *w = call->watched;
    if (!w)
        return;
    spt_trace_unpin(&call->pool->sched->trace, w->place);
    spt_signal_log_release(&w->hooks.log);
    free(w);
    call->watched = NULL;
}

static void recycle(struct spt_http_call *call)
{
    struct spt_http_pool *pool = call->pool;
    struct spt_driver *driver = pool->env->driver;
    unwatch(call);
    if (driver) /* which has its own limit for idle buffers */
        spt_attempt_reset(&call->request, driver);
    else
        spt_request_release(&call->request);
    if (!driver || pool->n == CALLS_MAX) {
        free(call);
        return;
    }
    spt_link_init(&call->link);
    spt_list_push_front(&pool->idle, &call->link);
    pool->n++;
}

void spt_http_call_release(struct spt_http_call *call)
{
    if (!call)
        return;
    call->owner = NULL;
    if (!call->watched || !call->watched->deferred.run) /* otherwise the delivery recycles it */
        recycle(call);
}

/* --- the end --- */

void spt_http_call_set_response(lua_State *L, const struct spt_http_call *call)
{
    const struct spt_request *r = &call->request;
    const struct spt_response *t = r->response;
    lua_pushinteger(L, t->status);
    lua_setfield(L, -2, "status");
    spt_header_block_push(L, r, call->number.request, call->pool->refs.head_meta);
    lua_setfield(L, -2, "head");
    if (t->redirect_url) {
        lua_pushstring(L, t->redirect_url);
        lua_setfield(L, -2, "redirect_url");
    }
    if (r->state.own_url) {
        lua_pushstring(L, r->state.own_url);
        lua_setfield(L, -2, "url");
    }
}

/* Returns the response, or an empty one if the request was never admitted. */
static const struct spt_response *response_of(const struct spt_request *r)
{
    static const struct spt_response none = {.times = {-1, -1, -1, -1, -1, -1, -1, -1}};
    return r->response ? r->response : &none;
}

int spt_http_call_raise(lua_State *L, const struct spt_http_call *call, int status)
{
    if (call && call->request.failure.code)
        return spt_http_failure_raise(L, &call->request);
    return luaL_error(L, "%s", septet_strerror(status));
}

/* Delivers what is due to the hooks, unless the host ends. Runs on the main state, before the
 * waiting task is resumed. */
static void deliver(struct spt_deferred *deferred, lua_State *L)
{
    struct spt_http_watched *w = SPT_OF(deferred, struct spt_http_watched, deferred);
    struct spt_http_call *call = w->call;
    if (call->pool->env->driver &&
        !spt_http_hooks_deliver(L, &w->hooks, &call->request, &call->end)) {
        struct spt_sched *s = call->pool->sched;
        const char *message = lua_tostring(L, -1);
        s->hooks.warn(s->hooks.ud, message ? message : "a trace hook failed");
        lua_pop(L, 1);
    }
    w->deferred.run = NULL;
    if (call->end.reached && call->anchored)
        spt_anchor_release(L, call->anchored);
    if (!call->owner)
        recycle(call);
}

/* Schedules delivery to the hooks, unless it is scheduled or under way. */
static void schedule_delivery(struct spt_http_watched *w)
{
    if (w->deferred.run)
        return;
    spt_link_init(&w->deferred.link);
    w->deferred.run = deliver;
    spt_sched_defer(w->call->pool->sched, &w->deferred);
}

void spt_http_call_on_signal(struct spt_request *request, const struct spt_signal *signal)
{
    struct spt_http_call *call = SPT_OF(request, struct spt_http_call, request);
    struct spt_http_watched *w = call->watched;
    spt_http_record_signal(&call->pool->sched->trace, call->task, call->ref, &w->kept, signal);
    if (!w->hooks.key)
        return;
    spt_signal_log_add(&w->hooks.log, signal);
    if (spt_signal_log_has_next(&w->hooks.log))
        schedule_delivery(w);
}

/* Stores the URL for the record. The URL and the method of an admitted request are those sent to
 * libcurl; otherwise they are the script's. */
static uint32_t url_text(struct spt_trace *tr, const struct spt_request *r)
{
    size_t len = strlen(r->url), size;
    if (r->response && spt_redact_find_secret(r->url, len, &size) == len)
        return spt_trace_text(tr, r->url, len);
    char room[SPT_HTTP_URL_MAX];
    const char *url = spt_redact_kept_url(r->url, room, sizeof room);
    return spt_trace_text(tr, url, strlen(url));
}

static uint32_t method_text(struct spt_trace *tr, const struct spt_request *r)
{
    if (r->response)
        return spt_trace_intern_name(tr, r->method);
    char room[SPT_HTTP_METHOD_MAX];
    return spt_trace_intern(tr, spt_redact_url(r->method, room, sizeof room));
}

/* Stores a peer as "127.0.0.1:80" or "[::1]:80". */
static uint32_t put_peer(struct spt_trace *tr, const struct spt_peer *peer)
{
    char text[sizeof peer->address + 8];
    unsigned port = peer->port;
    int len = strchr(peer->address, ':')
                  ? snprintf(text, sizeof text, "[%s]:%u", peer->address, port)
                  : snprintf(text, sizeof text, "%s:%u", peer->address, port);
    return spt_trace_text(tr, text, (size_t)len);
}

/* Returns the text of a peer: one that is kept, unless so many texts came after it that a reader
 * might not find it. */
static uint32_t peer_text(struct spt_http_pool *pool, const struct spt_response *response)
{
    struct spt_trace *tr = &pool->sched->trace;
    uint32_t connection = response->peer.connection;
    struct peer_text *kept = &pool->peers[connection & (PEERS - 1)];
    if (connection && kept->connection == connection &&
        tr->texts.head - kept->head < SPT_TEXT_RING_SIZE / 4)
        return kept->text;
    uint32_t text = response->peer.address[0] ? put_peer(tr, &response->peer) : 0;
    if (text)
        *kept = (struct peer_text){connection, text, tr->texts.head};
    return text;
}

static void record(const struct spt_http_call *call)
{
    struct spt_trace *tr = &call->pool->sched->trace;
    const struct spt_request *r = &call->request;
    const struct spt_response *response = response_of(r);
    const struct spt_times *times = &response->times;
    int64_t total_ns = (int64_t)(call->end.t_ns - r->state.t_start_ns);
    const char *code = call->end.cancelled ? "cancelled" : r->failure.code;
    if (!tr->ring)
        return;
    struct spt_trace_transfer x = {
        .us.queue = spt_trace_us(r->response ? times->queue_ns : total_ns),
        .us.dns = spt_trace_us(times->dns_ns),
        .us.tcp = spt_trace_us(times->tcp_ns),
        .us.tls = spt_trace_us(times->tls_ns),
        .us.send = spt_trace_us(times->send_ns),
        .us.wait = spt_trace_us(times->wait_ns),
        .us.recv = spt_trace_us(times->recv_ns),
        .us.total = spt_trace_us(total_ns),
        .bytes = response->body.received,
        .sent = response->sent,
        .request = call->number.request,
        .resend = call->number.resend,
        .connection = response->peer.connection,
        .peer = peer_text(call->pool, response),
        .place = call->watched ? call->watched->place : 0,
        .url = url_text(tr, r),
        .method = method_text(tr, r),
        .code = spt_trace_intern(tr, code),
        .phase = code ? spt_trace_intern(tr, spt_phase_name(r->failure.phase)) : 0,
        .status = (uint16_t)response->status,
        .version = (uint8_t)response->version,
        .reused = response->reused,
        .insecure = spt_header_block_is_insecure(r),
    };
    spt_trace_xfer(tr, r->state.t_start_ns, call->task, call->ref, &x);
}

void spt_http_call_ended(struct spt_http_call *call)
{
    struct spt_sched *s = call->pool->sched;
    call->end.t_ns = spt_sched_clock(s);
    count_end(call);
    record(call);
    if (call->request.upload)
        spt_upload_handle_on_done(&call->request);
    call->end.reached = true;
    struct spt_http_watched *w = call->watched;
    if (w && w->hooks.key) {
        spt_signal_log_close(&w->hooks.log, call->end.t_ns);
        w->hooks.end_due = true;
        schedule_delivery(w);
    } else if (call->anchored) {
        spt_anchor_release(s->main, call->anchored);
    }
}

/* Frees the idle calls, and releases the references. */
static void on_host_end(struct spt_resource *resource)
{
    struct spt_http_pool *pool = SPT_OF(resource, struct spt_http_pool, resource);
    for (struct spt_link *l; (l = spt_list_pop(&pool->idle));) {
        struct spt_http_call *call = SPT_OF(l, struct spt_http_call, link);
        spt_request_release(&call->request);
        free(call);
    }
    pool->n = 0;
    spt_http_refs_release(pool->sched->main, &pool->refs);
}

struct spt_http_pool *spt_http_pool_new(lua_State *L, struct spt_env *env)
{
    struct spt_http_pool *pool = lua_newuserdatauv(L, sizeof *pool, 0);
    *pool =
        (struct spt_http_pool){.env = env, .sched = env->sched, .resource.release = on_host_end};
    spt_http_refs_clear(&pool->refs);
    spt_link_init(&pool->idle);
    spt_link_init(&pool->resource.link);
    lua_rawsetp(L, LUA_REGISTRYINDEX, pool); /* as a call may outlive the functions */
    spt_env_add(env, &pool->resource);
    spt_http_hooks_open(L);
    return pool;
}
