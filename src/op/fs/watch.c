/* SPDX-License-Identifier: MIT */
/* fs_watch: changes of files and folders. A cancelled wait loses no event. */
#include "loop/watch.h"

#include <errno.h>
#include <limits.h>
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

#define WATCH_META "septet.fs.watch"

struct watch_op {
    septet_op op;
    struct watch_handle *handle; /* kept alive by the handle at index 1, as are the texts */
    const char *path;
    const char *only;
    struct spt_watch_add *add;
    uint32_t tag;
    int error; /* libuv's number */
};

struct watch_handle {
    struct spt_watch watch;
    bool open;
    struct watch_op *waiter; /* of next(); NULL: none */
    struct spt_resource resource;
};

static void close_handle(struct watch_handle *handle)
{
    if (!handle->open)
        return;
    handle->open = false;
    spt_link_remove(&handle->resource.link);
    spt_watch_release(&handle->watch);
}

static void on_host_end(struct spt_resource *resource)
{
    close_handle(SPT_OF(resource, struct watch_handle, resource));
}

static struct watch_handle *check_open(lua_State *L)
{
    struct watch_handle *handle = spt_check_self(L, "watch");
    if (!handle->open)
        spt_error_usage(L, "the watch is closed");
    return handle;
}

/* --- adding a path --- */

static void on_added(void *ud, int error)
{
    struct watch_op *op = ud;
    op->error = error;
    op->add = NULL;
    septet_op_done(&op->op, SEPTET_OK);
}

static int add_start(septet_op *op)
{
    struct watch_op *add = (struct watch_op *)op;
    if (!add->handle->open) { /* a finalizer has closed it */
        add->error = UV_ECANCELED;
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    add->add = spt_watch_add(&add->handle->watch, add->path, add->only, add->tag, on_added, add);
    return add->add ? SEPTET_OK : SEPTET_ENOMEM;
}

static void add_cancel(septet_op *op)
{
    spt_watch_add_forget(((struct watch_op *)op)->add);
}

static int add_push(septet_op *op, lua_State *L)
{
    const struct watch_op *add = (const struct watch_op *)op;
    const int error = op->status < 0 ? -ENOMEM : add->error;
    if (!error)
        return 0;
    spt_fs_push_error(L, "watch", add->path, error);
    return lua_error(L);
}

static void add_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", ((const struct watch_op *)op)->path);
}

