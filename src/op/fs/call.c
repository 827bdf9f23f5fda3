/* SPDX-License-Identifier: MIT */
/* Starts the job again for each step. A waiter that leaves abandons it, and it ends by itself. */
#include "op/fs/call.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"

static struct spt_fs_call *call_of(const struct spt_job_wait *wait)
{
    return SPT_OF(wait->job, struct spt_fs_call, job);
}

static void on_step(void *ud);

/* Returns SEPTET_OK, or SEPTET_ENOMEM if the step cannot be prepared. */
static int start_step(struct spt_fs_wait *wait)
{
    if (wait->feed && !wait->feed(wait))
        return SEPTET_ENOMEM;
    spt_job_start(wait->wait.job, wait->wait.env->loop, on_step, wait);
    return SEPTET_OK;
}

static void on_step(void *ud)
{
    struct spt_fs_wait *wait = ud;
    int rc = SEPTET_OK;
    const struct spt_fs_call *call = call_of(&wait->wait);
    const bool more = call->job.error == 0 && call->result == SPT_FS_MORE;
    if (more)
        rc = start_step(wait);
    if (!more || rc != SEPTET_OK)
        septet_op_done(&wait->wait.op, rc);
}

static int start(septet_op *op)
{
    return start_step((struct spt_fs_wait *)op);
}

static int push(septet_op *op, lua_State *L)
{
    const struct spt_job_wait *wait = (const struct spt_job_wait *)op;
    const struct spt_fs_call *call = call_of(wait);
    const int error = op->status < 0 ? -ENOMEM : call->job.error;
    if (error) {
        spt_fs_push_error(L, call->verb, call->fault ? call->fault : call->path, error);
        return lua_error(L);
    }
    return wait->push ? wait->push(L, wait->job) : 0;
}

const septet_op_type spt_fs_wait_type = {
    .name = "fs",
    .size = sizeof(struct spt_fs_wait),
    .flags = SEPTET_OP_EXTERNAL,
    .start = start,
    .cancel = spt_job_wait_cancel,
    .push = push,
    .close = spt_job_wait_close,
    .describe = spt_job_wait_describe,
};

struct spt_fs_wait *spt_fs_wait_new(lua_State *L, spt_job_push *push_results)
{
    return (struct spt_fs_wait *)spt_job_wait_new(L, spt_env(L), &spt_fs_wait_type, push_results);
}

int spt_fs_await(lua_State *L, struct spt_fs_wait *wait, struct spt_fs_call *call)
{
    return spt_job_await(L, &wait->wait, call ? &call->job : NULL);
}

/* --- what all functions check and push --- */

void spt_fs_push_error(lua_State *L, const char *verb, const char *path, int error)
{
    char name[32], room[128];
    const char *words = NULL, *code = NULL;
    if (error == -EFBIG && strcmp(verb, "read") == 0) {
        words = "larger than its limit 'max'";
        code = "too_big";
    } else if (error == -EINVAL && (strcmp(verb, "open") == 0 || strcmp(verb, "truncate") == 0)) {
        words = "not a regular file";
    } else if (strcmp(verb, "watch") == 0 && (error == -ENOSPC || error == -EMFILE)) {
        words = error == -ENOSPC ? "too many watches (fs.inotify.max_user_watches)"
                                 : "too many watchers (fs.inotify.max_user_instances) or files";
    }
    uv_err_name_r(error, name, sizeof name);
    uv_strerror_r(error, room, sizeof room);
    spt_error_push(L, "IoError", "cannot %s '%s': %s", verb, path, words ? words : room);
    lua_pushstring(L, code ? code : name);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, verb);
    lua_setfield(L, -2, "operation");
}

const char *spt_fs_check_path(lua_State *L, int arg, int what, const char *verb)
{
    size_t len;
    const char *path = spt_check_string(L, arg, &len);
    if (strlen(path) != len)
        spt_error_usage(L, "a NUL in the path");
    spt_gate_check(L, spt_env(L), what, verb, path);
    return path;
}

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_seconds(lua_State *L, const char *name, int64_t ns)
{
    lua_pushnumber(L, (lua_Number)ns / 1e9);
    lua_setfield(L, -2, name);
}

void spt_fs_set_stat(lua_State *L, const struct spt_fs_stat *st)
{
    lua_pushstring(L, st->type);
    lua_setfield(L, -2, "type");
    set_integer(L, "size", st->size);
    set_integer(L, "mode", st->mode);
    set_integer(L, "uid", st->uid);
    set_integer(L, "gid", st->gid);
    set_integer(L, "links", (lua_Integer)st->links);
    set_integer(L, "inode", (lua_Integer)st->inode);
    set_integer(L, "device", (lua_Integer)st->device);
    set_integer(L, "blocks", st->blocks);
    set_seconds(L, "mtime", st->times.modified_ns);
    set_seconds(L, "atime", st->times.read_ns);
    set_seconds(L, "ctime", st->times.changed_ns);
}
