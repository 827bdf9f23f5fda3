/* SPDX-License-Identifier: MIT */
/* Lists the libraries, one opener each, and opens them when something of theirs is first used. */
#include "lua/lib.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <uv.h>

#include "base/library.h"
#include "core/script.h"
#include "core/task.h"
#include "lua/luv.h"
#include "lua/profile.h"
#include "op/env.h"
#include "op/openers.h"
#include "septet/septet.h"

/* versions(): returns the versions of Septet and Lua, and of the linked libraries at run time. */
static int l_versions(lua_State *L)
{
    const char *lua = LUA_RELEASE;
    struct spt_library_failure failure;
    const bool has_curl = spt_library_load(SPT_NEEDS_CURL, &failure);
    lua_pushfstring(L, "Septet %s, %s, libuv %s, %s%s", SEPTET_VERSION, lua, uv_version_string(),
                    has_curl ? "libcurl " : "no libcurl: ",
                    has_curl ? curl_version_info(CURLVERSION_NOW)->version : failure.text);
    return 1;
}

/* hook(fn, ...): calls fn where nothing can wait. */
static int l_hook(lua_State *L)
{
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
}

/* script_id(): returns the number of the running task's script, 0 for the host itself. */
static int l_script_id(lua_State *L)
{
    const struct spt_task *t = spt_env(L)->sched->current;
    const struct spt_script *script = t ? t->spawn.account->script : NULL;
    lua_pushinteger(L, script ? script->id : 0);
    return 1;
}

/* script_exists(id): returns true until the embedder has unloaded the script. */
static int l_script_exists(lua_State *L)
{
    lua_pushboolean(L,
                    spt_script_find(spt_env(L)->sched, (uint32_t)luaL_checkinteger(L, 1)) != NULL);
    return 1;
}

static const luaL_Reg functions[] = {{"versions", l_versions},
                                     {"hook", l_hook},
                                     {"script_id", l_script_id},
                                     {"script_exists", l_script_exists},
                                     {NULL, NULL}};

static void open_functions(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}

/* --- the table --- */

typedef void (*opener)(lua_State *L, struct spt_env *env);

/* What each group opens, ended by NULL. spt_open_task comes last in its group, because it takes
 * methods from the others. */
static const opener tasks[] = {
    spt_open_sleep,
    spt_open_join,
    spt_open_completions,
    spt_open_block,
    spt_open_block_run,
    spt_open_block_spawn,
    spt_open_block_unwind,
    spt_open_future,
    spt_open_errors,
    spt_open_locals,
    spt_open_task,
    open_functions,
    NULL,
};
static const opener exchange[] = {
    spt_open_event,          spt_open_semaphore,
    spt_open_lock,           spt_open_channel,
    spt_open_channel_sender, spt_open_encoding,
    spt_open_list,           spt_open_json,
    spt_open_json_encode,    NULL,
};
static const opener http[] = {spt_open_http, NULL};
static const opener files[] = {
    spt_open_wait_idle, spt_open_wall_clock,   spt_open_io,
    spt_open_io_open,   spt_open_stream_write, spt_open_file,
    spt_open_file_held, spt_open_file_open,    spt_open_hash,
    spt_open_hash_file, spt_open_text,         spt_open_csv,
    spt_open_csv_line,  spt_open_fs,           NULL,
};
static const opener others[] = {
    spt_open_trace,    spt_open_trace_file, spt_open_trace_mark,
    spt_open_trace_ps, spt_open_coverage,   spt_open_census,
    spt_open_terminal, spt_open_trace_task, spt_open_net,
    spt_open_load,     spt_open_gate,       spt_open_profile,
    spt_open_html,     spt_open_redis,      spt_open_sqlite,
    spt_open_process,  spt_open_thread,     NULL,
};

/* Those that scripts need most often come first. */
static const opener *const groups[] = {tasks, exchange, http, files, others};

/* The upvalues of l_missing. The first is the env. */
enum { NEXT_GROUP = 2 };

/* The types that a core opens would replace those of a later host of the state. */
static bool is_replaced(lua_State *L, int core)
{
    lua_getfield(L, LUA_REGISTRYINDEX, SPT_CORE);
    bool same = lua_rawequal(L, -1, core);
    lua_pop(L, 1);
    return !same;
}

static bool open_next(lua_State *L, int core)
{
    const lua_Integer next = lua_tointeger(L, lua_upvalueindex(NEXT_GROUP));
    if (next == sizeof groups / sizeof *groups || is_replaced(L, core))
        return false;
    lua_newtable(L);
    for (const opener *open = groups[next]; *open; open++)
        (*open)(L, spt_env(L));
    /* A finalizer may have opened it meanwhile. */
    const bool is_next = lua_tointeger(L, lua_upvalueindex(NEXT_GROUP)) == next;
    for (lua_pushnil(L); is_next && lua_next(L, core + 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, core);
    }
    lua_settop(L, core);
    if (is_next) {
        lua_pushinteger(L, next + 1);
        lua_replace(L, lua_upvalueindex(NEXT_GROUP));
    }
    return true;
}

/* The __index of septet.core. Opens one group of libraries after another until one has the name. A
 * group that was not opened to its end, for want of memory, is opened anew at the next access. A
 * script that does nothing starts with a third fewer instructions for it. */
static int l_missing(lua_State *L)
{
    lua_settop(L, 2);
    lua_rotate(L, 1, 1); /* stack: name, core */
    do {
        lua_pushvalue(L, 1);
        if (lua_rawget(L, 2) != LUA_TNIL)
            return 1;
        lua_settop(L, 2);
    } while (open_next(L, 2));
    return 0;
}

static int l_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, 1) ? 2 : 0;
}

/* The __pairs of septet.core, for tests: opens all of it. */
static int l_pairs(lua_State *L)
{
    lua_settop(L, 1);
    lua_getfield(L, 1, "");
    lua_pushcfunction(L, l_next);
    lua_pushvalue(L, 1);
    return 2;
}

/* Makes the metatable that a growing luaL_Buffer needs. If Lua ran out of memory while making it,
 * the incomplete one would stay, and no buffer could grow any more. One left by an earlier attempt
 * is replaced. */
static void make_boxes(lua_State *L)
{
    luaL_Buffer b;
    int top = lua_gettop(L);
    if (luaL_getmetatable(L, "_UBOX*") == LUA_TTABLE &&
        lua_getfield(L, -1, "__close") == LUA_TNIL) {
        lua_pushnil(L);
        lua_setfield(L, LUA_REGISTRYINDEX, "_UBOX*");
    }
    lua_settop(L, top);
    luaL_buffinitsize(L, &b, LUAL_BUFFERSIZE + 1);
    luaL_pushresultsize(&b, 0);
    lua_pop(L, 1);
}

static void make_core(lua_State *L, struct spt_env *env)
{
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushlightuserdata(L, env);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, l_missing, 2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_CORE);
}

void spt_lib_open(lua_State *L, struct spt_env *env)
{
    make_boxes(L);
    make_core(L, env);
    spt_profile_keep_loaders(L, env);
    spt_open_coroutine(L, env);
    spt_open_debug(L, env);
    spt_open_protect(L, env);
    spt_open_print(L, env);
    spt_open_load_module(L, env);
    spt_open_modules(L, env);
    if (env->is_standard)
        spt_profile_apply(L, env);
    else
        spt_open_luv(L, env);
}
