/* The reasons that scripts give for cancellations. Scopes know no Lua, so the string is a user
 * value of the handle of the task or block that was cancelled: of any length and any bytes. */
#ifndef SPT_CORE_REASON_H
#define SPT_CORE_REASON_H

#include <lua.h>
#include <stdint.h>

struct spt_scope;
struct spt_task;

/* The user values of a block's handle that core knows; the others are op/scope.c's. */
enum {
    SPT_SCOPE_UV_AROUND = 1 /* the block around it in its task, nil for none */,
    SPT_SCOPE_UV_REASON = 4
};

/* Keeps the string at `reason`, unless it is nil, with the task's or block's handle at `handle`. To
 * be called right after the cancellation. Allocates nothing. */
void spt_reason_keep(lua_State *L, struct spt_scope *scope, int handle, int reason);

/* The same for the live tasks of a scope that are its own and were cancelled after the `nth`
 * cancellation of the host. */
void spt_reason_keep_tasks(lua_State *L, const struct spt_scope *scope, uint64_t nth, int reason);

/* Keeps the reason of the scope that owns the task, which was cancelled for it, with the task's
 * handle at `handle`. */
void spt_reason_inherit(lua_State *L, struct spt_task *t, int handle);

/* Pushes why an open scope was cancelled, the host's words where it was the host's doing; nil for
 * no reason. */
void spt_reason_push(lua_State *L, const struct spt_scope *scope);

/* The same for a task, whose handle is at `handle`; it may have ended. */
void spt_reason_push_of(lua_State *L, const struct spt_task *t, int handle);

#endif
