/* SPDX-License-Identifier: MIT */
/* open and close: a database lives on until its thread has ended, in a home of its own, also if the
 * handle is collected before. */
#include "op/sqlite/handle.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "loop/loop.h"
#include "op/census.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/library.h"
#include "op/sqlite/openers.h"

enum { PATH = 1, APPLICATION, NORMAL, PATIENCE, CACHE, HANDLE }; /* the stack of open() */

struct open_op {
    septet_op op;
    struct spt_env *env;
    struct spt_sqlite_handle *handle; /* kept alive by the stack, at HANDLE */
    struct spt_sqlite_options options;
    struct spt_sqlite_fault fault;
};

struct close_op {
    septet_op op;
    struct spt_sqlite_home *home; /* NULL: it is closed */
};

/* Where a database lives from its opening to its end. */
struct spt_sqlite_home {
    struct spt_resource resource;
    struct spt_sqlite *db;
    struct spt_sqlite_handle *handle; /* NULL: it is closed, or was collected */
    septet_op *waiter;                /* of open() or close(); NULL: none */
};

int spt_sqlite_handle_push_fault(lua_State *L, const struct spt_sqlite_fault *fault)
{
    if (strcmp(fault->code, "memory") == 0)
        return spt_error_no_memory(L);
    lua_pushnil(L);
    lua_pushstring(L, fault->code);
    lua_pushstring(L, fault->words);
    return 3;
}

/* --- the home --- */

static void leave_handle(struct spt_sqlite_home *home)
{
    if (home->handle)
        home->handle->db = NULL;
    home->handle = NULL;
}

static void free_home(struct spt_sqlite_home *home)
{
    leave_handle(home);
    spt_link_remove(&home->resource.link);
    free(home);
}

static void on_host_end(struct spt_resource *resource)
{
    struct spt_sqlite_home *home = SPT_OF(resource, struct spt_sqlite_home, resource);
    struct spt_sqlite *db = home->db;
    free_home(home);
    spt_sqlite_end(db);
}

static void on_closed(void *ud)
{
    struct spt_sqlite_home *home = ud;
    septet_op *waiter = home->waiter;
    free_home(home);
    if (waiter)
        septet_op_done(waiter, SEPTET_OK);
}

/* Begins to close a database. Nothing reaches it any more. */
static void close_home(struct spt_sqlite_home *home, septet_op *waiter)
{
    leave_handle(home);
    home->waiter = waiter;
    spt_sqlite_close(home->db, on_closed, home);
}

/* --- open --- */

static void on_opened(void *ud)
{
    struct spt_sqlite_home *home = ud;
    septet_op *waiter = home->waiter;
    home->waiter = NULL;
    if (waiter)
        septet_op_done(waiter, SEPTET_OK);
}

static int open_start(septet_op *op)
{
    struct open_op *open = (struct open_op *)op;
    struct spt_sqlite_home *home = calloc(1, sizeof *home);
    if (!home)
        return SEPTET_ENOMEM;
    home->db = spt_sqlite_open(open->env->loop, &open->options, on_opened, home);
    if (!home->db) {
        free(home);
        return SEPTET_ENOMEM;
    }
    home->resource.release = on_host_end;
    spt_link_init(&home->resource.link);
    spt_env_add(open->env, &home->resource);
    home->waiter = op;
    home->handle = open->handle;
    open->handle->home = home;
    open->handle->db = home->db;
    return SEPTET_OK;
}

static void open_cancel(septet_op *op)
{
    struct spt_sqlite_home *home = ((struct open_op *)op)->handle->home;
    spt_sqlite_forget_open(home->db);
    close_home(home, NULL);
}

static int open_push(septet_op *op, lua_State *L)
{
    static const struct spt_census_kind kind = {"a database", NULL};
    struct open_op *open = (struct open_op *)op;
    if (op->status < 0 || !open->handle->db)
        return spt_error_no_memory(L);
    open->fault = *spt_sqlite_open_fault(open->handle->db);
    if (open->fault.code) {
        close_home(open->handle->home, NULL);
        return spt_sqlite_handle_push_fault(L, &open->fault);
    }
    spt_census_note(L, open->env, &open->handle->home->resource, &kind);
    lua_pushvalue(L, HANDLE);
    return 1;
}

static void open_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "open '%s'", ((const struct open_op *)op)->options.path);
}

static const septet_op_type open_type = {
    .name = "sqlite",
    .size = sizeof(struct open_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = open_start,
    .cancel = open_cancel,
    .push = open_push,
    .describe = open_describe,
};

/* Pushes a handle without a database. */
static struct spt_sqlite_handle *push_handle(lua_State *L)
{
    struct spt_sqlite_handle *handle = lua_newuserdatauv(L, sizeof *handle, 1);
    *handle = (struct spt_sqlite_handle){.path = lua_tostring(L, PATH)};
    lua_pushvalue(L, PATH);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SPT_SQLITE_HANDLE_META);
    return handle;
}

/* open(path, application, normal, patience, cache): returns a handle of the database, which is made
 * if it is not there. `application` is the number that it must have, unless it is empty; `patience`
 * is in seconds, and the size of the cache in KiB. Returns nil, a word and a description if that
 * fails. Raises IoError if the embedder does not permit it. */
