/* SPDX-License-Identifier: MIT */
/* Makes the handle, the root scope and the trace record of a new task. */
#include "core/spawn.h"

#include <lauxlib.h>
#include <string.h>

#include "core/bare.h"
#include "core/error.h"
#include "core/first_call.h"
#include "core/hook.h"
#include "core/inspect.h"
#include "core/item_name.h"
#include "core/reason.h"
#include "core/sched.h"
#include "core/script.h"
#include "core/task.h"

/* Gives the task with its handle on top of the stack the locals of its parent. Both share one table
 * until either sets a local. */
static void inherit_locals(lua_State *L, struct spt_task *t, const struct spt_task *parent)
{
    if (!parent->body.has_locals || spt_task_is_leaf(t))
        return;
    spt_task_push(L, parent);
    lua_getiuservalue(L, -1, SPT_TASK_UV_LOCALS);
    lua_setiuservalue(L, -3, SPT_TASK_UV_LOCALS);
    lua_pop(L, 1);
    t->body.has_locals = true;
}

/* Stores the name of the new task, with its handle on top of the stack, as a string. The number of
 * its source may belong to another once the task has ended and its handle remains. */
static void keep_name(lua_State *L, const struct spt_task *t)
{
    char place[SPT_PLACE_SIZE];
    spt_inspect_write_place(&t->sched->trace, spt_task_function_place(t), place, sizeof place);
    lua_pushfstring(L, "%s#%d", place, (int)(t->sched->counts.tasks + 1));
    lua_setiuservalue(L, -2, SPT_TASK_UV_NAME);
}

/* Makes `t` live: a member of its owner's scope, in the ready queue. Raises nothing. */
static void enter(struct spt_task *t, struct spt_scope *owner)
{
    struct spt_sched *s = t->sched;
    t->id = ++s->counts.tasks;
    t->scope = &t->root;
    t->wait.since_ns = spt_sched_instant(s);
    spt_account_add_task(t->spawn.account);
    spt_scope_open(&t->root, spt_task_is_leaf(t) ? NULL : &t->more.lists,
                   (struct spt_scope_kind){.is_root = true}, owner);
    spt_link_init(&t->link);
    spt_link_init(&t->watches);
    owner->tasks.live++;
    owner->tasks.any = true;
    s->counts.live++;
}

/* Pushes the handle of a new task for the function below its arguments on top of the stack. Gives
 * it a coroutine at once if it needs one before its first turn. A task of the host is no leaf: what
 * a finalizer spawns in a leaf belongs to the scope around it, and there nothing would end it. */
static struct spt_task *push_new(lua_State *L, struct spt_sched *s, struct spt_account *account,
                                 bool may_be_leaf, int nargs)
{
    int fn = lua_gettop(L) - nargs;
    bool hooked = s->debug_hook.by_scripts && lua_gethook(L);
    bool early = hooked || !spt_first_call_fits(nargs);
    enum spt_bare_kind kind = early ? SPT_BARE_NONE : spt_bare_kind_of(L, s, fn);
    bool leaf = kind == SPT_BARE_WAIT && nargs == 1 && may_be_leaf;
    size_t size = leaf ? SPT_TASK_LEAF_SIZE : sizeof(struct spt_task);
    struct spt_task *t =
        lua_newuserdatauv(L, size, leaf ? SPT_TASK_UV_LAST_OF_LEAF : SPT_TASK_UV_LAST);
    memset(t, 0, size);
    t->sched = s;
    t->spawn.account = account;
    t->body.bare = kind != SPT_BARE_NONE;
    t->root.lists_at = leaf ? 0 : SPT_TASK_LISTS_AT;
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->anchors.meta);
    lua_setmetatable(L, -2);
    if (early) {
        if (!spt_coroutines_take(L, &s->pool))
            lua_newthread(L);
        spt_first_call_give_coroutine(L, t, nargs);
    }
    if (hooked)
        spt_hook_inherit(L, s, t->co);
    return t;
}

/* `parent` is NULL for a task of the host. `shown`: the index of the function at the place of
 * which the task is shown; 0: its own. */
