/* SPDX-License-Identifier: MIT */
/* Makes and closes the states of luv's threads. When the process exits, luv closes those of the
 * thread pool and forgets its lock, while their threads may still run and more work is queued. So
 * the pool ends before that, and a state of another thread is left alone. */
#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lua/luv_parts.h"

/* The same in each host of the process, which has one luv. */
static _Atomic(lua_CFunction) luv_open;

/* Returns where a state has its thread: beside its stack, which a thread may be using. */
static pthread_t *thread_of(lua_State *L)
{
    _Static_assert(sizeof(pthread_t) <= LUA_EXTRASPACE, "a thread's name fits");
    return lua_getextraspace(L);
}

void spt_luv_order_exit(void)
{
    atexit(uv_library_shutdown);
}

static lua_State *acquire(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "luv", atomic_load(&luv_open), 0);
    spt_luv_order_exit();
    lua_settop(L, 0);
    *thread_of(L) = pthread_self();
    return L;
}

static void release(lua_State *L)
{
    if (pthread_equal(*thread_of(L), pthread_self()))
        lua_close(L);
}

/* Keeps this library loaded, because threads outlive the state that loaded it. */
static void stay(void)
{
    Dl_info info;
    if (dladdr(&luv_open, &info) && info.dli_fname)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

void spt_luv_own_threads(void *file, lua_CFunction open)
{
    union {
        void *address;
        void (*set)(lua_State *(*)(void), void (*)(lua_State *));
    } setter = {dlsym(file, "luv_set_thread_cb")};
    if (!setter.address || atomic_exchange(&luv_open, open))
        return;
    stay();
    setter.set(acquire, release);
}
