/* SPDX-License-Identifier: MIT */
/* The environment in which the op libraries are opened: the parts of a host that an operation may
 * use. */
#ifndef SPT_OP_ENV_H
#define SPT_OP_ENV_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/scope.h"
#include "septet/septet.h"

struct spt_sched;
struct spt_driver;
struct spt_loop;
struct spt_trace_readers;
struct spt_watcher;
struct spt_census;

struct spt_env_clock {
    bool is_virtual;      /* whether the clock is virtual */
    bool manual;          /* if set, a virtual clock does not advance by itself */
    int64_t wall_step_ns; /* what scripts have added to a virtual wall clock */
};

struct spt_env {
    struct spt_sched *sched;
    struct spt_driver *driver; /* NULL once the host has ended */
    struct spt_loop *loop;     /* NULL once the host has ended */
    struct spt_env_clock clock;
    const septet_config *config; /* the host's; NULL once the host has ended */
    unsigned *callbacks;         /* the host's: number of the embedder's callbacks that run */
    bool owns_state;             /* septet_new made the Lua state */
    bool has_luv;                /* luv has the host's loop */
    unsigned luv_calls;          /* number of luv's callbacks that run */
    bool is_standard;            /* the state has the standard profile */
    const char *lua_path;        /* from the config; used by spt_open_modules() only */
    const char *quirk_changes;   /* from the config, kept with the env; NULL for none */
    /* spt_resource, in order of acquisition: what scripts left open */
    struct spt_link resources;
    struct spt_trace_readers *trace_readers; /* of lua/trace.c */
    struct spt_watcher *watcher;             /* of op/fs/watch.c; NULL: nothing is watched */
    struct spt_census *census;               /* of op/census.c; NULL: there is none */
};

/* Returns the env of a library function, which is its first upvalue. */
static inline struct spt_env *spt_env(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Excludes a resource from the census. Of op/census.c; called while there is one. */
void spt_census_forget(struct spt_env *env, const struct spt_resource *resource);

/* Adds an open resource, which the host releases at its end if a script has not. The host releases
 * them last first, while its driver and its loop still exist. So a resource may use those that were
 * acquired before it. */
static inline void spt_env_add(struct spt_env *env, struct spt_resource *resource)
{
    spt_list_push(&env->resources, &resource->link);
    if (env->census)
        spt_census_forget(env, resource);
}

/* Adds functions to the table on top of the stack, each with the env as its first upvalue. */
static inline void spt_add_functions(lua_State *L, struct spt_env *env, const luaL_Reg *functions)
{
    lua_pushlightuserdata(L, env);
    luaL_setfuncs(L, functions, 1);
}

/* The __index of a table of methods. Raises Usage for a name that is no method. */
static inline int spt_no_method(lua_State *L)
{
    return spt_check_no_field(L, lua_tostring(L, lua_upvalueindex(1)), 1);
}

/* Adds functions to a userdata type. Metamethods (names that begin with "__") go into its
 * metatable, methods into a separate table, the metatable's __index. Each function has the env and
 * the metatable as its upvalues, for spt_check_self(). */
static inline void spt_add_methods(lua_State *L, struct spt_env *env, const char *meta,
                                   const luaL_Reg *functions)
{
    luaL_getmetatable(L, meta);
    lua_getfield(L, -1, "__index"); /* stack: metatable, methods */
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushlightuserdata(L, env);
        lua_pushvalue(L, -3);
        lua_pushcclosure(L, f->func, 2);
        lua_setfield(L, f->name[0] == '_' && f->name[1] == '_' ? -3 : -2, f->name);
    }
    lua_pop(L, 2);
}

/* Registers a userdata type with its functions. A script reaches the methods by name, but neither
 * the metamethods nor the tables. */
static inline void spt_new_type(lua_State *L, struct spt_env *env, const char *meta,
                                const luaL_Reg *functions)
{
    luaL_newmetatable(L, meta);
    lua_newtable(L);          /* stack: metatable, methods */
    lua_createtable(L, 0, 1); /* metatable of the methods: an unknown name raises */
    lua_pushstring(L, strrchr(meta, '.') + 1);
    lua_pushcclosure(L, spt_no_method, 1);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    spt_add_methods(L, env, meta, functions);
}

#endif
