/* SPDX-License-Identifier: MIT */
/* The parts of the standard profile; private to the files profile*.c. A function that replaces a
 * standard one has three upvalues: the env, the standard function and one of its own. */
#ifndef SPT_LUA_PROFILE_PARTS_H
#define SPT_LUA_PROFILE_PARTS_H

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct spt_env;

/* Keys in the registry of what scripts do not reach. */
#define SPT_PROFILE_PRISTINE      "septet.pristine" /* libraries that scripts get copies of */
#define SPT_PROFILE_STOCK_PACKAGE "septet.stock.package"
#define SPT_PROFILE_STOCK_REQUIRE "septet.stock.require"
#define SPT_PROFILE_STOCK_LOAD    "septet.stock.load" /* functions that load chunks, if trusted */

enum { SPT_PROFILE_ENV = 1, SPT_PROFILE_STOCK, SPT_PROFILE_OWN };

/* Continues as the standard function, in the frame of the replacement. */
static inline int spt_profile_stock(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(SPT_PROFILE_STOCK))(L);
}

/* Returns nil, a message and an error number, as the standard functions do. */
static inline int spt_profile_refuse(lua_State *L, const char *subject)
{
    luaL_pushfail(L);
    lua_pushfstring(L, "%s: denied by the host", subject);
    lua_pushinteger(L, EACCES);
    return 3;
}

/* Replaces functions of the table on top of the stack. Their own upvalue is the value at index
 * `own`, or nil if that is 0. */
static inline void spt_profile_replace(lua_State *L, struct spt_env *env, int own,
                                       const luaL_Reg *functions)
{
    int table = lua_gettop(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushlightuserdata(L, env);
        lua_getfield(L, table, f->name);
        if (own == 0)
            lua_pushnil(L);
        else
            lua_pushvalue(L, own);
        lua_pushcclosure(L, f->func, 3);
        lua_setfield(L, table, f->name);
    }
}

/* The functions that need nothing of a script's globals, to be replaced in the libraries from which
 * those of scripts are copied. */
extern const luaL_Reg spt_profile_base[], spt_profile_os[], spt_profile_io[];

/* Replaces the methods of files that read standard input, and hides their metatable. */
void spt_profile_protect_files(lua_State *L, struct spt_env *env);

/* Binds functions to the globals on top of the stack. */
void spt_profile_bind_io(lua_State *L, struct spt_env *env);
void spt_profile_bind_load(lua_State *L, struct spt_env *env);

/* Adds `package` and `require` to the globals on top of the stack. At index `package` lies the
 * standard library's table, which scripts do not reach. */
void spt_profile_bind_package(lua_State *L, struct spt_env *env, int package);

/* Replaces the searchers in the standard `package` on top of the stack. */
void spt_profile_make_searchers(lua_State *L, struct spt_env *env);

#endif
