/* SPDX-License-Identifier: MIT */
/* finish: ends a process and waits for that. Reads and drops its output meanwhile: a program that
 * ends properly may still write, and must neither stop at a full pipe nor end by SIGPIPE. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "loop/incoming.h"
#include "loop/stream.h"
#include "op/env.h"
#include "op/process/openers.h"
#include "op/process/process.h"
#include "op/reader.h"

enum { SELF = 1, STDOUT, STDERR }; /* the stack of l_finish */

/* An output that is dropped. */
struct drain {
    struct finish_op *finish;
    struct spt_reader *reader; /* to which the script has it; kept alive by the stack; NULL: none */
};

struct finish_op {
    septet_op op;
    const struct spt_process_handle *handle; /* kept alive by the stack */
    struct spt_child_watch watch;
    struct drain drains[2];
};
_Static_assert(sizeof(struct finish_op) <= SPT_SLOT_SIZE, "ending a process needs no memory");

/* Returns the output, or NULL if there is none, or if another task reads it. */
static struct spt_incoming *output_of(struct drain *drain)
{
    struct finish_op *finish = drain->finish;
    const struct spt_process *process = finish->handle->process;
    struct spt_stream *stream = process ? process->streams[1 + (drain - finish->drains)] : NULL;
    struct spt_incoming *in = drain->reader ? drain->reader->input : stream ? &stream->in : NULL;
    return in && (!in->waiter || in->waiter == finish) ? in : NULL;
}

static void drop(void *ud)
{
    struct drain *drain = ud;
    struct spt_incoming *in = output_of(drain);
    spt_incoming_take(in, spt_incoming_len(in));
    if (!in->ended && !in->error)
        spt_incoming_wait(in, drop, drain);
}

static void disarm(struct finish_op *finish)
{
    spt_link_remove(&finish->watch.link);
    for (int i = 0; i < 2; i++) {
        struct spt_incoming *in = output_of(&finish->drains[i]);
        if (!in || in->waiter != finish)
            continue;
        spt_incoming_forget(in);
        in->waiter = NULL;
    }
}

static void on_end(struct spt_child_watch *watch)
{
    struct finish_op *finish = SPT_OF(watch, struct finish_op, watch);
    disarm(finish);
    septet_op_done(&finish->op, SEPTET_OK);
}

static int finish_start(septet_op *op)
{
    struct finish_op *finish = (struct finish_op *)op;
    finish->watch.fire = on_end;
    spt_link_init(&finish->watch.link);
    for (int i = 0; i < 2; i++) {
        struct spt_incoming *in = output_of(&finish->drains[i]);
        if (!in)
            continue;
        in->waiter = finish;
        drop(&finish->drains[i]);
    }
    spt_child_add_watch(finish->handle->process->child, &finish->watch);
    spt_child_end(finish->handle->process->child);
    return SEPTET_OK;
}

static void finish_cancel(septet_op *op)
{
    disarm((struct finish_op *)op);
}

static int finish_push(septet_op *op, lua_State *L)
{
    const struct finish_op *finish = (const struct finish_op *)op;
    if (finish->handle->process)
        spt_process_close_streams(finish->handle->process);
    return 0;
}

static void finish_describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_process_handle *handle = ((const struct finish_op *)op)->handle;
    snprintf(text, size, "end of process %d '%s'", (int)handle->process->child->launch.pid,
             handle->command);
}

static const septet_op_type finish_type = {
    .name = "wait",
    .size = sizeof(struct finish_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = finish_start,
    .cancel = finish_cancel,
    .push = finish_push,
    .describe = finish_describe,
};

static int await_end(lua_State *L, const struct spt_process_handle *handle)
{
    struct finish_op *finish = (struct finish_op *)spt_op_new(L, spt_env(L)->sched, &finish_type);
    finish->handle = handle;
    for (int i = 0; i < 2; i++)
        finish->drains[i] = (struct drain){
            .finish = finish, .reader = luaL_testudata(L, STDOUT + i, SPT_READER_META)};
    return spt_op_wait(L, &finish->op, true);
}

/* handle:finish(stdout, stderr): closes the pipes that were not handed out, ends the process, and
 * waits for that, if the running code can wait. The readers are those that were handed out, or nil.
 * Cancellation does not reach the wait: the grace limits it. */
static int l_finish(lua_State *L)
{
    const struct spt_sched *s = spt_env(L)->sched;
    const struct spt_process_handle *handle = spt_process_check(L);
    struct spt_process *process = handle->process;
    lua_settop(L, STDERR);
    luaL_checkstack(L, 12, NULL);
    if (!process || !process->child)
        return 0;
    if (process->streams[0])
        spt_stream_free(process->streams[0]);
    process->streams[0] = NULL;
    if (process->child->state != SPT_CHILD_ENDED && !s->run.shutting_down && spt_op_can_wait(L, s))
        return await_end(L, handle);
    spt_child_end(process->child);
    spt_process_close_streams(process);
    return 0;
}

static const luaL_Reg methods[] = {{"finish", l_finish}, {NULL, NULL}};

void spt_open_process_finish(lua_State *L, struct spt_env *env)
{
    spt_add_methods(L, env, SPT_PROCESS_META, methods);
}