static struct spt_task *spawn(lua_State *L, struct spt_scope *owner, struct spt_account *account,
                              struct spt_task *parent, int shown, int nargs, bool untraced)
{
    struct spt_sched *s = spt_sched_of_scope(owner);
    int fn = lua_gettop(L) - nargs;
    owner = spt_scope_keeper(owner);
    if (s->run.shutting_down) /* a task that spawns itself would keep the host from ending */
        spt_error_usage(L, "cannot spawn: the host is closing");
    if (account->ended)
        spt_error_usage(L, "cannot spawn: the script is ended, as it exceeded its limits");
    const struct spt_account *full = spt_account_full(account);
    if (full)
        spt_error_limit(L, spt_account_owner(full), "spawn", "tasks", full->limits.tasks);
    if (fn + nargs > LUA_MINSTACK - 8) /* C code has so many slots of the stack anyway */
        luaL_checkstack(L, 8, "too many arguments");
    struct spt_task *t = push_new(L, s, account, parent && !shown, nargs);
    uint64_t place = spt_inspect_function_place(L, s, shown ? shown : fn);
    *(spt_task_is_leaf(t) ? &s->run.bare.place : &t->more.function_place) = place;
    if (place >> 32 > SPT_TRACE_KEPT)
        keep_name(L, t);
    t->numbers.anchor = spt_anchor_add(L, &s->anchors);
    /* Nothing raises from here on. */
    lua_insert(L, fn);
    if (t->co)
        lua_xmove(L, t->co, nargs + 1);
    else
        spt_first_call_keep(L, nargs);
    t->numbers.nargs = nargs;
    enter(t, owner);
    if (parent) {
        t->numbers.parent = parent->id;
        t->spawn.place = spt_inspect_place(L, s, 1);
        inherit_locals(L, t, parent);
    }
    if (untraced)
        s->trace.muted = t->id;
    bool detailed = s->trace.level >= 2;
    spt_trace_spawn(&s->trace, detailed ? spt_sched_clock(s) : s->now_ns, t->id, t->numbers.parent,
                    place, detailed ? t->spawn.place : 0);
    spt_task_queue(t);
    if (spt_scope_inherit_cancel(&t->root))
        spt_reason_inherit(L, t, -1);
    return t;
}

struct spt_task *spt_spawn_task(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                int nargs)
{
    return spawn(L, owner, parent->spawn.account, parent, 0, nargs, false);
}

struct spt_task *spt_spawn_shown(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                 int shown, int nargs)
{
    return spawn(L, owner, parent->spawn.account, parent, shown, nargs, false);
}

/* Returns true if the item makes a name. The place in that of a number must outlive the task. */
static bool makes_name(lua_State *L, const struct spt_task *t, int item)
{
    int type = lua_type(L, item);
    return type == LUA_TSTRING ||
           (type == LUA_TNUMBER && spt_task_function_place(t) >> 32 <= SPT_TRACE_KEPT);
}

static void record_name(lua_State *L, const struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    char name[SPT_PLACE_SIZE + SPT_ITEM_NAME_MAX];
    spt_inspect_label(L, lua_gettop(L), t, name, sizeof name);
    spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                              .task = t->id,
                                              .kind = SPT_REC_NAME,
                                              .a = spt_trace_text(&s->trace, name, strlen(name))});
}

void spt_spawn_name_by_item(lua_State *L, struct spt_task *t, int item)
{
    if (!makes_name(L, t, item))
        return;
    lua_pushvalue(L, item);
    lua_setiuservalue(L, -2, SPT_TASK_UV_NAME);
    t->body.named_by_item = true;
    if (t->sched->trace.level >= 2)
        record_name(L, t);
}

struct spt_task *spt_spawn_background(lua_State *L, struct spt_task *parent, int nargs)
{
    struct spt_script *script = parent->spawn.account->script;
    struct spt_task *t = spt_spawn_task(L, spt_script_background(parent), parent, nargs);
    if (script && spt_script_is_over(script)) /* its last main task has ended */
        spt_scope_cancel(&t->root, "owner", NULL);
    return t;
}

struct spt_task *spt_spawn_untraced(lua_State *L, struct spt_sched *s, int nargs)
{
    return spawn(L, &s->tree.background, &s->counts.account, NULL, 0, nargs, true);
}

struct spt_task *spt_spawn_detached(lua_State *L, struct spt_sched *s, int nargs)
{
    return spawn(L, &s->tree.background, &s->counts.account, NULL, 0, nargs, false);
}

struct spt_task *spt_spawn_main(lua_State *L, struct spt_sched *s, struct spt_script *script,
                                int nargs)
{
    struct spt_task *t =
        spawn(L, script ? &script->mains : &s->tree.mains,
              script ? &script->account : &s->counts.account, NULL, 0, nargs, false);
    t->body.is_main = true;
    s->counts.mains++;
    return t;
}
