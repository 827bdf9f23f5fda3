/* SPDX-License-Identifier: MIT */
/* fs_walk: goes through a folder. The pool fills a batch while the script uses the one before it.
 * A cancelled wait leaves the walk as it is. */
#include "fs/walk.h"

#include <errno.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "loop/loop.h"
#include "op/census.h"
#include "op/env.h"
#include "op/fs/call.h"
#include "op/fs/openers.h"

#define WALK_META "septet.fs.walker"

struct walk_op {
    septet_op op;
    struct walker *walker; /* kept alive by its handle on the stack */
};

struct walker {
    struct spt_walk *walk;  /* owned; NULL once it has ended */
    struct spt_buf batch;   /* owned; entries from `at` on are to come */
    size_t at;              /* bytes */
    bool in_pool;           /* the next batch is being filled */
    bool tells;             /* faults are returned, and not raised */
    struct walk_op *waiter; /* NULL: none */
    /* those of the entry that was returned last */
    uint64_t id;
    uint64_t depth;
    uint64_t skipped; /* entries below this depth are left out; 0: none are */
    struct spt_resource resource;
};

static void close_walker(struct walker *walker)
{
    struct spt_walk *walk = walker->walk;
    if (!walk)
        return;
    walker->walk = NULL;
    spt_link_remove(&walker->resource.link);
    spt_buf_release(&walker->batch);
    spt_job_release(&walk->job);
}

static void on_host_end(struct spt_resource *resource)
{
    close_walker(SPT_OF(resource, struct walker, resource));
}

/* --- batches --- */

/* Returns the next entry of the batch that the script wants, or NULL. */
static const struct spt_walk_entry *peek(struct walker *walker)
{
    while (walker->at < walker->batch.len) {
        const struct spt_walk_entry *entry = (const void *)(walker->batch.data + walker->at);
        if (!walker->skipped || entry->depth <= walker->skipped) {
            walker->skipped = 0;
            return entry;
        }
        walker->at += entry->size;
    }
    return NULL;
}

static void on_filled(void *ud);

/* Takes the batch that was filled, and has the next one filled. */
static void take(struct walker *walker)
{
    struct spt_walk *walk = walker->walk;
    const struct spt_buf empty = walker->batch;
    walker->batch = walk->batch;
    walker->at = 0;
    walk->batch = empty;
    walk->batch.len = 0;
    walk->prune = walker->skipped ? walker->id : 0;
    if (walk->ended)
        return;
    walker->in_pool = true;
    spt_job_start(&walk->job, walk->job.loop, on_filled, walker);
}

/* Returns true if there is an entry, or the end. */
static bool is_ready(struct walker *walker)
{
    while (!peek(walker)) {
        if (walker->in_pool)
            return false;
        if (walker->walk->ended && walker->walk->batch.len == 0)
            return true;
        take(walker);
    }
    return true;
}

static void on_filled(void *ud)
{
    struct walker *walker = ud;
    struct walk_op *waiter = walker->waiter;
    walker->in_pool = false;
    if (!waiter || !is_ready(walker))
        return;
    walker->waiter = NULL;
    septet_op_done(&waiter->op, SEPTET_OK);
}

/* --- entries --- */

/* Pushes the table of the entry, which has its path on top of the stack. */
static void push_entry(lua_State *L, const struct spt_walk_entry *entry, bool examined)
{
    const char *text = lua_tostring(L, -1);
    lua_createtable(L, 0, examined ? 14 : 3);
    if (examined) {
        spt_fs_set_stat(L, &entry->stat);
    } else {
        lua_pushstring(L, entry->stat.type);
        lua_setfield(L, -2, "type");
    }
    lua_pushlstring(L, text + entry->name_at, entry->text_len - entry->name_at);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, (lua_Integer)entry->depth);
    lua_setfield(L, -2, "depth");
}

/* Pushes nil and the error of the entry, which has its path on top of the stack, or raises that. */
static int push_fault(lua_State *L, const struct walker *walker, const struct spt_walk_entry *entry)
{
    const char *verb = entry->stat.type ? "examine" : "list", *path = lua_tostring(L, -1);
    lua_pushnil(L);
    spt_fs_push_error(L, verb, path, entry->error);
    return walker->tells ? 3 : lua_error(L);
}

/* Pushes what l_next() returns for an entry. Its memory lasts only until the path is pushed: a
 * finalizer may close the walker whenever something is allocated. */
static int push_found(lua_State *L, const struct walker *walker, const struct spt_walk_entry *found)
{
    const struct spt_walk_entry entry = *found;
    const unsigned flags = walker->walk->flags;
    lua_pushlstring(L, spt_walk_text(found), found->text_len);
    if (entry.error)
        return push_fault(L, walker, &entry);
    if (flags & SPT_WALK_NAMES)
        return 1;
    push_entry(L, &entry, flags & SPT_WALK_STAT);
    return 2;
}

