/* SPDX-License-Identifier: MIT */
/* stream_write: writes to a stream, in pieces. The task waits until the kernel has taken them. If
 * the task is cancelled, the piece that is under way is still written, and the next operation waits
 * for that first. */
#include "op/stream_handle.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "loop/stream.h"
#include "op/env.h"
#include "op/io_error.h"
#include "op/join_arguments.h"
#include "op/openers.h"

#define AT_ONCE_MAX ((size_t)1024 * 1024) /* bytes that a call writes in one turn of the loop */

enum { SELF = 1, ARGUMENT };    /* the stack of the methods */
enum { TIMED_OUT = 1, FAILED }; /* statuses of an operation */

struct write_op {
    septet_op op;
    struct spt_stream_handle *handle; /* kept alive by the stack */
    const char *bytes;                /* those that are left; kept alive by the stack */
    size_t len;
    size_t at_once; /* bytes that were written in this turn */
    int error;      /* libuv's error number */
    bool shuts;     /* ends the writing direction */
    bool closes;    /* then closes the handle */
};

/* --- the operation --- */

static void end(struct write_op *write, int status)
{
    struct spt_stream_handle *handle = write->handle;
    handle->writing = NULL;
    if (spt_timer_is_armed(&handle->write_timer))
        spt_timer_stop(&spt_op_sched(&write->op)->tree.timers, &handle->write_timer);
    septet_op_done(&write->op, status);
}

static void fail(struct write_op *write, int error)
{
    write->error = error;
    end(write, FAILED);
}

/* Writes the next piece. Returns 0 or libuv's error number. */
static int write_piece(struct write_op *write, struct spt_stream *stream)
{
    size_t n = write->len < SPT_STREAM_PIECE ? write->len : SPT_STREAM_PIECE;
    int rc = write->at_once < AT_ONCE_MAX ? spt_stream_write(stream, write->bytes, n)
                                          : spt_stream_write_later(stream, write->bytes, n);
    write->at_once = write->at_once < AT_ONCE_MAX ? write->at_once + n : 0;
    write->bytes += n;
    write->len -= n;
    return rc;
}

static void on_flushed(void *ud);

/* Writes until the kernel takes no more, or all is written. */
static void go_on(struct write_op *write)
{
    struct spt_stream *stream = spt_stream_handle_stream(write->handle);
    int rc = stream->write_error;
    while (rc == 0 && write->len > 0 && spt_stream_is_flushed(stream))
        rc = write_piece(write, stream);
    if (rc == 0 && !spt_stream_is_flushed(stream)) {
        rc = spt_stream_on_flushed(stream, on_flushed, write);
        if (rc == 0)
            return;
    }
    if (rc == 0 && write->shuts)
        rc = spt_stream_shutdown(stream);
    if (rc == 0)
        end(write, SEPTET_OK);
    else
        fail(write, rc);
}

static void on_flushed(void *ud)
{
    struct write_op *write = ud;
    write->at_once = 0;
    go_on(write);
}

static void on_due(struct spt_timer *timer)
{
    struct spt_stream_handle *handle = SPT_OF(timer, struct spt_stream_handle, write_timer);
    spt_stream_forget_flush(spt_stream_handle_stream(handle));
    end(handle->writing, TIMED_OUT);
}

static void abort_write(struct spt_stream_handle *handle)
{
    spt_stream_forget_flush(spt_stream_handle_stream(handle));
    end(handle->writing, SEPTET_ECLOSED);
}

static int write_start(septet_op *op)
{
    struct write_op *write = (struct write_op *)op;
    struct spt_stream_handle *handle = write->handle;
    struct spt_sched *s = spt_op_sched(op);
    handle->writing = write;
    handle->abort_write = abort_write;
    go_on(write);
    if (!handle->writing || handle->reader.timeout_ns == SPT_NEVER)
        return SEPTET_OK;
    uint64_t due = spt_timer_instant(spt_sched_clock(s), handle->reader.timeout_ns);
    spt_timer_start(&s->tree.timers, &handle->write_timer, due, on_due);
    return SEPTET_OK;
}

static void write_cancel(septet_op *op)
{
    struct spt_stream_handle *handle = ((struct write_op *)op)->handle;
    struct spt_stream *stream = spt_stream_handle_stream(handle);
    handle->writing = NULL;
    spt_timer_stop(&spt_op_sched(op)->tree.timers, &handle->write_timer);
    if (stream)
        spt_stream_forget_flush(stream);
}

static int write_push(septet_op *op, lua_State *L)
{
    const struct write_op *write = (const struct write_op *)op;
    const struct spt_reader *reader = &write->handle->reader;
    const struct spt_io_place place = {.operation = write->shuts ? "shut down" : "write",
                                       .name = reader->path,
                                       .field = reader->field};
    int error = write->error;
    if (write->closes)
        spt_reader_close(&write->handle->reader);
    switch (op->status) {
    case FAILED:
        return spt_io_error_raise_number(L, &place, error, NULL);
    case TIMED_OUT:
        return spt_reader_raise_timeout(L, reader, place.operation);
    case SEPTET_ECLOSED:
        return spt_reader_raise_closed(L, reader, place.operation);
    default:
        lua_pushvalue(L, SELF);
        return 1;
    }
}

static void write_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", ((const struct write_op *)op)->handle->reader.path);
}

static const septet_op_type write_type = {
    .name = "write",
    .size = sizeof(struct write_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = write_start,
    .cancel = write_cancel,
    .push = write_push,
    .describe = write_describe,
};
_Static_assert(sizeof(struct write_op) <= SPT_SLOT_SIZE, "it needs no memory of Lua's to wait in");

/* --- methods --- */

static struct spt_stream_handle *check_writable(lua_State *L)
{
    struct spt_stream_handle *handle = (struct spt_stream_handle *)spt_reader_check_open(L);
    if (handle->writing)
        spt_error_usage(L, "another task writes to '%s'", handle->reader.path);
    return handle;
}

static struct write_op *new_op(lua_State *L)
{
    struct spt_stream_handle *handle = check_writable(L);
    struct write_op *write = (struct write_op *)spt_op_new(L, spt_env(L)->sched, &write_type);
    write->handle = handle;
    return write;
}

/* handle:write(...): writes strings and numbers, and returns the handle. */
static int l_write(lua_State *L)
{
    size_t len;
    check_writable(L);
    spt_join_arguments(L, ARGUMENT);
    const char *bytes = lua_tolstring(L, ARGUMENT, &len);
    struct write_op *write = new_op(L);
    write->bytes = bytes;
    write->len = len;
    return septet_op_await(L, &write->op);
}

/* handle:shutdown(): waits until the kernel has what was written, and ends the writing
 * direction. */
static int l_shutdown(lua_State *L)
{
    spt_check_most(L, 1);
    struct write_op *write = new_op(L);
    write->shuts = true;
    return septet_op_await(L, &write->op);
}

/* writer:shutdown() of a handle that only writes: then closes it, which ends a pipe. */
static int l_finish(lua_State *L)
{
    spt_check_most(L, 1);
    struct write_op *write = new_op(L);
    write->shuts = write->closes = true;
    return septet_op_await(L, &write->op);
}

const luaL_Reg spt_stream_handle_methods[] = {
    {"write", l_write}, {"shutdown", l_shutdown}, {NULL, NULL}};

void spt_open_stream_write(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {{"write", l_write}, {"shutdown", l_finish}, {NULL, NULL}};
    spt_new_type(L, env, SPT_STREAM_WRITER_META, methods);
    spt_add_methods(L, env, SPT_STREAM_WRITER_META, spt_reader_closing);
}
