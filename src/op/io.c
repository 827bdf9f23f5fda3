/* SPDX-License-Identifier: MIT */
/* io: reads lines or bytes from a file, standard input or a stream. Bytes are removed from the
 * input only once the string that holds them is made, so that neither a cancellation nor an error
 * loses any. */
#include "op/reader.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "base/time.h"
#include "core/account.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "loop/incoming.h"
#include "op/env.h"
#include "op/io_error.h"
#include "op/openers.h"

#define READ_ALL_MAX ((lua_Integer)64 * 1024 * 1024) /* bytes, unless the script says otherwise */

enum { TIMED_OUT = 1 }; /* status of an operation */

enum reading { LINE, BYTES, EXACTLY, ALL };

struct read_op {
    septet_op op;
    struct spt_reader *reader; /* kept alive by the handle at index 1 */
    size_t n;                  /* bytes: those wanted, or the maximum */
    enum reading reading;
};

/* --- reading --- */

static bool is_too_long(const struct spt_reader *reader, size_t max)
{
    return spt_incoming_newline(reader->input) > max;
}

/* Returns true if the read can return bytes, the end or an error. */
static bool is_enough(const struct read_op *read)
{
    struct spt_incoming *input = read->reader->input;
    size_t len = spt_incoming_len(input);
    if (read->reading == EXACTLY)
        return len >= read->n || input->error || input->ended;
    if (input->error || input->ended)
        return true;
    if (read->reading == LINE)
        return spt_incoming_newline(input) < len || is_too_long(read->reader, read->n);
    return read->reading == BYTES ? len > 0 : len > read->n;
}

static void end(struct read_op *read, int status)
{
    if (spt_timer_is_armed(&read->reader->timer))
        spt_timer_stop(&spt_op_sched(&read->op)->tree.timers, &read->reader->timer);
    septet_op_done(&read->op, status);
}

static void on_more(void *ud)
{
    struct read_op *read = ud;
    if (is_enough(read) || !spt_incoming_wait(read->reader->input, on_more, read))
        end(read, SEPTET_OK);
}

static void on_due(struct spt_timer *timer)
{
    struct spt_reader *reader = SPT_OF(timer, struct spt_reader, timer);
    spt_incoming_forget(reader->input);
    end(reader->reading, TIMED_OUT);
}

static void abort_read(struct spt_reader *reader)
{
    spt_incoming_forget(reader->input);
    end(reader->reading, SEPTET_ECLOSED);
}

static void start_timer(struct read_op *read)
{
    struct spt_sched *s = spt_op_sched(&read->op);
    struct spt_reader *reader = read->reader;
    uint64_t due = spt_timer_instant(spt_sched_clock(s), reader->timeout_ns);
    spt_timer_start(&s->tree.timers, &reader->timer, due, on_due);
}

static int read_start(septet_op *op)
{
    struct read_op *read = (struct read_op *)op;
    struct spt_incoming *input = read->reader->input;
    input->waiter = read->reader;
    read->reader->reading = read;
    read->reader->abort = abort_read;
    if (!is_enough(read))
        spt_incoming_try(input);
    on_more(read);
    if (spt_incoming_waits(input) && read->reader->timeout_ns != SPT_NEVER)
        start_timer(read);
    return SEPTET_OK;
}

static void read_cancel(septet_op *op)
{
    struct spt_reader *reader = ((struct read_op *)op)->reader;
    spt_timer_stop(&spt_op_sched(op)->tree.timers, &reader->timer);
    if (!reader->input)
        return;
    spt_incoming_forget(reader->input);
    reader->input->waiter = NULL;
}

/* --- results --- */

static int raise_pending(lua_State *L, const struct spt_reader *reader)
{
    const struct spt_io_place place = {
        .operation = "read", .name = reader->path, .field = reader->field};
    int error = reader->input->error;
    reader->input->error = 0; /* the next read tries again */
    return spt_io_error_raise_number(L, &place, error, NULL);
}

/* Pushes bytes, and takes some. If there is no memory, they stay. A finalizer that runs meanwhile
 * may close the reader or read from it. */
static int hand_out(lua_State *L, const struct spt_reader *reader, size_t len, size_t taken)
{
    struct spt_incoming *input = reader->input;
    lua_pushlstring(L, spt_incoming_bytes(input), len);
    if (reader->input == input && spt_incoming_len(input) >= taken)
        spt_incoming_take(input, taken);
    return 1;
}

static int push_bytes(lua_State *L, const struct spt_reader *reader, size_t n)
{
    struct spt_incoming *input = reader->input;
    size_t len = spt_incoming_len(input);
    if (len > 0)
        return hand_out(L, reader, n < len ? n : len, n < len ? n : len);
    if (input->error)
        return raise_pending(L, reader);
    lua_pushnil(L);
    return 1;
}

static int push_line(lua_State *L, const struct spt_reader *reader, size_t max)
{
    struct spt_incoming *input = reader->input;
    size_t len = spt_incoming_len(input), end = spt_incoming_newline(input);
    if (is_too_long(reader, max)) {
        spt_error_push(L, "IoError", "a line of '%s' is longer than %I bytes", reader->path,
                       (LUAI_UACINT)max);
        return spt_reader_raise(L, reader, "read", "line_too_long");
    }
    if (end < len)
        return hand_out(L, reader, end, end + 1);
    if (input->error)
        return raise_pending(L, reader);
    if (len > 0)
        return hand_out(L, reader, len, len);
    lua_pushnil(L);
    return 1;
}

