/* SPDX-License-Identifier: MIT */
/* Reads the rules as those of an HTTP session are read. */
#include "op/net/policy.h"

#include <lauxlib.h>

#include "http/policy.h"
#include "op/env.h"
#include "op/fields.h"
#include "op/library.h"
#include "op/net/openers.h"
#include "septet/septet.h"

/* net_policy(allow, deny): returns the rules of two lists, which may be nil, or nil and the rule
 * that is invalid. */
static int l_policy(lua_State *L)
{
    size_t n_allow, n_deny;
    const char *bad = NULL;
    lua_settop(L, 2);
    const char *const *allow = spt_fields_strings(L, 1, &n_allow);
    const char *const *deny = spt_fields_strings(L, 2, &n_deny);
    spt_library_need(L, SPT_NEEDS_IDN);
    struct spt_policy **policy = lua_newuserdatauv(L, sizeof *policy, 0);
    *policy = NULL;
    luaL_setmetatable(L, SPT_NET_POLICY_META);
    int rc = spt_policy_new(policy, allow, n_allow, deny, n_deny, &bad);
    if (rc == SEPTET_OK)
        return 1;
    if (rc != SEPTET_EINVAL)
        return luaL_error(L, "not enough memory");
    lua_pushnil(L);
    lua_pushstring(L, bad);
    return 2;
}

static int l_gc(lua_State *L)
{
    struct spt_policy **policy = luaL_checkudata(L, 1, SPT_NET_POLICY_META);
    spt_policy_free(*policy);
    *policy = NULL;
    return 0;
}

const struct spt_policy *spt_net_policy_check(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return NULL;
    struct spt_policy **policy = luaL_checkudata(L, arg, SPT_NET_POLICY_META);
    return *policy;
}

void spt_open_net_policy(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"net_policy", l_policy}, {NULL, NULL}};
    spt_new_type(L, env, SPT_NET_POLICY_META, methods);
    spt_add_functions(L, env, functions);
}
