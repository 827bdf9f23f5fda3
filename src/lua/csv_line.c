/* SPDX-License-Identifier: MIT */
/* csv_line: writes a row of CSV. */
#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "op/env.h"

enum { ROW = 1, COUNT, SEPARATOR, NEWLINE, ALL, GUARD, FIELD }; /* the stack of l_line */
enum { NUMBER_MAX = 64 };                                       /* bytes of a number */

/* Returns true if the field is read back as it is only if it is quoted. */
static bool needs_quotes(const char *text, size_t len, char separator, bool is_alone)
{
    if (len == 0)
        return is_alone; /* an empty line is no row */
    const unsigned char first = (unsigned char)text[0];
    return memchr(text, separator, len) || memchr(text, '"', len) || memchr(text, '\n', len) ||
           memchr(text, '\r', len) || first == 0xef || first >= 0xfe; /* byte order marks */
}

/* Returns true if a spreadsheet may take the text for a formula. */
static bool is_formula(const char *text, size_t len)
{
    return len > 0 && text[0] && strchr("=+-@\t\r", text[0]);
}

static void add_field(luaL_Buffer *b, const char *text, size_t len, bool quotes, bool guard)
{
    if (!quotes) {
        luaL_addlstring(b, text, len);
        return;
    }
    luaL_addchar(b, '"');
    if (guard)
        luaL_addchar(b, '\'');
    while (len > 0) {
        const char *quote = memchr(text, '"', len);
        size_t n = quote ? (size_t)(quote - text) + 1 : len;
        luaL_addlstring(b, text, n);
        if (quote)
            luaL_addchar(b, '"');
        text += n;
        len -= n;
    }
    luaL_addchar(b, '"');
}

/* Returns true if the value on top of the stack can be written. */
static bool has_text(lua_State *L)
{
    int type = lua_type(L, -1);
    return type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TSTRING || type == LUA_TNUMBER ||
           (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, -1)); /* json.null */
}

/* Returns the text of the value on top of the stack: of a number, in `room`; of a string, its
 * own. */
static const char *text_of(lua_State *L, char room[NUMBER_MAX], size_t *len)
{
    const char *text = "";
    *len = 0;
    if (lua_type(L, -1) == LUA_TBOOLEAN) {
        text = lua_toboolean(L, -1) ? "true" : "false";
        *len = strlen(text);
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        text = lua_tolstring(L, -1, len);
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        text = lua_tolstring(L, -1, len);
        text = memcpy(room, text, *len < NUMBER_MAX ? *len : NUMBER_MAX);
    }
    return text;
}

/* Returns true if all keys are from 1 to n, or `n`; otherwise pushes the first other one. */
static bool is_list(lua_State *L, lua_Integer n)
{
    lua_pushnil(L);
    while (lua_next(L, ROW)) {
        lua_pop(L, 1);
        lua_Integer key = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        bool is_n = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "n") == 0;
        if (!is_n && (key < 1 || key > n))
            return false;
    }
    return true;
}

/* Returns 0, or the number of the first field that cannot be written. */
static lua_Integer find_bad(lua_State *L, lua_Integer n)
{
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, ROW, i);
        if (!has_text(L))
            return i;
        lua_pop(L, 1);
    }
    return 0;
}

static void add_row(lua_State *L, luaL_Buffer *b, lua_Integer n)
{
    const char separator = *lua_tostring(L, SEPARATOR);
    bool all = lua_toboolean(L, ALL), guards = lua_toboolean(L, GUARD);
    char room[NUMBER_MAX];
    for (lua_Integer i = 1; i <= n; i++) {
        size_t len;
        lua_rawgeti(L, ROW, i);
        bool is_string = lua_type(L, -1) == LUA_TSTRING;
        const char *text = text_of(L, room, &len);
        lua_replace(L, FIELD); /* a finalizer may take it out of the row */
        bool guard = guards && is_string && is_formula(text, len);
        if (i > 1)
            luaL_addchar(b, separator);
        add_field(b, text, len, all || guard || needs_quotes(text, len, separator, n == 1), guard);
    }
}

/* csv_line(row, count, separator, newline, all, guard): returns the line of a list of `count`
 * values. With `all`, each field is quoted; with `guard`, what may be a formula gets an apostrophe.
 * Returns nil and the number of the field that cannot
 * be written, or false and the key that is no number of a field. */
static int l_line(lua_State *L)
{
    luaL_Buffer b;
    lua_Integer n = spt_check_count(L, COUNT, 0);
    luaL_checktype(L, ROW, LUA_TTABLE);
    spt_check_string(L, SEPARATOR, NULL);
    spt_check_string(L, NEWLINE, NULL);
    lua_settop(L, GUARD);
    if (!is_list(L, n)) {
        lua_pushboolean(L, false);
        lua_insert(L, -2);
        return 2;
    }
    lua_Integer bad = find_bad(L, n);
    if (bad > 0) {
        lua_pushnil(L);
        lua_pushinteger(L, bad);
        return 2;
    }
    lua_settop(L, FIELD);
    luaL_buffinit(L, &b);
    add_row(L, &b, n);
    luaL_addstring(&b, lua_tostring(L, NEWLINE));
    luaL_pushresult(&b);
    return 1;
}

static const luaL_Reg functions[] = {{"csv_line", l_line}, {NULL, NULL}};

void spt_open_csv_line(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
