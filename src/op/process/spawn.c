/* SPDX-License-Identifier: MIT */
/* spawn: starts a process, and waits until its program runs. If the task is cancelled before, the
 * process is ended as soon as it has started. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "op/env.h"
#include "op/fields.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/openers.h"
#include "op/process/openers.h"
#include "op/process/process.h"

/* The processes of a host: the second upvalue of l_spawn. */
struct processes {
    struct spt_resource resource; /* in the env's while there is a set, before its processes */
    struct spt_child_set *set;    /* NULL until a script asks for it, and once the host has ended */
};

/* What to start, with its lists. The strings are those of the table at SPEC. */
struct spec {
    struct spt_launch_plan plan;
    bool pipes[3];
    bool background; /* the process belongs to the host alone */
    uint64_t grace_ns;
    const char *texts[]; /* of argv and env */
};

enum { SPEC = 1, COMMAND, BLOCK, HANDLE }; /* the stack of l_spawn */

struct spawn_op {
    septet_op op;
    struct spt_env *env;
    struct processes *processes;
    const struct spec *spec;           /* kept alive by the stack */
    struct spt_process_handle *handle; /* likewise */
    int error;                         /* libuv's error number of what precedes the start */
};
_Static_assert(sizeof(struct spawn_op) <= SPT_SLOT_SIZE, "it needs no memory of Lua's to wait in");

/* --- the pipes --- */

/* Moves a descriptor above those that the child replaces. Returns it, or -1; closes the old one. */
static int move_up(int fd)
{
    if (fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd);
    errno = error;
    return moved;
}

static int open_pipe(struct spt_process *process, struct spt_env *env, int i, int *other)
{
    int rc = spt_stream_pipe(&process->streams[i], env->loop, i == STDIN_FILENO, other);
    if (rc == 0)
        *other = move_up(*other);
    return rc == 0 && *other < 0 ? uv_translate_sys_error(errno) : rc;
}

/* Opens the pipes that the plan has. Returns 0 or libuv's error number. */
static int open_pipes(const struct spawn_op *spawn, struct spt_process *process,
                      struct spt_launch_plan *plan)
{
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        if (spawn->spec->pipes[i])
            rc = open_pipe(process, spawn->env, i, &plan->fds[i]);
    for (int i = 0; i < 3 && rc != 0; i++)
        if (plan->fds[i] >= 0)
            close(plan->fds[i]);
    return rc;
}

/* --- the operation --- */

static void on_host_end(struct spt_resource *resource)
{
    struct processes *processes = SPT_OF(resource, struct processes, resource);
    spt_child_set_free(processes->set);
    processes->set = NULL;
}

static bool make_set(struct processes *processes, struct spt_env *env)
{
    if (processes->set)
        return true;
    processes->set = spt_child_set_new(env->loop);
    if (processes->set)
        spt_env_add(env, &processes->resource);
    return processes->set != NULL;
}

static void on_started(void *ud)
{
    septet_op_done(ud, SEPTET_OK);
}

static int spawn_start(septet_op *op)
{
    struct spawn_op *spawn = (struct spawn_op *)op;
    struct spt_launch_plan plan = spawn->spec->plan;
    struct spt_process *process = spt_process_new(spawn->handle);
    if (!process || !make_set(spawn->processes, spawn->env))
        return SEPTET_ENOMEM;
    spawn->error = open_pipes(spawn, process, &plan);
    if (spawn->error == 0)
        spawn->error = spt_child_start(&process->child, spawn->processes->set, &plan,
                                       spawn->spec->grace_ns, on_started, op);
    if (spawn->error != 0)
        septet_op_done(op, SEPTET_OK);
    return SEPTET_OK;
}

static void spawn_cancel(septet_op *op)
{
    spt_process_discard(((struct spawn_op *)op)->handle);
}

/* Returns the system's words for an error, as libuv has them if it does. */
static const char *words_for(int error, char *words, size_t size)
{
    if (error == ENOEXEC)
        return "no program that this system can run";
    return uv_strerror_r(uv_translate_sys_error(error), words, size);
}

/* Raises ProcessError for the system's number of an error of the program, or of the folder or the
 * file `blame`. */