static const septet_op_type add_type = {
    .name = "watch",
    .size = sizeof(struct watch_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = add_start,
    .cancel = add_cancel,
    .push = add_push,
    .describe = add_describe,
};

/* watch:add(path, only, tag): watches a path, too. Events have the number `tag`. Of a folder's
 * names, only those of `only` are handed out, unless it is "". */
static int l_add(lua_State *L)
{
    struct watch_handle *handle = check_open(L);
    const char *path = spt_fs_check_path(L, 2, SEPTET_PERMIT_READ, "watch");
    const char *only = spt_check_string(L, 3, NULL);
    const uint32_t tag = (uint32_t)spt_check_count(L, 4, 0);
    struct watch_op *op = (struct watch_op *)spt_op_new(L, spt_env(L)->sched, &add_type);
    op->handle = handle;
    op->path = path;
    op->only = only;
    op->tag = tag;
    return septet_op_await(L, &op->op);
}

/* --- the next event --- */

static const char *const words[] = {[SPT_WATCH_CHANGE] = "change",
                                    [SPT_WATCH_RENAME] = "rename",
                                    [SPT_WATCH_OVERFLOW] = "overflow",
                                    [SPT_WATCH_GONE] = "gone"};

/* Pushes the next event, or nil if there is none. */
static int push_event(lua_State *L, struct watch_handle *handle)
{
    const struct spt_watch_event *event = handle->open ? spt_watch_peek(&handle->watch) : NULL;
    if (!event) {
        lua_pushnil(L);
        return 1;
    }
    const struct spt_watch_event head = *event;
    char name[NAME_MAX + 1]; /* a finalizer may use the watch whenever something is pushed */
    snprintf(name, sizeof name, "%s", event->name);
    spt_watch_take(&handle->watch);
    lua_pushstring(L, words[head.kind]);
    lua_pushinteger(L, head.tag);
    lua_pushstring(L, name);
    lua_pushboolean(L, head.folder);
    return 4;
}

static void on_event(void *ud)
{
    struct watch_op *op = ud;
    op->handle->waiter = NULL;
    septet_op_done(&op->op, SEPTET_OK);
}

static int next_start(septet_op *op)
{
    struct watch_op *next = (struct watch_op *)op;
    if (!next->handle->open) { /* a finalizer has closed it */
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    next->handle->waiter = next;
    spt_watch_wait(&next->handle->watch, on_event, next);
    return SEPTET_OK;
}

static void next_cancel(septet_op *op)
{
    struct watch_handle *handle = ((struct watch_op *)op)->handle;
    handle->waiter = NULL;
    if (handle->open)
        spt_watch_forget(&handle->watch);
}

static int next_push(septet_op *op, lua_State *L)
{
    return push_event(L, ((struct watch_op *)op)->handle);
}

static const septet_op_type next_type = {
    .name = "watch",
    .size = sizeof(struct watch_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = next_start,
    .cancel = next_cancel,
    .push = next_push,
};

/* watch:next(): returns the word of the next event, its path's tag, its name and whether that is a
 * folder's. Returns nil once nothing is watched any more. */
static int l_next(lua_State *L)
{
    lua_settop(L, 1);
    struct watch_handle *handle = spt_check_self(L, "watch");
    if (handle->waiter)
        return spt_error_usage(L, "another task waits for the watch");
    if (!handle->open || spt_watch_peek(&handle->watch) || spt_watch_is_over(&handle->watch))
        return push_event(L, handle);
    struct watch_op *op = (struct watch_op *)spt_op_new(L, spt_env(L)->sched, &next_type);
    op->handle = handle;
    return septet_op_await(L, &op->op);
}

/* watch:clear(): removes the events that have arrived. */
static int l_clear(lua_State *L)
{
    struct watch_handle *handle = spt_check_self(L, "watch");
    while (handle->open && spt_watch_peek(&handle->watch))
        spt_watch_take(&handle->watch);
    return 0;
}

/* watch:close(): ends the watch. A waiting task gets nil. */
static int l_close(lua_State *L)
{
    struct watch_handle *handle = spt_check_self(L, "watch");
    struct watch_op *waiter = handle->waiter;
    handle->waiter = NULL;
    close_handle(handle);
    if (waiter)
        septet_op_done(&waiter->op, SEPTET_OK);
    return 0;
}

static int l_gc(lua_State *L)
{
    close_handle(spt_check_self(L, "watch"));
    return 0;
}

/* fs_watch(path, count, is_part): returns a watch of nothing yet, with room for so many events. The
 * path is for errors. `is_part` says that something else closes it, which a census counts. */
static int l_watch(lua_State *L)
{
    static const struct spt_census_kind kind = {"a watch of files", NULL};
    struct spt_env *env = spt_env(L);
    const char *path = spt_check_string(L, 1, NULL);
    const size_t count = (size_t)spt_check_count(L, 2, 1);
    const bool is_part = lua_toboolean(L, 3);
    if (!env->loop || spt_loop_is_lost(env->loop))
        return spt_error_usage(L, "the host is closed");
    struct watch_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct watch_handle){.resource.release = on_host_end};
    spt_link_init(&handle->resource.link);
    luaL_setmetatable(L, WATCH_META);
    int error = spt_watch_init(&handle->watch, &env->watcher, env->loop, count);
    if (error) {
        spt_fs_push_error(L, "watch", path, error);
        return lua_error(L);
    }
    handle->open = true;
    spt_env_add(env, &handle->resource);
    if (!is_part)
        spt_census_note(L, env, &handle->resource, &kind);
    return 1;
}

static const luaL_Reg methods[] = {{"add", l_add},     {"next", l_next},     {"clear", l_clear},
                                   {"close", l_close}, {"__close", l_close}, {"__gc", l_gc},
                                   {NULL, NULL}};

void spt_open_fs_watch(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"fs_watch", l_watch}, {NULL, NULL}};
    spt_new_type(L, env, WATCH_META, methods);
    spt_add_functions(L, env, functions);
}
