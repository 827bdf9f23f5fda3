/* SPDX-License-Identifier: MIT */
/* Builds error objects, and names the functions and places that their messages mention. */
#include "core/error.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/escape.h"
#include "core/function_names.h"
#include "core/reason.h"
#include "core/sched.h"
#include "core/scope.h"
#include "septet/septet.h"

/* Returns the message, whatever a script has done to the table; for tostring(e). The message of an
 * ErrorGroup is made now. */
static int l_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "message");
    if (lua_type(L, -1) == LUA_TSTRING)
        return 1;
    lua_pushliteral(L, "kind");
    lua_rawget(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
        lua_pushliteral(L, "error");
    return 1;
}

static int to_words(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

enum { FIELDS_SHOWN = 8 };

/* Appends the content of a table without a text, one level deep, to the string on top of the stack.
 * It shows fields with string names, the first FIELDS_SHOWN in the order of their names. Values
 * that are no scalars are shown by type. */
static void push_fields(lua_State *L, int index)
{
    const char *names[FIELDS_SHOWN]; /* sorted; borrowed from the table */
    unsigned n = 0;
    luaL_checkstack(L, 8, "out of stack for an error");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        const char *name = lua_tostring(L, -2);
        unsigned at = n;
        while (at > 0 && strcmp(names[at - 1], name) > 0)
            at--;
        if (at == FIELDS_SHOWN)
            continue;
        n += n < FIELDS_SHOWN;
        memmove(names + at + 1, names + at, (n - 1 - at) * sizeof *names);
        names[at] = name;
    }
    for (unsigned i = 0; i < n; i++) {
        lua_pushfstring(L, "%s%s = ", i == 0 ? ": { " : ", ", names[i]);
        lua_pushstring(L, names[i]);
        lua_rawget(L, index);
        if (!lua_isstring(L, -1)) {
            const char *words = lua_isboolean(L, -1) ? lua_toboolean(L, -1) ? "true" : "false"
                                                     : luaL_typename(L, -1);
            lua_pop(L, 1);
            lua_pushstring(L, words);
        }
        lua_concat(L, 3);
    }
    if (n > 0) {
        lua_pushliteral(L, " }");
        lua_concat(L, 2);
    }
}

