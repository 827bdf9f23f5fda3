/* SPDX-License-Identifier: MIT */
/* run: has the thread of a database run statements, and waits for the answer. Their values are
 * copied here, so that the thread touches no value of Lua. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "op/env.h"
#include "op/sqlite/handle.h"
#include "op/sqlite/openers.h"
#include "sqlite/program.h"

#define PROGRAM_META "septet.sqlite.program"

enum { SELF = 1, LIST, COUNT, FLAGS, PROGRAM }; /* the stack of run() */

struct run_op {
    septet_op op;
    struct spt_sqlite *db;
    const char *path;                   /* kept alive by the handle on the stack */
    struct spt_sqlite_request *request; /* owned once it is answered; NULL: the wait has left */
    bool answered;
};

/* A request that is being filled. */
struct program {
    struct spt_sqlite_request *request; /* owned; NULL once it runs */
    const struct spt_sqlite *db;        /* that has its statements */
};

/* --- values --- */

/* Returns the value on top of the stack. A false stands for a NULL. Returns false for one that
 * SQLite cannot have. */
static bool get_value(lua_State *L, struct spt_sqlite_value *value)
{
    *value = (struct spt_sqlite_value){.kind = SPT_SQLITE_NULL};
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, -1)) {
            value->kind = SPT_SQLITE_INTEGER;
            value->integer = 1;
        }
        return true;
    case LUA_TNUMBER:
        value->kind = lua_isinteger(L, -1) ? SPT_SQLITE_INTEGER : SPT_SQLITE_REAL;
        if (value->kind == SPT_SQLITE_INTEGER)
            value->integer = lua_tointeger(L, -1);
        else
            value->real = lua_tonumber(L, -1);
        return true;
    case LUA_TSTRING:
        value->kind = SPT_SQLITE_TEXT;
        value->text = lua_tolstring(L, -1, &value->len);
        return true;
    default:
        return false;
    }
}

/* Appends the values of a step, which begin at `at` of the list. */
static int add_values(lua_State *L, struct spt_sqlite_request *request, lua_Integer at, unsigned n)
{
    struct spt_sqlite_value value;
    int rc = SEPTET_OK;
    for (unsigned i = 0; rc == SEPTET_OK && i < n; i++) {
        lua_rawgeti(L, LIST, at + (lua_Integer)i);
        rc = get_value(L, &value) ? spt_sqlite_program_add_value(&request->program, &value)
                                  : SEPTET_EINVAL;
        lua_pop(L, 1);
    }
    return rc;
}

/* Appends the steps of a list of `count` values: the number of a statement, its values, and so on.
 * Raises no error. */
static int add_steps(lua_State *L, const struct spt_sqlite *db, struct spt_sqlite_request *request,
                     lua_Integer count)
{
    int rc = SEPTET_OK;
    for (lua_Integer i = 1; rc == SEPTET_OK && i <= count;) {
        lua_rawgeti(L, LIST, i);
        const lua_Integer id = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
        const struct spt_sqlite_statement *what =
            id < 0 ? NULL : spt_sqlite_statement(db, (uint32_t)id);
        lua_pop(L, 1);
        if (!what)
            return SEPTET_EINVAL;
        const unsigned n = what->values;
        if (n > (unsigned)(count - i))
            return SEPTET_EINVAL;
        rc = spt_sqlite_request_add(request, (uint32_t)id, what->flags);
        if (rc == SEPTET_OK)
            rc = add_values(L, request, i + 1, n);
        i += 1 + (lua_Integer)n;
    }
    return rc;
}

static int raise(lua_State *L, int rc)
{
    return rc == SEPTET_ENOMEM ? spt_error_no_memory(L)
           : rc == SEPTET_ETOOBIG
               ? spt_error_usage(L, "the statements are too large")
               : spt_error_usage(L, "a statement that the database does not know, or a bad value");
}

/* --- answers --- */