static int l_open(lua_State *L)
{
    size_t len;
    struct spt_env *env = spt_env(L);
    lua_settop(L, CACHE);
    const char *path = spt_check_string(L, PATH, &len);
    if (strlen(path) != len)
        return spt_error_usage(L, "a NUL in the path");
    const struct spt_sqlite_options options = {
        .path = path,
        .application = (int)spt_check_count(L, APPLICATION, 0),
        .normal = lua_toboolean(L, NORMAL),
        .patience_ns = spt_check_seconds(L, PATIENCE),
        .cache_kib = (int)spt_check_count(L, CACHE, 1),
    };
    spt_gate_check(L, env, SEPTET_PERMIT_READ, "open", path);
    spt_gate_check(L, env, SEPTET_PERMIT_WRITE, "open", path);
    if (!env->loop || spt_loop_is_lost(env->loop))
        return spt_error_usage(L, "the host is closed");
    spt_library_need(L, SPT_NEEDS_SQLITE);
    struct spt_sqlite_handle *handle = push_handle(L);
    struct open_op *open = (struct open_op *)spt_op_new(L, env->sched, &open_type);
    open->env = env;
    open->handle = handle;
    open->options = options;
    return septet_op_await(L, &open->op);
}

/* --- close --- */

static int close_start(septet_op *op)
{
    return SEPTET_OK;
}

static void close_cancel(septet_op *op)
{
    ((struct close_op *)op)->home->waiter = NULL;
}

static int close_push(septet_op *op, lua_State *L)
{
    return 0;
}

static const septet_op_type close_type = {
    .name = "sqlite",
    .size = sizeof(struct close_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = close_start,
    .cancel = close_cancel,
    .push = close_push,
};

/* handle:close(): closes the database once what was asked for is done. Waits for that, but closes
 * it also if the wait is refused. */
static int l_close(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    if (!handle->db)
        return 0;
    luaL_checkstack(L, 12, NULL);
    struct close_op *close = (struct close_op *)spt_op_new(L, env->sched, &close_type);
    struct spt_sqlite_home *home = handle->home;
    if (!handle->db) /* a finalizer has closed it */
        return 0;
    close->home = home;
    if (spt_op_check_cancelled(env->sched)) {
        close_home(home, NULL);
        return spt_op_await_cancelled(L, &close->op);
    }
    close_home(home, &close->op);
    return spt_op_wait(L, &close->op, false);
}

static int l_gc(lua_State *L)
{
    struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    if (handle->db)
        close_home(handle->home, NULL);
    return 0;
}

/* --- statements --- */

/* Returns the flags that the words in a text at `arg` name. */
static unsigned check_flags(lua_State *L, int arg)
{
    static const struct {
        const char *word;
        unsigned flag;
    } words[] = {{"begins", SPT_SQLITE_BEGINS},   {"fences", SPT_SQLITE_FENCES},
                 {"rows", SPT_SQLITE_ROWS},       {"reads", SPT_SQLITE_READS},
                 {"keeps", SPT_SQLITE_KEEPS},     {"uses", SPT_SQLITE_USES},
                 {"each", SPT_SQLITE_EACH},       {"continues", SPT_SQLITE_CONTINUES},
                 {"inner", SPT_SQLITE_INNER},     {"otherwise", SPT_SQLITE_OTHERWISE},
                 {"needs2", SPT_SQLITE_NEEDS_2},  {"needs3", SPT_SQLITE_NEEDS_3},
                 {"needs4", SPT_SQLITE_NEEDS_4},  {"script", SPT_SQLITE_SCRIPT},
                 {"then", SPT_SQLITE_THEN},       {"gives", SPT_SQLITE_GIVES},
                 {"numbers", SPT_SQLITE_NUMBERS}, {"from1", SPT_SQLITE_FROM_1},
                 {"from2", SPT_SQLITE_FROM_2}};
    const char *text = spt_check_string(L, arg, NULL);
    unsigned flags = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(text, words[i].word))
            flags |= words[i].flag;
    return flags;
}

/* handle:statement(sql, values, flags): adds a statement with so many values. Returns its number.
 * The flags are words: "begins rows". */
static int l_statement(lua_State *L)
{
    struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    const char *sql = spt_check_string(L, 2, NULL);
    const unsigned values = (unsigned)spt_check_count(L, 3, 0), flags = check_flags(L, 4);
    if (!handle->db)
        return spt_error_usage(L, "the database is closed");
    int id = spt_sqlite_add_statement(handle->db, sql, values, flags);
    if (id < 0)
        return spt_error_no_memory(L);
    lua_pushinteger(L, id);
    return 1;
}

/* handle:waiting(): returns the number of requests that are not answered. */
static int l_waiting(lua_State *L)
{
    const struct spt_sqlite_handle *handle = spt_check_self(L, "database");
    lua_pushinteger(L, handle->db ? (lua_Integer)spt_sqlite_waiting(handle->db) : 0);
    return 1;
}

static const luaL_Reg methods[] = {{"close", l_close},
                                   {"statement", l_statement},
                                   {"waiting", l_waiting},
                                   {"__gc", l_gc},
                                   {NULL, NULL}};

void spt_open_sqlite_handle(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    spt_new_type(L, env, SPT_SQLITE_HANDLE_META, methods);
    spt_add_functions(L, env, functions);
}
