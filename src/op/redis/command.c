/* SPDX-License-Identifier: MIT */
/* command: sends commands on a connection to Redis, and waits for their replies. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"
#include "op/redis/connection.h"
#include "op/redis/openers.h"

#define CALL_META "septet.redis.call"

/* The stack of the methods. */
enum { SELF = 1, COMMANDS, WORK, BOX };

struct command_op {
    septet_op op;
    const struct spt_redis_handle *handle; /* kept alive by the stack */
    /* the userdata that owns the call, except while that is under way; kept alive by the stack */
    struct spt_redis_call **box;
    struct spt_redis_call *call;
    bool is_list;  /* of several commands */
    char name[24]; /* of the first command */
};
_Static_assert(sizeof(struct command_op) <= SPT_SLOT_SIZE,
               "it needs no memory of Lua's to wait in");

/* --- the operation --- */

static void on_done(struct spt_redis_call *call)
{
    struct command_op *command = call->ud;
    *command->box = call;
    septet_op_done(&command->op, SEPTET_OK);
}

static int command_start(septet_op *op)
{
    struct command_op *command = (struct command_op *)op;
    struct spt_redis_call *call = *command->box;
    command->call = call;
    call->ud = command;
    call->on_done = on_done;
    *command->box = NULL;
    if (!command->handle->redis) {
        call->failed = true;
        on_done(call);
        return SEPTET_OK;
    }
    int rc = spt_redis_send(command->handle->redis, call);
    if (rc != SEPTET_OK)
        *command->box = call;
    return rc;
}

static void command_cancel(septet_op *op)
{
    spt_redis_forget(((struct command_op *)op)->call);
}

