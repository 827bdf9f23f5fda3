/* SPDX-License-Identifier: MIT */
/* Spawns tasks in a block. A pool is a group with a room: a number of slots, of which each task
 * takes one until its end. A free slot passes directly to the task that has waited longest. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/spawn.h"
#include "op/block.h"
#include "op/env.h"
#include "op/openers.h"

struct slot {
    struct spt_watch watch; /* of the task that has it; linked in `free` while none has */
    struct spt_room *room;
};

/* Lives as long as its block's handle. A block has no live task when it closes. */
struct spt_room {
    struct spt_link waiters; /* spawn_op, FIFO; empty while a slot is free */
    struct spt_link free;    /* slots */
    uint32_t size;
    struct slot slots[];
};

struct spawn_op {
    septet_op op;
    struct spt_link link;
    struct spt_scope *scope; /* of the group at index 1 */
    struct slot *slot;       /* NULL while it waits */
    bool is_named;           /* the item at index 2 names the task */
};

_Static_assert(sizeof(struct spawn_op) <= SPT_SLOT_SIZE, "it lies in its task");

static struct spt_room *room_of(struct spt_scope *scope)
{
    return SPT_OF(scope, struct spt_block, scope)->room;
}

static struct slot *take(struct spt_room *room)
{
    struct spt_link *l = spt_list_pop(&room->free);
    return l ? SPT_OF(l, struct slot, watch.link) : NULL;
}

static void give_back(struct slot *slot)
{
    struct spt_link *l = spt_list_pop(&slot->room->waiters);
    if (!l) {
        spt_list_push(&slot->room->free, &slot->watch.link);
        return;
    }
    struct spawn_op *spawn = SPT_OF(l, struct spawn_op, link);
    spawn->slot = slot;
    septet_op_done(&spawn->op, SEPTET_OK);
}

static void on_end(struct spt_watch *watch, struct spt_task *t)
{
    give_back(SPT_OF(watch, struct slot, watch));
}

/* Returns the task that spawns one in the scope. In a callback of libuv, it is the one that opened
 * the scope. */
static struct spt_task *spawner(lua_State *L, const struct spt_scope *scope)
{
    struct spt_task *current = spt_sched_of_scope(scope)->current;
    if (!scope->open || scope->tasks.joined)
        spt_error_usage(L, "the group is closed");
    return current ? current : spt_task_of_scope(scope);
}

/* Spawns a task of the scope. The stack holds the group, perhaps an item, the function and its
 * arguments. */
static struct spt_task *spawn(lua_State *L, struct spt_scope *scope, bool is_named)
{
    struct spt_task *t =
        spt_spawn_task(L, scope, spawner(L, scope), lua_gettop(L) - (is_named ? 3 : 2));
    if (is_named)
        spt_spawn_name_by_item(L, t, 2);
    return t;
}

/* --- the wait for a slot --- */

static int spawn_start(septet_op *op)
{
    struct spawn_op *spawn = (struct spawn_op *)op;
    struct spt_room *room = room_of(spawn->scope);
    spawn->slot = take(room);
    if (spawn->slot)
        septet_op_done(op, SEPTET_OK);
    else
        spt_list_push(&room->waiters, &spawn->link);
    return SEPTET_OK;
}

static void spawn_cancel(septet_op *op)
{
    spt_link_remove(&((struct spawn_op *)op)->link);
}

static int spawn_protected(lua_State *L)
{
    const struct spawn_op *op = lua_touserdata(L, -1);
    struct slot *slot = op->slot;
    struct spt_scope *scope = op->scope;
    bool is_named =
        op->is_named; /* the operation is in the slot of the task, which may be reused */
    lua_pop(L, 1);
    struct spt_task *t = spawn(L, scope, is_named);
    slot->watch.fire = on_end;
    spt_task_watch(t, &slot->watch);
    return 1;
}

