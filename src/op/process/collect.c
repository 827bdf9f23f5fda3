/* SPDX-License-Identifier: MIT */
/* collect: writes the standard input of a process, reads its output, and waits for its end. A
 * program that the process has left behind may hold the pipes: then what it writes is read for a
 * moment after the end of the process, and no longer. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "base/time.h"
#include "core/check.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "loop/stream.h"
#include "op/env.h"
#include "op/process/openers.h"
#include "op/process/process.h"

#define HELD_NS     (500 * SPT_NS_PER_MS) /* how long output is read after the end */
#define AT_ONCE_MAX ((size_t)1024 * 1024) /* bytes that are written in one turn of the loop */

/* Why it ended. */
enum { DONE, TIMED_OUT, TOO_MUCH };

enum { SELF = 1, INPUT, MAX_OUTPUT, TIMEOUT }; /* the stack of l_collect */

struct collect_op {
    septet_op op;
    struct spt_process_handle *handle; /* kept alive by the stack */
    const char *input;                 /* what is left to write; kept alive by the stack */
    size_t input_len;
    size_t max_output; /* of each stream, in bytes */
    uint64_t timeout_ns;
    struct spt_timer timeout;
    struct spt_timer held;
    struct spt_child_watch watch;
    int why;
    bool done;
    bool incomplete; /* an output had not ended */
};

static struct spt_process *process_of(const struct collect_op *collect)
{
    return collect->handle->process;
}

/* --- ending --- */

static void disarm(struct collect_op *collect)
{
    struct spt_process *process = process_of(collect);
    struct spt_timers *timers = &spt_op_sched(&collect->op)->tree.timers;
    spt_timer_stop(timers, &collect->timeout);
    spt_timer_stop(timers, &collect->held);
    spt_link_remove(&collect->watch.link);
    if (!process)
        return;
    if (process->streams[0])
        spt_stream_forget_flush(process->streams[0]);
    for (int i = 1; i <= 2; i++)
        if (process->streams[i])
            spt_incoming_forget(&process->streams[i]->in);
}

static void finish(struct collect_op *collect, int why)
{
    if (collect->done)
        return;
    collect->done = true;
    collect->why = why;
    disarm(collect);
    septet_op_done(&collect->op, SEPTET_OK);
}

/* --- output --- */

static bool is_over(const struct spt_stream *stream)
{
    return !stream || stream->in.ended || stream->in.error;
}

static bool is_all_over(const struct spt_process *process)
{
    return is_over(process->streams[1]) && is_over(process->streams[2]);
}

static void on_more(void *ud);

/* Waits for more of an output, unless it is over. Returns false if it is too much. */
static bool read_more(struct collect_op *collect, struct spt_stream *stream)
{
    if (stream && spt_incoming_len(&stream->in) > collect->max_output)
        return false;
    if (!is_over(stream) && !spt_incoming_waits(&stream->in))
        spt_incoming_wait(&stream->in, on_more, collect);
    return true;
}

static void go_on(struct collect_op *collect)
{
    struct spt_process *process = process_of(collect);
    for (int i = 1; i <= 2 && !collect->done; i++)
        if (!read_more(collect, process->streams[i]))
            finish(collect, TOO_MUCH);
    if (process->child->state == SPT_CHILD_ENDED && is_all_over(process))
        finish(collect, DONE);
}

static void on_more(void *ud)
{
    go_on(ud);
}

/* --- input --- */

static void write_more(void *ud)
{
    struct collect_op *collect = ud;
    struct spt_stream *stream = process_of(collect)->streams[0];
    int rc = 0;
    for (size_t at_once = 0; collect->input_len > 0 && rc == 0;) {
        if (!spt_stream_is_flushed(stream))
            break;
        size_t n = collect->input_len < SPT_STREAM_PIECE ? collect->input_len : SPT_STREAM_PIECE;
        rc = at_once < AT_ONCE_MAX ? spt_stream_write(stream, collect->input, n)
                                   : spt_stream_write_later(stream, collect->input, n);
        at_once += n;
        collect->input += n;
        collect->input_len -= n;
    }
    if (rc == 0 && !spt_stream_is_flushed(stream))
        rc = spt_stream_on_flushed(stream, write_more, collect);
    else if (rc == 0)
        rc = UV_EOF; /* all is written, or the process reads no more */
    if (rc == 0)
        return;
    process_of(collect)->streams[0] = NULL;
    spt_stream_free(stream);
}

/* --- timers and the end of the process --- */

static void on_timeout(struct spt_timer *timer)
{
    finish(SPT_OF(timer, struct collect_op, timeout), TIMED_OUT);
}

/* Reads what is there, for the case that the loop came to no read meanwhile. */
static void read_rest(const struct collect_op *collect, struct spt_stream *stream)
{
    while (!is_over(stream) && spt_incoming_len(&stream->in) <= collect->max_output)
        if (!spt_stream_try(stream))
            return;
}

