/* SPDX-License-Identifier: MIT */
/* Loads luv, a C module that is not linked: finds the file as `require` does, gives it the loop and
 * a function that calls back, and replaces what would run or stop the loop. Its other functions
 * are wrapped, because scripts may keep them longer than the host lives. */
#include "lua/luv.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "core/error.h"
#include "core/sched.h"
#include "loop/loop.h"
#include "lua/luv_parts.h"
#include "lua/luv_things.h"
#include "op/env.h"

/* What luv.so exports. */
struct library {
    lua_CFunction open;
    uv_loop_t *(*loop)(lua_State *L);
    void (*set_loop)(lua_State *L, uv_loop_t *loop);
    void (*set_callback)(lua_State *L, int (*call)(lua_State *, int, int, int));
};

/* --- the wrappers --- */

/* Calls a function of luv in its own frame, so that its errors name the script's line. The second
 * upvalue is that function. */
static int l_guard(lua_State *L)
{
    if (!spt_env(L)->loop)
        return spt_error_usage(L, "luv has no loop any more: the host has ended");
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static int l_refuse(lua_State *L)
{
    return spt_error_usage(L,
                           "luv cannot run, stop or close the loop: it is the host's, which runs "
                           "it while tasks wait");
}

/* A finalizer in place of luv's. One that comes while libuv still uses the object is called by
 * lua_close(), and everything of luv's ends first. */
static int l_gc(lua_State *L)
{
    const struct spt_luv *luv = spt_luv_push(L);
    lua_CFunction finalizer = lua_tocfunction(L, lua_upvalueindex(2));
    if (luv && !luv->ended) {
        lua_pushvalue(L, 1);
        if (spt_luv_is_pending(L, 2))
            spt_luv_end(luv->env);
    }
    lua_settop(L, 1);
    return finalizer(L);
}

/* Puts `wrapper` before the function `name` of the table on top of the stack. */
static void wrap(lua_State *L, struct spt_env *env, const char *name, lua_CFunction wrapper)
{
    lua_getfield(L, -1, name);
    lua_CFunction stock = lua_tocfunction(L, -1);
    if (!stock || stock == l_guard || stock == l_gc) {
        lua_pop(L, 1);
        return;
    }
    lua_pushlightuserdata(L, env);
    lua_insert(L, -2);
    lua_pushcclosure(L, wrapper, 2);
    lua_setfield(L, -2, name);
}

/* Guards each function of the table on top of the stack. */
static void guard_all(lua_State *L, struct spt_env *env)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            continue;
        lua_pushvalue(L, -2); // stack: table, key, table
        wrap(L, env, lua_tostring(L, -2), l_guard);
        lua_pop(L, 1);
    }
}

/* Guards the methods of the metatable on top of the stack, and pops it. */
static void guard_type(lua_State *L, struct spt_env *env)
{
    if (lua_istable(L, -1)) {
        wrap(L, env, "__gc", l_gc);
        if (lua_getfield(L, -1, "__index") == LUA_TTABLE)
            guard_all(L, env);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void guard_types(lua_State *L, struct spt_env *env)
{
    static const char *const others[] = {"uv_req", "uv_fs", "uv_fs_scandir", "luv_work_ctx", NULL};
    lua_getfield(L, LUA_REGISTRYINDEX, "uv_handle");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        guard_type(L, env);
    }
    lua_pop(L, 1);
    for (int i = 0; others[i]; i++) {
        lua_getfield(L, LUA_REGISTRYINDEX, others[i]);
        guard_type(L, env);
    }
}

static void set(lua_State *L, struct spt_env *env, const char *name, lua_CFunction function)
{
    lua_pushlightuserdata(L, env);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

/* Prepares the module on top of the stack. */
static void adopt(lua_State *L, struct spt_env *env, const struct library *library)
{
    static const char *const types[] = {
        [SPT_LUV_HANDLES] = "uv_handle",
        [SPT_LUV_REQUEST] = "uv_req",
        [SPT_LUV_FS] = "uv_fs",
        [SPT_LUV_WORK] = "luv_work_ctx",
    };
    struct spt_luv *luv = lua_newuserdatauv(L, sizeof *luv, SPT_LUV_LAST);
    *luv = (struct spt_luv){.env = env, .set_loop = library->set_loop};
    for (int i = SPT_LUV_HANDLES; i <= SPT_LUV_WORK; i++) {
        lua_getfield(L, LUA_REGISTRYINDEX, types[i]);
        lua_setiuservalue(L, -2, i);
    }
    lua_getfield(L, -2, "close");
    lua_setiuservalue(L, -2, SPT_LUV_CLOSE);
    lua_getfield(L, -2, "cancel");
    lua_setiuservalue(L, -2, SPT_LUV_CANCEL);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, SPT_LUV_MODULE);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &spt_luv_key);
    guard_all(L, env);
    guard_types(L, env);
    set(L, env, "run", l_refuse);
    set(L, env, "stop", l_refuse);
    set(L, env, "loop_close", l_refuse);
    set(L, env, "walk", spt_luv_walk);
    env->has_luv = true;
}

