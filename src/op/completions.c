/* SPDX-License-Identifier: MIT */
/* completions: waits for the ends of many tasks at once. Each task has one subscription, whatever
 * the number of awaits, and each end costs O(1). The modules in Lua build gather, wait and
 * as_completed on this. */
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>

#include "base/list.h"
#include "core/anchor.h"
#include "core/check.h"
#include "core/deadlock.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"
#include "op/openers.h"

#define META "septet.completions"

/* 40 bytes for each task that is waited for, besides its place in the array. */
struct entry {
    struct spt_watch watch; /* linked in set->ended once the task has ended */
    struct completions *set;
    /* kept alive by the array in the set's user value, at the same index; NULL if the wait for it
     * was given up, and it counts as ended */
    struct spt_task *task;
};

struct completions {
    struct spt_link ended; /* entries of ended tasks that were not handed out, oldest first */
    uint32_t count;        /* number of entries */
    uint32_t nended;       /* number of ended tasks, handed out or not */
    bool failed;           /* a task of the set failed */
    bool not_done;         /* a task of the set failed or was cancelled */
    bool is_anchored;      /* the set is anchored, because live tasks point into it */
    struct until_op *waiter;
    struct entry entries[];
};

/* What an await of the set waits for. UNTIL_OVER, the end of a combinator, waits for all tasks
 * except those that wait for it. */
enum until { UNTIL_NEXT, UNTIL_FIRST, UNTIL_ALL, UNTIL_FAILURE, UNTIL_NOT_DONE, UNTIL_OVER };
static const char *const until_words[] = {"next",     "first", "all", "failure",
                                          "not_done", "over",  NULL};

/* What the tasks of the set are awaited for, as people read it. */
static const char *const until_labels[] = {"next", "first", "all", "failure", "results", "end"};

struct until_op {
    septet_op op;
    struct completions *set; /* kept alive by the handle at index 1 */
    enum until wait_mode;
    struct spt_acyclic_wait acyclic; /* for UNTIL_OVER */
};

_Static_assert(sizeof(struct until_op) <= SPT_SLOT_SIZE, "it lies in its task");

static bool is_reached(const struct completions *set, enum until until)
{
    if (until == UNTIL_NEXT && !spt_list_is_empty(&set->ended))
        return true;
    if (until == UNTIL_FIRST && set->nended > 0)
        return true;
    if ((until == UNTIL_FAILURE && set->failed) || (until == UNTIL_NOT_DONE && set->not_done))
        return true;
    return set->nended == set->count;
}

static void entry_ended(struct entry *entry)
{
    struct completions *set = entry->set;
    spt_list_push(&set->ended, &entry->watch.link);
    set->nended++;
    set->failed |= entry->task->state == SPT_TASK_FAILED;
    set->not_done |= entry->task->state != SPT_TASK_DONE;
}

static void complete_wait(struct completions *set)
{
    struct until_op *waiter = set->waiter;
    set->waiter = NULL;
    spt_link_remove(&waiter->acyclic.link);
    septet_op_done(&waiter->op, SEPTET_OK);
}

static void unanchor(lua_State *L, struct completions *set)
{
    spt_anchor_release(L, set);
    set->is_anchored = false;
}

static void on_end(struct spt_watch *watch, struct spt_task *t)
{
    struct entry *entry = SPT_OF(watch, struct entry, watch);
    struct completions *set = entry->set;
    entry_ended(entry);
    if (set->nended == set->count)
        unanchor(t->sched->main, set); /* the waiting task has it on its stack */
    if (set->waiter && is_reached(set, set->waiter->wait_mode)) {
        if (set->waiter->wait_mode == UNTIL_NOT_DONE) /* the waiting task raises it */
            spt_task_observe(t);
        complete_wait(set);
    }
}

static void give_up(struct spt_acyclic_wait *acyclic, struct spt_task *member)
{
    struct completions *set = SPT_OF(acyclic, struct until_op, acyclic)->set;
    for (uint32_t i = 0; i < set->count; i++) {
        struct entry *entry = &set->entries[i];
        if (entry->task != member)
            continue;
        spt_link_remove(&entry->watch.link);
        entry->task = NULL;
        set->nended++;
    }
    if (is_reached(set, UNTIL_OVER))
        complete_wait(set);
}

/* --- the wait --- */