static void on_held(struct spt_timer *timer)
{
    struct collect_op *collect = SPT_OF(timer, struct collect_op, held);
    const struct spt_process *process = process_of(collect);
    for (int i = 1; i <= 2; i++)
        read_rest(collect, process->streams[i]);
    go_on(collect);
    if (collect->done)
        return;
    collect->incomplete = true;
    finish(collect, DONE);
}

static void begin_hold(struct collect_op *collect)
{
    struct spt_sched *s = spt_op_sched(&collect->op);
    uint64_t due = spt_timer_instant(spt_sched_clock(s), HELD_NS);
    spt_timer_start(&s->tree.timers, &collect->held, due, on_held);
}

static void on_end(struct spt_child_watch *watch)
{
    struct collect_op *collect = SPT_OF(watch, struct collect_op, watch);
    begin_hold(collect);
    go_on(collect);
}

/* --- the operation --- */

static int collect_start(septet_op *op)
{
    struct collect_op *collect = (struct collect_op *)op;
    struct spt_process *process = process_of(collect);
    struct spt_sched *s = spt_op_sched(op);
    collect->watch.fire = on_end;
    spt_link_init(&collect->watch.link);
    if (collect->timeout_ns != SPT_NEVER)
        spt_timer_start(&s->tree.timers, &collect->timeout,
                        spt_timer_instant(spt_sched_clock(s), collect->timeout_ns), on_timeout);
    if (process->child->state == SPT_CHILD_ENDED)
        begin_hold(collect);
    else
        spt_child_add_watch(process->child, &collect->watch);
    if (collect->input && process->streams[0])
        write_more(collect);
    go_on(collect);
    return SEPTET_OK;
}

static void collect_cancel(septet_op *op)
{
    disarm((struct collect_op *)op);
}

static void push_output(lua_State *L, const struct collect_op *collect, int i)
{
    const struct spt_stream *stream = process_of(collect)->streams[i];
    if (!stream) {
        lua_pushnil(L);
        return;
    }
    size_t len = spt_incoming_len(&stream->in);
    lua_pushlstring(L, spt_incoming_bytes(&stream->in),
                    len < collect->max_output ? len : collect->max_output);
}

/* Returns why it ended ("timeout", "max_output", nil), both outputs, whether one had not ended, and
 * the exit code and the signal of a process that has ended. */
static int collect_push(septet_op *op, lua_State *L)
{
    static const char *const words[] = {NULL, "timeout", "max_output"};
    const struct collect_op *collect = (const struct collect_op *)op;
    struct spt_process *process = process_of(collect);
    if (op->status < 0 || !process || !process->child)
        return luaL_error(L, "the host of the process has ended");
    lua_pushstring(L, words[collect->why]);
    push_output(L, collect, 1);
    push_output(L, collect, 2);
    lua_pushboolean(L, collect->incomplete);
    spt_process_close_streams(process);
    return process->child->state == SPT_CHILD_ENDED ? 4 + spt_process_push_end(L, collect->handle)
                                                    : 4;
}

static void collect_describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_process_handle *handle = ((const struct collect_op *)op)->handle;
    snprintf(text, size, "process %d '%s'", (int)handle->process->child->launch.pid,
             handle->command);
}

static const septet_op_type collect_type = {
    .name = "process",
    .size = sizeof(struct collect_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = collect_start,
    .cancel = collect_cancel,
    .push = collect_push,
    .describe = collect_describe,
};

/* handle:collect(input, max_output, seconds): writes `input`, unless it is nil, closes the standard
 * input, and waits for the end of the process and of its output, at most for `seconds`. */
static int l_collect(lua_State *L)
{
    size_t len = 0;
    spt_process_check_open(L);
    const char *input = lua_isnil(L, INPUT) ? NULL : spt_check_string(L, INPUT, &len);
    lua_Integer max_output = spt_check_count(L, MAX_OUTPUT, 0);
    uint64_t timeout_ns = spt_check_opt_seconds(L, TIMEOUT, SPT_NEVER);
    lua_settop(L, TIMEOUT);
    luaL_checkstack(L, 16, NULL);
    struct collect_op *collect =
        (struct collect_op *)spt_op_new(L, spt_env(L)->sched, &collect_type);
    collect->handle = spt_process_check(L);
    collect->input = input;
    collect->input_len = len;
    collect->max_output = (size_t)max_output;
    collect->timeout_ns = timeout_ns;
    return septet_op_await(L, &collect->op);
}

static const luaL_Reg methods[] = {{"collect", l_collect}, {NULL, NULL}};

void spt_open_process_collect(lua_State *L, struct spt_env *env)
{
    spt_add_methods(L, env, SPT_PROCESS_META, methods);
}
