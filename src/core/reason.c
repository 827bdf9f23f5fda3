/* SPDX-License-Identifier: MIT */
/* Stores reasons as user values of handles, and finds the handle of a scope. */
#include "core/reason.h"

#include "core/sched.h"
#include "core/scope.h"
#include "core/task.h"

void spt_reason_keep(lua_State *L, struct spt_scope *scope, int handle, int reason)
{
    handle = lua_absindex(L, handle);
    if (lua_type(L, reason) != LUA_TSTRING)
        return;
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, handle,
                      spt_scope_block(scope) ? (int)SPT_SCOPE_UV_REASON : (int)SPT_TASK_UV_REASON);
    scope->cancel.worded = true;
}

void spt_reason_keep_tasks(lua_State *L, const struct spt_scope *scope, uint64_t nth, int reason)
{
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    reason = lua_absindex(L, reason);
    for (const struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (!child->kind.is_root || child->cancel.seq <= nth)
            continue;
        spt_task_push(L, spt_task_of_scope(child));
        spt_reason_keep(L, child, -1, reason);
        lua_pop(L, 1);
    }
}

void spt_reason_inherit(lua_State *L, struct spt_task *t, int handle)
{
    handle = lua_absindex(L, handle);
    spt_reason_push(L, t->root.parent);
    spt_reason_keep(L, &t->root, handle, -1);
    lua_pop(L, 1);
}

static void push_words(lua_State *L, const struct spt_scope *scope)
{
    lua_pushstring(L, spt_scope_cancel_reason(scope)); /* nil for NULL */
}

/* Pushes the handle of a block, by the chain of open blocks from its task's innermost one. */
static void push_block(lua_State *L, const struct spt_scope *scope)
{
    spt_task_push(L, spt_task_of_scope(scope));
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    lua_remove(L, -2);
    while (lua_touserdata(L, -1) && lua_touserdata(L, -1) != (const void *)scope) {
        lua_getiuservalue(L, -1, SPT_SCOPE_UV_AROUND);
        lua_remove(L, -2);
    }
}

void spt_reason_push(lua_State *L, const struct spt_scope *scope)
{
    if (!scope->cancel.worded) {
        push_words(L, scope);
        return;
    }
    bool is_block = spt_scope_block(scope) != NULL;
    if (is_block)
        push_block(L, scope);
    else
        spt_task_push(L, spt_task_of_scope(scope));
    lua_getiuservalue(L, -1, is_block ? (int)SPT_SCOPE_UV_REASON : (int)SPT_TASK_UV_REASON);
    lua_remove(L, -2);
}

void spt_reason_push_of(lua_State *L, const struct spt_task *t, int handle)
{
    if (t->root.cancel.worded)
        lua_getiuservalue(L, handle, SPT_TASK_UV_REASON);
    else
        push_words(L, &t->root);
}
