/* SPDX-License-Identifier: MIT */
/* io_open: opens readers of files and of standard input. */
#include "op/reader.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "loop/input.h"
#include "op/census.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/openers.h"

/* Standard input, which all readers of it share: the second upvalue of l_stdin. */
struct standard_input {
    struct spt_resource resource; /* in the env's while it is open, before its readers */
    struct spt_input *input;      /* NULL until a script asks for it, and once the host has ended */
};

struct open_op {
    septet_op op;
    struct spt_env *env;
    struct spt_reader *reader; /* kept alive by the handle at index READER */
};

/* Pushes a reader, named by the string at index `path`. */
static struct spt_reader *push_reader(lua_State *L, int path, size_t max_line)
{
    struct spt_reader *reader = lua_newuserdatauv(L, sizeof *reader, 1);
    spt_reader_init(reader, lua_tostring(L, path), max_line);
    lua_pushvalue(L, path);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SPT_READER_META);
    return reader;
}

static void on_opened(void *ud)
{
    septet_op_done(ud, SEPTET_OK);
}

static int open_start(septet_op *op)
{
    struct open_op *open = (struct open_op *)op;
    struct spt_reader *reader = open->reader;
    struct spt_input *input;
    int rc = spt_input_open(&input, open->env->loop, reader->path, on_opened, op);
    if (rc == SEPTET_OK)
        spt_reader_attach(reader, open->env, &input->in);
    return rc;
}

static void open_cancel(septet_op *op)
{
    spt_reader_detach(((struct open_op *)op)->reader);
}

enum { PATH = 1, MAX_LINE, READER }; /* the stack of l_open */

static int open_push(septet_op *op, lua_State *L)
{
    static const struct spt_census_kind kind = {"a reader", NULL};
    struct spt_reader *reader = ((struct open_op *)op)->reader;
    int error = op->status < 0 ? UV_ENOMEM : reader->input->error;
    if (error) {
        spt_reader_detach(reader);
        return spt_io_error_raise(L, "open", reader->path, error, NULL);
    }
    spt_census_note(L, ((struct open_op *)op)->env, &reader->resource, &kind);
    lua_pushvalue(L, READER);
    return 1;
}

static void open_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", ((const struct open_op *)op)->reader->path);
}

static const septet_op_type open_type = {
    .name = "open",
    .size = sizeof(struct open_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = open_start,
    .cancel = open_cancel,
    .push = open_push,
    .describe = open_describe,
};

/* io_open(path, max_line): opens a file and returns a reader, or raises IoError. `max_line` is in
 * bytes. */
static int l_open(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_env *env = spt_env(L);
    size_t len;
    const char *path = spt_check_string(L, PATH, &len);
    size_t max_line = (size_t)spt_check_count(L, MAX_LINE, 1);
    lua_settop(L, MAX_LINE);
    if (strlen(path) != len)
        return spt_error_usage(L, "a NUL in the path");
    spt_gate_check(L, env, SEPTET_PERMIT_READ, "open", path);
    struct spt_reader *reader = push_reader(L, PATH, max_line);
    reader->owns = true;
    struct open_op *open = (struct open_op *)spt_op_new(L, env->sched, &open_type);
    open->env = env;
    open->reader = reader;
    return septet_op_await(L, &open->op);
}

/* Opens standard input. Returns 0 or libuv's error number. */
static int open_stdin(struct spt_env *env, struct standard_input *standard)
{
    struct spt_input *input;
    if (spt_input_stdin(&input, env->loop) != SEPTET_OK)
        return UV_ENOMEM;
    int error = input->in.error;
    if (error)
        spt_incoming_free(&input->in);
    else {
        standard->input = input;
        spt_env_add(env, &standard->resource);
    }
    return error;
}

static void release_stdin(struct spt_resource *resource)
{
    struct standard_input *standard = SPT_OF(resource, struct standard_input, resource);
    spt_incoming_free(&standard->input->in);
    standard->input = NULL;
}

/* io_stdin(max_line): returns a reader of standard input. All such readers share the bytes that
 * were read and not handed out. Raises IoError. */
static int l_stdin(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_env *env = spt_env(L);
    struct standard_input *standard = lua_touserdata(L, lua_upvalueindex(2));
    size_t max_line = (size_t)spt_check_count(L, 1, 1);
    lua_pushliteral(L, "stdin");
    struct spt_reader *reader = push_reader(L, lua_gettop(L), max_line);
    if (!env->loop)
        return spt_error_usage(L, "the host is closed");
    spt_gate_check(L, env, SEPTET_PERMIT_READ, "open", SPT_GATE_STDIN);
    int error = standard->input ? 0 : open_stdin(env, standard);
    if (error)
        return spt_io_error_raise(L, "open", reader->path, error, NULL);
    spt_reader_attach(reader, env, &standard->input->in);
    return 1;
}

static const luaL_Reg functions[] = {{"io_open", l_open}, {NULL, NULL}};

void spt_open_io_open(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
    spt_open_io_rest(L, env);
    lua_pushlightuserdata(L, env);
    struct standard_input *standard = lua_newuserdatauv(L, sizeof *standard, 0);
    *standard = (struct standard_input){.resource.release = release_stdin};
    spt_link_init(&standard->resource.link);
    lua_pushcclosure(L, l_stdin, 2);
    lua_setfield(L, -2, "io_stdin");
}