static int raise_error(lua_State *L, const struct spawn_op *spawn, int error, const char *blame)
{
    const char *command = spawn->handle->command;
    char room[128];
    const char *words = words_for(error, room, sizeof room);
    if (!blame)
        spt_error_push(L, "ProcessError", "cannot run '%s': %s", command, words);
    else if (spawn->spec->plan.cwd && strcmp(blame, spawn->spec->plan.cwd) == 0)
        spt_error_push(L, "ProcessError", "cannot run '%s' in '%s': %s", command, blame, words);
    else
        spt_error_push(L, "ProcessError", "cannot run '%s' with output to '%s': %s", command, blame,
                       words);
    lua_pushstring(L, strerrorname_np(error));
    lua_setfield(L, -2, "reason");
    lua_pushstring(L, blame);
    lua_setfield(L, -2, "path");
    spt_process_discard(spawn->handle);
    return spt_process_raise(L, command, "spawn");
}

/* Returns the handle and the number of the process. */
static int spawn_push(septet_op *op, lua_State *L)
{
    struct spawn_op *spawn = (struct spawn_op *)op;
    struct spt_process *process = spawn->handle->process;
    if (op->status < 0)
        return raise_error(L, spawn, ENOMEM, NULL);
    if (spawn->error)
        return raise_error(L, spawn, -spawn->error, NULL);
    const struct spt_launch *launch = &process->child->launch;
    if (launch->error)
        return raise_error(L, spawn, launch->error, launch->blame);
    struct spt_scope *scope = spawn->env->sched->current->scope;
    spt_process_attach(L, process, spawn->env, spawn->spec->background ? NULL : scope);
    lua_pushvalue(L, HANDLE);
    lua_pushinteger(L, process->child->launch.pid);
    return 2;
}

static void spawn_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "start of '%s'", ((const struct spawn_op *)op)->handle->command);
}

static const septet_op_type spawn_type = {
    .name = "process",
    .size = sizeof(struct spawn_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = spawn_start,
    .cancel = spawn_cancel,
    .push = spawn_push,
    .describe = spawn_describe,
};

/* --- what to start --- */

static const char *check_text(lua_State *L, int index, const char *what)
{
    size_t len;
    const char *text = spt_check_string(L, index, &len);
    if (strlen(text) != len)
        spt_error_usage(L, "a NUL in %s", what);
    return text;
}

/* Returns the length of the list in a field, 0 for nil. */
static size_t length_of(lua_State *L, const char *field)
{
    size_t n = lua_getfield(L, SPEC, field) == LUA_TTABLE ? lua_rawlen(L, -1) : 0;
    lua_pop(L, 1);
    return n;
}

/* Reads the n strings of a list, which NULL ends. */
static void read_list(lua_State *L, const char *field, size_t n, const char *what,
                      const char **texts)
{
    lua_getfield(L, SPEC, field);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        texts[i] = check_text(L, lua_gettop(L), what);
        lua_pop(L, 1);
    }
    texts[n] = NULL;
    lua_pop(L, 1);
}

static const char *read_path(lua_State *L, const char *field, const char *what)
{
    const char *path =
        lua_getfield(L, SPEC, field) == LUA_TNIL ? NULL : check_text(L, lua_gettop(L), what);
    lua_pop(L, 1);
    return path;
}

/* Reads what a standard descriptor of the child is: "pipe", "inherit", "null", "stdout" or
 * "file". */
static void read_descriptor(lua_State *L, struct spec *spec, int i)
{
    static const char *const fields[] = {"stdin", "stdout", "stderr"};
    static const char *const files[] = {"stdin_file", "stdout_file", "stderr_file"};
    static const char *const names[] = {"null", "inherit", "file", "stdout", "pipe", NULL};
    static const int values[] = {SPT_LAUNCH_NULL, SPT_LAUNCH_INHERIT, SPT_LAUNCH_FILE,
                                 SPT_LAUNCH_STDOUT, SPT_LAUNCH_NULL};
    lua_getfield(L, SPEC, fields[i]);
    int name = luaL_checkoption(L, lua_gettop(L), "null", names);
    spec->plan.fds[i] = values[name];
    spec->pipes[i] = name == 4;
    lua_pop(L, 1);
    if (values[name] == SPT_LAUNCH_FILE)
        spec->plan.files[i] = read_path(L, files[i], "the path of the output");
}

