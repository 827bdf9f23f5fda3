/* SPDX-License-Identifier: MIT */
/* What luv.c, luv_call.c and luv_things.c share. */
#ifndef SPT_LUA_LUV_PARTS_H
#define SPT_LUA_LUV_PARTS_H

#include <lua.h>
#include <stdbool.h>
#include <uv.h>

struct spt_env;

/* The user values: the table with the metatables of luv's handles as its keys, other metatables,
 * two of its functions, and the module. */
enum {
    SPT_LUV_HANDLES = 1,
    SPT_LUV_REQUEST,
    SPT_LUV_FS,
    SPT_LUV_WORK,
    SPT_LUV_CLOSE,
    SPT_LUV_CANCEL,
    SPT_LUV_MODULE,
    SPT_LUV_LAST = SPT_LUV_MODULE
};

/* luv in a state. A userdata in the registry. */
struct spt_luv {
    struct spt_env *env;
    void (*set_loop)(lua_State *L, uv_loop_t *loop); /* of luv */
    lua_Integer witness; /* reference of the thing that was found alive last; 0: none */
    unsigned running;    /* number of callbacks that run */
    bool ended;
};

/* Pushes the userdata, or nil. Allocates nothing. */
struct spt_luv *spt_luv_push(lua_State *L);

/* The key of the userdata in the registry. */
extern const char spt_luv_key;

/* Called by luv in place of lua_pcall, in a callback of libuv. */
int spt_luv_call(lua_State *L, int nargs, int nresults, int flags);

/* Sets what makes and closes the states of luv's threads. `file` is what dlopen() returned. */
void spt_luv_own_threads(void *file, lua_CFunction open);

/* Makes exit() end libuv's thread pool before luv closes what its threads use. Called each time luv
 * was opened in a state, because that makes exit() call luv; libuv itself ends the pool later. */
void spt_luv_order_exit(void);

/* Returns true if the value on top of the stack is a handle that libuv has not closed, or a request
 * in flight. The userdata of struct spt_luv is at index `luv`. */
bool spt_luv_is_pending(lua_State *L, int luv);

/* Calls fn(handle) for each handle of luv; a function for Lua, in place of luv's own. */
int spt_luv_walk(lua_State *L);

#endif