const char *spt_error_push_words(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (lua_isstring(L, index) || luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pushcfunction(L, to_words);
        lua_pushvalue(L, index);
        bool has_words = lua_pcall(L, 1, 1, 0) == LUA_OK;
        if (!lua_isstring(L, index))
            lua_remove(L, -2);
        if (has_words)
            return lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
    if (lua_istable(L, index))
        push_fields(L, index);
    return lua_tostring(L, -1);
}

/* Concatenates an error with a string, as in "failed: " .. e. */
static int l_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

void spt_error_open(lua_State *L)
{
    luaL_newmetatable(L, SPT_ERROR_META);
    lua_pushcfunction(L, l_concat);
    lua_setfield(L, -2, "__concat");
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void spt_error_escape(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *text = lua_tolstring(L, -1, &len);
    if (spt_escape_keeps_text(text, len))
        return;
    char *out = luaL_buffinitsize(L, &b, 4 * len + 1);
    luaL_pushresultsize(&b, spt_escape_text(out, 4 * len + 1, text, len));
    lua_remove(L, -2);
}

static void push_error(lua_State *L, const char *kind, const char *format, va_list args)
{
    luaL_checkstack(L, 4, "out of stack for an error");
    lua_createtable(L, 0, 4);
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushvfstring(L, format, args);
    spt_error_escape(L);
    lua_setfield(L, -2, "message");
    luaL_setmetatable(L, SPT_ERROR_META);
}

void spt_error_push(lua_State *L, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    push_error(L, kind, format, args);
    va_end(args);
}

/* --- for functions of the embedder's --- */

/* Pushes an error, also in a state without a host, where the metatable is made here. */
static void push_own_error(lua_State *L, const char *kind, const char *format, va_list args)
{
    luaL_checkstack(L, 4, "out of stack for an error");
    if (luaL_getmetatable(L, SPT_ERROR_META) == LUA_TNIL)
        spt_error_open(L);
    lua_pop(L, 1);
    push_error(L, kind ? kind : "error", format, args);
}

void septet_push_error(lua_State *L, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    push_own_error(L, kind, format, args);
    va_end(args);
}

int septet_raise(lua_State *L, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    push_own_error(L, kind, format, args);
    va_end(args);
    return lua_error(L);
}

/* Pushes "file:line: " of the script's innermost line, because the mistake is not in Septet's
 * modules. */
static void push_place(lua_State *L)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (spt_function_names_is_script(&ar)) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

int spt_error_no_memory(lua_State *L)
{
    lua_pushliteral(L, "not enough memory");
    return lua_error(L);
}

int spt_error_usage(lua_State *L, const char *format, ...)
{
    va_list args;
    luaL_checkstack(L, 6, "out of stack for an error");
    push_place(L);
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    spt_error_push(L, "Usage", "%s%s", lua_tostring(L, -2), lua_tostring(L, -1));
    return lua_error(L);
}

int spt_error_arg(lua_State *L, int arg, const char *what)
{
    lua_Debug ar;
    if (!lua_getstack(L, 0, &ar))
        return spt_error_usage(L, "bad argument #%d (%s)", arg, what);
    lua_getinfo(L, "n", &ar);
    if (strcmp(ar.namewhat, "method") == 0 && --arg == 0)
        return spt_error_usage(L, "calling '%s' on bad self (%s)", ar.name, what);
    const char *name = ar.name ? ar.name : spt_function_names_push_function(L, L, &ar);
    return spt_error_usage(L, "bad argument #%d to '%s' (%s)", arg, name ? name : "?", what);
}

int spt_error_limit(lua_State *L, const char *owner, const char *action, const char *limit,
                    uint64_t max)
{
    spt_error_push(L, "LimitExceeded", "cannot %s: the %s has reached its limit of %I %s", action,
                   owner, (LUAI_UACINT)max, limit);
    lua_pushstring(L, limit);
    lua_setfield(L, -2, "limit");
    lua_pushinteger(L, (lua_Integer)max);
    lua_setfield(L, -2, "max");
    return lua_error(L);
}

/* Replaces the reason on top of the stack by the message of a Cancelled. */
static void make_message(lua_State *L)
{
    lua_pushliteral(L, "cancelled: ");
    lua_insert(L, -2);
    lua_concat(L, 2); /* not lua_pushfstring(): the reason may contain zeros */
    spt_error_escape(L);
}

void spt_error_push_cancelled(lua_State *L, const struct spt_scope *c)
{
    const char *source = c ? spt_scope_cancel_source(c) : "shutdown";
    luaL_checkstack(L, 6, "out of stack for an error");
    spt_error_push(L, "Cancelled", "cancelled (%s)", source);
    lua_pushstring(L, source);
    lua_setfield(L, -2, "source");
    if (c && (c->cancel.worded || spt_scope_cancel_reason(c))) {
        spt_reason_push(L, c);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "reason");
        make_message(L);
        lua_setfield(L, -2, "message");
    }
    if (c && c->cancel.by) {
        lua_pushinteger(L, c->cancel.by);
        lua_setfield(L, -2, "by");
    }
}

/* Returns true for a number that does not equal itself. */
static bool is_nan(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TNUMBER && !lua_rawequal(L, index, index);
}

bool spt_error_same(lua_State *L, int a, int b)
{
    return lua_rawequal(L, a, b) || (is_nan(L, a) && is_nan(L, b));
}

/* Returns true if the value at `index` is an error object. Needs two slots of the stack. */
static bool is_error(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_checkstack(L, 3) || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, SPT_ERROR_META);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

bool spt_error_is(lua_State *L, int index, const char *kind)
{
    index = lua_absindex(L, index);
    if (!is_error(L, index))
        return false;
    if (!kind)
        return true;
    lua_pushliteral(L, "kind");
    lua_rawget(L, index);
    bool is = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), kind) == 0;
    lua_pop(L, 1);
    return is;
}

/* Walks the fields, because to push the name of one may allocate. */
const char *spt_error_field(lua_State *L, int index, const char *field)
{
    index = lua_absindex(L, index);
    if (!is_error(L, index))
        return NULL;
    const char *text = NULL;
    lua_pushnil(L);
    while (!text && lua_next(L, index)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING &&
            strcmp(lua_tostring(L, -2), field) == 0)
            text = lua_tostring(L, -1);
        lua_pop(L, text ? 2 : 1);
    }
    return text;
}
