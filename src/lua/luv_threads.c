/* SPDX-License-Identifier: MIT */
/* Makes and closes the states of luv's threads. luv closes those of the thread pool when the
 * process exits, while their threads still run: such a state is left alone. */
#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lua/luv_parts.h"

static const char thread_key = 0; /* its address is the key of the thread in the registry */

/* The same in each host of the process, which has one luv. */
static _Atomic(lua_CFunction) luv_open;

static lua_State *acquire(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "luv", atomic_load(&luv_open), 0);
    lua_settop(L, 0);
    *(pthread_t *)lua_newuserdatauv(L, sizeof(pthread_t), 0) = pthread_self();
    lua_rawsetp(L, LUA_REGISTRYINDEX, &thread_key);
    return L;
}

static void release(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &thread_key);
    const pthread_t *thread = lua_touserdata(L, -1);
    if (!thread || pthread_equal(*thread, pthread_self()))
        lua_close(L);
}

/* Keeps this library loaded, because threads outlive the state that loaded it. */
static void stay(void)
{
    Dl_info info;
    if (dladdr(&thread_key, &info) && info.dli_fname)
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
