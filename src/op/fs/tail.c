/* SPDX-License-Identifier: MIT */
/* fs_tail: looks at a file that grows. A cancelled wait loses no bytes: the next one gets what was
 * found meanwhile. */
#include "fs/tail.h"

#include <errno.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "loop/loop.h"
#include "op/census.h"
#include "op/env.h"
#include "op/fs/call.h"
#include "op/fs/openers.h"

#define TAIL_META "septet.fs.tail"

struct look_op {
    septet_op op;
    struct tail_handle *handle; /* kept alive by the handle at index 1 */
};

struct tail_handle {
    struct spt_fs_tail *tail; /* owned; NULL once closed */
    struct spt_loop *loop;
    bool in_pool;
    bool found; /* what was found is to be handed out */
    struct look_op *waiter;
    struct spt_resource resource;
};

static void close_handle(struct tail_handle *handle)
{
    struct spt_fs_tail *tail = handle->tail;
    if (!tail)
        return;
    handle->tail = NULL;
    spt_link_remove(&handle->resource.link);
    spt_job_release(&tail->job);
}

static void on_host_end(struct spt_resource *resource)
{
    close_handle(SPT_OF(resource, struct tail_handle, resource));
}

static void on_looked(void *ud)
{
    struct tail_handle *handle = ud;
    struct look_op *waiter = handle->waiter;
    handle->in_pool = false;
    handle->found = true;
    handle->waiter = NULL;
    if (waiter)
        septet_op_done(&waiter->op, SEPTET_OK);
}

/* --- the operation --- */

static int push_found(lua_State *L, struct tail_handle *handle)
{
    static const char *const words[] = {
        [SPT_TAIL_BYTES] = "bytes",       [SPT_TAIL_END] = "end",
        [SPT_TAIL_MISSING] = "missing",   [SPT_TAIL_TRUNCATED] = "truncated",
        [SPT_TAIL_REPLACED] = "replaced", [SPT_TAIL_REMOVED] = "removed"};
    const struct spt_fs_tail *tail = handle->tail;
    if (!tail)
        return 0;
    const int error = tail->job.error;
    const char *word = words[tail->found];
    handle->found = false;
    if (error) {
        spt_fs_push_error(L, "open", lua_pushstring(L, tail->path), error);
        return lua_error(L);
    }
    lua_pushlstring(L, tail->bytes, tail->len); /* a finalizer may close the tail behind it */
    lua_pushstring(L, word);
    lua_insert(L, -2);
    return 2;
}

static int look_start(septet_op *op)
{
    struct look_op *look = (struct look_op *)op;
    struct tail_handle *handle = look->handle;
    if (!handle->tail) { /* a finalizer has closed it */
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    handle->waiter = look;
    if (!handle->in_pool) {
        handle->in_pool = true;
        spt_job_start(&handle->tail->job, handle->loop, on_looked, handle);
    }
    return SEPTET_OK;
}

static void look_cancel(septet_op *op)
{
    ((struct look_op *)op)->handle->waiter = NULL;
}

static int look_push(septet_op *op, lua_State *L)
{
    return push_found(L, ((struct look_op *)op)->handle);
}

static void look_describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_fs_tail *tail = ((const struct look_op *)op)->handle->tail;
    snprintf(text, size, "'%s'", tail ? tail->path : "");
}

static const septet_op_type look_type = {
    .name = "tail",
    .size = sizeof(struct look_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = look_start,
    .cancel = look_cancel,
    .push = look_push,
    .describe = look_describe,
};

/* tail:look(): returns a word for what was found, and the next bytes. Returns nothing once the tail
 * is closed. */
static int l_look(lua_State *L)
{
    lua_settop(L, 1);
    struct tail_handle *handle = spt_check_self(L, "tail");
    if (handle->waiter)
        return spt_error_usage(L, "another task waits for the tail");
    if (handle->found || !handle->tail)
        return push_found(L, handle);
    struct look_op *look = (struct look_op *)spt_op_new(L, spt_env(L)->sched, &look_type);
    look->handle = handle;
    return septet_op_await(L, &look->op);
}

/* tail:close(): closes the file. A waiting task gets nothing. */
static int l_close(lua_State *L)
{
    struct tail_handle *handle = spt_check_self(L, "tail");
    struct look_op *waiter = handle->waiter;
    handle->waiter = NULL;
    close_handle(handle);
    if (waiter)
        septet_op_done(&waiter->op, SEPTET_OK);
    return 0;
}

static int l_gc(lua_State *L)
{
    close_handle(spt_check_self(L, "tail"));
    return 0;
}

/* fs_tail(path, from_end): returns a tail of the file. */
static int l_tail(lua_State *L)
{
    static const struct spt_census_kind kind = {"a tail of a file", NULL};
    struct spt_env *env = spt_env(L);
    const char *path = spt_fs_check_path(L, 1, SEPTET_PERMIT_READ, "open");
    if (!env->loop || spt_loop_is_lost(env->loop))
        return spt_error_usage(L, "the host is closed");
    struct tail_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct tail_handle){.loop = env->loop, .resource.release = on_host_end};
    spt_link_init(&handle->resource.link);
    luaL_setmetatable(L, TAIL_META);
    handle->tail = spt_fs_tail_new(path, lua_toboolean(L, 2));
    if (!handle->tail)
        return spt_error_no_memory(L);
    handle->tail->job.loop = env->loop;
    spt_env_add(env, &handle->resource);
    spt_census_note(L, env, &handle->resource, &kind);
    return 1;
}

static const luaL_Reg methods[] = {
    {"look", l_look}, {"close", l_close}, {"__close", l_close}, {"__gc", l_gc}, {NULL, NULL}};

void spt_open_fs_tail(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"fs_tail", l_tail}, {NULL, NULL}};
    spt_new_type(L, env, TAIL_META, methods);
    spt_add_functions(L, env, functions);
}