static int spawn_push(septet_op *op, lua_State *L)
{
    struct slot *slot = ((struct spawn_op *)op)->slot;
    lua_pushcfunction(L, spawn_protected);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, op);
    if (lua_pcall(L, lua_gettop(L) - 1, 1, 0) == LUA_OK)
        return 1;
    give_back(slot);
    return lua_error(L);
}

static void spawn_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "of %u", room_of(((const struct spawn_op *)op)->scope)->size);
}

static const septet_op_type spawn_type = {
    .name = "pool",
    .size = sizeof(struct spawn_op),
    .start = spawn_start,
    .cancel = spawn_cancel,
    .push = spawn_push,
    .describe = spawn_describe,
};

static int spawn_in(lua_State *L, struct spt_scope *scope, bool is_named)
{
    if (!room_of(scope)) {
        spawn(L, scope, is_named);
        return 1;
    }
    if (!scope->open || scope->tasks.joined)
        return spt_error_usage(L, "the pool is closed");
    struct spawn_op *op = (struct spawn_op *)spt_op_new(L, spt_sched_of_scope(scope), &spawn_type);
    spt_link_init(&op->link);
    op->scope = scope;
    op->is_named = is_named;
    return septet_op_await(L, &op->op);
}

/* --- in Lua --- */

/* scope:spawn(fn, ...): spawns a task in this scope. Any holder of the scope may call it. In a
 * pool, waits for a slot first. */
static int l_spawn(lua_State *L)
{
    struct spt_scope *scope = spt_block_check(L, 1);
    spt_check_callable(L, 2);
    return spawn_in(L, scope, false);
}

/* scope_spawn_for(scope, item, fn, ...): like scope:spawn(), and names the task by the item. */
static int l_spawn_for(lua_State *L)
{
    struct spt_scope *scope = spt_block_check(L, 1);
    spt_check_callable(L, 3);
    return spawn_in(L, scope, true);
}

/* scope_spawn_shown(scope, item, shown, fn, ...): like scope_spawn_for(scope, item, fn, ...), but
 * the task is shown by the place of the function `shown`, which fn calls. Not in a pool. */
static int l_spawn_shown(lua_State *L)
{
    struct spt_scope *scope = spt_block_check(L, 1);
    spt_check_callable(L, 3);
    spt_check_callable(L, 4);
    struct spt_task *t = spt_spawn_shown(L, scope, spawner(L, scope), 3, lua_gettop(L) - 4);
    spt_spawn_name_by_item(L, t, 2);
    return 1;
}

/* scope_limit(scope, n): makes a group a pool, in which n tasks run at most. It has no task yet. */
static int l_limit(lua_State *L)
{
    struct spt_scope *scope = spt_block_check(L, 1);
    uint32_t n = (uint32_t)spt_check_count(L, 2, 1);
    struct spt_room *room = lua_newuserdatauv(L, sizeof *room + n * sizeof *room->slots, 0);
    room->size = n;
    spt_link_init(&room->waiters);
    spt_link_init(&room->free);
    for (uint32_t i = 0; i < n; i++) {
        room->slots[i] = (struct slot){.room = room};
        spt_link_init(&room->slots[i].watch.link);
        spt_list_push(&room->free, &room->slots[i].watch.link);
    }
    lua_setiuservalue(L, 1, SPT_BLOCK_UV_ROOM);
    SPT_OF(scope, struct spt_block, scope)->room = room;
    return 0;
}

/* scope_is_pool(scope): returns true for a pool. */
static int l_is_pool(lua_State *L)
{
    lua_pushboolean(L, room_of(spt_block_check(L, 1)) != NULL);
    return 1;
}

void spt_open_block_spawn(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {{"spawn", l_spawn}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"scope_limit", l_limit},
                                         {"scope_is_pool", l_is_pool},
                                         {"scope_spawn_for", l_spawn_for},
                                         {"scope_spawn_shown", l_spawn_shown},
                                         {NULL, NULL}};
    spt_add_functions(L, env, functions);
    lua_getfield(L, -1, "scope_methods");
    spt_add_functions(L, env, methods);
    lua_pop(L, 1);
}