static void push_changed(lua_State *L, const struct spt_buf *changed)
{
    const size_t n = changed->len / sizeof(int32_t);
    lua_createtable(L, n < 1000000 ? (int)n : 0, 0);
    for (size_t i = 0; i < n; i++) {
        int32_t value;
        memcpy(&value, changed->data + i * sizeof value, sizeof value);
        lua_pushinteger(L, value);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_value(lua_State *L, const struct spt_sqlite_value *value)
{
    switch (value->kind) {
    case SPT_SQLITE_INTEGER:
        lua_pushinteger(L, value->integer);
        break;
    case SPT_SQLITE_REAL:
        lua_pushnumber(L, value->real);
        break;
    case SPT_SQLITE_TEXT:
        lua_pushlstring(L, value->text, value->len);
        break;
    default:
        lua_pushboolean(L, 0);
    }
}

/* Pushes the lists of rows. Returns their number. */
static int push_rows(lua_State *L, const struct spt_buf *rows)
{
    int lists = 0;
    for (size_t at = 0; at < rows->len; lists++) {
        const uint32_t n = spt_sqlite_program_read(rows, &at);
        luaL_checkstack(L, 4, NULL);
        lua_createtable(L, n < 1000000 ? (int)n : 0, 0);
        for (uint32_t i = 1; i <= n; i++) {
            const struct spt_sqlite_value value = spt_sqlite_program_read_value(rows, &at);
            push_value(L, &value);
            lua_rawseti(L, -2, i);
        }
    }
    return lists;
}

/* --- the operation --- */

static void on_answered(void *ud)
{
    struct run_op *run = ud;
    run->answered = true;
    septet_op_done(&run->op, SEPTET_OK);
}

static int run_start(septet_op *op)
{
    struct run_op *run = (struct run_op *)op;
    spt_sqlite_submit(run->db, run->request, on_answered, run);
    return SEPTET_OK;
}

static void run_cancel(septet_op *op)
{
    struct run_op *run = (struct run_op *)op;
    spt_sqlite_forget(run->request);
    run->request = NULL;
}

static int run_push(septet_op *op, lua_State *L)
{
    const struct run_op *run = (const struct run_op *)op;
    if (run->request->fault.code)
        return spt_sqlite_handle_push_fault(L, &run->request->fault);
    push_changed(L, &run->request->changed);
    return 1 + push_rows(L, &run->request->rows);
}

static void run_close(septet_op *op)
{
    struct run_op *run = (struct run_op *)op;
    if (run->request && run->answered)
        spt_sqlite_request_free(run->request);
}

static void run_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", ((const struct run_op *)op)->path);
}

static const septet_op_type run_type = {
    .name = "sqlite",
    .size = sizeof(struct run_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = run_start,
    .cancel = run_cancel,
    .push = run_push,
    .close = run_close,
    .describe = run_describe,
};

/* Makes the request of run(), or takes that of the program. Returns a status. */
static int make_request(lua_State *L, const struct spt_sqlite_handle *handle,
                        struct spt_sqlite_request **out)
{
    struct program *program = lua_touserdata(L, PROGRAM);
    if (program && program->db != handle->db)
        return SEPTET_EINVAL;
    struct spt_sqlite_request *request = program ? program->request : spt_sqlite_request_new();
    if (program)
        program->request = NULL;
    if (!request)
        return program ? SEPTET_EINVAL : SEPTET_ENOMEM;
    int rc = add_steps(L, handle->db, request, lua_tointeger(L, COUNT));
    request->flags = (unsigned)lua_tointeger(L, FLAGS);
    if (rc == SEPTET_OK)
        *out = request;
    else
        spt_sqlite_request_free(request);
    return rc;
}

/* handle:run(list, count, flags, program): runs statements, behind those of the program, all in one
 * transaction. The list has `count` values: the number of a statement, its values, and so on; false
 * stands for NULL. `flags` is a sum: 1, a power cut may undo it; 2, it is left out if the wait is
 * cancelled before it begins. Returns the number of rows that each statement has changed, or -1 if
 * its change was undone, and a list of values for each statement with rows. Returns nil, a word and
 * a description if it failed: nothing was changed. */
static int l_run(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_sqlite_request *request = NULL;
    struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    lua_settop(L, PROGRAM);
    luaL_checktype(L, LIST, LUA_TTABLE);
    luaL_checkstack(L, 12, NULL);
    if (!lua_isnil(L, PROGRAM))
        spt_check_udata(L, PROGRAM, PROGRAM_META, "program");
    struct run_op *run = (struct run_op *)spt_op_new(L, env->sched, &run_type);
    if (!handle->db) {
        const struct spt_sqlite_fault closed = {"closed", "it is closed"};
        return spt_sqlite_handle_push_fault(L, &closed);
    }
    int rc = make_request(L, handle, &request);
    if (rc != SEPTET_OK)
        return raise(L, rc);
    run->db = handle->db;
    run->path = handle->path;
    run->request = request;
    if (!spt_op_check_cancelled(env->sched))
        return spt_op_wait(L, &run->op, false);
    spt_sqlite_request_free(request);
    return spt_op_await_cancelled(L, &run->op);
}

/* --- programs --- */

/* handle:program(): returns a program, which a long list of statements is added to in parts. */
static int l_program(lua_State *L)
{
    const struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    struct program *program = lua_newuserdatauv(L, sizeof *program, 0);
    *program = (struct program){.db = handle->db};
    luaL_setmetatable(L, PROGRAM_META);
    program->request = spt_sqlite_request_new();
    return program->request ? 1 : spt_error_no_memory(L);
}

/* handle:add(list, count, flags, program): adds statements to the program. */
static int l_add(lua_State *L)
{
    const struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    lua_settop(L, PROGRAM);
    luaL_checktype(L, LIST, LUA_TTABLE);
    struct program *program = spt_check_udata(L, PROGRAM, PROGRAM_META, "program");
    if (!handle->db) /* run() says so */
        return 0;
    int rc = program->request && program->db == handle->db
                 ? add_steps(L, handle->db, program->request, lua_tointeger(L, COUNT))
                 : SEPTET_EINVAL;
    return rc == SEPTET_OK ? 0 : raise(L, rc);
}

static int l_program_gc(lua_State *L)
{
    struct program *program = spt_check_self(L, "program");
    if (program->request)
        spt_sqlite_request_free(program->request);
    program->request = NULL;
    return 0;
}

static const luaL_Reg methods[] = {
    {"run", l_run}, {"program", l_program}, {"add", l_add}, {NULL, NULL}};
static const luaL_Reg program_methods[] = {{"__gc", l_program_gc}, {NULL, NULL}};

void spt_open_sqlite_run(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, PROGRAM_META, program_methods);
    spt_add_methods(L, env, SPT_SQLITE_HANDLE_META, methods);
}
