/* SPDX-License-Identifier: MIT */
/* base64, hex, join: texts for bytes, and the bytes of such texts. */
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "op/env.h"

/* base64(bytes, for_url): returns the digits, with padding unless `for_url`. */
static int l_base64(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *bytes = spt_check_string(L, 1, &len);
    bool for_url = lua_toboolean(L, 2);
    char *out = luaL_buffinitsize(L, &b, SPT_BASE64_SIZE(len));
    size_t n = spt_base64_encode(out, (const unsigned char *)bytes, len, for_url);
    luaL_pushresultsize(&b, n);
    return 1;
}

/* unbase64(text, for_url, at_end): returns the bytes, or nil and where the text is invalid. Only
 * `at_end` may there be padding. */
static int l_unbase64(lua_State *L)
{
    size_t len, bad;
    luaL_Buffer b;
    const char *text = spt_check_string(L, 1, &len);
    bool for_url = lua_toboolean(L, 2), at_end = lua_toboolean(L, 3);
    unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &b, len);
    size_t n = spt_base64_decode(out, text, len, for_url, at_end, &bad);
    if (n != SIZE_MAX) {
        luaL_pushresultsize(&b, n);
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)bad + 1);
    return 2;
}

/* hex(bytes): returns two digits for each byte. */
static int l_hex(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *bytes = spt_check_string(L, 1, &len);
    char *out = luaL_buffinitsize(L, &b, 2 * len);
    spt_hex(out, (const unsigned char *)bytes, len);
    luaL_pushresultsize(&b, 2 * len);
    return 1;
}

/* unhex(text): returns the bytes, or nil and where the text is invalid. */
static int l_unhex(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *text = spt_check_string(L, 1, &len);
    char *out = luaL_buffinitsize(L, &b, len / 2);
    size_t end = spt_unhex((unsigned char *)out, text, len);
    if (end == len) {
        luaL_pushresultsize(&b, len / 2);
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)end + 1);
    return 2;
}

/* Returns the number of bytes of a list of strings. */
static size_t total_of(lua_State *L, lua_Integer n)
{
    size_t total = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, i) != LUA_TSTRING)
            spt_error_usage(L, "a list of strings expected");
        total += lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return total;
}

/* join(list): returns a list of strings joined, like table.concat(), but allocates once: of long
 * texts, that copies a third of the bytes. */
static int l_join(lua_State *L)
{
    luaL_Buffer b;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    size_t total = total_of(L, n), at = 0, len;
    char *out = luaL_buffinitsize(L, &b, total);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        const char *part = lua_tolstring(L, -1, &len);
        if (!part || len > total - at) /* a finalizer that ran meanwhile has the list */
            return spt_error_usage(L, "the list was changed");
        memcpy(out + at, part, len);
        at += len;
        lua_pop(L, 1);
    }
    luaL_pushresultsize(&b, at);
    return 1;
}

static const luaL_Reg functions[] = {{"base64", l_base64}, {"unbase64", l_unbase64}, {"hex", l_hex},
                                     {"unhex", l_unhex},   {"join", l_join},         {NULL, NULL}};

void spt_open_encoding(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
