/* SPDX-License-Identifier: MIT */
/* Exports the trace ring to scripts: as blocks of bytes, and to sinks, which are called once a
 * turn. */
#include "lua/trace.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/trace.h"
#include "lua/trace_block.h"
#include "http/driver.h"
#include "loop/loop.h"
#include "lua/lib.h"
#include "lua/trace_file.h"
#include "lua/trace_readers.h"
#include "op/env.h"

/* Registry: an array of functions, and by each function the level that it needs. */
#define SINKS "septet.trace.sinks"

#define SAMPLE_EVERY_NS (10 * SPT_NS_PER_MS)
#define CLOCK_EVERY_NS  (60 * SPT_NS_PER_SECOND)

/* Sets the level that the sinks need; they are the table on top of the stack. */
static void set_sinks_level(lua_State *L, struct spt_trace_readers *readers)
{
    readers->sinks_level = 0;
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        lua_rawget(L, -2);
        int level = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (level > readers->sinks_level)
            readers->sinks_level = level;
    }
    spt_trace_readers_set_level(readers);
}

/* --- blocks --- */

/* trace_block(cursor): returns a block of the records from a cursor on, as bytes, and the cursor
 * behind them. Returns nil if there are none. Called from a sink, it leaves out what was recorded
 * since the sinks of this turn are called: else one that makes records would have no end. */
static int l_block(lua_State *L)
{
    struct spt_trace_readers *readers = spt_env(L)->trace_readers;
    uint64_t cursor = (uint64_t)spt_check_count(L, 1, 0);
    struct spt_block_piece pieces[SPT_BLOCK_PIECES];
    if (!readers) /* the host has ended */
        return 0;
    if (!readers->block && !(readers->block = calloc(1, sizeof *readers->block)))
        return luaL_error(L, "not enough memory");
    const struct spt_trace *tr = &readers->env->sched->trace;
    uint64_t end = readers->flushing ? readers->flushed : tr->head;
    if (!spt_trace_block_fill(readers->block, tr, &cursor, end, pieces))
        return 0;
    size_t size = 0;
    for (unsigned i = 0; i < SPT_BLOCK_PIECES; i++)
        size += pieces[i].size;
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, size);
    for (unsigned i = 0; i < SPT_BLOCK_PIECES; i++)
        luaL_addlstring(&b, pieces[i].bytes, pieces[i].size);
    luaL_pushresult(&b);
    lua_pushinteger(L, (lua_Integer)cursor);
    return 2;
}

/* --- sinks --- */

/* trace_sink(fn, level): registers fn, which is called outside any task, once in each turn with new
 * records. The ring has at least this level while it is registered. A sink that raises is removed,
 * with a warning. Returns the cursor of the first record that is new to it. Raises IoError if the
 * embedder does not permit it. */
static int l_sink(lua_State *L)
{
    struct spt_trace_readers *readers = spt_env(L)->trace_readers;
    spt_check_callable(L, 1);
    lua_Integer level = spt_check_count(L, 2, 1);
    spt_trace_readers_check(L, spt_env(L), "");
    if (!readers) { /* the host has ended: it is never called */
        lua_pushinteger(L, 0);
        return 1;
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SINKS);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, level);
    lua_rawset(L, -3);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    set_sinks_level(L, readers);
    lua_pushinteger(L, (lua_Integer)spt_trace_readers_begin(readers));
    return 1;
}

/* Removes the sink on top of the stack, which it pops, from the table below it. */
static void remove_sink(lua_State *L, struct spt_trace_readers *readers)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, -2), kept = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -2, i);
        if (lua_rawequal(L, -1, -2))
            lua_pop(L, 1);
        else
            lua_rawseti(L, -3, ++kept);
    }
    for (lua_Integer i = kept + 1; i <= n; i++) {
        lua_pushnil(L);
        lua_rawseti(L, -3, i);
    }
    lua_pushnil(L);
    lua_rawset(L, -3);
    set_sinks_level(L, readers);
}

/* trace_unsink(fn): removes a sink; a no-op if it is none. */
static int l_unsink(lua_State *L)
{
    if (!spt_env(L)->trace_readers)
        return 0;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SINKS);
    lua_pushvalue(L, 1);
    remove_sink(L, spt_env(L)->trace_readers);
    return 0;
}

/* Handles the error on top of the stack, at index 4: the sink at index 3, of the table at index 2,
 * raised it. */
static void sink_failed(lua_State *L, struct spt_env *env)
{
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    remove_sink(L, env->trace_readers);
    if (!spt_error_is(L, 4, "Cancelled")) { /* else it was interrupted, or has ended the run */
        const char *words = spt_error_push_words(L, 4);
        words = lua_pushfstring(L, "a trace subscriber failed: %s", words);
        env->sched->hooks.warn(env->sched->hooks.ud, words);
    }
    lua_settop(L, 2);
}

static int flush(lua_State *L)
{
    struct spt_env *env = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SINKS);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 2);) {
        lua_rawgeti(L, 2, i);
        lua_pushvalue(L, -1); // stack: env, sinks, the sink, the sink
        if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
            sink_failed(L, env);
            continue;
        }
        lua_rawgeti(L, 2, i); /* another one if the sink has removed itself */
        i += lua_rawequal(L, -1, 3);
        lua_settop(L, 2);
    }
    return 0;
}

