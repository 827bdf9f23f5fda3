/* SPDX-License-Identifier: MIT */
/* A process leaves its scope when it ends, so that a scope which lives long holds those alone that
 * run. */
#include "op/process/process.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "loop/stream.h"
#include "op/census.h"
#include "op/env.h"

static void free_process(struct spt_process *process)
{
    spt_process_close_streams(process);
    spt_link_remove(&process->watch.link);
    spt_link_remove(&process->resource.link);
    spt_link_remove(&process->host_resource.link);
    if (process->child)
        spt_child_free(process->child);
    free(process);
}

static void on_end(struct spt_child_watch *watch)
{
    struct spt_process *process = SPT_OF(watch, struct spt_process, watch);
    spt_link_remove(&process->resource.link);
    if (!process->handle)
        free_process(process);
}

/* Begins to end the process. Its end frees it if the script has dropped it. */
static void on_scope_end(struct spt_resource *resource)
{
    spt_child_end(SPT_OF(resource, struct spt_process, resource)->child);
}

static void on_host_end(struct spt_resource *resource)
{
    struct spt_process *process = SPT_OF(resource, struct spt_process, host_resource);
    if (process->handle) {
        spt_process_close_streams(process);
        spt_link_remove(&process->watch.link);
        spt_link_remove(&process->resource.link);
        spt_child_free(process->child);
        process->child = NULL;
    } else {
        free_process(process);
    }
}

struct spt_process *spt_process_new(struct spt_process_handle *handle)
{
    struct spt_process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    *process = (struct spt_process){.handle = handle,
                                    .watch.fire = on_end,
                                    .resource.release = on_scope_end,
                                    .host_resource.release = on_host_end};
    spt_link_init(&process->watch.link);
    spt_link_init(&process->resource.link);
    spt_link_init(&process->host_resource.link);
    handle->process = process;
    return process;
}

static bool is_running(const struct spt_resource *resource)
{
    const struct spt_process *process = SPT_OF(resource, const struct spt_process, host_resource);
    return process->child && process->child->state != SPT_CHILD_ENDED;
}

void spt_process_attach(lua_State *L, struct spt_process *process, struct spt_env *env,
                        struct spt_scope *scope)
{
    static const struct spt_census_kind kind = {"a process", is_running};
    spt_env_add(env, &process->host_resource);
    if (!scope)
        spt_census_note(L, env, &process->host_resource, &kind);
    if (process->child->state == SPT_CHILD_ENDED)
        return;
    spt_child_add_watch(process->child, &process->watch);
    if (scope)
        spt_scope_add(scope, &process->resource);
}

void spt_process_close_streams(struct spt_process *process)
{
    for (int i = 0; i < 3; i++) {
        if (process->streams[i])
            spt_stream_free(process->streams[i]);
        process->streams[i] = NULL;
    }
}

void spt_process_discard(struct spt_process_handle *handle)
{
    if (handle->process)
        free_process(handle->process);
    handle->process = NULL;
}

void spt_process_drop(struct spt_process_handle *handle)
{
    struct spt_process *process = handle->process;
    if (!process)
        return;
    handle->process = NULL;
    process->handle = NULL;
    spt_process_close_streams(process);
    if (!process->child || process->child->state != SPT_CHILD_RUNNING)
        free_process(process);
}

struct spt_process_handle *spt_process_check(lua_State *L)
{
    return spt_check_self(L, "process");
}

struct spt_process *spt_process_check_open(lua_State *L)
{
    struct spt_process *process = spt_process_check(L)->process;
    if (!process || !process->child)
        spt_error_usage(L, "the host of the process has ended");
    return process;
}

void spt_process_push_signal(lua_State *L, int signal)
{
    const char *name = sigabbrev_np(signal);
    if (name)
        lua_pushstring(L, name);
    else
        lua_pushfstring(L, "%d", signal);
}

int spt_process_raise(lua_State *L, const char *command, const char *code)
{
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, command);
    lua_setfield(L, -2, "command");
    return lua_error(L);
}

int spt_process_push_end(lua_State *L, const struct spt_process_handle *handle)
{
    const struct spt_child *child = handle->process->child;
    if (child->lost) {
        spt_error_push(L, "ProcessError",
                       "the end of '%s' is not known: other code of this program has waited for it",
                       handle->command);
        return spt_process_raise(L, handle->command, "lost");
    }
    if (child->signal) {
        lua_pushnil(L);
        spt_process_push_signal(L, child->signal);
    } else {
        lua_pushinteger(L, child->exit_code);
        lua_pushnil(L);
    }
    return 2;
}