static int until_start(septet_op *op)
{
    struct until_op *u = (struct until_op *)op;
    spt_link_init(&u->acyclic.link);
    if (is_reached(u->set, u->wait_mode)) {
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    u->set->waiter = u;
    if (u->wait_mode == UNTIL_OVER) {
        u->acyclic.task = op->task;
        u->acyclic.give_up = give_up;
        spt_list_push(&spt_op_sched(op)->queues.acyclic_waits, &u->acyclic.link);
    }
    return SEPTET_OK;
}

static void until_cancel(septet_op *op)
{
    struct until_op *u = (struct until_op *)op;
    u->set->waiter = NULL;
    spt_link_remove(&u->acyclic.link);
}

/* Pushes the index of the next ended task that was not handed out, or nothing. */
static int push_next(lua_State *L, struct completions *set)
{
    struct spt_link *l = spt_list_pop(&set->ended);
    if (!l)
        return 0;
    lua_pushinteger(L, SPT_OF(l, struct entry, watch.link) - set->entries + 1);
    return 1;
}

static int until_push(septet_op *op, lua_State *L)
{
    struct until_op *u = (struct until_op *)op;
    return u->wait_mode == UNTIL_NEXT ? push_next(L, u->set) : 0;
}

static void until_describe(const septet_op *op, char *text, size_t size)
{
    const struct until_op *u = (const struct until_op *)op;
    snprintf(text, size, "%s of %u task%s (%u ended)", until_labels[u->wait_mode], u->set->count,
             u->set->count == 1 ? "" : "s", u->set->nended);
}

static void until_blockers(const septet_op *op, void (*visit)(void *ud, void *task), void *ud)
{
    const struct completions *set = ((const struct until_op *)op)->set;
    for (uint32_t i = 0; i < set->count; i++)
        if (set->entries[i].task && !spt_task_ended(set->entries[i].task))
            visit(ud, set->entries[i].task);
}

static const septet_op_type until_type = {
    .name = "tasks",
    .size = sizeof(struct until_op),
    .start = until_start,
    .cancel = until_cancel,
    .push = until_push,
    .describe = until_describe,
    .blockers = until_blockers,
};

static struct completions *check(lua_State *L)
{
    return spt_check_self(L, "completions");
}

/* --- making a set --- */

/* The stack of the functions that make a set. */
enum { LIST = 1, TASK_META, SET, TASKS };

/* Returns the task on top of the stack, given the metatable of tasks; NULL if it is no task. */
static struct spt_task *task_at_top(lua_State *L, const void *meta)
{
    void *block = lua_touserdata(L, -1);
    if (!block || !lua_getmetatable(L, -1))
        return NULL;
    bool is_task = lua_topointer(L, -1) == meta;
    lua_pop(L, 1);
    return is_task ? block : NULL;
}

/* Returns true if the task is in the set that is being filled. Its entry is then the last of its
 * watches, because nothing else runs meanwhile. */
static bool is_member(const struct spt_task *t, const struct completions *set)
{
    const struct spt_watch *last = SPT_OF(t->watches.prev, struct spt_watch, link);
    return !spt_list_is_empty(&t->watches) && last->fire == on_end &&
           SPT_OF(last, struct entry, watch)->set == set;
}

/* Fills the set with the tasks of the list. They all watch their tasks, even the ended, so that a
 * task that is listed twice is found without a search. Returns false for such a list, and for one
 * with the running task or with another value. Raises nothing: the array has room. */
static bool fill(lua_State *L, struct completions *set, uint32_t n)
{
    const struct spt_task *current = spt_env(L)->sched->current;
    const void *meta = lua_topointer(L, TASK_META);
    for (; set->count < n; set->count++) {
        lua_rawgeti(L, LIST, set->count + 1);
        struct spt_task *t = task_at_top(L, meta);
        if (!t || t == current || is_member(t, set))
            return false;
        lua_rawseti(L, TASKS, set->count + 1);
        struct entry *entry = &set->entries[set->count];
        *entry = (struct entry){.set = set, .task = t, .watch.fire = on_end};
        spt_link_init(&entry->watch.link);
        spt_list_push(&t->watches, &entry->watch.link);
    }
    return true;
}

static void detach(struct completions *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        spt_link_remove(&set->entries[i].watch.link);
}

static void find_ended(struct completions *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct entry *entry = &set->entries[i];
        if (spt_task_ended(entry->task)) {
            spt_link_remove(&entry->watch.link);
            entry_ended(entry);
        }
    }
}

/* completions(list): returns a set of the tasks of a list, and an array of them, which stays as it
 * is. Returns nothing if the list has a metatable or holds anything but tasks, or one of them
 * twice, or the running task. This walk and that of set:results() take 600 instructions a task, the
 * five loops in Lua that they replace 6 000. */
