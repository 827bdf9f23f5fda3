/* SPDX-License-Identifier: MIT */
/* The reasons that scripts give for cancellations. Scopes know no Lua, so the reason is a user
 * value of the handle of the cancelled task or block. It is a string of any length and any
 * bytes. */
#ifndef SPT_CORE_REASON_H
#define SPT_CORE_REASON_H

#include <lua.h>
#include <stdint.h>

struct spt_scope;
struct spt_task;

/* The user values of a block's handle that core uses; op/block.h has the others. */
enum {
    SPT_SCOPE_UV_AROUND = 1, /* the block around it in its task, nil for none */
    SPT_SCOPE_UV_REASON = 4
};

/* Stores the string at `reason`, unless it is nil, in the handle of the task or block, at `handle`.
 * To be called right after the cancellation. Allocates nothing. */
void spt_reason_keep(lua_State *L, struct spt_scope *scope, int handle, int reason);

/* Like spt_reason_keep(), but for the scope's own live tasks that were cancelled after the `nth`
 * cancellation of the host. */
void spt_reason_keep_tasks(lua_State *L, const struct spt_scope *scope, uint64_t nth, int reason);

/* Stores the reason of the scope that owns the task, and for which it was cancelled, in the task's
 * handle at `handle`. */
void spt_reason_inherit(lua_State *L, struct spt_task *t, int handle);

/* Pushes the reason for which an open scope was cancelled: a script's, or the host's text. Pushes
 * nil if there is none. */
void spt_reason_push(lua_State *L, const struct spt_scope *scope);

/* Like spt_reason_push(), but for a task that may have ended, with its handle at `handle`. */
void spt_reason_push_of(lua_State *L, const struct spt_task *t, int handle);

#endif