/* Pushes n bytes, or nil if the end came before the first of them. */
static int push_exactly(lua_State *L, const struct spt_reader *reader, size_t n)
{
    struct spt_incoming *input = reader->input;
    size_t len = spt_incoming_len(input);
    if (len >= n)
        return hand_out(L, reader, n, n);
    if (input->error)
        return raise_pending(L, reader);
    if (len > 0) {
        spt_error_push(L, "IoError", "'%s' ended after %I of %I bytes", reader->path,
                       (LUAI_UACINT)len, (LUAI_UACINT)n);
        return spt_reader_raise(L, reader, "read", "ended");
    }
    lua_pushnil(L);
    return 1;
}

static int push_all(lua_State *L, const struct spt_reader *reader, size_t max)
{
    struct spt_incoming *input = reader->input;
    size_t len = spt_incoming_len(input);
    if (input->error)
        return raise_pending(L, reader);
    if (len > max) {
        spt_error_push(L, "IoError", "'%s' has more than %I bytes", reader->path, (LUAI_UACINT)max);
        return spt_reader_raise(L, reader, "read", "too_big");
    }
    return hand_out(L, reader, len, len);
}

static int push_result(lua_State *L, const struct read_op *read)
{
    switch (read->reading) {
    case LINE:
        return push_line(L, read->reader, read->n);
    case BYTES:
        return push_bytes(L, read->reader, read->n);
    case EXACTLY:
        return push_exactly(L, read->reader, read->n);
    default:
        return push_all(L, read->reader, read->n);
    }
}

/* Hands out the bytes that the read waited for, also if the reader was closed after the wait
 * ended. */
static int read_push(septet_op *op, lua_State *L)
{
    const struct read_op *read = (const struct read_op *)op;
    struct spt_reader *reader = read->reader;
    if (op->status == SEPTET_ECLOSED || !reader->input) {
        spt_reader_detach(reader);
        return spt_reader_raise_closed(L, reader, "read");
    }
    reader->input->waiter = NULL;
    if (op->status == TIMED_OUT && !is_enough(read))
        return spt_reader_raise_timeout(L, reader, "read");
    int n = push_result(L, read);
    if (reader->closed)
        spt_reader_detach(reader);
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

/* --- methods --- */

/* Returns the bytes that may be buffered for the running task, which could not have them as a
 * string beyond its limit of memory. */
static size_t room_of(const struct spt_sched *s)
{
    return s->current ? spt_account_max_memory(s->current->spawn.account, SIZE_MAX) : SIZE_MAX;
}

static int await_read(lua_State *L, enum reading reading, size_t n)
{
    struct spt_reader *reader = spt_reader_check_open(L);
    const size_t room = room_of(spt_env(L)->sched);
    if (reader->input->waiter)
        return spt_error_usage(L, "another task reads from '%s'", reader->path);
    if (n > room && reading == EXACTLY) {
        spt_error_push(L, "IoError", "cannot read %I bytes of '%s': the limit of memory is %I",
                       (LUAI_UACINT)n, reader->path, (LUAI_UACINT)room);
        return spt_reader_raise(L, reader, "read", "too_big");
    }
    if (n > room)
        n = room;
    struct read_op *read = (struct read_op *)spt_op_new(L, spt_env(L)->sched, &read_type);
    read->reader = reader;
    read->n = n;
    read->reading = reading;
    return septet_op_await(L, &read->op);
}

/* reader:read_line(): returns the next line without its newline, or nil at the end. */
static int l_read_line(lua_State *L)
{
    spt_check_most(L, 1);
    return await_read(L, LINE, spt_reader_check_open(L)->max_line);
}

/* reader:read(n): returns up to n bytes, as soon as there are any, or nil at the end. */
static int l_read(lua_State *L)
{
    spt_check_most(L, 2);
    spt_reader_check_open(L);
    return await_read(L, BYTES, (size_t)spt_check_count(L, 2, 1));
}

/* reader:read_exactly(n): returns n bytes, or nil at the end. */
static int l_read_exactly(lua_State *L)
{
    spt_check_most(L, 2);
    spt_reader_check_open(L);
    return await_read(L, EXACTLY, (size_t)spt_check_count(L, 2, 0));
}

/* reader:read_all(max): returns the bytes up to the end. */
static int l_read_all(lua_State *L)
{
    spt_check_most(L, 2);
    spt_reader_check_open(L);
    lua_Integer max = lua_isnoneornil(L, 2) ? READ_ALL_MAX : spt_check_count(L, 2, 0);
    return await_read(L, ALL, (size_t)max);
}

/* The iterator of lines(). Like read_line() of its reader, the upvalue behind those of the method.
 * Drops what a loop passes. */
static int l_next_line(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(3));
    return l_read_line(L);
}

/* reader:lines(): returns an iterator for a loop. */
static int l_lines(lua_State *L)
{
    spt_check_most(L, 1);
    spt_reader_check_open(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, l_next_line, 3);
    return 1;
}

/* reader:close(): closes the reader. A waiting task raises IoError, with the code "closed". */
static int l_close(lua_State *L)
{
    spt_check_most(L, 1);
    spt_reader_close(spt_check_self(L, "reader"));
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
    spt_reader_detach(lua_touserdata(L, 1));
    return 0;
}

const luaL_Reg spt_reader_methods[] = {
    {"read_line", l_read_line}, {"read", l_read},   {"read_exactly", l_read_exactly},
    {"read_all", l_read_all},   {"lines", l_lines}, {NULL, NULL}};

const luaL_Reg spt_reader_closing[] = {
    {"close", l_close}, {"__close", l_leave}, {"__gc", l_gc}, {NULL, NULL}};

void spt_open_io(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_READER_META, spt_reader_methods);
    spt_add_methods(L, env, SPT_READER_META, spt_reader_closing);
}
