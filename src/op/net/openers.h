/* SPDX-License-Identifier: MIT */
/* The openers of the files in op/net/. */
#ifndef SPT_OP_NET_OPENERS_H
#define SPT_OP_NET_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_net_connection(lua_State *L, struct spt_env *env);
void spt_open_net_policy(lua_State *L, struct spt_env *env);
void spt_open_net_server(lua_State *L, struct spt_env *env);

#endif