/* Adds the records that the host makes by itself, if others were made since the last call. */
static void add_own_records(struct spt_trace_readers *readers)
{
    struct spt_env *env = readers->env;
    struct spt_sched *s = env->sched;
    uint64_t now_ns = s->now_ns;
    if (now_ns < readers->sample_ns)
        return;
    readers->sample_ns = now_ns + SAMPLE_EVERY_NS;
    uint32_t requests = env->driver ? spt_driver_requests(env->driver) : 0,
             running = env->driver ? spt_driver_running(env->driver) : 0;
    uint64_t memory = env->clock.is_virtual ? 0 /* equal runs have equal traces */
                                            : (uint64_t)lua_gc(s->main, LUA_GCCOUNT) * 1024 +
                                                  (uint64_t)lua_gc(s->main, LUA_GCCOUNTB);
    uint64_t idle_ns;
    bool idle = env->loop && spt_loop_idle(env->loop, &idle_ns);
    spt_trace_append(&s->trace, (struct spt_rec){.t = now_ns,
                                                 .task = s->counts.live,
                                                 .ref = running,
                                                 .kind = SPT_REC_SAMPLE,
                                                 .extra = idle,
                                                 .a = requests - running,
                                                 .b = memory});
    if (idle)
        spt_trace_put(&s->trace, (struct spt_rec){.t = now_ns, .kind = SPT_REC_MORE, .b = idle_ns});
    if (now_ns < readers->clock_ns)
        return;
    readers->clock_ns = now_ns + CLOCK_EVERY_NS;
    spt_trace_readers_clock(readers, now_ns);
}

/* Returns true if the instant of trace_wake() has come, once. */
static bool wakes(struct spt_trace_readers *readers)
{
    if (readers->wake_ns == SPT_NEVER || spt_sched_clock(readers->env->sched) < readers->wake_ns)
        return false;
    readers->wake_ns = SPT_NEVER;
    return true;
}

uint64_t spt_trace_due(const struct spt_env *env)
{
    bool stands = env->clock.is_virtual && env->sched->counts.external == 0;
    return env->trace_readers && !stands ? env->trace_readers->wake_ns : SPT_NEVER;
}

void spt_trace_flush(struct spt_env *env)
{
    struct spt_trace_readers *readers = env->trace_readers;
    struct spt_sched *s = env->sched;
    if (!readers || readers->flushing || (!wakes(readers) && s->trace.head == readers->flushed))
        return;
    if (s->trace.head != readers->flushed)
        add_own_records(readers);
    readers->flushed = s->trace.head;
    spt_trace_file_write(readers);
    spt_trace_file_report(readers);
    if (readers->sinks_level == 0)
        return;
    lua_pushcfunction(s->main, flush);
    lua_pushlightuserdata(s->main, env);
    readers->flushing = true;
    if (lua_pcall(s->main, 1, 0, 0) != LUA_OK)
        lua_pop(s->main, 1);
    readers->flushing = false;
}

/* trace_level(): returns the ring's level. */
static int l_level(lua_State *L)
{
    lua_pushinteger(L, spt_env(L)->sched->trace.level);
    return 1;
}

/* trace_flush(): calls the sinks now, as after a turn. A no-op once the host is closed. */
static int l_flush(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    if (env->trace_readers)
        spt_trace_flush(env);
    return 0;
}

static const luaL_Reg functions[] = {{"trace_block", l_block},   {"trace_sink", l_sink},
                                     {"trace_unsink", l_unsink}, {"trace_level", l_level},
                                     {"trace_flush", l_flush},   {NULL, NULL}};

static void on_host_end(struct spt_resource *resource)
{
    struct spt_trace_readers *readers = SPT_OF(resource, struct spt_trace_readers, resource);
    readers->env->trace_readers = NULL;
    free(readers->block);
    free(readers->file_block);
    readers->block = readers->file_block = NULL;
}

static void make_readers(lua_State *L, struct spt_env *env)
{
    struct spt_trace_readers *readers = lua_newuserdatauv(L, sizeof *readers, 0);
    *readers = (struct spt_trace_readers){
        .env = env, .resource.release = on_host_end, .wake_ns = SPT_NEVER};
    spt_link_init(&readers->recordings);
    spt_link_init(&readers->resource.link);
    lua_rawsetp(L, LUA_REGISTRYINDEX, readers); /* for as long as the env refers to it */
    if (env->trace_readers)                     /* a finalizer has opened it meanwhile */
        return;
    spt_env_add(env, &readers->resource);
    env->trace_readers = readers;
    lua_pushnil(L); /* the sinks of an earlier host of this state */
    lua_setfield(L, LUA_REGISTRYINDEX, SINKS);
}

void spt_open_trace(lua_State *L, struct spt_env *env)
{
    if (env->loop && !env->trace_readers) /* not after the host's end, and not anew */
        make_readers(L, env);
    spt_add_functions(L, env, functions);
}