static int l_completions(lua_State *L)
{
    luaL_checktype(L, LIST, LUA_TTABLE);
    lua_settop(L, LIST);
    size_t n = lua_rawlen(L, LIST);
    if (lua_getmetatable(L, LIST))
        return 0;
    if (n > INT_MAX)
        return luaL_error(L, "not enough memory");
    luaL_getmetatable(L, SPT_TASK_META);
    struct completions *set = lua_newuserdatauv(L, sizeof *set + n * sizeof *set->entries, 1);
    *set = (struct completions){0};
    spt_link_init(&set->ended);
    luaL_setmetatable(L, META);
    lua_createtable(L, (int)n, 1); /* and room for the field `n` of the results */
    lua_pushvalue(L, TASKS);
    lua_setiuservalue(L, SET, 1);
    spt_anchor_keep(L, SET);
    set->is_anchored = true;
    bool filled = fill(L, set, (uint32_t)n);
    if (filled)
        find_ended(set);
    else
        detach(set);
    if (!filled || set->nended == set->count)
        unanchor(L, set);
    return filled ? 2 : 0;
}

/* set:wait(until): waits for the tasks of the set. "next" returns the index of the next ended task,
 * or nil after the last. The others return nothing, and end when all tasks have ended. "first"
 * waits for an end, "failure" for an error, "not_done" for an error or a cancellation, and "all"
 * for all. "over" is for cancelled tasks: it waits for all except those that wait for it. */
static int l_wait(lua_State *L)
{
    struct completions *set = check(L);
    int until = luaL_checkoption(L, 2, NULL, until_words);
    if (set->waiter)
        return spt_error_usage(L, "another task waits for these completions");
    struct until_op *u = (struct until_op *)spt_op_new(L, spt_env(L)->sched, &until_type);
    u->set = set;
    u->wait_mode = (enum until)until;
    return septet_op_await(L, &u->op);
}

/* set:take(): like wait("next"), but never waits. Returns nil if no further task has ended. */
static int l_take(lua_State *L)
{
    return push_next(L, check(L));
}

/* set:not_done(): returns the index of the first task that failed or was cancelled and was not
 * handed out, or nil. */
static int l_not_done(lua_State *L)
{
    const struct completions *set = check(L);
    if (!set->not_done)
        return 0;
    for (const struct spt_link *l = set->ended.next; l != &set->ended; l = l->next) {
        const struct entry *entry = SPT_OF(l, struct entry, watch.link);
        if (entry->task->state != SPT_TASK_DONE) {
            lua_pushinteger(L, entry - set->entries + 1);
            return 1;
        }
    }
    return 0;
}

/* Pushes the first result of a done task, or nil. The task's handle is on top of the stack. */
static void push_first(lua_State *L, const struct spt_task *t)
{
    if (t->numbers.nresults == 0)
        lua_pushnil(L);
    else
        lua_getiuservalue(L, -1, SPT_TASK_UV_VALUE);
    if (t->numbers.nresults > 1)
        lua_rawgeti(L, -1, 1);
}

/* set:results(tasks): replaces each task of an array, which must be done, by its first result.
 * Returns the array, which may be that of the set, and so ends the set. */
static int l_results(lua_State *L)
{
    struct completions *set = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    set->count = set->nended = 0;
    lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    luaL_getmetatable(L, SPT_TASK_META);
    lua_replace(L, 1); // stack: metatable of tasks, array
    const void *meta = lua_topointer(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        const struct spt_task *t = task_at_top(L, meta);
        if (!t)
            return spt_error_arg(L, 2, "tasks expected");
        push_first(L, t);
        lua_rawseti(L, 2, i);
        lua_settop(L, 2);
    }
    return 1;
}

/* set:split(): returns arrays of the tasks that have ended and were not handed out, in the order of
 * their ends, and of the live ones. */
static int l_split(lua_State *L)
{
    struct completions *set = check(L);
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    lua_createtable(L, (int)set->nended, 0);
    lua_createtable(L, (int)(set->count - set->nended), 0); // stack: set, array, ended, live
    lua_Integer n = 0;
    while (push_next(L, set)) {
        lua_rawget(L, 2);
        lua_rawseti(L, 3, ++n);
    }
    n = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct spt_task *t = set->entries[i].task;
        if (t && !spt_task_ended(t)) {
            lua_rawgeti(L, 2, i + 1);
            lua_rawseti(L, 4, ++n);
        }
    }
    return 2;
}

/* set:close(): ends the subscriptions and unanchors the set. */
static int l_close(lua_State *L)
{
    struct completions *set = check(L);
    if (set->nended < set->count)
        detach(set);
    if (set->is_anchored)
        unanchor(L, set);
    return 0;
}

static const luaL_Reg methods[] = {{"wait", l_wait},
                                   {"take", l_take},
                                   {"not_done", l_not_done},
                                   {"results", l_results},
                                   {"split", l_split},
                                   {"close", l_close},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"completions", l_completions}, {NULL, NULL}};

void spt_open_completions(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
