/* SPDX-License-Identifier: MIT */
/* fs_stat, fs_mkdir, fs_rename, fs_truncate, fs_remove, fs_copy: operations on files by their
 * paths. */
#include "fs/simple.h"

#include <errno.h>

#include "base/list.h"
#include "core/check.h"
#include "fs/copy.h"
#include "fs/remove.h"
#include "op/env.h"
#include "op/fs/call.h"
#include "op/fs/openers.h"

enum { PATH = 1, OPTION, SECOND_OPTION }; /* the stack of the functions */

static struct spt_fs_call *call_of(struct spt_fs_simple *simple)
{
    return simple ? &simple->call : NULL;
}

static int push_stat(lua_State *L, struct spt_job *job)
{
    lua_createtable(L, 0, 12);
    spt_fs_set_stat(L, &SPT_OF(job, struct spt_fs_simple, call.job)->stat);
    return 1;
}

/* fs_stat(path, links): examines a file; with `links`, a link itself. */
static int l_stat(lua_State *L)
{
    const char *path = spt_fs_check_path(L, PATH, SEPTET_PERMIT_READ, "examine");
    const bool links = lua_toboolean(L, OPTION);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, push_stat);
    return spt_fs_await(L, wait, call_of(spt_fs_stat_new(path, links)));
}

/* Returns the permissions at `arg`, or -1 for nil. */
static int check_mode(lua_State *L, int arg)
{
    return lua_isnoneornil(L, arg) ? -1 : (int)(spt_check_count(L, arg, 0) & 07777);
}

/* fs_mkdir(path, parents, mode): makes a folder. */
static int l_mkdir(lua_State *L)
{
    const char *path = spt_fs_check_path(L, PATH, SEPTET_PERMIT_WRITE, "make the directory");
    const bool parents = lua_toboolean(L, OPTION);
    const int mode = check_mode(L, SECOND_OPTION);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    return spt_fs_await(L, wait, call_of(spt_fs_mkdir_new(path, parents, mode)));
}

/* fs_rename(from, to): renames a file, or a folder. */
static int l_rename(lua_State *L)
{
    const char *from = spt_fs_check_path(L, PATH, SEPTET_PERMIT_WRITE, "rename");
    const char *to = spt_fs_check_path(L, OPTION, SEPTET_PERMIT_WRITE, "rename to");
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    return spt_fs_await(L, wait, call_of(spt_fs_rename_new(from, to)));
}

/* fs_truncate(path, size): sets the size of a regular file. */
static int l_truncate(lua_State *L)
{
    const char *path = spt_fs_check_path(L, PATH, SEPTET_PERMIT_WRITE, "truncate");
    const lua_Integer size = spt_check_count(L, OPTION, 0);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    return spt_fs_await(L, wait, call_of(spt_fs_truncate_new(path, size)));
}

/* fs_remove(path, recursive): removes a file, or a folder. */
static int l_remove(lua_State *L)
{
    const char *path = spt_fs_check_path(L, PATH, SEPTET_PERMIT_WRITE, "remove");
    const bool recursive = lua_toboolean(L, OPTION);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    struct spt_fs_remove *remove = spt_fs_remove_new(path, recursive);
    return spt_fs_await(L, wait, remove ? &remove->call : NULL);
}

/* fs_copy(from, to, recursive, overwrite): copies a file, or a folder. */
static int l_copy(lua_State *L)
{
    const char *from = spt_fs_check_path(L, PATH, SEPTET_PERMIT_READ, "copy");
    const char *to = spt_fs_check_path(L, OPTION, SEPTET_PERMIT_WRITE, "copy to");
    const bool recursive = lua_toboolean(L, 3), overwrite = lua_toboolean(L, 4);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    struct spt_fs_copy *copy = spt_fs_copy_new(from, to, recursive, overwrite);
    return spt_fs_await(L, wait, copy ? &copy->call : NULL);
}

void spt_open_fs_simple(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"fs_stat", l_stat},
                                         {"fs_mkdir", l_mkdir},
                                         {"fs_rename", l_rename},
                                         {"fs_truncate", l_truncate},
                                         {"fs_remove", l_remove},
                                         {"fs_copy", l_copy},
                                         {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