/* Pushes the next entry, or nil at the end, with which the walker closes. */
static int push_next(lua_State *L, struct walker *walker)
{
    const struct spt_walk_entry *entry = walker->walk ? peek(walker) : NULL;
    if (entry) {
        walker->at += entry->size;
        walker->id = entry->id;
        walker->depth = entry->depth;
        return push_found(L, walker, entry);
    }
    const int error = walker->walk ? walker->walk->job.error : 0;
    if (error) {
        const char *root = lua_pushstring(L, walker->walk->root);
        close_walker(walker);
        spt_fs_push_error(L, "list", root, error);
        return lua_error(L);
    }
    close_walker(walker);
    lua_pushnil(L);
    return 1;
}

/* --- the operation --- */

static int walk_start(septet_op *op)
{
    struct walk_op *walk_op = (struct walk_op *)op;
    if (walk_op->walker->walk)
        walk_op->walker->waiter = walk_op;
    else
        septet_op_done(op, SEPTET_OK); /* a finalizer has closed it */
    return SEPTET_OK;
}

static void walk_cancel(septet_op *op)
{
    ((struct walk_op *)op)->walker->waiter = NULL;
}

static int walk_push(septet_op *op, lua_State *L)
{
    return push_next(L, ((struct walk_op *)op)->walker);
}

static void walk_describe(const septet_op *op, char *text, size_t size)
{
    const struct walker *walker = ((const struct walk_op *)op)->walker;
    snprintf(text, size, "'%s'", walker->walk ? walker->walk->root : "");
}

static const septet_op_type walk_type = {
    .name = "walk",
    .size = sizeof(struct walk_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = walk_start,
    .cancel = walk_cancel,
    .push = walk_push,
    .describe = walk_describe,
};

/* walker:next(): returns the next path and its entry, or nil at the end. If the walker tells of
 * faults, one is a path, nil and the IoError. */
static int l_next(lua_State *L)
{
    lua_settop(L, 1);
    struct walker *walker = spt_check_self(L, "walker");
    if (walker->waiter)
        return spt_error_usage(L, "another task waits for the walk");
    if (!walker->walk || is_ready(walker))
        return push_next(L, walker);
    struct walk_op *op = (struct walk_op *)spt_op_new(L, spt_env(L)->sched, &walk_type);
    op->walker = walker;
    return septet_op_await(L, &op->op);
}

/* walker:prune(): leaves out what is in the folder that was returned last. */
static int l_prune(lua_State *L)
{
    struct walker *walker = spt_check_self(L, "walker");
    if (walker->id)
        walker->skipped = walker->depth;
    return 0;
}

/* walker:close(): ends the walk. A waiting task gets nil. */
static int l_close(lua_State *L)
{
    struct walker *walker = spt_check_self(L, "walker");
    struct walk_op *waiter = walker->waiter;
    walker->waiter = NULL;
    close_walker(walker);
    if (waiter)
        septet_op_done(&waiter->op, SEPTET_OK);
    return 0;
}

static int l_gc(lua_State *L)
{
    close_walker(spt_check_self(L, "walker"));
    return 0;
}

/* fs_walk(root, flags, depth, tells): returns a walker. `flags` is a sum of SPT_WALK_... */
static int l_walk(lua_State *L)
{
    static const struct spt_census_kind kind = {"a walk of folders", NULL};
    struct spt_env *env = spt_env(L);
    const char *root = spt_fs_check_path(L, 1, SEPTET_PERMIT_READ, "list");
    const unsigned flags = (unsigned)spt_check_count(L, 2, 0);
    const uint64_t depth = lua_isnoneornil(L, 3) ? UINT64_MAX : (uint64_t)spt_check_count(L, 3, 1);
    if (!env->loop || spt_loop_is_lost(env->loop))
        return spt_error_usage(L, "the host is closed");
    spt_op_check(L, env->sched);
    struct walker *walker = lua_newuserdatauv(L, sizeof *walker, 0);
    *walker = (struct walker){.tells = lua_toboolean(L, 4), .resource.release = on_host_end};
    spt_link_init(&walker->resource.link);
    luaL_setmetatable(L, WALK_META);
    walker->walk = spt_walk_new(root, flags, depth);
    if (!walker->walk)
        return spt_error_no_memory(L);
    spt_buf_init(&walker->batch, SIZE_MAX);
    spt_env_add(env, &walker->resource);
    spt_census_note(L, env, &walker->resource, &kind);
    walker->in_pool = true;
    spt_job_start(&walker->walk->job, env->loop, on_filled, walker);
    return 1;
}

static const luaL_Reg methods[] = {{"next", l_next},   {"prune", l_prune},   {"close", l_close},
                                   {"__call", l_next}, {"__close", l_close}, {"__gc", l_gc},
                                   {NULL, NULL}};

void spt_open_fs_walk(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"fs_walk", l_walk}, {NULL, NULL}};
    spt_new_type(L, env, WALK_META, methods);
    spt_add_functions(L, env, functions);
}
