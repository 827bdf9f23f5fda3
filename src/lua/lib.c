/* SPDX-License-Identifier: MIT */
/* Lists the libraries, one opener each, and opens them. */
#include "lua/lib.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <uv.h>

#include "base/library.h"
#include "core/script.h"
#include "core/task.h"
#include "lua/luv.h"
#include "lua/profile.h"
#include "op/env.h"
#include "op/openers.h"
#include "septet/septet.h"

/* spt_open_task comes last, because it takes methods from the others. */
static void (*const libraries[])(lua_State *L, struct spt_env *env) = {
    spt_open_sleep,
    spt_open_join,
    spt_open_completions,
    spt_open_block,
    spt_open_block_run,
    spt_open_block_spawn,
    spt_open_block_unwind,
    spt_open_http,
    spt_open_event,
    spt_open_semaphore,
    spt_open_lock,
    spt_open_channel,
    spt_open_channel_sender,
    spt_open_wait_idle,
    spt_open_wall_clock,
    spt_open_future,
    spt_open_io,
    spt_open_io_open,
    spt_open_stream_write,
    spt_open_file,
    spt_open_file_open,
    spt_open_hash,
    spt_open_encoding,
    spt_open_hash_file,
    spt_open_json,
    spt_open_json_encode,
    spt_open_text,
    spt_open_list,
    spt_open_csv,
    spt_open_csv_line,
    spt_open_trace,
    spt_open_trace_file,
    spt_open_trace_mark,
    spt_open_trace_ps,
    spt_open_terminal,
    spt_open_trace_task,
    spt_open_errors,
    spt_open_locals,
    spt_open_net,
    spt_open_fs,
    spt_open_load,
    spt_open_gate,
    spt_open_profile,
    spt_open_html,
    spt_open_redis,
    spt_open_sqlite,
    spt_open_process,
    spt_open_thread,
    spt_open_task,
};

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

void spt_lib_open(lua_State *L, struct spt_env *env)
{
    make_boxes(L);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        libraries[i](L, env);
    spt_add_functions(L, env, functions);
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_CORE);
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
