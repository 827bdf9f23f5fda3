/* SPDX-License-Identifier: MIT */
/* Opens the operations on files. */
#include "op/fs/openers.h"
#include "op/openers.h"

void spt_open_fs(lua_State *L, struct spt_env *env)
{
    spt_open_fs_simple(L, env);
    spt_open_fs_file(L, env);
    spt_open_fs_walk(L, env);
    spt_open_fs_temp(L, env);
    spt_open_fs_watch(L, env);
    spt_open_fs_tail(L, env);
}
