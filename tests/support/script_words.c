/* SPDX-License-Identifier: MIT */
/* The log is one text, its words apart by spaces. */
#include "support/script_words.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "core/task.h"
#include "support/cmocka.h"
#include "support/fake_op.h"

static char words[4096];

void clear_log(void)
{
    words[0] = '\0';
}

void log_word(const char *word)
{
    size_t len = strlen(words);
    snprintf(words + len, sizeof words - len, "%s%s", len ? " " : "", word);
}

const char *logged(void)
{
    return words;
}

void assert_log(const char *expected)
{
    assert_string_equal(words, expected);
    words[0] = '\0';
}

void assert_log_has(const char *part)
{
    if (!strstr(words, part))
        fail_msg("no '%s' in '%s'", part, words);
}

/* log(...): appends words. */
static int l_log(lua_State *L)
{
    for (int i = 1; i <= lua_gettop(L); i++) {
        log_word(luaL_tolstring(L, i, NULL));
        lua_pop(L, 1);
    }
    return 0;
}

/* raw_resume(co): as C code would that does not know of Septet. */
static int l_raw_resume(lua_State *L)
{
    int n = 0;
    lua_State *co = lua_tothread(L, 1);
    int status = lua_resume(co, L, 0, &n);
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return 2;
    }
    lua_pop(co, n);
    return 1;
}

/* raw_yield(...): as C code would that does not know of Septet. */
static int l_raw_yield(lua_State *L)
{
    return lua_yield(L, lua_gettop(L));
}

/* in_c(fn): calls it with no way to suspend. */
static int l_in_c(lua_State *L)
{
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* thread_of(task): the address of its coroutine. */
static int l_thread_of(lua_State *L)
{
    struct spt_task *t = luaL_checkudata(L, 1, SPT_TASK_META);
    lua_pushlightuserdata(L, t->co);
    return 1;
}

void script_words_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"fake", l_fake},
                                         {"done", l_done},
                                         {"log", l_log},
                                         {"raw_resume", l_raw_resume},
                                         {"raw_yield", l_raw_yield},
                                         {"in_c", l_in_c},
                                         {"thread_of", l_thread_of},
                                         {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    if (luaL_loadfile(L, TESTS_FOLDER "/support/prelude.lua") != LUA_OK)
        lua_error(L);
    lua_call(L, 0, 0);
}