/* Pushes what the table at SPEC says. */
static struct spec *push_spec(lua_State *L)
{
    size_t args = length_of(L, "argv"), changes = length_of(L, "env");
    if (args == 0)
        spt_error_usage(L, "no command to run");
    size_t texts = args + changes + 2;
    struct spec *spec = lua_newuserdatauv(L, sizeof *spec + texts * sizeof *spec->texts, 0);
    memset(spec, 0, sizeof *spec);
    spec->plan.argv = spec->texts;
    spec->plan.env = spec->texts + args + 1;
    read_list(L, "argv", args, "an argument of the command", spec->texts);
    read_list(L, "env", changes, "the environment", spec->texts + args + 1);
    spec->plan.cwd = read_path(L, "cwd", "the path of the folder");
    spec->plan.clears_env = spt_fields_flag(L, "clear_env");
    spec->plan.group = spt_fields_flag(L, "group");
    spec->background = spt_fields_flag(L, "background");
    spec->grace_ns = spt_fields_seconds(L, "grace");
    for (int i = 0; i < 3; i++)
        read_descriptor(L, spec, i);
    return spec;
}

/* Pushes the program as the embedder is asked about it: a path that is not absolute is one of the
 * folder in which the program starts. */
static const char *push_program(lua_State *L, const struct spt_launch_plan *plan)
{
    const char *program = plan->argv[0];
    if (!plan->cwd || program[0] == '/' || !strchr(program, '/'))
        return lua_pushstring(L, program);
    return lua_pushfstring(L, "%s/%s", plan->cwd, program);
}

/* Raises IoError with the code "denied" unless the embedder lets scripts do all of it. */
static void check_permits(lua_State *L, struct spt_env *env, const struct spec *spec)
{
    const char *command = push_program(L, &spec->plan);
    if (!env->config || !env->config->processes) {
        spt_error_push(L, "IoError", "cannot run '%s': the host runs no processes", command);
        spt_io_error_raise_code(L, command, "denied");
    }
    spt_gate_check(L, env, SEPTET_PERMIT_RUN, "run", command);
    if (spec->plan.fds[STDIN_FILENO] == SPT_LAUNCH_INHERIT)
        spt_gate_check(L, env, SEPTET_PERMIT_READ, "open", SPT_GATE_STDIN);
    for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
        if (spec->plan.files[i])
            spt_gate_check(L, env, SEPTET_PERMIT_WRITE, "open", spec->plan.files[i]);
    lua_pop(L, 1);
}

static struct spt_process_handle *push_handle(lua_State *L)
{
    struct spt_process_handle *handle = lua_newuserdatauv(L, sizeof *handle, 1);
    *handle = (struct spt_process_handle){.command = lua_tostring(L, COMMAND)};
    lua_pushvalue(L, COMMAND);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SPT_PROCESS_META);
    return handle;
}

/* process_spawn(spec): starts a process and returns its handle and its number. Raises ProcessError,
 * or IoError with the code "denied". */
static int l_spawn(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    luaL_checktype(L, SPEC, LUA_TTABLE);
    lua_settop(L, SPEC);
    luaL_checkstack(L, 16, NULL);
    if (!env->loop || spt_loop_is_lost(env->loop))
        return spt_error_usage(L, "the host is closed");
    lua_getfield(L, SPEC, "command");
    check_text(L, COMMAND, "the command");
    const struct spec *spec = push_spec(L);
    check_permits(L, env, spec);
    struct spt_process_handle *handle = push_handle(L);
    struct spawn_op *spawn = (struct spawn_op *)spt_op_new(L, env->sched, &spawn_type);
    spawn->env = env;
    spawn->processes = lua_touserdata(L, lua_upvalueindex(2));
    spawn->spec = spec;
    spawn->handle = handle;
    return septet_op_await(L, &spawn->op);
}

void spt_open_process(lua_State *L, struct spt_env *env)
{
    struct processes *processes;
    spt_open_process_handle(L, env);
    spt_open_process_finish(L, env);
    spt_open_process_collect(L, env);
    lua_pushlightuserdata(L, env);
    processes = lua_newuserdatauv(L, sizeof *processes, 0);
    *processes = (struct processes){.resource.release = on_host_end};
    spt_link_init(&processes->resource.link);
    lua_pushcclosure(L, l_spawn, 2);
    lua_setfield(L, -2, "process_spawn");
}
