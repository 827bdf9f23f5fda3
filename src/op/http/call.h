/* SPDX-License-Identifier: MIT */
/* A call: an attempt with the data that its trace record and its hooks receive. Both operations in
 * op/http/, request.c and stream.c, start their requests through it. */
#ifndef SPT_OP_HTTP_CALL_H
#define SPT_OP_HTTP_CALL_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/redact.h"
#include "core/sched.h"
#include "http/request.h"
#include "op/env.h"
#include "op/http/args.h"
#include "op/http/call_hooks.h"
#include "op/http/record.h"

struct spt_account;
struct spt_http_pool;
struct spt_http_refs;
struct spt_session_handle;

/* What only a call with hooks needs, or one that the trace follows from level 2 on. Thousands of
 * queued calls do without. */
struct spt_http_watched {
    struct spt_http_call *call;
    struct spt_deferred deferred; /* delivers signals and the end of the request to its hooks */
    struct spt_http_hooks hooks;
    struct spt_http_kept kept;
    struct spt_signalled signalled;
    uint64_t place; /* line of the script, at trace level 2 */
};

struct spt_http_call {
    struct spt_link link; /* in the pool while idle */
    /* userdata to unanchor after the end was delivered; NULL for none */
    const void *anchored;
    struct spt_http_end end;
    uint32_t task, ref;
    struct spt_http_number number;
    struct spt_http_pool *pool;
    struct spt_account *account;      /* borrowed; counts the request while it is in flight */
    struct spt_http_watched *watched; /* owned; NULL if it needs none */
    void *owner;                      /* the operation or stream; NULL once detached */
    struct spt_request request;
};

/* Makes a host's pool of calls, which lives as long as the Lua state. The functions that start
 * requests have it as their second upvalue. */
struct spt_http_pool *spt_http_pool_new(lua_State *L, struct spt_env *env);

/* Returns the references of the pool, which the opener of the last of their metatables fills in. */
struct spt_http_refs *spt_http_pool_refs(struct spt_http_pool *pool);

/* Has the trace record up to `max` bytes of each body of later requests, at level 3; 0 for none. */
void spt_http_pool_keep_bodies(struct spt_http_pool *pool, uint64_t max);

/* Returns the pool of a function that starts requests. */
static inline struct spt_http_pool *spt_http_pool(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(2));
}

/* Like spt_add_functions(), for functions that start requests. */
static inline void spt_http_add_functions(lua_State *L, struct spt_env *env,
                                          struct spt_http_pool *pool, const luaL_Reg *functions)
{
    lua_pushlightuserdata(L, env);
    lua_pushlightuserdata(L, pool);
    luaL_setfuncs(L, functions, 2);
}

/* Raises LimitExceeded if the running task may not have another request in flight. */
void spt_http_call_check_limit(lua_State *L, const struct spt_sched *s);

/* Takes a call from the pool, or allocates one, and fills it in from `args`. The owner sets the
 * callbacks that it needs. Gives the call the hooks that were registered with the owner as their
 * key, and want these signals, as bits; NULL for no hooks. Returns NULL if out of memory. */
struct spt_http_call *spt_http_call_new(struct spt_http_pool *pool,
                                        const struct spt_http_args *args, void *owner,
                                        const unsigned *hooks);

/* Takes the hooks away, before anything is delivered to them. */
void spt_http_call_unhook(struct spt_http_call *call);

/* Starts the request of a task. Its account limits the body. Returns what spt_attempt_start()
 * returns, or SEPTET_ECLOSED if the session is closed. */
int spt_http_call_start(struct spt_http_call *call, const struct spt_session_handle *handle,
                        const struct spt_task *task);

/* Takes a signal of the request: an on_signal. */
void spt_http_call_on_signal(struct spt_request *request, const struct spt_signal *signal);

/* Records the end of the request in the trace, and schedules its delivery to the hooks. */
void spt_http_call_ended(struct spt_http_call *call);

/* Detaches the owner and releases the call; NULL is a no-op. */
void spt_http_call_release(struct spt_http_call *call);

/* Records the line of the script that makes the call, at trace level 2. */
void spt_http_call_set_place(lua_State *L, struct spt_http_call *call);

/* Writes the method and the URL, for an operation's `describe`. */
void spt_http_call_describe(const struct spt_http_call *call, char *text, size_t size);

/* Raises the request's failure, or the error of `status` if it has none. `call` may be NULL if it
 * was released. */
int spt_http_call_raise(lua_State *L, const struct spt_http_call *call, int status);

/* Sets the fields that every response has in the table on top of the stack: status, head, and
 * redirect_url and url if there are any. Raises out of memory. */
void spt_http_call_set_response(lua_State *L, const struct spt_http_call *call);

#endif
