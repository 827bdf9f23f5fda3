/* SPDX-License-Identifier: MIT */
/* The openers of the files in op/redis/. */
#ifndef SPT_OP_REDIS_OPENERS_H
#define SPT_OP_REDIS_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_redis_command(lua_State *L, struct spt_env *env);

#endif
