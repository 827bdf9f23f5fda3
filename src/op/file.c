/* SPDX-License-Identifier: MIT */
/* file: writes to a file. The task waits until the bytes, or the file, are where it wants them. An
 * operation refers only to the output. If the task is cancelled, the output's job continues, and
 * the next operation first waits for that job. */
#include "op/file.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/join_arguments.h"
#include "op/library.h"
#include "op/openers.h"

enum { SELF = 1, ARGUMENT }; /* the stack of the methods */

void spt_file_close(struct spt_file *file)
{
    struct spt_output *output = file->output;
    if (!output)
        return;
    file->output = NULL;
    spt_link_remove(&file->resource.link);
    spt_output_free(output);
}

int spt_file_raise(lua_State *L, const char *path, const char *verb, int error)
{
    const bool special = error == UV_EINVAL && strcmp(verb, "write") != 0;
    return spt_io_error_raise(L, verb, path, error, special ? "not a regular file" : NULL);
}

/* --- the operation --- */

static void end(struct spt_file_op *file_op, int status)
{
    file_op->file->waiter = NULL;
    septet_op_done(&file_op->op, status);
}

void spt_file_next_job(void *ud)
{
    struct spt_file_op *file_op = ud;
    struct spt_output *output = file_op->file->output;
    if (file_op->next_job(file_op))
        return;
    file_op->error = file_op->ignores_errors ? output->result : output->error;
    file_op->failed_step = file_op->ignores_errors ? output->file.step : output->failed_step;
    end(file_op, SEPTET_OK);
}

static int file_start(septet_op *op)
{
    struct spt_file_op *file_op = (struct spt_file_op *)op;
    file_op->file->waiter = file_op;
    if (spt_output_is_busy(file_op->file->output)) /* with the job of a cancelled operation */
        spt_output_wait(file_op->file->output, spt_file_next_job, file_op);
    else
        spt_file_next_job(file_op);
    return SEPTET_OK;
}

static void file_cancel(septet_op *op)
{
    struct spt_file_op *file_op = (struct spt_file_op *)op;
    file_op->file->waiter = NULL;
    if (file_op->file->output)
        spt_output_forget(file_op->file->output);
}

static int file_push(septet_op *op, lua_State *L)
{
    struct spt_file_op *file_op = (struct spt_file_op *)op;
    return file_op->push(file_op, L);
}

void spt_file_describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_file_op *file_op = (const struct spt_file_op *)op;
    snprintf(text, size, "%s '%s'", file_op->verb, file_op->file->path);
}

