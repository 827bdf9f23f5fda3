/* SPDX-License-Identifier: MIT */
/* io: reads lines or bytes from a file or standard input. Bytes are removed from the input only
 * once the string that holds them is made, so that neither a cancellation nor an error loses
 * any. */
#include "op/io.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "loop/input.h"
#include "op/env.h"
#include "op/io_error.h"
#include "op/openers.h"

struct read_op {
    septet_op op;
    struct spt_reader *reader; /* kept alive by the handle at index 1 */
    size_t n;                  /* maximum bytes; 0 for a line */
};

/* --- readers --- */

/* Returns the reader that waits for the input, or that has yet to take what it waited for; NULL if
 * none. */
static const struct spt_reader *user_of(const struct spt_input *input)
{
    const struct read_op *read = input->waiter;
    return read ? read->reader : NULL;
}

void spt_io_detach(struct spt_reader *reader)
{
    struct spt_input *input = reader->input;
    reader->closed = true;
    if (!input)
        return;
    reader->input = NULL;
    spt_link_remove(&reader->resource.link);
    if (reader->owns)
        spt_input_free(input);
    else if (user_of(input) == reader)
        input->waiter = NULL;
}

/* --- reading --- */

static bool is_too_long(const struct spt_reader *reader)
{
    return spt_input_newline(reader->input) > reader->max_line;
}

/* Returns true if the read can return bytes, the end or an error. */
static bool is_enough(const struct read_op *read)
{
    struct spt_input *input = read->reader->input;
    size_t len = spt_input_len(input);
    if (input->error || input->ended)
        return true;
    if (read->n)
        return len > 0;
    return spt_input_newline(input) < len || is_too_long(read->reader);
}

static void on_more(void *ud)
{
    struct read_op *read = ud;
    if (is_enough(read) || !spt_input_wait(read->reader->input, on_more, read))
        septet_op_done(&read->op, SEPTET_OK);
}

static int read_start(septet_op *op)
{
    struct read_op *read = (struct read_op *)op;
    struct spt_input *input = read->reader->input;
    input->waiter = read;
    if (!is_enough(read))
        spt_input_try(input);
    on_more(read);
    return SEPTET_OK;
}

static void read_cancel(septet_op *op)
{
    struct spt_input *input = ((struct read_op *)op)->reader->input;
    if (!input)
        return;
    spt_input_forget(input);
    input->waiter = NULL;
}

static int hand_out(lua_State *L, struct spt_input *input, size_t len, size_t taken)
{
    lua_pushlstring(L, spt_input_bytes(input), len);
    spt_input_take(input, taken);
    return 1;
}

static int raise_pending(lua_State *L, const struct spt_reader *reader)
{
    int error = reader->input->error;
    reader->input->error = 0; /* the next read tries again */
    return spt_io_error_raise(L, "read", reader->path, error, NULL);
}

static int push_bytes(lua_State *L, const struct spt_reader *reader, size_t n)
{
    struct spt_input *input = reader->input;
    size_t len = spt_input_len(input);
    if (len > 0)
        return hand_out(L, input, n < len ? n : len, n < len ? n : len);
    if (input->error)
        return raise_pending(L, reader);
    lua_pushnil(L);
    return 1;
}

static int push_line(lua_State *L, const struct spt_reader *reader)
{
    struct spt_input *input = reader->input;
    size_t len = spt_input_len(input), end = spt_input_newline(input);
    if (is_too_long(reader)) {
        spt_error_push(L, "IoError", "a line of '%s' is longer than %I bytes", reader->path,
                       (LUAI_UACINT)reader->max_line);
        return spt_io_error_raise_code(L, reader->path, "line_too_long");
    }
    if (end < len)
        return hand_out(L, input, end, end + 1);
    if (input->error)
        return raise_pending(L, reader);
    if (len > 0)
        return hand_out(L, input, len, len);
    lua_pushnil(L);
    return 1;
}

/* Hands out the bytes that the read waited for, also if the reader was closed after the wait
 * ended. */
static int read_push(septet_op *op, lua_State *L)
{
    const struct read_op *read = (const struct read_op *)op;
    struct spt_reader *reader = read->reader;
    if (op->status == SEPTET_ECLOSED || !reader->input) {
        spt_io_detach(reader);
        spt_error_push(L, "IoError", "the reader of '%s' was closed", reader->path);
        return spt_io_error_raise_code(L, reader->path, "closed");
    }
    reader->input->waiter = NULL;
    int n = read->n ? push_bytes(L, reader, read->n) : push_line(L, reader);
    if (reader->closed)
        spt_io_detach(reader);
    return n;
}

static void read_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", ((const struct read_op *)op)->reader->path);
}

static const septet_op_type read_type = {
    .name = "read",
    .size = sizeof(struct read_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = read_start,
    .cancel = read_cancel,
    .push = read_push,
    .describe = read_describe,
};

static struct spt_reader *check_open(lua_State *L)
{
    struct spt_reader *reader = spt_check_self(L, "reader");
    if (reader->closed)
        spt_error_usage(L, "the reader is closed");
    return reader;
}

static int await_read(lua_State *L, struct spt_reader *reader, size_t n)
{
    if (reader->input->waiter)
        return spt_error_usage(L, "another task reads from '%s'", reader->path);
    struct read_op *read = (struct read_op *)spt_op_new(L, spt_env(L)->sched, &read_type);
    read->reader = reader;
    read->n = n;
    return septet_op_await(L, &read->op);
}

/* reader:read_line(): returns the next line without its newline, or nil at the end. */
static int l_read_line(lua_State *L)
{
    spt_check_most(L, 1);
    return await_read(L, check_open(L), 0);
}

/* reader:read(n): returns up to n bytes, as soon as there are any, or nil at the end. */
static int l_read(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_reader *reader = check_open(L);
    return await_read(L, reader, (size_t)spt_check_count(L, 2, 1));
}

/* The iterator of lines(). Like read_line(), but drops the previous line, which a loop passes. */
static int l_next_line(lua_State *L)
{
    lua_settop(L, 1);
    return l_read_line(L);
}

/* reader:lines(): returns an iterator for a loop, and the reader as the loop's state. */
static int l_lines(lua_State *L)
{
    spt_check_most(L, 1);
    check_open(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushcclosure(L, l_next_line, 2);
    lua_pushvalue(L, 1);
    return 2;
}

/* reader:close(): closes the reader. A waiting task raises IoError, with the code "closed". */
static int l_close(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_reader *reader = spt_check_self(L, "reader");
    struct spt_input *input = reader->input;
    if (reader->closed)
        return 0;
    reader->closed = true;
    if (!input || user_of(input) != reader) {
        spt_io_detach(reader);
    } else if (spt_input_waits(input)) {
        struct read_op *read = input->waiter;
        spt_input_forget(input);
        septet_op_done(&read->op, SEPTET_ECLOSED);
    }
    return 0;
}

/* Closes the reader at the end of a `<close>` variable. Lua passes the error as well. */
static int l_leave(lua_State *L)
{
    lua_settop(L, 1);
    return l_close(L);
}

static int l_gc(lua_State *L)
{
    l_leave(L);
    spt_io_detach(lua_touserdata(L, 1));
    return 0;
}

static const luaL_Reg methods[] = {
    {"read_line", l_read_line}, {"read", l_read}, {"lines", l_lines}, {"close", l_close},
    {"__close", l_leave},       {"__gc", l_gc},   {NULL, NULL}};

void spt_open_io(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_READER_META, methods);
}
