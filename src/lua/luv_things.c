/* SPDX-License-Identifier: MIT */
/* Walks the registry. luv refers to each by an index of the registry until libuv
 * is done with it. */
#include "lua/luv_things.h"

#include <lauxlib.h>

#include "core/check.h"
#include "core/sched.h"
#include "loop/closing.h"
#include "loop/loop.h"
#include "lua/luv_parts.h"
#include "op/env.h"

const char spt_luv_key = 0;

struct spt_luv *spt_luv_push(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &spt_luv_key);
    return lua_touserdata(L, -1);
}

enum kind { OTHER, HANDLE, REQUEST, WORK };

/* The head of what the `data` of luv's requests and handles points to, from its lreq.h and
 * lhandle.h. */
struct luv_data {
    int ref; /* to the request or handle */
    int callback_ref;
};

/* Returns the kind of the value on top of the stack. */
static enum kind kind_of(lua_State *L, int luv)
{
    static const struct {
        int value;
        enum kind kind;
    } others[] = {{SPT_LUV_REQUEST, REQUEST}, {SPT_LUV_FS, REQUEST}, {SPT_LUV_WORK, WORK}};
    int top = lua_gettop(L);
    enum kind kind = OTHER;
    if (lua_type(L, -1) != LUA_TUSERDATA || !lua_getmetatable(L, -1))
        return OTHER;
    lua_getiuservalue(L, luv, SPT_LUV_HANDLES);
    lua_pushvalue(L, top + 1);
    if (lua_type(L, top + 2) == LUA_TTABLE && lua_rawget(L, top + 2) == LUA_TBOOLEAN)
        kind = HANDLE;
    for (int i = 0; i < 3 && kind == OTHER; i++) {
        lua_settop(L, top + 1);
        lua_getiuservalue(L, luv, others[i].value);
        if (lua_istable(L, -1) && lua_rawequal(L, -1, top + 1))
            kind = others[i].kind;
    }
    lua_settop(L, top);
    return kind;
}

/* Returns true for a request that waits for a callback. Without a function to call, those of files
 * and names run at once. */
static bool is_in_flight(const uv_req_t *request)
{
    const struct luv_data *data = request->data;
    bool may_be_sync = request->type == UV_FS || request->type == UV_GETADDRINFO ||
                       request->type == UV_GETNAMEINFO || request->type == UV_RANDOM;
    return data && !(may_be_sync && data->callback_ref == LUA_NOREF);
}

static bool is_alive(const uv_handle_t *handle)
{
    if (uv_is_closing(handle))
        return !spt_closing_is_closed(handle);
    return uv_is_active(handle) && uv_has_ref(handle);
}

/* Returns true if the value on top of the stack, of luv's, is one that libuv is not done with; if
 * `only_alive`, one that keeps the loop running. */
static bool is_used(lua_State *L, int luv, bool only_alive)
{
    const struct spt_luv *l = lua_touserdata(L, luv);
    const uv_loop_t *loop = spt_loop_uv(l->env->loop);
    enum kind kind = kind_of(L, luv);
    if (kind == HANDLE) {
        const uv_handle_t *handle = *(uv_handle_t **)lua_touserdata(L, -1);
        if (!handle)
            return false;
        return only_alive ? is_alive(handle) : !spt_closing_is_closed(handle);
    }
    if (loop->active_reqs.count == 0) /* luv keeps some that have ended */
        return false;
    return kind == WORK || (kind == REQUEST && is_in_flight(lua_touserdata(L, -1)));
}

bool spt_luv_is_pending(lua_State *L, int luv)
{
    bool is_handle = kind_of(L, luv) == HANDLE;
    if (!is_used(L, luv, false))
        return false;
    if (is_handle)
        return true;
    int value = lua_gettop(L); /* of the others, those that the registry has */
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (!lua_rawequal(L, -1, value))
            continue;
        lua_settop(L, value);
        return true;
    }
    return false;
}

/* Returns true if the registry has a thing that is used. */
static bool any_used(lua_State *L, struct spt_luv *l, int luv, bool only_alive)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, l->witness);
    bool used = l->witness && is_used(L, luv, only_alive);
    lua_pop(L, 1);
    if (used)
        return true;
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (!is_used(L, luv, only_alive))
            continue;
        l->witness = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        lua_pop(L, 2);
        return true;
    }
    l->witness = 0;
    return false;
}

