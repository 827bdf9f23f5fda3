/* SPDX-License-Identifier: MIT */
/* Runs hooks on the main state. Each delivery is protected: what fails is lost for the hooks, and
 * the request goes on. */
#include "op/http/call_hooks.h"

#include <lauxlib.h>

#include "base/time.h"
#include "http/request.h"
#include "http/signal.h"
#include "op/http/failure.h"

/* registry: key -> object with the hooks of a request; weak: the caller keeps it */
#define HOOKS "septet.http.hooks"

void spt_http_hooks_open(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, HOOKS);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

unsigned spt_http_hooks_set(lua_State *L, int index, const void *key)
{
    lua_getfield(L, index, "wanted");
    unsigned wanted = (unsigned)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, index);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, HOOKS);
    lua_insert(L, -2); // stack: registered, hooks
    lua_rawsetp(L, -2, key);
    lua_pop(L, 1);
    return wanted;
}

/* What a protected function delivers. */
struct delivery {
    struct spt_http_hooks *hooks;
    const struct spt_request *request;
    const struct spt_http_end *end;
    struct spt_signal signal;
};

/* Pushes the method `name` of the hooks, and their object. Returns false, with other values on the
 * stack, if the object is gone. */
static bool push_method(lua_State *L, const struct spt_http_hooks *hooks, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, HOOKS);
    if (lua_rawgetp(L, -1, hooks->key) == LUA_TNIL)
        return false;
    lua_getfield(L, -1, name);
    lua_insert(L, -2);
    return true;
}

/* Calls `hooks:signal(name, time, text, failed)`. */
static int signal_protected(lua_State *L)
{
    const struct delivery *d = lua_touserdata(L, 1);
    const struct spt_signal *signal = &d->signal;
    if (!push_method(L, d->hooks, "signal"))
        return 0;
    lua_pushstring(L, spt_signal_name(signal->type));
    lua_pushnumber(L, spt_time_seconds(signal->t_ns));
    lua_pushlstring(L, signal->len > 0 ? signal->bytes : "", signal->len);
    lua_pushboolean(L, signal->failed);
    lua_call(L, 5, 0);
    return 0;
}

/* Pushes the target of a redirect that the request follows, as its Location has it, or nil. */
static void push_location(lua_State *L, const struct delivery *d)
{
    const struct spt_request *r = d->request;
    bool follows = r->manner.follows_redirects && !r->failure.code && !d->end->cancelled;
    lua_pushstring(L, follows && r->response ? r->response->redirect_url : NULL);
}

/* Calls `hooks:ended(time, status, error, cancelled, location, incomplete, lost)`. */
static int end_protected(lua_State *L)
{
    const struct delivery *d = lua_touserdata(L, 1);
    const struct spt_request *r = d->request;
    luaL_checkstack(L, 10, NULL);
    if (!push_method(L, d->hooks, "ended"))
        return 0;
    lua_pushnumber(L, spt_time_seconds(d->end->t_ns));
    lua_pushinteger(L, r->response ? r->response->status : 0);
    if (r->failure.code)
        spt_http_failure_push(L, r);
    else
        lua_pushnil(L);
    lua_pushboolean(L, d->end->cancelled);
    push_location(L, d);
    lua_pushboolean(L, d->end->incomplete);
    lua_pushinteger(L, d->hooks->log.lost);
    lua_call(L, 8, 0);
    return 0;
}

static bool run_protected(lua_State *L, struct delivery *d, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, d);
    return lua_pcall(L, 1, 0, 0) == LUA_OK;
}

bool spt_http_hooks_deliver(lua_State *L, struct spt_http_hooks *hooks, const struct spt_request *r,
                            const struct spt_http_end *end)
{
    struct delivery d = {.hooks = hooks, .request = r, .end = end};
    while (spt_signal_log_next(&hooks->log, &d.signal)) {
        if (!run_protected(L, &d, signal_protected)) {
            hooks->log.lost++;
            lua_pop(L, 1);
        }
    }
    if (!hooks->end_due)
        return true;
    hooks->end_due = false;
    return run_protected(L, &d, end_protected);
}
