/* SPDX-License-Identifier: MIT */
/* The openers of the files in op/process/. */
#ifndef SPT_OP_PROCESS_OPENERS_H
#define SPT_OP_PROCESS_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_process_handle(lua_State *L, struct spt_env *env);
void spt_open_process_finish(lua_State *L, struct spt_env *env);
void spt_open_process_collect(lua_State *L, struct spt_env *env);

#endif