bool spt_luv_is_alive(struct spt_env *env)
{
    lua_State *L = env->sched->main;
    if (!env->has_luv || !env->loop)
        return false;
    if (!lua_checkstack(L, 10))
        return true; /* if it is not, the next drain looks again */
    struct spt_luv *l = spt_luv_push(L);
    bool alive = l && !l->ended && any_used(L, l, lua_gettop(L), true);
    lua_pop(L, 1);
    return alive;
}

/* --- the walk --- */

int spt_luv_walk(lua_State *L)
{
    spt_check_most(L, 1);
    spt_check_callable(L, 1);
    if (!spt_luv_push(L))
        return 0;
    lua_newtable(L); // stack: fn, luv, list
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (kind_of(L, 2) != HANDLE || !is_used(L, 2, false))
            continue;
        lua_pushvalue(L, -1);
        lua_rawseti(L, 3, ++n);
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_pushvalue(L, 1);
        lua_rawgeti(L, 3, i);
        lua_call(L, 1, 0);
    }
    return 0;
}

/* --- the end --- */

/* Calls one of luv's functions with the value on top of the stack. */
static void call(lua_State *L, int luv, int function)
{
    lua_getiuservalue(L, luv, function);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

/* Closes and cancels. Neither changes the registry. */
static void end_all(lua_State *L, int luv)
{
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (!is_used(L, luv, false))
            continue;
        enum kind kind = kind_of(L, luv);
        if (kind == HANDLE && !uv_is_closing(*(uv_handle_t **)lua_touserdata(L, -1)))
            call(L, luv, SPT_LUV_CLOSE);
        else if (kind == REQUEST)
            call(L, luv, SPT_LUV_CANCEL);
    }
}

/* Returns the data of the value on top of the stack, if that is a request that has ended, or a
 * handle that is closed. */
static struct luv_data *ended(lua_State *L, int luv)
{
    enum kind kind = kind_of(L, luv);
    if (kind == REQUEST)
        return ((uv_req_t *)lua_touserdata(L, -1))->data;
    if (kind != HANDLE)
        return NULL;
    const uv_handle_t *handle = *(uv_handle_t **)lua_touserdata(L, -1);
    return handle && spt_closing_is_closed(handle) ? handle->data : NULL;
}

/* Releases what has ended, once all has. luv keeps the requests that read directories, and the
 * handles that other code has closed: luv 1.48 never frees the memory of these. */
static void release_ended(lua_State *L, int luv)
{
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        struct luv_data *data = ended(L, luv);
        if (!data)
            continue;
        luaL_unref(L, LUA_REGISTRYINDEX, data->ref);
        data->ref = LUA_NOREF;
    }
}

/* Removes the module of this host from a table of the registry. */
static void forget(lua_State *L, int luv)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE) == LUA_TTABLE) {
        lua_getfield(L, -1, "luv");
        lua_getiuservalue(L, luv, SPT_LUV_MODULE);
        if (lua_rawequal(L, -1, -2)) {
            lua_pushnil(L);
            lua_setfield(L, -4, "luv");
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &spt_luv_key);
}

static int end_protected(lua_State *L)
{
    struct spt_env *env = lua_touserdata(L, 1);
    struct spt_luv *luv = spt_luv_push(L); /* at index 2 */
    if (!luv || luv->ended)
        return 0;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    luv->ended = true;
    end_all(L, 2);
    while (any_used(L, luv, 2, false) && spt_loop_run_others(env->loop))
        continue;
    release_ended(L, 2);
    luv->set_loop(L, NULL); /* another host of the state sets its own */
    forget(L, 2);
    return 0;
}

void spt_luv_end(struct spt_env *env)
{
    if (!env->has_luv || !env->loop)
        return;
    lua_State *L = env->sched->main;
    env->has_luv = false;
    if (!lua_checkstack(L, 4))
        return;
    lua_pushcfunction(L, end_protected);
    lua_pushlightuserdata(L, env);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}
