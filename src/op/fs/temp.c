/* SPDX-License-Identifier: MIT */
/* fs_temp: a temporary file or folder, which is removed in the thread pool: when its handle is
 * removed or collected, or at the end of the host. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "fs/remove.h"
#include "fs/simple.h"
#include "op/census.h"
#include "op/env.h"
#include "op/fs/call.h"
#include "op/fs/openers.h"

#define TEMP_META "septet.fs.temp"
#define PATTERN   "septet-XXXXXX"

/* Its removal is made with it, so that it takes no memory then. */
struct temp {
    struct spt_fs_remove *remove; /* owned; NULL before it is made, and once it is removed */
    struct spt_env *env;
    struct spt_resource resource; /* in the env's until then */
};

/* Takes the removal, which is not to be released before it is done, out of the handle. */
static struct spt_fs_remove *take(struct temp *temp)
{
    struct spt_fs_remove *remove = temp->remove;
    temp->remove = NULL;
    spt_link_remove(&temp->resource.link);
    return remove;
}

/* Removes all, and waits for nothing. */
static void remove_soon(struct temp *temp)
{
    if (temp->remove)
        spt_job_release(&take(temp)->call.job);
}

static void on_host_end(struct spt_resource *resource)
{
    remove_soon(SPT_OF(resource, struct temp, resource));
}

/* Returns the call that will remove what was made, or NULL if there is no memory. */
static struct spt_fs_remove *new_removal(const struct spt_fs_simple *made)
{
    struct spt_fs_remove *remove = spt_fs_remove_new(made->path, made->flag);
    if (!remove)
        return NULL;
    remove->persists = true;
    remove->identified = made->flag;
    remove->dev = made->dev;
    remove->ino = made->ino;
    remove->call.job.loop = made->call.job.loop;
    remove->call.job.unfinished = true;
    return remove;
}

/* Hands what was made over to the handle, and returns its path. */
static int push_path(lua_State *L, struct spt_job *job)
{
    static const struct spt_census_kind kind = {"a temporary file or folder", NULL};
    struct spt_fs_simple *made = SPT_OF(job, struct spt_fs_simple, call.job);
    struct temp *temp = made->owner;
    lua_pushstring(L, made->path);
    temp->remove = new_removal(made);
    if (!temp->remove)
        return spt_error_no_memory(L);
    spt_env_add(temp->env, &temp->resource);
    spt_census_note(L, temp->env, &temp->resource, &kind);
    made->call.untaken = job->unfinished = false;
    return 1;
}

enum { SELF = 1, FOLDER, DIRECTORY }; /* the stack of l_make */

/* temp:make(folder, directory): makes a file or a folder in a directory, or in TMPDIR, once for a
 * handle. Returns its path. */
static int l_make(lua_State *L)
{
    struct temp *temp = spt_check_self(L, "temp");
    const char *directory = secure_getenv("TMPDIR");
    if (!lua_isnoneornil(L, DIRECTORY))
        directory = spt_check_string(L, DIRECTORY, NULL);
    if (!directory || !directory[0])
        directory = "/tmp";
    const bool folder = lua_toboolean(L, FOLDER);
    if (lua_isstring(L, DIRECTORY) && strlen(directory) != lua_rawlen(L, DIRECTORY))
        spt_error_usage(L, "a NUL in the path");
    const char *pattern = lua_pushfstring(L, "%s/%s", directory, PATTERN);
    spt_fs_check_path(L, lua_gettop(L), SEPTET_PERMIT_WRITE, "make");
    struct spt_fs_wait *wait = spt_fs_wait_new(L, push_path);
    struct spt_fs_simple *make = temp->remove ? NULL : spt_fs_temporary_new(pattern, folder);
    if (make)
        make->owner = temp;
    return spt_fs_await(L, wait, make ? &make->call : NULL);
}

/* fs_temp(): returns a handle of what is to be made. */
static int l_temp(lua_State *L)
{
    struct temp *temp = lua_newuserdatauv(L, sizeof *temp, 0);
    *temp = (struct temp){.env = spt_env(L), .resource.release = on_host_end};
    spt_link_init(&temp->resource.link);
    luaL_setmetatable(L, TEMP_META);
    return 1;
}

/* temp:remove(): removes the file, or the folder with all that is in it, and waits for that. If the
 * wait is cancelled, the removal goes on. */
static int l_remove(lua_State *L)
{
    struct temp *temp = spt_check_self(L, "temp");
    if (!temp->remove)
        return 0;
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    return spt_fs_await(L, wait, &take(temp)->call);
}

static int l_gc(lua_State *L)
{
    remove_soon(spt_check_self(L, "temp"));
    return 0;
}

static const luaL_Reg methods[] = {
    {"make", l_make}, {"remove", l_remove}, {"__gc", l_gc}, {NULL, NULL}};

void spt_open_fs_temp(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"fs_temp", l_temp}, {NULL, NULL}};
    spt_new_type(L, env, TEMP_META, methods);
    spt_add_functions(L, env, functions);
}
