/* SPDX-License-Identifier: MIT */
/* file_open: opens files for writing. */
#include <lauxlib.h>

#include "base/list.h"
#include "core/check.h"
#include "core/op.h"
#include "op/census.h"
#include "op/env.h"
#include "op/file.h"
#include "op/gate.h"
#include "op/openers.h"

enum { PATH = 1, FILE_HANDLE }; /* the stack of the functions */

static void on_host_end(struct spt_resource *resource)
{
    spt_file_close(SPT_OF(resource, struct spt_file, resource));
}

/* Pushes a file, named by the string at PATH. */
static struct spt_file *new_file(lua_State *L)
{
    struct spt_file *file = lua_newuserdatauv(L, sizeof *file, 1);
    *file = (struct spt_file){.path = lua_tostring(L, PATH), .resource.release = on_host_end};
    spt_link_init(&file->resource.link);
    lua_pushvalue(L, PATH);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SPT_FILE_META);
    return file;
}

static int open_start(septet_op *op)
{
    struct spt_file_op *file_op = (struct spt_file_op *)op;
    int rc = spt_output_open(&file_op->file->output, file_op->env->loop, file_op->file->path,
                             file_op->flags, spt_file_next_job, file_op);
    if (rc == SEPTET_OK) {
        file_op->file->waiter = file_op;
        spt_env_add(file_op->env, &file_op->file->resource);
    }
    return rc;
}

static void open_cancel(septet_op *op)
{
    struct spt_file *file = ((struct spt_file_op *)op)->file;
    file->waiter = NULL;
    spt_file_close(file);
}

/* The one job, to open, is already done. */
static bool no_job(struct spt_file_op *file_op)
{
    file_op->len = (size_t)file_op->file->output->file.size;
    return false;
}

/* Returns the file, its size and its target. The opened file may be another than PATH: the output
 * knows its name. */
static int open_push(septet_op *op, lua_State *L)
{
    static const struct spt_census_kind kind = {"a writer", NULL};
    struct spt_file_op *file_op = (struct spt_file_op *)op;
    struct spt_file *file = file_op->file;
    if (file->output)
        file->path = lua_pushstring(L, file->output->file.path);
    if (op->status < 0 || file_op->error) {
        spt_file_close(file);
        return spt_file_raise(L, file->path, "open", file_op->error ? file_op->error : UV_ENOMEM);
    }
    spt_census_note(L, file_op->env, &file->resource, &kind);
    lua_setiuservalue(L, FILE_HANDLE, 1);
    lua_pushvalue(L, FILE_HANDLE);
    lua_pushinteger(L, (lua_Integer)file_op->len);
    lua_pushstring(L, file->output->file.target);
    return 3;
}

static const septet_op_type open_type = {
    .name = "file",
    .size = sizeof(struct spt_file_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = open_start,
    .cancel = open_cancel,
    .push = open_push,
    .describe = spt_file_describe,
};

static int open_with(lua_State *L, unsigned flags, bool checks_reads)
{
    struct spt_env *env = spt_env(L);
    lua_settop(L, PATH);
    struct spt_file *file = new_file(L);
    file->checks_reads = checks_reads;
    struct spt_file_op *file_op = (struct spt_file_op *)spt_op_new(L, env->sched, &open_type);
    file_op->env = env;
    file_op->file = file;
    file_op->next_job = no_job;
    file_op->verb = "open";
    file_op->flags = (uint8_t)flags;
    return septet_op_await(L, &file_op->op);
}

/* file_open(path, append): opens a file for writing and returns it and its size in bytes. Without
 * `append` the file is truncated. Raises IoError, with EBUSY if the file is being written. */
static int l_open(lua_State *L)
{
    spt_gate_check(L, spt_env(L), SEPTET_PERMIT_WRITE, "open", spt_file_check_path(L, PATH));
    bool append = lua_toboolean(L, 2);
    return open_with(L, append ? SPT_DISK_FILE_APPEND : 0, append);
}

/* file_open_part(target): like file_open() with `append`, but opens the private part file beside
 * the file that the target leads to. Returns the name of that file as well. */
static int l_open_part(lua_State *L)
{
    spt_gate_check(L, spt_env(L), SEPTET_PERMIT_WRITE, "open", spt_file_check_path(L, PATH));
    return open_with(L, SPT_DISK_FILE_BESIDE | SPT_DISK_FILE_PRIVATE | SPT_DISK_FILE_APPEND, false);
}

/* file_open_private(path, make): like file_open() with `append`, but opens a private file, and
 * creates it only if `make` is true. */
static int l_open_private(lua_State *L)
{
    spt_file_check_path(L, PATH);
    const unsigned there = lua_toboolean(L, 2) ? 0 : SPT_DISK_FILE_THERE;
    return open_with(L, SPT_DISK_FILE_PRIVATE | SPT_DISK_FILE_APPEND | there, false);
}

static const luaL_Reg functions[] = {{"file_open", l_open},
                                     {"file_open_part", l_open_part},
                                     {"file_open_private", l_open_private},
                                     {NULL, NULL}};

void spt_open_file_open(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
