/* SPDX-License-Identifier: MIT */
/* Raises errors through core/error.c. Only an unknown field is left to septet.internal.args, which
 * suggests names. */
#include "core/check.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/time.h"
#include "core/error.h"
#include "core/function_names.h"
#include "core/task.h"
#include "core/timer.h"

/* The first number of nanoseconds that 64 bits cannot count, 584 years. No instant is so far off,
 * and a wait for it never ends. */
#define COUNTED 0x1p64

#define COUNTED_SECONDS INT64_C(1000000000) /* whole seconds that are surely fewer */

static const char *type_name(lua_State *L, int arg)
{
    if (luaL_getmetafield(L, arg, "__name") == LUA_TSTRING)
        return lua_tostring(L, -1);
    return lua_isnone(L, arg) ? "no value" : luaL_typename(L, arg);
}

static int expected(lua_State *L, int arg, const char *what)
{
    const char *got = type_name(L, arg);
    return spt_error_arg(L, arg, lua_pushfstring(L, "%s expected, got %s", what, got));
}

/* Returns true if a generic `for` calls the function: it passes its state and the last value to any
 * iterator. */
static bool is_iterator(const lua_Debug *ar)
{
    return strcmp(ar->namewhat, "for iterator") == 0;
}

/* Raises Usage for a method that was not called on a `what`, usually because of a dot in place of a
 * colon. */
static int bad_self(lua_State *L, const char *what)
{
    lua_Debug ar;
    bool known = lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name;
    if (!known || strcmp(ar.namewhat, "method") == 0 || strcmp(ar.namewhat, "metamethod") == 0 ||
        is_iterator(&ar))
        return expected(L, 1, what);
    return spt_error_usage(L,
                           "bad argument #1 to '%s' (%s expected, got %s): '%s' is a method: call "
                           "it as %s:%s(...), with a colon",
                           ar.name, what, type_name(L, 1), ar.name, what, ar.name);
}

bool spt_check_is_iterator(lua_State *L)
{
    lua_Debug ar;
    return lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && is_iterator(&ar);
}

void spt_check_surplus(lua_State *L, int most)
{
    lua_Debug ar;
    int top = lua_gettop(L), arg = most + 1;
    while (arg <= top && lua_isnil(L, arg))
        arg++;
    bool known = arg <= top && lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar);
    if (arg > top || (known && is_iterator(&ar))) {
        lua_settop(L, most);
        return;
    }
    const char *name = known && ar.name ? ar.name
                       : known          ? spt_function_names_push_function(L, L, &ar)
                                        : NULL;
    int self = name ? strcmp(ar.namewhat, "method") == 0 : lua_type(L, 1) == LUA_TUSERDATA;
    spt_error_usage(L, "too many arguments to '%s' (at most %d expected, got %d)",
                    name ? name : "?", most - self, top - self);
}

int spt_check_no_field(lua_State *L, const char *what, int fields)
{
    if (lua_type(L, 2) != LUA_TSTRING || *lua_tostring(L, 2) == '_')
        return 0;
    luaL_checkstack(L, 8, NULL);
    if (lua_getfield(L, LUA_REGISTRYINDEX, SPT_MODULES) != LUA_TTABLE ||
        lua_getfield(L, -1, "septet.internal.args") != LUA_TTABLE ||
        lua_getfield(L, -1, "no_field") != LUA_TFUNCTION)
        return 0;
    lua_pushstring(L, what);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, fields);
    lua_pushboolean(L, 1);
    lua_call(L, 4, 0);
    return 0;
}

void *spt_check_udata(lua_State *L, int arg, const char *meta, const char *what)
{
    void *p = luaL_testudata(L, arg, meta);
    if (!p)
        (void)(arg == 1 ? bad_self(L, what) : expected(L, arg, what));
    return p;
}

void *spt_check_self(lua_State *L, const char *what)
{
    void *p = lua_touserdata(L, 1);
    if (p && lua_getmetatable(L, 1)) {
        bool same = lua_topointer(L, -1) == lua_topointer(L, lua_upvalueindex(2));
        lua_pop(L, 1);
        if (same)
            return p;
    }
    bad_self(L, what);
    return NULL;
}

struct spt_task *spt_check_task(lua_State *L, int arg)
{
    return spt_check_udata(L, arg, SPT_TASK_META, "task");
}

uint64_t spt_check_seconds(lua_State *L, int arg)
{
    int whole_seconds = 0;
    if (lua_type(L, arg) != LUA_TNUMBER)
        expected(L, arg, "seconds");
    lua_Integer n = lua_tointegerx(L, arg, &whole_seconds);
    if (whole_seconds && n >= 0 && n < COUNTED_SECONDS) /* the usual case, in a third of the time */
        return (uint64_t)n * SPT_NS_PER_SECOND;
    lua_Number s = lua_tonumber(L, arg);
    if (isnan(s))
        spt_error_arg(L, arg, "seconds cannot be NaN");
    if (s < 0)
        spt_error_arg(L, arg, "seconds cannot be negative");
    lua_Number ns = s * SPT_NS_PER_SECOND, whole = nearbyint(ns);
    if (fabs(ns - whole) > 1e-3) /* else the excess is a rounding error of the product */
        whole = ceil(ns);
    return whole >= COUNTED ? SPT_NEVER : (uint64_t)whole;
}

uint64_t spt_check_opt_seconds(lua_State *L, int arg, uint64_t otherwise)
{
    return lua_isnoneornil(L, arg) ? otherwise : spt_check_seconds(L, arg);
}

uint64_t spt_check_instant(lua_State *L, int arg)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        expected(L, arg, "instant");
    lua_Number s = lua_tonumber(L, arg);
    if (isnan(s))
        spt_error_arg(L, arg, "an instant cannot be NaN");
    if (s <= 0)
        return 0;
    if (s * SPT_NS_PER_SECOND >= COUNTED)
        return SPT_NEVER;
    uint64_t ns = (uint64_t)(s * SPT_NS_PER_SECOND);
    /* compare as now() returns it: the rounded product may be too early */
    while (spt_time_seconds(ns) < s)
        ns++;
    return ns;
}

const char *spt_check_string(lua_State *L, int arg, size_t *len)
{
    if (lua_type(L, arg) != LUA_TSTRING)
        expected(L, arg, "string");
    return lua_tolstring(L, arg, len);
}

void spt_check_callable(lua_State *L, int arg)
{
    if (lua_isfunction(L, arg))
        return;
    if (luaL_getmetafield(L, arg, "__call") == LUA_TNIL)
        expected(L, arg, "function");
    lua_pop(L, 1);
}

lua_Integer spt_check_count(lua_State *L, int arg, lua_Integer least)
{
    int whole = 0;
    lua_Integer n = lua_type(L, arg) == LUA_TNUMBER ? lua_tointegerx(L, arg, &whole) : 0;
    if (!whole)
        expected(L, arg, "whole number");
    if (n < least)
        spt_error_arg(L, arg, lua_pushfstring(L, "at least %I expected", (LUAI_UACINT)least));
    return n;
}
