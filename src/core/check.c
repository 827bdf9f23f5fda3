/* Checks of arguments from scripts. */
#include "core/check.h"

#include <lauxlib.h>
#include <math.h>

#include "core/error.h"
#include "core/task.h"
#include "core/timer.h"

static int expected(lua_State *L, int arg, const char *what)
{
    const char *got = luaL_typename(L, arg);
    if (luaL_getmetafield(L, arg, "__name") == LUA_TSTRING)
        got = lua_tostring(L, -1);
    else if (lua_isnone(L, arg))
        got = "no value";
    return spt_error_arg(L, arg, lua_pushfstring(L, "%s expected, got %s", what, got));
}

void *spt_check_udata(lua_State *L, int arg, const char *meta, const char *what)
{
    void *p = luaL_testudata(L, arg, meta);
    if (!p)
        expected(L, arg, what);
    return p;
}

void *spt_check_self(lua_State *L, const char *what)
{
    void *p = lua_touserdata(L, 1);
    if (p && lua_getmetatable(L, 1)) {
        bool same = lua_rawequal(L, -1, lua_upvalueindex(2));
        lua_pop(L, 1);
        if (same)
            return p;
    }
    expected(L, 1, what);
    return NULL;
}

struct spt_task *spt_check_task(lua_State *L, int arg)
{
    return spt_check_udata(L, arg, SPT_TASK_META, "task");
}

uint64_t spt_check_seconds(lua_State *L, int arg)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        expected(L, arg, "seconds");
    lua_Number s = lua_tonumber(L, arg);
    if (isnan(s))
        spt_error_arg(L, arg, "seconds cannot be NaN");
    if (s < 0)
        spt_error_arg(L, arg, "seconds cannot be negative");
    lua_Number ns = s * 1e9, whole = nearbyint(ns);
    if (fabs(ns - whole) > 1e-3) /* else what is over is the product's own error */
        whole = ceil(ns);
    return s >= 1e9 ? SPT_NEVER : (uint64_t)whole;
}

uint64_t spt_opt_seconds(lua_State *L, int arg, uint64_t otherwise)
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
    if (s >= 1e9)
        return SPT_NEVER;
    uint64_t ns = (uint64_t)(s * 1e9);
    while ((lua_Number)ns / 1e9 <
           s) /* as now() would say it: not early by what the product was rounded */
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

uint64_t spt_instant(uint64_t now_ns, uint64_t ns)
{
    return ns >= SPT_NEVER - now_ns ? SPT_NEVER : now_ns + ns;
}
