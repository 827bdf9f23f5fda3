/* SPDX-License-Identifier: MIT */
/* Replaces functions of `debug` that would show or undo parts of Septet. One is the base below the
 * function of a wrapped coroutine, which stock Lua does not have. The others are the hooks by which
 * the host ends code that runs for too long. */
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdbool.h>
#include <string.h>

#include "core/frames.h"
#include "core/hook.h"
#include "core/sched.h"
#include "lua/lib.h"
#include "lua/replace.h"
#include "op/env.h"

#define HEAD 10 /* levels at the beginning of a long traceback of Lua's */
#define TAIL 11 /* levels at its end */

/* Continues as the standard function, the second upvalue, in the frame of the replacement. */
static int stock(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

/* Returns the thread that a function of `debug` refers to; `*arg` is the number of arguments it
 * takes. */
static lua_State *thread_of(lua_State *L, int *arg)
{
    *arg = lua_isthread(L, 1);
    return *arg ? lua_tothread(L, 1) : L;
}

static bool is_hidden(lua_State *L, int level)
{
    lua_Debug ar;
    return lua_getstack(L, level, &ar) && lua_checkstack(L, 1) && spt_frames_hidden(L, &ar);
}

/* debug.getinfo, getlocal and setlocal, but treat a hidden level as one beyond the last. */
static int l_of_level(lua_State *L)
{
    int arg;
    lua_State *co = thread_of(L, &arg);
    if (lua_isnumber(L, arg + 1) && is_hidden(co, (int)lua_tointeger(L, arg + 1))) {
        lua_pushinteger(L, INT_MAX);
        lua_replace(L, arg + 1);
    }
    return stock(L);
}

/* Returns the number of the last level of `co` above its base, or -1 if it has no base. */
static int last_above_base(lua_State *co)
{
    int last = spt_frames_last(co);
    return is_hidden(co, last) ? last - 1 : -1;
}

/* Adds lines of a traceback of `co` to the text on top: `n` levels from `level` on. `n` must be
 * small enough that Lua does not shorten them. */
static void add_levels(lua_State *L, lua_State *co, int level, int n)
{
    luaL_traceback(L, co, NULL, level);
    const char *lines = strchr(lua_tostring(L, -1), '\n'), *end = lines;
    for (int line = 0; end && line < n;) {
        end = strchr(end + 1, '\n');
        /* a frame entered by a tail call has one line more */
        if (!end || strncmp(end, "\n\t(...tail calls...)", 20) != 0)
            line++;
    }
    if (lines && end)
        lua_pushlstring(L, lines, (size_t)(end - lines));
    else
        lua_pushstring(L, lines ? lines : "");
    lua_remove(L, -2);
    lua_concat(L, 2);
}

/* debug.traceback, but without the base. */
static int l_traceback(lua_State *L)
{
    int arg;
    lua_State *co = thread_of(L, &arg);
    const char *message = lua_tostring(L, arg + 1);
    int last = last_above_base(co);
    int level = lua_isnoneornil(L, arg + 2) ? co == L : (int)lua_tointeger(L, arg + 2);
    if (last < 0 || level < 0 || (!message && !lua_isnoneornil(L, arg + 1)))
        return stock(L);
    luaL_optinteger(L, arg + 2, 0);
    int tail = last - level > HEAD + TAIL ? last - TAIL + 1 : level + HEAD;
    lua_pushfstring(L, message ? "%s\nstack traceback:" : "stack traceback:", message);
    if (level > last)
        return 1;
    add_levels(L, co, level, last - level < HEAD ? last - level + 1 : HEAD);
    if (tail > level + HEAD) { /* Lua counts one less than it skips */
        lua_pushfstring(L, "\n\t...\t(skipping %d levels)", tail - level - HEAD - 1);
        lua_concat(L, 2);
    }
    if (tail <= last)
        add_levels(L, co, tail, last - tail + 1);
    return 1;
}

/* debug.sethook, but keeps the host's hooks. */
static int l_sethook(lua_State *L)
{
    int arg, mask = 0;
    lua_State *co = thread_of(L, &arg);
    if (lua_isnoneornil(L, arg + 1)) {
        lua_settop(L, arg + 1);
        spt_hook_set(L, spt_env(L)->sched, co, 0, 0);
        return 0;
    }
    const char *events = luaL_checkstring(L, arg + 2);
    luaL_checktype(L, arg + 1, LUA_TFUNCTION);
    int count = (int)luaL_optinteger(L, arg + 3, 0);
    mask |= strchr(events, 'c') ? LUA_MASKCALL : 0;
    mask |= strchr(events, 'r') ? LUA_MASKRET : 0;
    mask |= strchr(events, 'l') ? LUA_MASKLINE : 0;
    mask |= count > 0 ? LUA_MASKCOUNT : 0;
    lua_settop(L, arg + 1);
    spt_hook_set(L, spt_env(L)->sched, co, mask, count);
    return 0;
}

/* debug.gethook, but returns the script's hook, never the host's. */
static int l_gethook(lua_State *L)
{
    int arg, mask, count, n = 0;
    lua_State *co = thread_of(L, &arg);
    char events[4];
    if (!spt_hook_push(L, spt_env(L)->sched, co, &mask, &count)) {
        if (!spt_hook_is_ours(spt_env(L)->sched, co))
            return stock(L);
        luaL_pushfail(L);
        return 1;
    }
    if (mask & LUA_MASKCALL)
        events[n++] = 'c';
    if (mask & LUA_MASKRET)
        events[n++] = 'r';
    if (mask & LUA_MASKLINE)
        events[n++] = 'l';
    lua_pushlstring(L, events, (size_t)n);
    lua_pushinteger(L, count);
    return 3;
}

static const luaL_Reg functions[] = {{"getinfo", l_of_level},
                                     {"getlocal", l_of_level},
                                     {"setlocal", l_of_level},
                                     {"traceback", l_traceback},
                                     {"sethook", l_sethook},
                                     {"gethook", l_gethook},
                                     {NULL, NULL}};

void spt_open_debug(lua_State *L, struct spt_env *env)
{
    spt_replace_functions(L, env, luaopen_debug, LUA_DBLIBNAME, functions);
}
