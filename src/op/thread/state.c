/* SPDX-License-Identifier: MIT */
/* A hook looks every thousand instructions whether the waiter has left. From then on, it raises at
 * each instruction, so that no pcall() catches the error for good. */
#include "op/thread/state.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "op/thread/libraries.h"
#include "op/thread/work.h"
#include "septet/septet.h"

enum { INSTRUCTIONS = 1000 }; /* between two looks */

/* --- memory --- */

static void *allocate(void *ud, void *block, size_t had, size_t size)
{
    struct spt_thread *t = ud;
    if (!block)
        had = 0; /* it is a type */
    if (size == 0) {
        free(block);
        t->memory -= had;
        return NULL;
    }
    if (size > had && t->max_memory > 0 && size - had > t->max_memory - t->memory)
        return NULL;
    void *grown = realloc(block, size);
    if (grown)
        t->memory += size - had;
    return grown;
}

/* --- the end by the waiter --- */

static void on_count(lua_State *W, lua_Debug *ar)
{
    if (!spt_job_is_abandoned(&spt_thread_of(W)->job))
        return;
    lua_sethook(W, on_count, LUA_MASKCOUNT, 1);
    luaL_error(W, "the waiter has left");
}

/* --- errors --- */

/* The message handler: notes the traceback. */
static int l_handle(lua_State *W)
{
    struct spt_thread *t = spt_thread_of(W);
    size_t n;
    if (spt_job_is_abandoned(&t->job) || !lua_checkstack(W, 20)) /* or the stack has overflowed */
        return 1;
    luaL_traceback(W, W, NULL, 1);
    const char *text = lua_tolstring(W, -1, &n), *lines = strchr(text, '\n');
    t->traceback.len = 0;
    if (lines)
        spt_buf_append(&t->traceback, lines, n - (size_t)(lines - text));
    lua_pop(W, 1);
    return 1;
}

/* Calls __tostring of an error, which may be a script's. */
static int l_words(lua_State *W)
{
    luaL_tolstring(W, 1, NULL);
    return 1;
}

/* Keeps the text of the error on top of the stack. */
static void keep_words(lua_State *W, struct spt_thread *t)
{
    struct spt_pack_refusal none;
    t->outcome = SPT_THREAD_UNCOPIABLE;
    t->values.len = 0;
    lua_pushcfunction(W, l_words);
    lua_insert(W, -2);
    if (lua_pcall(W, 1, 1, 0) != LUA_OK || lua_type(W, -1) != LUA_TSTRING)
        lua_pushliteral(W, "an error without a text");
    if (spt_pack_values(W, lua_gettop(W), &t->values, &none) != SEPTET_OK)
        t->outcome = SPT_THREAD_NO_MEMORY;
}

/* Keeps the error on top of the stack. */
static void keep_error(lua_State *W, struct spt_thread *t, int status)
{
    if (status == LUA_ERRMEM) {
        t->outcome = SPT_THREAD_NO_MEMORY;
        return;
    }
    t->outcome = SPT_THREAD_FAILED;
    int rc = spt_pack_values(W, lua_gettop(W), &t->values, &t->refusal);
    if (rc == SEPTET_ENOMEM)
        t->outcome = SPT_THREAD_NO_MEMORY;
    else if (rc != SEPTET_OK)
        keep_words(W, t);
}

/* --- the run --- */

static void keep_results(lua_State *W, struct spt_thread *t, int first)
{
    t->outcome = SPT_THREAD_RETURNED;
    int rc = spt_pack_values(W, first, &t->values, &t->refusal);
    if (rc == SEPTET_ENOMEM)
        t->outcome = SPT_THREAD_NO_MEMORY;
    else if (rc != SEPTET_OK)
        t->outcome = SPT_THREAD_BAD_RESULT;
}

static int l_run(lua_State *W)
{
    struct spt_thread *t = spt_thread_of(W);
    spt_thread_libraries_open(W);
    lua_settop(W, 0);
    lua_pushcfunction(W, l_handle);
    if (luaL_loadbufferx(W, t->code.data, t->code.len, "=thread", "b") != LUA_OK)
        return lua_error(W);
    int n = spt_pack_push(W, &t->values);
    spt_buf_release(&t->values);
    lua_sethook(W, on_count, LUA_MASKCOUNT, INSTRUCTIONS);
    int status = lua_pcall(W, n, LUA_MULTRET, 1);
    if (spt_job_is_abandoned(&t->job))
        return 0;
    if (status == LUA_OK)
        keep_results(W, t, 2);
    else
        keep_error(W, t, status);
    return 0;
}

void spt_state_run(struct spt_thread *t)
{
    t->outcome = SPT_THREAD_NO_MEMORY;
    if (spt_job_is_abandoned(&t->job))
        return;
    lua_State *W = lua_newstate(allocate, t);
    if (!W)
        return;
    *(struct spt_thread **)lua_getextraspace(W) = t;
    lua_pushcfunction(W, l_run);
    int status = lua_pcall(W, 0, 0, 0);
    if (status != LUA_OK && !spt_job_is_abandoned(&t->job))
        t->outcome = SPT_THREAD_NO_MEMORY;
    lua_close(W);
}