/* Pushes a value: a text, an integer, false for nil, { error = text }, or a list. */
static void push_value(lua_State *L, const struct spt_redis_value *value)
{
    luaL_checkstack(L, 4, "too many values in each other");
    switch (value->kind) {
    case SPT_REDIS_NIL:
        lua_pushboolean(L, 0);
        break;
    case SPT_REDIS_INTEGER:
        lua_pushinteger(L, (lua_Integer)value->integer);
        break;
    case SPT_REDIS_TEXT:
        lua_pushlstring(L, value->text, value->len);
        break;
    case SPT_REDIS_ERROR:
        lua_createtable(L, 0, 1);
        lua_pushlstring(L, value->text, value->len);
        lua_setfield(L, -2, "error");
        break;
    case SPT_REDIS_ARRAY:
        lua_createtable(L, (int)value->len, 0);
        for (size_t i = 0; i < value->len; i++) {
            push_value(L, value->items[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    }
}

static int command_push(septet_op *op, lua_State *L)
{
    const struct command_op *command = (const struct command_op *)op;
    const struct spt_redis_call *call = *command->box;
    const struct spt_redis *redis = command->handle->redis;
    if (op->status < 0)
        return spt_redis_push_failure(L, "memory", "not enough memory");
    if (call->failed && redis)
        return spt_redis_push_failure(L, spt_redis_failure(redis), spt_redis_failure_text(redis));
    if (call->failed)
        return spt_redis_push_failure(L, "closed", "the connection is closed");
    if (!command->is_list) {
        push_value(L, call->replies[0]);
    } else {
        lua_createtable(L, (int)call->n, 0);
        for (unsigned i = 0; i < call->n; i++) {
            push_value(L, call->replies[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
    }
    spt_redis_call_free(*command->box);
    *command->box = NULL;
    return 1;
}

static void command_describe(const septet_op *op, char *text, size_t size)
{
    const struct command_op *command = (const struct command_op *)op;
    snprintf(text, size, "%s at '%s'", command->name, command->handle->name);
}

static const septet_op_type command_type = {
    .name = "redis",
    .size = sizeof(struct command_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = command_start,
    .cancel = command_cancel,
    .push = command_push,
    .describe = command_describe,
};

/* --- arguments --- */

static int l_collect_call(lua_State *L)
{
    struct spt_redis_call **box = lua_touserdata(L, 1);
    spt_redis_call_free(*box);
    *box = NULL;
    return 0;
}

static struct spt_redis_handle *check_handle(lua_State *L)
{
    return spt_check_self(L, "connection to Redis");
}

/* Pushes the userdata that owns a call for `n` commands. */
static struct spt_redis_call **push_call(lua_State *L, const struct spt_redis_handle *handle,
                                         unsigned n)
{
    struct spt_redis_call **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, CALL_META);
    *box = spt_redis_call_new(n, &handle->limits);
    if (!*box)
        spt_error_no_memory(L);
    return box;
}

static void check_added(lua_State *L, int rc)
{
    if (rc == SEPTET_ETOOBIG)
        spt_error_usage(L, "the commands are too large");
    if (rc != SEPTET_OK)
        spt_error_no_memory(L);
}

/* Adds the value at `index`, a string or an integer. */
static void add_argument(lua_State *L, struct spt_redis_call *call, int index)
{
    char digits[32];
    size_t len;
    if (lua_isinteger(L, index)) {
        int n =
            snprintf(digits, sizeof digits, LUA_INTEGER_FMT, (LUAI_UACINT)lua_tointeger(L, index));
        check_added(L, spt_redis_call_argument(call, digits, (size_t)n));
        return;
    }
    if (lua_type(L, index) != LUA_TSTRING)
        spt_error_usage(L, "an argument of a command is a string or an integer, not a %s",
                        luaL_typename(L, index));
    const char *text = lua_tolstring(L, index, &len);
    check_added(L, spt_redis_call_argument(call, text, len));
}

/* Adds the command that is the list at `index`. */
static void add_list(lua_State *L, struct spt_redis_call *call, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index) == 0)
        spt_error_usage(L, "a command is a list of its arguments");
    const size_t n = lua_rawlen(L, index);
    check_added(L, spt_redis_call_command(call, n));
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        add_argument(L, call, -1);
        lua_pop(L, 1);
    }
}

static int await(lua_State *L, const struct spt_redis_handle *handle, struct spt_redis_call **box,
                 const char *name, bool is_list)
{
    struct command_op *command =
        (struct command_op *)spt_op_new(L, spt_env(L)->sched, &command_type);
    command->handle = handle;
    command->box = box;
    command->is_list = is_list;
    snprintf(command->name, sizeof command->name, "%s", name ? name : "");
    return septet_op_await(L, &command->op);
}

/* connection:command(...): sends a command. Returns its reply, or nil, a code and words if the
 * connection broke. */
static int l_command(lua_State *L)
{
    const struct spt_redis_handle *handle = check_handle(L);
    const int n = lua_gettop(L);
    if (n < 2)
        return spt_error_usage(L, "a command has a name");
    struct spt_redis_call **box = push_call(L, handle, 1);
    check_added(L, spt_redis_call_command(*box, (size_t)n - 1));
    for (int i = 2; i <= n; i++)
        add_argument(L, *box, i);
    return await(L, handle, box, lua_tostring(L, 2), false);
}

/* connection:commands(list, work): sends several commands, each a list of its arguments. Returns
 * the list of their replies, or nil, a code and words if the connection broke before the last.
 * `work` is the number of seconds that the server may need for them, besides those in which it has
 * to answer; 0. */
static int l_commands(lua_State *L)
{
    const struct spt_redis_handle *handle = check_handle(L);
    lua_settop(L, WORK);
    const uint64_t work_ns = spt_check_opt_seconds(L, WORK, 0);
    luaL_checktype(L, COMMANDS, LUA_TTABLE);
    const size_t n = lua_rawlen(L, COMMANDS);
    if (n == 0)
        return spt_error_usage(L, "there is no command");
    struct spt_redis_call **box = push_call(L, handle, (unsigned)n);
    (*box)->work_ns = work_ns;
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, COMMANDS, (lua_Integer)i);
        add_list(L, *box, BOX + 1);
        lua_settop(L, BOX);
    }
    lua_rawgeti(L, COMMANDS, 1);
    lua_rawgeti(L, -1, 1);
    return await(L, handle, box, lua_tostring(L, -1), true);
}

/* Closes the connection. Tasks that wait for replies get none. */
static int l_close(lua_State *L)
{
    spt_redis_handle_close(check_handle(L));
    return 0;
}

void spt_open_redis_command(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {{"command", l_command}, {"commands", l_commands},
                                       {"close", l_close},     {"__close", l_close},
                                       {"__gc", l_close},      {NULL, NULL}};
    spt_new_type(L, env, SPT_REDIS_META, methods);
    luaL_newmetatable(L, CALL_META);
    lua_pushcfunction(L, l_collect_call);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
