/* SPDX-License-Identifier: MIT */
/* The openers of the files in op/fs/. */
#ifndef SPT_OP_FS_OPENERS_H
#define SPT_OP_FS_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_fs_simple(lua_State *L, struct spt_env *env);
void spt_open_fs_file(lua_State *L, struct spt_env *env);
void spt_open_fs_walk(lua_State *L, struct spt_env *env);
void spt_open_fs_temp(lua_State *L, struct spt_env *env);
void spt_open_fs_tail(lua_State *L, struct spt_env *env);
void spt_open_fs_watch(lua_State *L, struct spt_env *env);

#endif