static const septet_op_type file_type = {
    .name = "file",
    .size = sizeof(struct spt_file_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = file_start,
    .cancel = file_cancel,
    .push = file_push,
    .describe = spt_file_describe,
};

const char *spt_file_check_path(lua_State *L, int arg)
{
    size_t len;
    const char *path = spt_check_string(L, arg, &len);
    if (strlen(path) != len)
        spt_error_usage(L, "a NUL in the path");
    return path;
}

/* --- methods of an open file --- */

static struct spt_file *check_open(lua_State *L)
{
    struct spt_file *file = spt_check_self(L, "writer");
    if (!file->output)
        spt_error_usage(L, "'%s' is closed", file->path);
    if (file->waiter)
        spt_error_usage(L, "another task writes '%s'", file->path);
    return file;
}

struct spt_file_op *spt_file_new_op(lua_State *L, const char *verb,
                                    bool (*next_job)(struct spt_file_op *),
                                    int (*push)(struct spt_file_op *, lua_State *))
{
    struct spt_file *file = check_open(L);
    struct spt_file_op *file_op =
        (struct spt_file_op *)spt_op_new(L, spt_env(L)->sched, &file_type);
    file_op->file = file;
    file_op->verb = verb;
    file_op->next_job = next_job;
    file_op->push = push;
    return file_op;
}

void spt_file_check_done(const struct spt_file_op *file_op, lua_State *L)
{
    if (file_op->op.status == SEPTET_ECLOSED) {
        spt_error_push(L, "IoError", "'%s' was closed", file_op->file->path);
        spt_io_error_raise_code(L, file_op->file->path, "closed");
    }
    if (file_op->error)
        spt_file_raise(L, file_op->file->path, file_op->failed_step, file_op->error);
}

static int push_nothing(struct spt_file_op *file_op, lua_State *L)
{
    spt_file_check_done(file_op, L);
    return 0;
}

static bool once(struct spt_file_op *file_op)
{
    bool again = file_op->begun;
    file_op->begun = true;
    return !again;
}

static bool step_write(struct spt_file_op *file_op)
{
    size_t n = file_op->len < SPT_DISK_FILE_CHUNK ? file_op->len : SPT_DISK_FILE_CHUNK;
    if (n == 0 ||
        !spt_output_write(file_op->file->output, file_op->bytes, n, spt_file_next_job, file_op))
        return false;
    file_op->bytes += n;
    file_op->len -= n;
    return true;
}

static int push_file(struct spt_file_op *file_op, lua_State *L)
{
    spt_file_check_done(file_op, L);
    lua_pushvalue(L, SELF);
    return 1;
}

/* file:write(...): appends strings and numbers, and returns the file. If it is cancelled, some of
 * them may have been written. */
static int l_write(lua_State *L)
{
    size_t len;
    check_open(L);
    spt_join_arguments(L, ARGUMENT);
    const char *bytes = lua_tolstring(L, ARGUMENT, &len);
    struct spt_file_op *file_op = spt_file_new_op(L, "write", step_write, push_file);
    file_op->bytes = bytes;
    file_op->len = len;
    return septet_op_await(L, &file_op->op);
}

/* Raises IoError unless the script may read what the file contained when it was opened. */
static void check_readable(lua_State *L, const struct spt_file *file)
{
    if (file->checks_reads && file->output->file.size > 0)
        spt_gate_check(L, spt_env(L), SEPTET_PERMIT_READ, "read", file->path);
}

static bool step_truncate(struct spt_file_op *file_op)
{
    return once(file_op) && spt_output_truncate(file_op->file->output, spt_file_next_job, file_op);
}

/* file:truncate(): empties the file. */
static int l_truncate(lua_State *L)
{
    spt_check_most(L, 1);
    return septet_op_await(L, &spt_file_new_op(L, "truncate", step_truncate, push_nothing)->op);
}

static bool step_sync(struct spt_file_op *file_op)
{
    return once(file_op) && spt_output_sync(file_op->file->output, spt_file_next_job, file_op);
}

/* file:sync(): flushes the file to disk. */
static int l_sync(lua_State *L)
{
    spt_check_most(L, 1);
    return septet_op_await(L, &spt_file_new_op(L, "sync", step_sync, push_nothing)->op);
}

static bool step_commit(struct spt_file_op *file_op)
{
    return once(file_op) &&
           spt_output_commit(file_op->file->output, file_op->bytes, spt_file_next_job, file_op);
}

/* file:commit(path): flushes the file to disk and renames it to `path`, which it replaces. A part
 * file may omit the path, and then replaces its target. */
static int l_commit(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_file *file = check_open(L);
    const bool to_target = lua_isnoneornil(L, ARGUMENT) && file->output->file.target;
    const char *target = to_target ? NULL : spt_file_check_path(L, ARGUMENT);
    if (target)
        spt_gate_check(L, spt_env(L), SEPTET_PERMIT_WRITE, "commit to", target);
    struct spt_file_op *file_op = spt_file_new_op(L, "commit", step_commit, push_nothing);
    file_op->bytes = target;
    return septet_op_await(L, &file_op->op);
}

static bool step_read(struct spt_file_op *file_op)
{
    return once(file_op) && spt_output_read(file_op->file->output, spt_file_next_job, file_op);
}

static int push_contents(struct spt_file_op *file_op, lua_State *L)
{
    spt_file_check_done(file_op, L);
    const struct spt_buf *buf = &file_op->file->output->file.buf;
    lua_pushlstring(L, buf->data, buf->len);
    return 1;
}

/* file:contents(): returns the file's contents, up to SPT_DISK_FILE_CHUNK bytes. */
static int l_contents(lua_State *L)
{
    check_readable(L, check_open(L));
    return septet_op_await(L, &spt_file_new_op(L, "read", step_read, push_contents)->op);
}

static bool step_remove(struct spt_file_op *file_op)
{
    file_op->ignores_errors = true;
    if (!once(file_op))
        return false;
    spt_output_unlink(file_op->file->output, spt_file_next_job, file_op);
    return true;
}

/* file:remove(): unlinks the file, also after an error. */
static int l_remove(lua_State *L)
{
    spt_check_most(L, 1);
    return septet_op_await(L, &spt_file_new_op(L, "remove", step_remove, push_nothing)->op);
}

static bool step_close(struct spt_file_op *file_op)
{
    file_op->ignores_errors = true;
    if (!once(file_op))
        return false;
    spt_output_close(file_op->file->output, spt_file_next_job, file_op);
    return true;
}

static int push_closed(struct spt_file_op *file_op, lua_State *L)
{
    spt_file_close(file_op->file);
    return push_nothing(file_op, L);
}

/* file:close(): closes the file and waits until others may write it. A closed file is left as it
 * is. */
static int l_close(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_file *file = spt_check_self(L, "writer");
    if (!file->output)
        return 0;
    return septet_op_await(L, &spt_file_new_op(L, "close", step_close, push_closed)->op);
}

static bool step_size(struct spt_file_op *file_op)
{
    file_op->len = (size_t)file_op->file->output->file.size;
    return false;
}

static int push_size(struct spt_file_op *file_op, lua_State *L)
{
    if (file_op->op.status < 0)
        spt_file_check_done(file_op, L);
    lua_pushinteger(L, (lua_Integer)file_op->len);
    return 1;
}

/* file:size(): returns the size in bytes, also after an error. */
static int l_size(lua_State *L)
{
    spt_check_most(L, 1);
    return septet_op_await(L, &spt_file_new_op(L, "measure", step_size, push_size)->op);
}

/* Closes the file at the end of a <close> variable, without a wait. A waiting operation raises
 * IoError, with the code "closed". */
static int l_release(lua_State *L)
{
    struct spt_file *file = spt_check_self(L, "writer");
    struct spt_file_op *waiter = file->waiter;
    spt_file_close(file);
    if (waiter)
        end(waiter, SEPTET_ECLOSED);
    return 0;
}

static int l_gc(lua_State *L)
{
    spt_file_close(spt_check_self(L, "writer"));
    return 0;
}

static const EVP_MD *check_digest(lua_State *L, int arg)
{
    const char *name = spt_check_string(L, arg, NULL);
    spt_library_need(L, SPT_NEEDS_CRYPTO);
    const EVP_MD *md = EVP_get_digestbyname(name);
    if (!md)
        spt_error_usage(L, "no such digest: '%s'", name);
    return md;
}

static bool step_keep_digest(struct spt_file_op *file_op)
{
    return once(file_op) &&
           spt_output_keep_digest(file_op->file->output, file_op->file->kept_digest,
                                  spt_file_next_job, file_op);
}

/* file:keep_digest(name): keeps a digest of the file's contents and of all that is written from now
 * on. */
static int l_keep_digest(lua_State *L)
{
    const EVP_MD *md = check_digest(L, ARGUMENT);
    check_readable(L, check_open(L));
    struct spt_file_op *file_op = spt_file_new_op(L, "read", step_keep_digest, push_nothing);
    file_op->file->kept_digest = md;
    return septet_op_await(L, &file_op->op);
}

static bool step_digest(struct spt_file_op *file_op)
{
    struct spt_file *file = file_op->file;
    if (!file->output->error)
        file->md_len = spt_output_digest(file->output, file->md);
    return false;
}

static int push_digest(struct spt_file_op *file_op, lua_State *L)
{
    const struct spt_file *file = file_op->file;
    char hex[2 * sizeof file->md];
    spt_file_check_done(file_op, L);
    if (file->md_len == 0)
        return luaL_error(L, "not enough memory");
    spt_hex(hex, file->md, file->md_len);
    lua_pushlstring(L, hex, 2 * file->md_len);
    return 1;
}

/* file:digest(): returns the digest of all that is written, in hexadecimal. */
static int l_digest(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_file_op *file_op = spt_file_new_op(L, "digest", step_digest, push_digest);
    if (!file_op->file->kept_digest)
        return spt_error_usage(L, "no digest of '%s' is kept", file_op->file->path);
    return septet_op_await(L, &file_op->op);
}

static const luaL_Reg methods[] = {{"write", l_write},
                                   {"truncate", l_truncate},
                                   {"sync", l_sync},
                                   {"contents", l_contents},
                                   {"commit", l_commit},
                                   {"remove", l_remove},
                                   {"digest", l_digest},
                                   {"keep_digest", l_keep_digest},
                                   {"size", l_size},
                                   {"close", l_close},
                                   {"__close", l_release},
                                   {"__gc", l_gc},
                                   {NULL, NULL}};

void spt_open_file(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_FILE_META, methods);
}
