/* SPDX-License-Identifier: MIT */
/* handle: the methods of a process that a script has started: to wait for its end, to send it
 * signals, to end it, and to have the ends of its pipes. */
#include <lauxlib.h>
#include <limits.h>
#include <signal.h>
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
#include "op/process/openers.h"
#include "op/process/process.h"
#include "op/stream_handle.h"

/* --- waiting --- */

struct wait_op {
    septet_op op;
    const struct spt_process_handle *handle; /* kept alive by the stack */
    struct spt_child_watch watch;
};
_Static_assert(sizeof(struct wait_op) <= SPT_SLOT_SIZE, "it needs no memory of Lua's to wait in");

static void on_end(struct spt_child_watch *watch)
{
    septet_op_done(&SPT_OF(watch, struct wait_op, watch)->op, SEPTET_OK);
}

static int wait_start(septet_op *op)
{
    struct wait_op *wait = (struct wait_op *)op;
    struct spt_child *child = wait->handle->process->child;
    wait->watch.fire = on_end;
    spt_link_init(&wait->watch.link);
    if (child->state == SPT_CHILD_ENDED)
        septet_op_done(op, SEPTET_OK);
    else
        spt_child_add_watch(child, &wait->watch);
    return SEPTET_OK;
}

static void wait_cancel(septet_op *op)
{
    spt_link_remove(&((struct wait_op *)op)->watch.link);
}

static int wait_push(septet_op *op, lua_State *L)
{
    return spt_process_push_end(L, ((const struct wait_op *)op)->handle);
}

static void wait_describe(const septet_op *op, char *text, size_t size)
{
    const struct wait_op *wait = (const struct wait_op *)op;
    snprintf(text, size, "process %d '%s'", (int)wait->handle->process->child->launch.pid,
             wait->handle->command);
}

static const septet_op_type wait_type = {
    .name = "wait",
    .size = sizeof(struct wait_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = wait_start,
    .cancel = wait_cancel,
    .push = wait_push,
    .describe = wait_describe,
};

/* handle:wait(): waits for the end of the process. Returns its exit code, or nil and the name of
 * the signal that ended it. */
static int l_wait(lua_State *L)
{
    spt_check_most(L, 1);
    spt_process_check_open(L);
    struct wait_op *wait = (struct wait_op *)spt_op_new(L, spt_env(L)->sched, &wait_type);
    wait->handle = spt_process_check(L);
    return septet_op_await(L, &wait->op);
}

/* --- signals --- */

static int number_of(const char *name)
{
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *abbreviation = sigabbrev_np(i);
        if (abbreviation && strcmp(abbreviation, name) == 0)
            return i;
    }
    return 0;
}

/* Returns the signal at `arg`, a name or a number. */
static int check_signal(lua_State *L, int arg)
{
    if (lua_type(L, arg) == LUA_TNUMBER) {
        lua_Integer number = spt_check_count(L, arg, 1);
        if (number >= NSIG)
            spt_error_usage(L, "no signal has the number %I", (LUAI_UACINT)number);
        return (int)number;
    }
    const char *name = spt_check_string(L, arg, NULL);
    int number = number_of(name);
    if (number == 0)
        spt_error_usage(L, "no signal has the name '%s'", name);
    return number;
}

/* handle:kill(signal): sends a signal to the process, or to its group. Returns false if it has
 * ended. */
static int l_kill(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_process *process = spt_process_check_open(L);
    int rc = spt_child_kill(process->child, check_signal(L, 2));
    const char *command = spt_process_check(L)->command;
    if (rc != 0 && rc != UV_ESRCH) {
        char words[128];
        uv_strerror_r(rc, words, sizeof words);
        spt_error_push(L, "ProcessError", "cannot send a signal to '%s': %s", command, words);
        return spt_process_raise(L, command, "kill");
    }
    lua_pushboolean(L, rc == 0);
    return 1;
}

/* --- pipes --- */

/* handle:stream(fd, max_line): returns a writer of the pipe that is the process's standard input,
 * or a reader of its output, once. Returns nil if it has none, and while the process is
 * ended. */
static int l_stream(lua_State *L)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    struct spt_process *process = spt_process_check_open(L);
    lua_Unsigned fd = (lua_Unsigned)luaL_checkinteger(L, 2);
    lua_Integer max_line = spt_check_count(L, 3, 1);
    if (fd > 2)
        return luaL_argerror(L, 2, "no standard descriptor");
    if (!process->streams[fd] || spt_incoming_waits(&process->streams[fd]->in))
        return 0; /* while the process is ended, its output is dropped */
    struct spt_stream_kind kind = {.meta = fd == 0 ? SPT_STREAM_WRITER_META : SPT_READER_META,
                                   .noun = fd == 0 ? "writer" : "reader",
                                   .field = "path",
                                   .max_line = (size_t)max_line,
                                   .timeout_ns = SPT_NEVER};
    lua_pushfstring(L, "%s of %s", names[fd], spt_process_check(L)->command);
    struct spt_stream_handle *handle = spt_stream_handle_push(L, sizeof *handle, -1, &kind);
    spt_stream_handle_attach(handle, spt_env(L), process->streams[fd]);
    process->streams[fd] = NULL;
    return 1;
}

static int l_gc(lua_State *L)
{
    spt_process_drop(lua_touserdata(L, 1));
    return 0;
}

static const luaL_Reg methods[] = {
    {"wait", l_wait}, {"kill", l_kill}, {"stream", l_stream}, {"__gc", l_gc}, {NULL, NULL}};

void spt_open_process_handle(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_PROCESS_META, methods);
}
