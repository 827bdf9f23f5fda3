/* SPDX-License-Identifier: MIT */
/* The userdata of a script's block, and its checks. Private to block.c and block_*.c. */
#ifndef SPT_OP_BLOCK_H
#define SPT_OP_BLOCK_H

#include <lua.h>

#include "core/reason.h"
#include "core/scope.h"
#include "core/task.h"
#include "core/traceback.h"

struct spt_sched;

#define SPT_BLOCK_META "septet.scope"

/* The user values of the userdata. */
enum {
    SPT_BLOCK_UV_AROUND = SPT_SCOPE_UV_AROUND,
    SPT_BLOCK_UV_CLOSERS, /* to be closed when its body ends; nil for none */
    SPT_BLOCK_UV_CAUGHT = SPT_SCOPE_UV_CAUGHT,
    SPT_BLOCK_UV_HANDLER = SPT_SCOPE_UV_REASON + 1, /* a variable's: for the call that ends it */
    SPT_BLOCK_UV_ROOM,                              /* a pool's */
    SPT_BLOCK_UV_LAST = SPT_BLOCK_UV_ROOM
};

/* Returns the scope of the block at index `arg`. */
struct spt_scope *spt_block_check(lua_State *L, int arg);

/* Like spt_block_check(), but also checks that the running task opened the block, that it is open,
 * and that it was opened in the running coroutine. A coroutine must leave open the blocks that were
 * open when it was resumed. */
struct spt_scope *spt_block_check_open(lua_State *L, int arg);

/* Like spt_block_check_open(), but also checks that the block is the innermost one. */
struct spt_scope *spt_block_check_innermost(lua_State *L, int arg);

/* Returns true if that function would return. */
bool spt_block_is_innermost(const struct spt_scope *scope);

/* Returns true if `outer` is one of the task's open scopes and another is open inside it. */
bool spt_block_is_inside(const struct spt_task *t, const void *outer);

/* Opens a scope in the running task, with a deadline `ns` nanoseconds from now, and pushes its
 * handle. Raises Usage where nothing can wait, and out of memory; nothing is opened then. */
struct spt_scope *spt_block_open(lua_State *L, struct spt_sched *s, struct spt_scope_kind kind,
                                 uint64_t ns);

/* Closes the task's innermost scope, given its handle, which must have no live task. Allocates
 * nothing. */
void spt_block_close(lua_State *L, int handle);

/* Waits until the scope at index 1 has no live task; a function for Lua. */
int spt_block_join(lua_State *L);

#endif