/* --- loading --- */

/* Pushes the path of the module. Raises an error like that of `require` if there is none. */
static const char *push_path(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) != LUA_TTABLE ||
        lua_getfield(L, -1, "searchpath") != LUA_TFUNCTION)
        luaL_error(L, "module 'luv' not found: this state loads no C modules");
    lua_pushliteral(L, "luv");
    lua_getfield(L, -3, "cpath");
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2))
        luaL_error(L, "module 'luv' not found:%s", lua_tostring(L, -1));
    lua_pop(L, 1);
    return lua_tostring(L, -1);
}

static void find(lua_State *L, void *file, const char *name, void *out)
{
    void *address = dlsym(file, name);
    if (!address)
        luaL_error(L, "luv has no function '%s': it is too old", name);
    memcpy(out, &address, sizeof address); /* C has no cast from an object to a function */
}

/* Opens the file, which stays open: threads of libuv's pool may run its code. A luv with another
 * libuv in it would take the loop for one of its own. */
static void load(lua_State *L, const char *path, struct library *library)
{
    union {
        void *address;
        int (*function)(uv_loop_t *);
    } ours = {.function = uv_loop_init};
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!file)
        luaL_error(L, "cannot load 'luv': %s", dlerror());
    if (dlsym(file, "uv_loop_init") != ours.address)
        luaL_error(L, "cannot load 'luv': '%s' has a libuv of its own, and cannot share the loop",
                   path);
    find(L, file, "luaopen_luv", &library->open);
    find(L, file, "luv_loop", &library->loop);
    find(L, file, "luv_set_loop", &library->set_loop);
    find(L, file, "luv_set_callback", &library->set_callback);
    spt_luv_own_threads(file, library->open);
}

/* The loader in package.preload. A state in which the embedder has given luv another loop keeps
 * that. */
static int l_load(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct library library;
    lua_settop(L, 1);
    if (!env->loop)
        return spt_error_usage(L, "luv has no loop: the host has ended");
    const char *path = push_path(L);
    load(L, path, &library);
    uv_loop_t *loop = spt_loop_uv(env->loop), *other = library.loop(L);
    bool shares = !other || other == loop;
    if (shares) {
        library.set_loop(env->sched->main, loop);
        library.set_callback(L, spt_luv_call);
    }
    lua_pushcfunction(L, library.open);
    lua_pushliteral(L, "luv");
    lua_call(L, 1, 1);
    spt_luv_order_exit();
    if (shares)
        adopt(L, env, &library);
    lua_pushstring(L, path);
    return 2;
}

/* A luv that is loaded already keeps its loop. */
void spt_open_luv(lua_State *L, struct spt_env *env)
{
    int top = lua_gettop(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    bool loaded = lua_getfield(L, -1, "luv") != LUA_TNIL;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    bool preloaded = lua_getfield(L, -1, "luv") != LUA_TNIL;
    bool ours = lua_tocfunction(L, -1) == l_load; /* of an earlier host */
    lua_pop(L, 1);
    if (!loaded && (!preloaded || ours)) {
        lua_pushlightuserdata(L, env);
        lua_pushcclosure(L, l_load, 1);
        lua_setfield(L, -2, "luv");
    }
    lua_settop(L, top);
}
